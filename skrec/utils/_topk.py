"""The one place that sorts, masks and blocks scores."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
import sklearn

from ._threads import n_threads, single_threaded_blas

_SEEN = np.finfo(np.float32).min  # below every score, above what must not be recommended
_REMOVED = -np.inf
_CACHE_BYTES = 2**25  # blocks of 32 MiB keep a score matrix near the cache


def block_slices(n_rows: int, row_bytes: int, *, n_parallel: int = 1, cap: int = _CACHE_BYTES) -> Iterator[slice]:
    """Cut rows into blocks so that all blocks in flight stay inside scikit-learn's ``working_memory``.

    Parameters
    ----------
    n_rows : int
        Number of rows to cut.
    row_bytes : int
        Bytes that one row needs while it is worked on.
    n_parallel : int, default=1
        Number of blocks in flight at a time.
    cap : int, default=2**25
        A block takes no more bytes than this even where memory allows more.

    Yields
    ------
    slice
        Consecutive row ranges.
    """
    allowed = sklearn.get_config()["working_memory"] * 2**20 / n_parallel
    size = int(max(1, min(allowed, cap) // max(1, row_bytes)))
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def map_blocks(function: Callable[[slice], object], n_rows: int, row_bytes: int) -> list:
    """Apply a function to blocks of rows in threads; results come in order of the rows.

    NumPy and SciPy release the interpreter lock in the loops that matter here.
    """
    threads = n_threads()
    slices = list(block_slices(n_rows, row_bytes, n_parallel=threads))
    if threads == 1 or len(slices) < 2:
        return [function(rows) for rows in slices]
    with single_threaded_blas(), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, slices))


def popularity_order(counts: np.ndarray) -> np.ndarray:
    """Item positions from most to least popular; equal counts keep the order of the items."""
    return np.argsort(-np.asarray(counts, dtype=np.float64), kind="stable")


def mask_scores(scores: np.ndarray, entries: sp.csr_array, *, remove: bool = False) -> None:
    """Push the stored entries of `entries` below all other items, in place.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_items)
        Scores, changed in place.
    entries : CSR array of shape (n_rows, n_items)
        What to push down; only the pattern counts.
    remove : bool, default=False
        False demotes (the items stay available as the last choice), True removes.
    """
    scores[stored_rows(entries), entries.indices] = _REMOVED if remove else _SEEN


def top_k(scores: np.ndarray, k: int, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the k best columns of each row, best first; exact, ties included.

    Equal scores are ordered by `order`, so that an empty history receives the most popular items. The
    threshold of a row is bounded from below by the k-th largest of the maxima of column groups, which costs
    one pass at the speed of a vectorised maximum; only the few columns above the bound are sorted.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_items)
        Scores without NaN; not changed.
    k : int
        Number of columns to return, at most n_items.
    order : ndarray of shape (n_items,)
        All columns in the order that breaks ties, see `popularity_order`.

    Returns
    -------
    columns : ndarray of shape (n_rows, k), dtype int64
        The best columns of each row.
    values : ndarray of shape (n_rows, k)
        Their scores; items that were pushed down show ``-inf``.
    """
    n_rows, n_items = scores.shape
    rank = np.empty(n_items, dtype=np.int64)
    rank[order] = np.arange(n_items)

    bound = _lower_bound(scores, k)
    above = scores >= bound[:, None]
    counts = np.count_nonzero(above, axis=1)
    if (counts < k).any():  # nothing is above NaN
        raise ValueError(
            "X has scores that are not numbers (NaN): a parameter of the model, or a weight of X, is too large or too "
            "small for float32"
        )
    columns = np.empty((n_rows, k), dtype=np.int64)

    limit = 4 * k + 64
    few = counts <= limit
    if few.any():
        flat = np.flatnonzero(above if few.all() else above[few])
        width = counts[few]
        starts = np.cumsum(width) - width
        slot = np.arange(len(flat)) - np.repeat(starts, width)
        padded = np.full((len(width), width.max()), -1, dtype=np.int64)
        padded[np.repeat(np.arange(len(width)), width), slot] = flat % n_items
        columns[few] = _sort_padded(scores[few] if not few.all() else scores, padded, rank)[:, :k]
    for row in np.flatnonzero(~few):
        columns[row] = _top_k_row(scores[row], k, order, rank)
    values = np.take_along_axis(scores, columns, axis=1)
    return columns, np.where(values <= _SEEN, -np.inf, values)


