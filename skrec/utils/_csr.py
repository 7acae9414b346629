"""Large CSR arrays without copies of their size: values that are all 1, sums of columns, transposes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp

from ._threads import n_threads

_BLOCK = 2**22  # entries that are converted at once
_ROWS = 2**21  # entries of a block of rows


def ones(n: int) -> np.ndarray:
    """Return n values of 1 in the memory of one: the data of a sparse array of zeros and ones."""
    return np.broadcast_to(np.float32(1), n)


def are_ones(values: np.ndarray) -> bool:
    """Tell whether values are those of `ones`."""
    return values.strides == (0,) and len(values) > 0 and values[0] == 1


def pattern_of(matrix: sp.csr_array) -> sp.csr_array:
    """Return the pattern of a CSR array, its values all 1; the index arrays are shared."""
    return sp.csr_array((ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)


def with_values(matrix: sp.csr_array) -> sp.csr_array:
    """Return a CSR array that holds its values, as SciPy needs them for products."""
    if not are_ones(matrix.data):
        return matrix
    return sp.csr_array((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def as_float32(matrix: sp.csr_array) -> sp.csr_array:
    """Return a CSR array as float32, as its pattern where all values are 1; shares what it can, and is not to be
    written to.
    """
    if all((matrix.data[start : start + _BLOCK] == 1).all() for start in range(0, matrix.nnz, _BLOCK)):
        return pattern_of(matrix)
    data = matrix.data.astype(np.float32, copy=False)
    return sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def counts_of(codes: np.ndarray, n: int) -> np.ndarray:
    """Return how often each number below n occurs: int64 of shape (n,). Block by block, since ``numpy.bincount``
    copies what it counts to 8 bytes each.
    """
    counts = np.zeros(n, dtype=np.int64)
    for start in range(0, len(codes), _BLOCK):
        counts += np.bincount(codes[start : start + _BLOCK], minlength=n)
    return counts


def estimated_sum(sizes: np.ndarray, values_of: Callable[[np.ndarray], np.ndarray], n: int = 200) -> float:
    """Estimate a sum over items from the values of about n: those between two by their means.

    Parameters
    ----------
    sizes : ndarray of shape (n_items,)
        Numbers with which the values rise, such as the events of each item.
    values_of : callable
        Returns the values of items at some positions.
    n : int, default=200
        Number of items looked at, dense among the largest.
    """
    ranks = np.unique(np.geomspace(1, len(sizes), n).round().astype(np.int64)) - 1
    values = np.asarray(values_of(np.argsort(-sizes, kind="stable")[ranks]), dtype=np.float64)
    return float(((values[1:] + values[:-1]) @ np.diff(ranks) + values[0] + values[-1]) / 2)


def column_sums(matrix: sp.csr_array, *, squared: bool = False) -> np.ndarray:
    """Return the sum of each column, or of its squares: float64 of shape (n_columns,)."""
    if are_ones(matrix.data):
        return counts_of(matrix.indices, matrix.shape[1]).astype(np.float64)
    sums = np.zeros(matrix.shape[1])
    for start in range(0, matrix.nnz, _BLOCK):
        entries = slice(start, start + _BLOCK)
        values = matrix.data[entries].astype(np.float64)
        if squared:
            values **= 2
        sums += np.bincount(matrix.indices[entries], values, minlength=matrix.shape[1])
    return sums


def transposed(matrix: sp.csr_array) -> sp.csr_array:
    """Return the transpose as a CSR array, columns ascending; of a pattern without values in between."""
    if not are_ones(matrix.data):
        return sp.csr_array(matrix.T)
    marks = np.ones(matrix.nnz, dtype=np.int8)  # SciPy moves one byte beside each index
    columns = sp.csr_array((marks, matrix.indices, matrix.indptr), shape=matrix.shape).tocsc()
    return sp.csr_array((ones(matrix.nnz), columns.indices, columns.indptr), shape=matrix.shape[::-1])


def stacked_rows(rows_of: Callable[[int, int], sp.csr_array], bounds: np.ndarray, n_columns: int) -> sp.csr_array:
    """Stack blocks of rows that are made in threads, without holding them and the whole at once.

    Parameters
    ----------
    rows_of : callable
        Makes the CSR array of the rows from `start` to `stop`.
    bounds : int64 ndarray of shape (n_rows + 1,)
        Entries of all rows before each one, at most.
    n_columns : int
        Number of columns.
    """
    starts = [0]
    while starts[-1] < len(bounds) - 1:
        stop = int(np.searchsorted(bounds, bounds[starts[-1]] + _ROWS, side="right")) - 1
        starts.append(max(starts[-1] + 1, stop))
    threads = min(n_threads(), len(starts) - 1)
    counts, filled = [np.zeros(1, dtype=np.int64)], 0
    indices, data = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for part in (map if threads < 2 else pool.map)(rows_of, starts[:-1], starts[1:]):
            end = filled + part.nnz
            if end > len(data):  # memory moves by pages where the system can do so
                size = max(end, len(data) + len(data) // 8)
                data = data if data.dtype == part.dtype else data.astype(part.dtype)
                indices.resize(size, refcheck=False)
                data.resize(size, refcheck=False)
            indices[filled:end], data[filled:end] = part.indices, part.data
            counts.append(np.diff(part.indptr).astype(np.int64))
            filled = end
    indices.resize(filled, refcheck=False)
    data.resize(filled, refcheck=False)
    indptr = np.cumsum(np.concatenate(counts))
    if filled < 2**31:
        indptr = indptr.astype(np.int32)
    return sp.csr_array((data, indices, indptr), shape=(len(bounds) - 1, n_columns))


def fits(*matrices: sp.csr_array) -> bool:
    """Tell whether the compiled loop answers as SciPy does: positions within 32 bits and no negative entry."""
    return all(max(m.shape) < 2**31 and (m.data.size == 0 or m.data.min() >= 0) for m in matrices)


def loop_arrays(matrix: sp.csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the arrays of a matrix for the compiled loop, without values where they are `ones`."""
    indices = matrix.indices.view(np.uint32) if matrix.indices.dtype == np.int32 else matrix.indices
    values = matrix.data[:0] if are_ones(matrix.data) else matrix.data
    pairs = (matrix.indptr, np.uint64), (indices, np.uint32), (values, np.float32)
    indptr, indices, data = (np.require(part, kind, ["C", "A"]) for part, kind in pairs)
    return indptr, indices, data
