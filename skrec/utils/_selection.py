"""From scores to the best items of each user: dense, sparse or compiled, whichever the scores allow."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from . import _fast
from ._topk import map_blocks, mask_scores, top_k, top_k_sparse
from ._users import Users


def best_items(
    score: Callable,
    users: Users,
    k: int,
    *,
    n_items: int,
    columns: np.ndarray,
    order: np.ndarray,
    demote_seen: bool,
    removed: sp.csr_array | None,
    row_bytes: int,
    product: tuple[Callable, sp.csr_array] | None = None,
    sources: bool = False,
) -> tuple[np.ndarray, ...]:
    """Find the k best of the allowed columns for encoded users.

    Parameters
    ----------
    score : callable
        Scores a block of `users`; a dense array that may be changed, or CSR. With `sources` it returns a pair: the
        scores, and a function that gives the source of each item found, by its columns.
    users : Users of shape (n_users, n_items)
        The encoded users.
    k : int
        Number of columns to return, at most ``len(columns)``.
    n_items : int
        Number of all columns.
    columns : ndarray of shape (n_columns,)
        The columns that may be returned, ascending.
    order : ndarray of shape (n_columns,)
        Positions in `columns` in the order that breaks ties.
    demote_seen : bool
        Whether stored entries of the users come last.
    removed : CSR array of shape (n_users, n_items) or None
        Entries that must not be returned.
    row_bytes : int
        Bytes that a user needs while being scored.
    product : pair of callable and CSR array, or None
        Where the scores are ``weigh(users) @ similarity``: these two, for the compiled loop.
    sources : bool, default=False
        Whether `score` gives sources as well.

    Returns
    -------
    found : ndarray of shape (n_users, k), dtype int64
        Columns, best first.
    values : ndarray of shape (n_users, k)
        Their scores; demoted ones show ``-inf``.
    sources : ndarray of shape (n_users, k), dtype object
        Only with `sources`.
    """
    n_rows = len(users)
    cells = n_rows * n_items
    if product is not None and cells > product[1].nnz and _fast.worthwhile(2e-9 * cells):
        weigh, similarity = product
        weights = weigh(users)
        if _fast.fits(weights, similarity):
            seen = users.matrix if demote_seen else None
            found = _fast.best_of_product(weights, similarity, k, order=columns[order], seen=seen, removed=removed)
            return found[:2]

    def best(block):
        some = users[block]
        scores, sources_of = score(some) if sources else (score(some), None)
        demoted = some.matrix if demote_seen else None
        gone = None if removed is None else removed[block]
        if _is_sparse_enough(scores):
            found, values = top_k_sparse(scores, k, columns[order], seen=demoted, removed=gone)
            return (found, values, sources_of(found)) if sources else (found, values)
        scores = dense(scores)
        if demoted is not None:
            mask_scores(scores, demoted)
        if gone is not None:
            mask_scores(scores, gone, remove=True)
        found, values = top_k(scores if len(columns) == n_items else scores[:, columns], k, order)
        found = columns[found]
        return (found, values, sources_of(found)) if sources else (found, values)

    blocks = map_blocks(best, n_rows, row_bytes)
    kinds = (np.int64, np.float32, object)[: 3 if sources else 2]
    return tuple(stack([block[part] for block in blocks], (0, k), kind) for part, kind in enumerate(kinds))


def dense(scores) -> np.ndarray:
    """Return scores as an array."""
    return scores.toarray() if sp.issparse(scores) else scores


def stack(blocks: list[np.ndarray], shape: tuple[int, int], dtype=np.float32) -> np.ndarray:
    """Join blocks of rows; without any, return an empty array of a shape."""
    return np.concatenate(blocks) if blocks else np.empty(shape, dtype=dtype)


def _is_sparse_enough(scores) -> bool:
    """Tell whether sparse scores are best searched as they are: many, few of them stored, none negative."""
    cells = np.prod(scores.shape)
    return sp.issparse(scores) and cells > max(2**18, 8 * scores.nnz) and scores.data.min(initial=0) >= 0