def top_k_single(scores: np.ndarray, k: int, order: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the k best columns of one row, as `top_k` does, with the place of each column in `order` as `rank`.

    Parameters
    ----------
    scores : ndarray of shape (n_items,)
        Scores without NaN; not changed.
    k : int
        Number of columns to return, at most n_items.
    order : ndarray of shape (n_items,)
        All columns in the order that breaks ties.
    rank : ndarray of shape (n_items,)
        Numbers that ascend in that order.

    Returns
    -------
    columns : ndarray of shape (k,), dtype int64
        The best columns.
    values : ndarray of shape (k,)
        Their scores; items that were pushed down show ``-inf``.
    """
    above = np.flatnonzero(scores >= _lower_bound(scores[None], k)[0])
    if len(above) > 4 * k + 64:
        columns = _top_k_row(scores, k, order, rank)
    else:
        columns = above[np.lexsort((rank[above], -scores[above]))[:k]]
    values = scores[columns]
    return columns, np.where(values <= _SEEN, -np.inf, values)


def top_k_single_sparse(
    columns: np.ndarray, values: np.ndarray, k: int, order: np.ndarray, rank: np.ndarray, hidden: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Find the k best columns of one row of which only some columns have a score, the others 0.

    Parameters
    ----------
    columns, values : ndarray of shape (n,)
        Distinct columns and their scores, of at least 0.
    k : int
        Number of columns to return.
    order, rank : ndarray of shape (n_items,)
        As in `top_k_single`.
    hidden : ndarray of shape (n_hidden,)
        Columns that are not chosen.

    Returns
    -------
    pair of ndarray of shape (k,), or None
        The best columns and their scores; None where hidden ones would be needed.
    """
    positive = np.flatnonzero(values > 0)
    columns, values = columns[positive], values[positive]
    if (wanted := k + len(hidden)) < len(values):
        keep = np.flatnonzero(values >= np.partition(values, len(values) - wanted)[len(values) - wanted])
        columns, values = columns[keep], values[keep]
    left_out = set(hidden.tolist())
    if left_out:
        shown = [number for number, column in enumerate(columns.tolist()) if column not in left_out]
        columns, values = columns[shown], values[shown]
    best = np.lexsort((rank[columns], -values))[:k]
    columns, values = columns[best].astype(np.int64), values[best]
    if (lacking := k - len(columns)) > 0:
        left_out.update(columns.tolist())
        popular = [column for column in order[: lacking + len(left_out)].tolist() if column not in left_out]
        if len(popular) < lacking:
            return None
        columns = np.append(columns, np.array(popular[:lacking], dtype=np.int64))
        values = np.append(values, np.zeros(lacking, dtype=values.dtype))
    return columns, values


def top_k_sparse(
    scores: sp.csr_array,
    k: int,
    order: np.ndarray,
    *,
    seen: sp.csr_array | None = None,
    removed: sp.csr_array | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k best columns of each row of sparse scores, as `top_k` finds them in the dense array.

    Only the stored scores are looked at; a row with fewer than k positive ones takes the dense way, since popularity
    fills it.

    Parameters
    ----------
    scores : CSR array of shape (n_rows, n_items)
        Scores of at least 0, without duplicates; the others are 0. May be changed.
    k : int
        Number of columns to return, at most the number of those that may be chosen.
    order : ndarray of shape (n_allowed,)
        The columns that may be chosen, in the order that breaks ties.
    seen : CSR array of shape (n_rows, n_items), default=None
        Pattern of what comes last.
    removed : CSR array of shape (n_rows, n_items), default=None
        Pattern of what must not be chosen.

    Returns
    -------
    columns : ndarray of shape (n_rows, k), dtype int64
        The best columns of each row.
    values : ndarray of shape (n_rows, k), dtype float32
        Their scores; items that were pushed down show ``-inf``.
    """
    n_rows, n_items = scores.shape
    blocked = np.zeros((n_rows, n_items), dtype=bool)
    if len(order) < n_items:
        blocked[:] = True
        blocked[:, order] = False
    for pattern in (seen, removed):
        if pattern is not None:
            blocked[stored_rows(pattern), pattern.indices] = True
    row = stored_rows(scores)
    good = scores.data > 0
    good &= ~blocked[row, scores.indices]
    row, column, value = row[good], scores.indices[good], scores.data[good]
    counts = np.bincount(row, minlength=n_rows)
    columns = np.empty((n_rows, k), dtype=np.int64)
    values = np.empty((n_rows, k), dtype=np.float32)

    full = counts >= k
    if full.any():
        starts = np.cumsum(counts) - counts
        slot = np.arange(len(row)) - np.repeat(starts, counts)
        width = max(int(counts.max()), k)
        narrow = np.zeros((n_rows, width), dtype=np.float32)
        narrow[row, slot] = value
        bound = np.where(full, _lower_bound(narrow, k), np.inf)
        keep = value >= bound[row]
        rank = np.zeros(n_items, dtype=np.int64)
        rank[order] = np.arange(len(order))
        row, column, value = row[keep], column[keep], value[keep]
        best = np.lexsort((rank[column], -value, row))
        kept = np.bincount(row, minlength=n_rows)
        first = (np.cumsum(kept) - kept)[full]
        best = best[first[:, None] + np.arange(k)]
        columns[full], values[full] = column[best], value[best]
    short = np.flatnonzero(~full)
    step = max(1, _CACHE_BYTES // (4 * n_items))
    for part in np.split(short, range(step, len(short), step)):
        dense = scores[part].toarray()
        if seen is not None:
            mask_scores(dense, seen[part])
        if removed is not None:
            mask_scores(dense, removed[part], remove=True)
        if len(order) < n_items:
            best, values[part] = top_k(dense[:, order], k, np.arange(len(order)))
            columns[part] = order[best]
        else:
            columns[part], values[part] = top_k(dense, k, order)
    return columns, values


def stored_rows(matrix: sp.csr_array) -> np.ndarray:
    """Row number of each stored entry."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def stored_values(matrix: sp.csr_array, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return single entries of a CSR array whose columns ascend within a row; 0 where none is stored."""
    low, high = (matrix.indptr[rows + step].astype(np.int64) for step in (0, 1))
    ends = high.copy()
    for _ in range(int(np.diff(matrix.indptr).max(initial=0)).bit_length()):  # a binary search in every row at once
        middle = (low + high) // 2
        searching = low < high
        right = searching.copy()
        right[searching] = matrix.indices[middle[searching]] < columns[searching]
        low = np.where(right, middle + 1, low)
        high = np.where(searching & ~right, middle, high)
    found = low < ends
    found[found] = matrix.indices[low[found]] == columns[found]
    values = np.zeros(len(rows), dtype=matrix.dtype)
    values[found] = matrix.data[low[found]]
    return values


def hide_seen(scores: np.ndarray, columns: np.ndarray, *, remove: bool = False) -> None:
    """Push some columns of one row, of shape (n_items,), below all others, in place; as `mask_scores` does."""
    scores[columns] = _REMOVED if remove else _SEEN


def _lower_bound(scores: np.ndarray, k: int) -> np.ndarray:
    """A value per row that at least k columns reach, shape (n_rows,)."""
    n_rows, n_items = scores.shape
    depth = min(64, n_items // (4 * k))
    if depth > 1:
        width = n_items // depth
        tops = scores[:, : width * depth].reshape(n_rows, depth, width).max(axis=1)
        if width * depth < n_items:
            tops = np.concatenate([tops, scores[:, width * depth :]], axis=1)
    else:
        tops = scores
    position = tops.shape[1] - k
    return np.partition(tops, position, axis=1)[:, position]


def _sort_padded(scores: np.ndarray, columns: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Sort each row of candidate columns by score, then by rank; -1 marks padding and goes last."""
    padding = columns < 0
    values = np.take_along_axis(scores, np.where(padding, 0, columns), axis=1)
    ties = np.where(padding, len(rank), rank[columns])
    best = np.lexsort((ties, np.where(padding, np.inf, -values)), axis=1)
    return np.take_along_axis(columns, best, axis=1)


def _top_k_row(scores: np.ndarray, k: int, order: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Top k of one row in which many columns share the threshold: they are taken in the tie order."""
    threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
    better = np.flatnonzero(scores > threshold)
    better = better[np.lexsort((rank[better], -scores[better]))]
    need = k - len(better)
    head = 4 * k + 256
    tied = order[:head][scores[order[:head]] == threshold]
    if len(tied) < need:
        tied = order[scores[order] == threshold]
    return np.concatenate([better, tied[:need]])
