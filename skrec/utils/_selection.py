"""From scores to the best items of each user: dense, sparse or compiled, whichever the scores allow."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from . import _fast
from ._topk import map_blocks, mask_scores, top_k, top_k_sparse


def best_items(
    score: Callable,
    rows,
    k: int,
    *,
    n_items: int,
    columns: np.ndarray,
    order: np.ndarray,
    seen: Callable | None,
    removed: sp.csr_array | None,
    row_bytes: int,
    product: tuple[Callable, sp.csr_array] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k best of the allowed columns for encoded users.

    Parameters
    ----------
    score : callable
        Scores a block of `rows`; a dense array that may be changed, or CSR.
    rows : matrix or OrderedRows of shape (n_users, n_items)
        The encoded users.
    k : int
        Number of columns to return, at most ``len(columns)``.
    n_items : int
        Number of all columns.
    columns : ndarray of shape (n_columns,)
        The columns that may be returned, ascending.
    order : ndarray of shape (n_columns,)
        Positions in `columns` in the order that breaks ties.
    seen : callable or None
        Gives the entries of a block of `rows` to demote.
    removed : CSR array of shape (n_users, n_items) or None
        Entries that must not be returned.
    row_bytes : int
        Bytes that a user needs while being scored.
    product : pair of callable and CSR array, or None
        Where the scores are ``weigh(rows) @ similarity``: these two, for the compiled loop.

    Returns
    -------
    found : ndarray of shape (n_users, k), dtype int64
        Columns, best first.
    values : ndarray of shape (n_users, k)
        Their scores; demoted ones show ``-inf``.
    """
    n_rows = rows.shape[0]
    cells = n_rows * n_items
    if product is not None and cells > product[1].nnz and _fast.worthwhile(2e-9 * cells):
        weigh, similarity = product
        weights = weigh(rows)
        if _fast.fits(weights, similarity):
            demoted = None if seen is None else seen(rows)
            found = _fast.best_of_product(weights, similarity, k, order=columns[order], seen=demoted, removed=removed)
            return found[:2]

    def best(block):
        scores = score(rows[block])
        demoted = None if seen is None else seen(rows[block])
        gone = None if removed is None else removed[block]
        if _is_sparse_enough(scores):
            return top_k_sparse(scores, k, columns[order], seen=demoted, removed=gone)
        scores = dense(scores)
        if demoted is not None:
            mask_scores(scores, demoted)
        if gone is not None:
            mask_scores(scores, gone, remove=True)
        found, values = top_k(scores if len(columns) == n_items else scores[:, columns], k, order)
        return columns[found], values

    blocks = map_blocks(best, n_rows, row_bytes)
    return stack([b[0] for b in blocks], (0, k), np.int64), stack([b[1] for b in blocks], (0, k))


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
