"""Large CSR arrays without copies of their size: values that are all 1, sums of columns, transposes."""

import numpy as np
import scipy.sparse as sp

_BLOCK = 2**22  # entries that are converted at once


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


def column_sums(matrix: sp.csr_array, *, squared: bool = False) -> np.ndarray:
    """Return the sum of each column, or of its squares: float64 of shape (n_columns,).

    ``numpy.bincount`` copies indices and weights to 8 bytes each; here only those of a block are.
    """
    sums = np.zeros(matrix.shape[1])
    for start in range(0, matrix.nnz, _BLOCK):
        entries = slice(start, start + _BLOCK)
        values = None if are_ones(matrix.data) else matrix.data[entries].astype(np.float64)
        if squared and values is not None:
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
