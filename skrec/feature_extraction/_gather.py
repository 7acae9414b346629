"""Events of users to a sparse users x items array, by blocks of users."""

from collections.abc import Iterable

import numpy as np
import scipy.sparse as sp

from ..utils._row_blocks import BLOCK, kept_boundaries, row_blocks

EVENTS = 2**18  # events of a block: its arrays stay in the processor's cache
_Block = tuple[np.ndarray | None, np.ndarray, np.ndarray]


def gather(
    blocks: Iterable[_Block], shape: tuple[int, int], n_events: int, *, largest: bool, dtype=np.float64
) -> sp.csr_array:
    """Return a CSR array with one entry per row and column, the largest value or the sum of its events.

    The entries of each block are written behind those before it, so nothing of the size of all events exists but the
    result.

    Parameters
    ----------
    blocks : iterable of tuples
        Consecutive rows: the float64 values of their events, (n_block_events,), which may be written to, or None in
        all blocks where each is 1; the columns of their events, by row; and the row boundaries, (n_block_rows + 1,).
    shape : tuple of int
        Number of rows and of columns.
    n_events : int
        Number of events of all blocks, or more.
    largest : bool
        Whether the largest value of repeated events stays; otherwise their sum, in float64.
    dtype : dtype, default=numpy.float64
        Type of the entries.

    Returns
    -------
    CSR array of shape (n_rows, n_columns)
        Columns ascend in each row.
    """
    index_type = np.int32 if max(n_events, *shape) < 2**31 else np.int64
    indptr = np.zeros(shape[0] + 1, dtype=index_type)
    indices = np.empty(n_events, dtype=index_type)  # the system gives memory where it is written to
    data = None
    row = n = 0
    for values, columns, bounds in blocks:
        if values is None:
            found, ends, counts = _distinct(columns, bounds, shape[1], counted=not largest)
        else:
            found, ends, counts = _merged(values, columns, bounds, shape[1], largest=largest)
        stop = n + len(found)
        indices[n:stop] = found
        if counts is not None:
            data = np.empty(n_events, dtype=dtype) if data is None else data
            data[n:stop] = counts
        indptr[row + 1 : row + len(bounds)] = ends[1:] + index_type(n)
        row, n = row + len(bounds) - 1, stop
    data = np.ones(n, dtype=dtype) if data is None else data[:n]
    matrix = sp.csr_array((data, indices[:n], indptr), shape=shape)
    matrix.has_canonical_format = True
    return matrix


def event_blocks(indptr: np.ndarray, n_columns: int) -> Iterable[slice]:
    """Cut rows into the blocks of `gather`: SciPy passes over all columns for each."""
    return row_blocks(indptr, max(EVENTS, n_columns))


def kept(keep: np.ndarray, columns: np.ndarray, indptr: np.ndarray, values: np.ndarray | None = None) -> _Block:
    """Return the block of the events where a boolean mask of shape (n_events,) is true."""
    if keep.all():
        return values, columns, indptr
    return None if values is None else values[keep], columns[keep], kept_boundaries(keep, indptr)


def column_sums(indices: np.ndarray, values: np.ndarray, n_columns: int) -> np.ndarray:
    """Sum the values of each column one after the other in float64, shape (n_columns,), by blocks."""
    sums = np.bincount(indices[:BLOCK], values[:BLOCK], minlength=n_columns).astype(np.float64, copy=False)
    for start in range(BLOCK, len(indices), BLOCK):
        part = slice(start, start + BLOCK)
        np.add.at(sums, indices[part], values[part].astype(np.float64, copy=False))
    return sums


def take_columns(matrix: sp.csr_array, keep: np.ndarray) -> sp.csr_array:
    """Return a CSR array with some columns, positions ascending; it takes over the arrays of the matrix."""
    place = np.full(matrix.shape[1], -1, dtype=matrix.indices.dtype)
    place[keep] = np.arange(len(keep), dtype=place.dtype)
    indptr, indices, data = np.zeros_like(matrix.indptr), matrix.indices, matrix.data
    n = 0
    for rows in row_blocks(matrix.indptr):
        bounds = matrix.indptr[rows.start : rows.stop + 1]
        entries = slice(bounds[0], bounds[-1])
        columns = place[indices[entries]]
        values, columns, ends = kept(columns >= 0, columns, bounds - bounds[0], data[entries])
        stop = n + len(columns)
        indices[n:stop], data[n:stop] = columns, values  # never beyond what has been read
        indptr[rows.start + 1 : rows.stop + 1] = ends[1:] + n
        n = stop
    taken = sp.csr_array((data[:n], indices[:n], indptr), shape=(matrix.shape[0], len(keep)))
    taken.has_canonical_format = True
    return taken


def _distinct(columns, indptr, n_columns: int, *, counted: bool):
    """Return the distinct columns of each row, ascending, their row boundaries, and how often each is there."""
    n_rows = len(indptr) - 1
    kind = np.dtype(np.uint32 if n_rows * n_columns < 2**32 else np.uint64)  # NumPy sorts these by vector instructions
    starts = np.repeat((np.arange(n_rows) * n_columns).astype(kind), np.diff(indptr))
    keys = starts + columns.astype(kind)
    keys.sort()
    new = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=new[1:])
    keys -= starts  # rows stand where they stood
    ends = np.concatenate([[0], np.cumsum(new)])[indptr]
    if new.all():
        return keys, ends, np.ones(len(keys)) if counted else None
    counts = np.diff(np.append(np.flatnonzero(new), len(new))).astype(np.float64) if counted else None
    return keys[new], ends, counts


def _merged(values, columns, indptr, n_columns: int, *, largest: bool):
    """Return the distinct columns of each row, ascending, their row boundaries, and the largest or summed values."""
    parts = values, columns.astype(np.int32 if n_columns < 2**31 else np.int64), np.array(indptr)
    matrix = sp.csr_array(parts, shape=(len(indptr) - 1, n_columns))
    if not largest:
        matrix.has_sorted_indices = False  # sorts each row the same, whatever the others
        matrix.sum_duplicates()
        return matrix.indices, matrix.indptr, matrix.data
    if matrix.has_canonical_format:
        return matrix.indices, matrix.indptr, matrix.data
    ordered = matrix.tocsc().tocsr()  # two counting sorts
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(ordered.indptr))
    first = np.ones(len(rows), dtype=bool)
    first[1:] = (rows[1:] != rows[:-1]) | (ordered.indices[1:] != ordered.indices[:-1])
    ends = np.concatenate([[0], np.cumsum(first)])[ordered.indptr]
    starts = np.flatnonzero(first)
    return ordered.indices[first], ends, np.maximum.reduceat(ordered.data, starts) if len(starts) else ordered.data
