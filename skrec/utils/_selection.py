"""From scores to the best items of each user: dense, sparse or compiled, whichever the scores allow."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from . import _fast
from ._csr import fits
from ._search import InnerProduct, products_of, search
from ._topk import block_slices, map_blocks, mask_scores, top_k, top_k_sparse
from ._users import Users

_FEW_HIDDEN = 1000  # items that nobody may get, up to which the search passes them by


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
    product: tuple[Callable, sp.csr_array] | InnerProduct | None = None,
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
    product : pair of callable and CSR array, InnerProduct, or None
        Where the scores are ``weigh(users) @ similarity``: these two, for the compiled loop. Where they are inner
        products of vectors: these, for the search.
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
    if isinstance(product, InnerProduct):
        hidden = n_items - len(columns)
        if hidden <= _FEW_HIDDEN and not sources and (index := product.search_index(n_rows)) is not None:
            ways = (product, index), (columns, order), (demote_seen, removed)
            return _best_products(score, users, k, *ways, row_bytes)
    elif product is not None and cells > product[1].nnz and _fast.worthwhile(2e-9 * cells):
        weigh, similarity = product
        weights = weigh(users)
        if fits(weights, similarity):
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


def _best_products(score, users: Users, k: int, inner, allowed, left_out, row_bytes: int) -> tuple:
    """Find the k best columns by the search for inner products; users for whom it cannot are scored as a whole."""
    (product, index), (columns, order), (demote_seen, removed) = inner, allowed, left_out
    n_items = len(product.items)
    rank = np.empty(n_items, dtype=np.int64)
    rank[columns[order]] = np.arange(len(order))
    outside = np.setdiff1d(np.arange(n_items), columns) if len(columns) < n_items else columns[:0]

    def hidden_of(row: int) -> np.ndarray:
        parts = [outside]
        for pattern in (users.matrix if demote_seen else None, removed):
            if pattern is not None:
                parts.append(pattern.indices[pattern.indptr[row] : pattern.indptr[row + 1]])
        return np.unique(np.concatenate(parts))

    found = np.empty((len(users), k), dtype=np.int64)
    values = np.empty((len(users), k), dtype=np.float32)
    rest = []
    for block in block_slices(len(users), 64 * 2**10):
        vectors = product.query(users[block])
        numbers = range(block.start, block.stop)
        candidates = search(index, vectors, k, [hidden_of(row) for row in numbers])
        for row, vector, some in zip(numbers, vectors, candidates, strict=True):
            if some is None:
                rest.append(row)
                continue
            scores = products_of(vector, product.items, some)
            best = np.lexsort((rank[some], -scores))[:k]
            found[row], values[row] = some[best], scores[best]
    for rows in _runs(rest):
        part = None if removed is None else removed[rows]
        how = {"n_items": n_items, "columns": columns, "order": order, "row_bytes": row_bytes}
        found[rows], values[rows] = best_items(score, users[rows], k, demote_seen=demote_seen, removed=part, **how)
    return found, values


def _runs(rows: list[int]) -> list[slice]:
    """Return ascending numbers as slices of consecutive ones."""
    numbers = np.array(rows, dtype=np.int64)
    parts = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1) if rows else []
    return [slice(int(part[0]), int(part[-1]) + 1) for part in parts]


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
