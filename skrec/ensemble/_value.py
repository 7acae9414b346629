"""Expected value of a recommendation: the probability of a purchase from a score, and the value of each item."""

import warnings

import numpy as np
from scipy.special import expit
from sklearn.base import clone
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from ..metrics._hits import find_hits
from ..utils._containers import take_rows
from ..utils._histories import read_histories
from ..utils._validation import plain
from ._item_tables import by_item
from ._pairs import by_row, hold_out

MOST_USERS = 5000  # held-out users that calibrate


class PurchaseCalibration:
    """The probability of a purchase as a function of a recommender's score, learned from held-out candidates.

    Parameters
    ----------
    method : {"isotonic", "sigmoid"}
        Isotonic regression, or logistic regression on the score (Platt's scaling).

    Attributes
    ----------
    scores, probabilities : ndarray of shape (n_knots,)
        The curve, linear between its knots and constant beyond them; for ``"sigmoid"`` the range of the scores alone.
    slope, intercept : float
        Coefficients of ``"sigmoid"``.
    by_place : ndarray of shape (n_candidates,)
        The probability by the place among the candidates, best first, where the scores tell nothing.
    n_users, n_candidates, n_purchases : int
        Number of held-out users, of their candidates, and of those that were bought.
    """

    def __init__(self, method: str):
        self.method = method

    def __repr__(self) -> str:
        learned = f"{self.n_purchases} of {self.n_candidates} candidates" if hasattr(self, "by_place") else "not fitted"
        return f"<{self.method} calibration: {learned}>"

    def fit(self, scores: np.ndarray, is_bought: np.ndarray) -> "PurchaseCalibration":
        """Learn from the candidates of held-out users.

        Parameters
        ----------
        scores : ndarray of shape (n_users, n_candidates)
            Their scores, best first, ``-inf`` for what comes last in any case.
        is_bought : ndarray of shape (n_users, n_candidates), dtype bool
            Whether the user bought the candidate.
        """
        counts = ~np.isneginf(scores)
        x, y = scores[counts].astype(np.float64), is_bought[counts]
        self.n_users, self.n_candidates, self.n_purchases = len(scores), len(y), int(y.sum())
        if not 0 < self.n_purchases < self.n_candidates:
            raise ValueError(
                f"holdout leaves {self.n_purchases} purchases among {self.n_candidates} candidates of "
                f"{self.n_users} users to calibrate on, and both purchases and others are needed: hold out more, or "
                "raise n_candidates"
            )
        if self.method == "isotonic":
            curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(x, y)
            self.scores, self.probabilities = curve.X_thresholds_, curve.y_thresholds_
        else:
            self._fit_sigmoid(x, y)
        place = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)[counts]
        by_place = IsotonicRegression(y_min=0, y_max=1, increasing=False, out_of_bounds="clip").fit(place, y)
        self.by_place = by_place.predict(np.arange(scores.shape[1]))
        return self

    def _fit_sigmoid(self, x, y) -> None:
        scale = float(x.std()) or 1.0
        model = LogisticRegression(C=np.inf, max_iter=1000).fit((x[:, None] - x.mean()) / scale, y)
        self.slope = float(model.coef_[0, 0]) / scale
        self.intercept = float(model.intercept_[0] - self.slope * x.mean())
        if self.slope < 0:
            raise ValueError(
                "calibration='sigmoid' needs scores that rise with the probability of a purchase, and those of the "
                f"held-out candidates fall (slope {self.slope:.3g}): use calibration='isotonic', or hold out more"
            )
        self.scores = np.array([x.min(), x.max()])
        self.probabilities = expit(self.intercept + self.slope * self.scores)

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """Return the probability that each user buys each candidate, shape (n_users, n_candidates); 0 for ``-inf``.

        Where all scores of a user are equal, or beyond those of the held-out candidates, the place counts: that is a
        user of whom the recommender knows nothing.
        """
        last = np.isneginf(scores)
        scores = np.where(last, self.scores[0], scores.astype(np.float64))
        if self.method == "isotonic":
            chance = np.interp(scores, self.scores, self.probabilities)
        else:
            chance = expit(self.intercept + self.slope * np.clip(scores, self.scores[0], self.scores[-1]))
        low, high = np.where(last, np.inf, scores).min(axis=1), np.where(last, -np.inf, scores).max(axis=1)
        unknown = (low >= high) | (low >= self.scores[-1]) | (high <= self.scores[0])
        unknown &= np.count_nonzero(~last, axis=1) > 1
        if unknown.any():
            place = np.minimum(np.arange(scores.shape[1]), len(self.by_place) - 1)
            chance[unknown] = self.by_place[place]
        return np.where(last, 0, chance)


