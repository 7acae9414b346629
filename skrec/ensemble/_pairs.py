"""Held-out questions, and the pairs of user and item that answer them."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ..utils._containers import count_rows, keep_events, keep_items, take_rows
from ..utils._held_out import ndcg
from ..utils._histories import Histories, read_histories
from ..utils._split import split_last, split_time
from ..utils._time import as_duration, latest_time
from ..utils._topk import mask_scores, top_k

_N_JUDGED = 1000  # users on whom the importance of features is measured


def hold_out(X, histories: Histories, holdout, n_last: int = 1, end: float | None = None):
    """Cut what an ensemble learns from off the histories.

    Returns what the parts may learn from, what they are asked with, the items held out of each row, all in containers
    as X, and the moment of the cut, the `end` of a further cut; None where each row has a cut of its own.
    """
    if by_row(holdout):
        if holdout == "sessions":
            return *_hold_out_sessions(X, histories), None
        known, held = split_last(X, n_last, unit="event" if holdout == "last" else "basket")
        return known, known, held, None
    share = _as_share(holdout)
    dated = None if histories.time is None else histories.dated
    days = as_duration(holdout, "holdout", dated=dated) if share is None else 0.0
    if histories.time is None:
        raise ValueError(f"holdout={holdout!r} needs histories with the column 'time': see to_histories(time=)")
    latest = latest_time(histories.time, histories.dated, tell=end is None) if len(histories.time) else -np.inf
    end = latest if end is None else end
    if share is not None:
        days = share * (end - float(histories.time.min()))
    at = (end if latest >= end - days else latest) - days  # not in a gap without events
    known, held = split_time(X, at)
    return known, known, held, at


def _hold_out_sessions(X, histories: Histories):
    """Hold out the newest tenth of the sessions, whole; each is asked with its beginning for the event that follows.

    The parts do not know a session that is asked, as at request time. The newest are those that end last, without times
    the last rows; the beginning is of random length.
    """
    sessions = np.flatnonzero(histories.lengths)
    if histories.time is not None:
        sessions = sessions[np.argsort(histories.time[histories.indptr[1:][sessions] - 1], kind="stable")]
    newest = sessions[len(sessions) - max(1, len(sessions) // 10) :]
    asked = newest[histories.lengths[newest] > 1]
    if not len(asked) or len(newest) == len(sessions):
        raise ValueError(
            f"holdout='sessions' holds out {len(newest)} of {len(sessions)} sessions, {len(asked)} of them with two "
            "events or more: pass more sessions"
        )
    known = np.ones(len(histories), dtype=bool)
    known[newest] = False
    cut = histories.indptr[:-1].copy()  # nobody else is asked
    cut[asked] += np.random.RandomState(0).randint(1, histories.lengths[asked])
    position = np.arange(len(histories.codes))
    before = position < cut[histories.rows]
    held = np.zeros(len(position), dtype=bool)
    held[cut[asked]] = True
    return (
        keep_events(X, histories, known[histories.rows]),
        keep_events(X, histories, before),
        keep_items(X, histories, held),
    )


def by_row(holdout) -> bool:
    """Tell whether events of each row are held out for its own sake, rather than what came after one moment."""
    return isinstance(holdout, str) and holdout in ("last", "basket", "sessions")


def _as_share(holdout) -> float | None:
    """Read "10%" as .1; return None for what is no share."""
    if not isinstance(holdout, str) or not holdout.endswith("%"):
        return None
    try:
        share = float(holdout[:-1]) / 100
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise ValueError(f"holdout must be a share between 0% and 100%, such as '10%', got {holdout!r}")
    return share


def draw_questions(X, y, max_users: int | None, rng) -> tuple[object, Histories]:
    """Draw users with something held out; return their histories, in the container of X, and the held-out items."""
    asked = np.flatnonzero(read_histories(y, "y").lengths)
    if max_users is not None and len(asked) > max_users:
        asked = np.sort(rng.choice(asked, max_users, replace=False))
    if len(asked) < count_rows(X):
        X, y = take_rows(X, asked), take_rows(y, asked)
    return X, read_histories(y, "y")


@dataclass(frozen=True)
class Pairs:
    """Retrieved pairs of user and item, ordered by user.

    Attributes
    ----------
    row, column : ndarray of shape (n_pairs,)
        User and item of each pair, as positions.
    scores : ndarray of shape (n_pairs, n_parts), dtype float32
        The normalised score that each part gives the pair.
    ties : int ndarray of shape (n_pairs,)
        The lowest comes first where scores are equal: the place of the item in the order that breaks ties.
    n_rows : int
        Number of users.
    """

    row: np.ndarray
    column: np.ndarray
    scores: np.ndarray
    ties: np.ndarray
    n_rows: int

    @property
    def starts(self) -> np.ndarray:
        """Position of the first pair of each user, shape (n_rows + 1,)."""
        return np.searchsorted(self.row, np.arange(self.n_rows + 1))

    def padded(self, values: np.ndarray) -> np.ndarray:
        """Lay values of the pairs out as (n_rows, most pairs of a user), -inf where there is no pair."""
        starts = self.starts
        width = int(np.diff(starts).max(initial=1))
        table = np.full((self.n_rows, width), -np.inf, dtype=np.float32)
        table[self.row, self.slots] = values
        return table

    @property
    def slots(self) -> np.ndarray:
        """Number of each pair among those of its user, shape (n_pairs,)."""
        return np.arange(len(self.row)) - self.starts[self.row]

    def places(self, values: np.ndarray) -> np.ndarray:
        """Return the rank of each pair among those of its user, 0 for the highest value; shape (n_pairs,)."""
        values = -np.asarray(values, dtype=np.float32)
        single = self.n_rows == 1
        order = np.argsort(values, kind="stable") if single else np.lexsort((values, self.row))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order)) if single else self.slots
        return place

    def keep(self, users: np.ndarray) -> "Pairs":
        """Keep the pairs of some users, given as a mask of shape (n_rows,), and number these anew."""
        kept, number = users[self.row], np.cumsum(users) - 1
        return Pairs(number[self.row[kept]], self.column[kept], self.scores[kept], self.ties[kept], int(users.sum()))

    def labels(self, wanted: sp.csr_array) -> np.ndarray:
        """Tell which pairs stand in a pattern of shape (n_rows, n_items)."""
        keys = np.repeat(np.arange(self.n_rows), np.diff(wanted.indptr)) * wanted.shape[1] + wanted.indices
        return np.isin(self.row * wanted.shape[1] + self.column, keys)

    @staticmethod
    def join(blocks: list["Pairs"]) -> "Pairs":
        """Put blocks of users behind each other."""
        first = np.cumsum([0] + [block.n_rows for block in blocks])
        rows = [block.row + start for block, start in zip(blocks, first[:-1], strict=True)]
        columns, scores, ties = (
            np.concatenate([getattr(block, name) for block in blocks]) for name in ("column", "scores", "ties")
        )
        return Pairs(np.concatenate(rows), columns, scores, ties, int(first[-1]))


def retrieve(
    scores: list[np.ndarray],
    n: int,
    order: np.ndarray,
    seen: sp.csr_array,
    *,
    keep_seen: bool,
    choose_by: list[np.ndarray] | None = None,
    also: sp.csr_array | None = None,
) -> Pairs:
    """Take the n best items of each user in each of several score arrays, and give what every array says of them.

    Seen items take no place. With `keep_seen` those that score as high as what was taken are taken too. `choose_by`
    names other arrays to choose by, and `also` is a pattern of pairs to take in any case.
    """
    chosen = np.zeros(seen.shape, dtype=bool)
    rows = np.arange(len(chosen))
    for one in scores if choose_by is None else choose_by:
        unseen = one.copy()
        mask_scores(unseen, seen)
        columns, values = top_k(unseen, min(n, unseen.shape[1]), order)
        chosen[rows[:, None], columns] |= values > -np.inf
        if keep_seen:
            row = np.repeat(rows, np.diff(seen.indptr))
            high = one[row, seen.indices] >= values[row, -1]
            chosen[row[high], seen.indices[high]] = True
    if also is not None:
        chosen[np.repeat(rows, np.diff(also.indptr)), also.indices] = True
    row, column = np.nonzero(chosen)
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return Pairs(row, column, np.column_stack([one[row, column] for one in scores]), place[column], len(chosen))


def split_repeats(wanted: sp.csr_array, seen: sp.csr_array, exclude_seen: bool) -> tuple[sp.csr_array, bool]:
    """Return what is asked for, without seen items where they are excluded, and whether anybody came back to one."""
    one = sp.csr_array((np.ones(wanted.nnz), wanted.indices, wanted.indptr), shape=wanted.shape)
    both = sp.csr_array(one.multiply(seen))
    both.data[:] = 1
    repeats = both.nnz > 0
    if repeats and exclude_seen:
        one = sp.csr_array(one - both)
        one.eliminate_zeros()
    return one, repeats


def pair_ndcg(pairs: Pairs, labels: np.ndarray, n_relevant: np.ndarray, k: int):
    """Return a function that gives the NDCG at k of each user, of a score for each pair; NaN if nothing is relevant."""
    by_ties = np.lexsort((pairs.ties, pairs.row))
    hits = pairs.padded(labels[by_ties].astype(np.float32)) > 0
    order, n_places = np.arange(hits.shape[1]), min(k, hits.shape[1])
    is_hit = np.zeros((len(hits), k), dtype=bool)  # users with fewer than k candidates have no hit in later places

    def value(scores: np.ndarray) -> np.ndarray:
        best, _ = top_k(pairs.padded(scores[by_ties]), n_places, order)
        is_hit[:, :n_places] = np.take_along_axis(hits, best, axis=1)
        return ndcg(is_hit, n_relevant)

    return value


def list_ndcg(scores: np.ndarray, relevant: sp.csr_array, seen: sp.csr_array | None, order: np.ndarray, k: int):
    """Return the NDCG at k of each user, of the best items by scores (n_users, n_items); seen ones come last."""
    if seen is not None:
        scores = scores.copy()
        mask_scores(scores, seen)
    best, _ = top_k(scores, min(k, scores.shape[1]), order)
    is_hit = np.zeros((len(best), k), dtype=bool)
    first = np.arange(len(best), dtype=np.int64) * scores.shape[1]  # of the numbers of a user's pairs
    n_relevant = np.diff(relevant.indptr)
    is_hit[:, : best.shape[1]] = np.isin(best + first[:, None], np.repeat(first, n_relevant) + relevant.indices)
    return ndcg(is_hit, n_relevant)


def importances(rank, pairs: Pairs, labels: np.ndarray, table: np.ndarray, n_wanted: np.ndarray, k: int, rng):
    """Return how much NDCG at k falls when a feature is shuffled among the pairs; `rank(pairs, table)` gives scores."""
    n_users = min(_N_JUDGED, pairs.n_rows)
    some = slice(0, pairs.starts[n_users])
    pairs, table = pairs.keep(np.arange(pairs.n_rows) < n_users), table[some]
    reached = pair_ndcg(pairs, labels[some], n_wanted[:n_users], k)

    def value(scores):
        return float(np.nanmean(reached(scores)))

    whole, falls = value(rank(pairs, table)), np.empty(table.shape[1])
    for feature in range(table.shape[1]):
        shuffled = table.copy()
        shuffled[:, feature] = rng.permutation(shuffled[:, feature])
        falls[feature] = whole - value(rank(pairs, shuffled))
    return falls
