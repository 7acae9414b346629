"""Leave-one-out attribution: what each item of a history adds to the scores, for any recommender."""

from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from ..utils._containers import is_stored, keep_events, take_rows
from ..utils._histories import read_histories
from ..utils._row_blocks import BLOCK, row_blocks
from ..utils._selection import dense
from ..utils._topk import map_blocks

_ROUNDING = 1e-5  # changes of a score, relative to it, below which nothing has changed but the rounding


def leave_one_out(model, X, wanted: list[np.ndarray], at: float | None, max_length: int) -> tuple[list, int]:
    """Compare the scores of items with those without one item of the history.

    Parameters
    ----------
    model : recommender
        Fitted, with the scores of its own: no wrapper.
    X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
        One row per user.
    wanted : list of ndarray of shape (n_wanted,)
        Positions in `items_` of the items to explain, one array per user.
    at : float or None
        The moment of asking.
    max_length : int
        The largest number of items of a history that are left out, one at a time: the most recent ones.

    Returns
    -------
    attributed : list of tuple
        For each user the positions in `items_` of the history's items, (n_reasons,), the contributions, (n_reasons,
        n_wanted), and the scores, (n_wanted,).
    n_cut : int
        Number of users with more than `max_length` items.
    """
    matrix = model._encode(X).matrix if model._is_passthrough() else None
    rows = _Matrix(model, matrix) if matrix is not None else _Histories(model, X)
    left_out, n_cut = rows.newest_items(max_length)
    n_events = (np.array([len(items) for items in left_out], dtype=np.int64) + 1) * (rows.lengths + 1)
    attributed = []
    for block in row_blocks(np.concatenate([[0], np.cumsum(n_events)]), BLOCK):
        if block.stop > block.start:
            attributed += _attribute(model, rows, range(block.start, block.stop), left_out, wanted, at)
    return attributed, n_cut


def _attribute(model, rows, block: range, left_out: list, wanted: list, at: float | None) -> list:
    """Score every user of a block with the whole history and without each item, in one call of the model."""
    alone = getattr(model, "_without_fallback", lambda: model)()  # a fallback has scores on another scale
    owner = np.concatenate([np.full(len(left_out[user]) + 1, user) for user in block])
    without = np.concatenate([np.append(-2, left_out[user]) for user in block])  # -2: with the whole history
    scores = _scores(alone, rows.encode(owner, without), owner, wanted, at)
    answers, start = [], 0
    for user in block:
        n_left_out = len(left_out[user])
        values = np.array([one for one, _ in scores[start : start + n_left_out + 1]], dtype=np.float64)
        mean, start = scores[start][1], start + n_left_out + 1
        whole, rest = values[0], values[1:]
        same = np.abs(whole - rest) <= _ROUNDING * np.maximum(np.abs(whole), np.abs(rest))
        if model._scores_are_logits and n_left_out == 1:  # nothing is left: the scores of nets begin elsewhere then
            rest = np.full_like(rest, mean)
        answers.append((left_out[user], np.where(same, 0.0, whole - rest), whole))
    cold = np.array([user for user in block if not len(left_out[user])], dtype=np.int64)
    if alone is not model and len(cold):
        found = _scores(model, rows.encode(cold, np.full(len(cold), -2)), cold, wanted, at)
        for user, (values, _) in zip(cold, found, strict=True):
            answers[user - block.start] = (*answers[user - block.start][:2], values.astype(np.float64))
    return answers


def _scores(model, users, owner: np.ndarray, wanted: list, at: float | None) -> list[tuple[np.ndarray, float]]:
    """Return for each row the scores of the items that are wanted of its user, and the mean of all."""
    score = model._scorer(at)

    def score_block(block):
        found = dense(score(users[block]))
        return [(row[wanted[user]], float(row.mean())) for row, user in zip(found, owner[block], strict=True)]

    return [one for part in map_blocks(score_block, len(users), 4 * model._block_width()) for one in part]


class _Histories:
    """Users given by histories."""

    def __init__(self, model, X):
        self.model, self.X = model, X.to_frame() if is_stored(X) else X
        self.histories = read_histories(self.X)
        self.codes = self.histories.item_codes(model.items_)
        self.lengths = self.histories.lengths

    def newest_items(self, max_length: int) -> tuple[list[np.ndarray], int]:
        """Return the known items of each user, those of the newest events first, and how many users have more."""
        found, n_cut, bounds = [], 0, self.histories.indptr
        for start, stop in pairwise(bounds):
            newest = self.codes[start:stop][::-1]
            items, first = np.unique(newest[newest >= 0], return_index=True)
            items = items[np.argsort(first, kind="stable")]
            n_cut += len(items) > max_length
            found.append(items[:max_length].astype(np.int64))
        return found, n_cut

    def encode(self, owner: np.ndarray, without: np.ndarray):
        """Return users whose histories lack all events of one item each."""
        X, histories = take_rows(self.X, owner), self.histories.take_rows(owner)
        keep = histories.item_codes(self.model.items_) != np.repeat(without, histories.lengths)
        return self.model._encode(keep_events(X, histories, keep))


class _Matrix:
    """Users given by the rows of a passed-through matrix, which has no order: the largest entries count as newest."""

    def __init__(self, model, matrix: sp.csr_array):
        self.model, self.matrix = model, matrix
        self.lengths = np.diff(matrix.indptr)

    def newest_items(self, max_length: int) -> tuple[list[np.ndarray], int]:
        found, n_cut, bounds = [], 0, self.matrix.indptr
        for start, stop in pairwise(bounds):
            items = self.matrix.indices[start:stop][np.argsort(-self.matrix.data[start:stop], kind="stable")]
            n_cut += len(items) > max_length
            found.append(items[:max_length].astype(np.int64))
        return found, n_cut

    def encode(self, owner: np.ndarray, without: np.ndarray):
        taken = self.matrix[owner]
        keep = taken.indices != np.repeat(without, np.diff(taken.indptr))
        indptr = np.append(0, np.cumsum(keep))[taken.indptr]
        matrix = sp.csr_array((taken.data[keep], taken.indices[keep], indptr), shape=taken.shape)
        return self.model._users(matrix, None, matrix, fitting=False)