def calibrate(recommender, X, holdout, n_candidates: int, method: str, exclude_seen: bool, rng) -> PurchaseCalibration:
    """Fit a clone of a recommender without the held-out part, and learn how its scores become probabilities.

    Parameters
    ----------
    recommender : recommender
        Cloned and fitted.
    X : histories of shape (n_users,)
        The training histories.
    holdout : "last", "basket", "sessions", float or str
        What is held out of them.
    n_candidates : int
        Number of candidates of each user.
    method : {"isotonic", "sigmoid"}
        How scores become probabilities.
    exclude_seen : bool
        Whether a user's own items are no candidates.
    rng : RandomState
        Draws the users where there are more than `MOST_USERS`.
    """
    known, asked, held, _ = hold_out(X, read_histories(X), holdout)
    model = clone(recommender).fit(known)
    counts = read_histories(asked).lengths > 0  # others stand in the log because they come later
    if by_row(holdout):
        counts &= read_histories(held, "y").lengths > 0  # of others nothing is known, while days can pass without one
    rows = np.flatnonzero(counts)
    if not len(rows):
        raise ValueError(f"holdout={holdout!r} leaves no user with a history and something held out: choose another")
    if len(rows) > MOST_USERS:
        rows = np.sort(rng.choice(rows, MOST_USERS, replace=False))
    items, scores = model.recommend(take_rows(asked, rows), n_candidates, exclude_seen=exclude_seen, return_scores=True)
    return PurchaseCalibration(method).fit(scores, find_hits(take_rows(held, rows), items, None).is_hit)


def item_values(value, items: np.ndarray, *, tell: bool = False) -> np.ndarray:
    """Return the value of each item, shape (n_items,), finite and at least 0.

    Parameters
    ----------
    value : callable, dict or pandas Series
        A function from the array of ids to their values, or a value by item id; items without one get the median.
    items : ndarray of shape (n_items,)
        The item ids.
    tell : bool, default=False
        Whether to warn of items without a value.
    """
    if callable(value):
        numbers = np.asarray(value(items))
        if numbers.shape != items.shape or numbers.dtype.kind not in "iuf":
            raise ValueError(
                f"value must return an array of numbers of shape {items.shape} for as many ids, got "
                f"{numbers.dtype} of shape {numbers.shape}"
            )
        numbers, named = numbers.astype(np.float64), np.ones(len(items), dtype=bool)
    else:
        found, named = by_item(value, items, "value")
        numbers = np.full(len(items), np.nan)
        try:
            numbers[named] = found[named].astype(np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"value must hold numbers: {error}") from error
    bad = named & ~((numbers >= 0) & (numbers < np.inf))
    if bad.any():
        raise ValueError(
            f"value must be finite and at least 0, got {numbers[bad][0]:g} for {plain(items[bad][0])!r}: leave items "
            "that lose money out with must_exclude, and items of unknown value out of value"
        )
    if not named.all():
        middle = float(np.median(numbers[named]))
        numbers[~named] = middle
        if tell:
            warnings.warn(
                f"value names {named.sum()} of the {len(items)} items of the recommender: the others, such as "
                f"{plain(items[~named][0])!r}, get the median value, {middle:g}",
                stacklevel=2,
            )
    return numbers


def item_worth(value, items: np.ndarray, exponent: float) -> np.ndarray:
    """Return the value of each item to the power of the exponent, shape (n_items,)."""
    return item_values(value, items) ** exponent


def expected_value(probability: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Return probability times worth, brought to 0 to 1 for each user: 1 is the best candidate."""
    value = probability * worth
    best = value.max(axis=1, keepdims=True, initial=0)
    return value / np.where(best > 0, best, 1)
