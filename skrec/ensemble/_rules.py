"""The rules of a Reranker, in the order of its items, and the lists that keep them."""

import numpy as np

from ..utils._topk import top_k
from ..utils._validation import plain
from ._greedy import Calibrated, Dissimilar, Plain, build_lists, lottery_numbers
from ._item_tables import factors, label_codes, label_matrix, positions, stock_mask, unit_vectors
from ._value import PurchaseCalibration, expected_value, item_worth


class Rules:
    """What a Reranker's parameters say of each item of its recommender.

    Parameters
    ----------
    reranker : Reranker
        With `items_` and `seed_`.
    inner : recommender
        Its fitted recommender.

    Attributes
    ----------
    allowed : ndarray of shape (n_items,), dtype bool
        Neither excluded nor, by a table, out of stock.
    forced : ndarray of int
        Positions of the items that every list has.
    boost : ndarray of shape (n_items,) or None
        Factors of the relevance.
    labels : ndarray of shape (n_items, n) or None
        Codes of an item's categories, -1 where it has fewer.
    vectors : ndarray of shape (n_items, n_components) or None
        What is compared with ``diversity="mmr"`` or ``"mean"``.
    worth : ndarray of shape (n_items,) or None
        Value of an item to the power of `value_exponent`; a function as `value` is called at each request instead.
    calibration : PurchaseCalibration or None
        Makes probabilities of scores.
    """

    worth: np.ndarray | None = None  # as are models saved before there was a value
    calibration: PurchaseCalibration | None = None

    def __init__(self, reranker, inner):
        items = reranker.items_
        self.diversity, self.trade_off = reranker.diversity, float(reranker.trade_off)
        self.max_per_category, self.explore = reranker.max_per_category, float(reranker.explore)
        self.seed = reranker.seed_
        self.labels, self.n_labels = None, 0
        if reranker.categories is not None:
            self.labels, self.n_labels = label_codes(reranker.categories, items)
        if self.labels is None and (self.diversity == "calibrated" or self.max_per_category is not None):
            needs = "max_per_category" if self.diversity != "calibrated" else "diversity='calibrated'"
            raise ValueError(f"{needs} needs categories: pass a dict or Series from item id to category")
        self.vectors = None
        if self.diversity in ("mmr", "mean"):
            if self.labels is None and not hasattr(inner, "item_factors_"):
                raise ValueError(
                    f"diversity={self.diversity!r} needs categories, since {type(inner).__name__} has no item_factors_ "
                    "to compare: pass a dict or Series from item id to category"
                )
            kinds = inner.item_factors_ if self.labels is None else label_matrix(self.labels, self.n_labels)
            self.vectors = unit_vectors(kinds)
        self.boost = None if reranker.boost is None else factors(reranker.boost, items)
        self.allowed = np.ones(len(items), dtype=bool)
        if reranker.must_exclude is not None:
            self.allowed[positions(reranker.must_exclude, items, "must_exclude", strict=False)] = False
        self.forced = np.empty(0, dtype=np.int64)
        if reranker.must_include is not None:
            self.forced = positions(reranker.must_include, items, "must_include", strict=True)
            if not self.allowed[self.forced].all():
                both = items[self.forced[~self.allowed[self.forced]]][0]
                raise ValueError(f"must_include and must_exclude both have {plain(both)!r}: take it out of one")
        if reranker.value is not None:
            self.calibration = reranker.calibration_
            if not callable(reranker.value):
                self.worth = item_worth(reranker.value, items, reranker.value_exponent)
        if reranker.in_stock is not None and not callable(reranker.in_stock):
            self.allowed &= stock_mask(reranker.in_stock, items)

    def row_bytes(self, n_candidates: int) -> int:
        """Return the bytes that a user needs while the list is built."""
        return 8 * n_candidates * (12 + (0 if self.vectors is None else self.vectors.shape[1]))

    def mix(self, inner, X):
        """Return a function that gives the share of each category in the histories of a block of users."""
        users, table = inner._encode(X), label_matrix(self.labels, self.n_labels)

        def of_block(block: slice) -> np.ndarray:
            mix = (users[block].matrix @ table).toarray().astype(np.float64)
            total = mix.sum(axis=1, keepdims=True)
            return mix / np.where(total > 0, total, 1)

        return of_block

    def lists(self, codes, scores, forced, mix, k: int, worth=None) -> tuple[np.ndarray, np.ndarray]:
        """Build the lists of a block of users.

        Parameters
        ----------
        codes : ndarray of shape (n_users, n_candidates)
            Positions of the candidates in the recommender's order, -1 where there is none.
        scores : ndarray of shape (n_users, n_candidates)
            Their scores, ``-inf`` for those that come last.
        forced : ndarray of shape (n_users, n_candidates), dtype bool
            Which of them the list must have.
        mix : ndarray of shape (n_users, n_labels) or None
            Share of each category in the history.
        k : int
            Number of places.
        worth : ndarray of shape (n_items,) or None
            What a purchase of each item is worth; None leaves value out.

        Returns
        -------
        picked : ndarray of shape (n_users, k)
            Columns of the candidates, in the order of the list.
        drawn : ndarray of shape (n_users, k), dtype bool
            Which of them were drawn at random.
        """
        seen = np.isneginf(scores)
        if worth is None or self.calibration is None:
            relevance = _relevance(scores.astype(np.float64), seen)
        else:
            relevance = expected_value(self.calibration.probability(scores), worth[codes])
        if self.boost is not None:
            relevance = relevance * self.boost[codes]
        open_places, lottery = np.zeros((len(codes), k), dtype=bool), None
        n_drawn = round(self.explore * k)
        if n_drawn:
            numbers = lottery_numbers(codes, self.seed, k + codes.shape[1])
            places, _ = top_k(numbers[:, :k], n_drawn, np.arange(k))
            np.put_along_axis(open_places, places, True, axis=1)
            lottery = np.where(forced, 0, numbers[:, k:])
        picked = build_lists(
            self._worth(relevance, codes, mix),
            k,
            last=seen & ~forced,
            absent=codes < 0,
            labels=None if self.labels is None else self.labels[codes],
            n_labels=self.n_labels,
            max_per_label=self.max_per_category,
            forced=forced if forced.any() else None,
            explore=open_places if n_drawn else None,
            lottery=lottery,
        )
        drawn = open_places & (picked >= k) & ~np.take_along_axis(forced, picked, axis=1)
        return picked, drawn

    def _worth(self, relevance, codes, mix) -> Plain:
        if self.vectors is not None:
            return Dissimilar(relevance, self.trade_off, self.vectors[codes], largest=self.diversity == "mmr")
        if self.diversity == "calibrated":
            return Calibrated(relevance, self.trade_off, self.labels[codes], mix)
        return Plain(relevance)


def with_forced(codes, scores, forced: np.ndarray, removed):
    """Append columns for the items that every list has; return codes, scores, and where they are forced.

    Parameters
    ----------
    codes, scores : ndarray of shape (n_users, n_candidates)
        The candidates.
    forced : ndarray of int
        Positions of the items that every list has.
    removed : CSR array of shape (n_users, n_items) or None
        What a user must not get.

    Returns
    -------
    codes, scores, forced : ndarray of shape (n_users, n_candidates + n_forced)
        A code of -1 marks a column without a candidate.
    """
    if not len(forced):
        return codes, scores, np.zeros(codes.shape, dtype=bool)
    more = np.repeat(forced[None], len(codes), axis=0)
    if removed is not None:
        more[removed[:, forced].toarray() > 0] = -1
    for column, item in enumerate(forced):
        more[(codes == item).any(axis=1), column] = -1  # among the candidates already
    is_forced = np.concatenate([np.isin(codes, forced), more >= 0], axis=1)
    none = np.full(more.shape, -np.inf, dtype=scores.dtype)
    return np.concatenate([codes, more], axis=1), np.concatenate([scores, none], axis=1), is_forced


def _relevance(scores: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Bring the scores of each user to 0 to 1; where all are equal, by their order."""
    low = np.where(seen, np.inf, scores).min(axis=1, keepdims=True)
    high = scores.max(axis=1, keepdims=True)
    by_order = np.linspace(1, 0, scores.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(seen, 0, np.where(high > low, (scores - low) / (high - low), by_order))
