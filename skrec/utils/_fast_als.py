"""Steps of conjugate gradients for the least-squares problems of many rows, each with a penalty of its own.

With numba the loop is compiled; without it, NumPy does the same steps on blocks of rows.
"""

from functools import cache

import numpy as np
import scipy.sparse as sp

from . import _fast
from ._threads import drain

_PIECE = 128  # rows that a thread does in one go
_BLOCK = 2**22  # numbers of a block of NumPy
_ENOUGH = 1e-20  # squared norm of a residual from which a row is done
_PER_SECOND = 2e8  # operations of NumPy on one core


def conjugate_gradients(
    entries: sp.csr_matrix, factors, other, gram, penalties, *, n_steps: int, n_threads: int
) -> None:
    r"""Improve the factors of each row by steps of conjugate gradients.

    Row :math:`u` approaches the minimum of :math:`\sum_i c_{ui} (1 - x_u \cdot y_i)^2 + \sum_{i \notin u}
    (x_u \cdot y_i)^2 + \lambda_u \|x_u\|^2`.

    Parameters
    ----------
    entries : csr_matrix of shape (n_rows, n_columns), dtype float32
        Confidences :math:`c_{ui}`.
    factors : ndarray of shape (n_rows, n_components), dtype float32
        Start and result.
    other : ndarray of shape (n_columns, n_components), dtype float32
        Factors :math:`y_i` of the columns.
    gram : ndarray of shape (n_components, n_components), dtype float32
        ``other.T @ other``.
    penalties : ndarray of shape (n_rows,), dtype float32
        Penalty :math:`\lambda_u` of each row.
    n_steps : int
        Number of steps.
    n_threads : int
        Number of threads.
    """
    work = 4.0 * (n_steps + 1) * other.shape[1] * (entries.nnz + len(factors) * other.shape[1])
    arrays = entries.indptr, entries.indices, entries.data, penalties
    indptr, indices, data, penalties = (
        np.require(array, kind, ["C", "A"]) for array, kind in zip(arrays, ("i8", "i4", "f4", "f4"), strict=True)
    )
    other, gram = (np.require(array, np.float32, ["C", "A"]) for array in (other, gram))
    if not _worthwhile(work):
        _in_blocks(indptr, indices, data, other, gram, penalties, n_steps, factors)
        return
    kernel = _kernel()

    def work_on(start, stop):
        part = slice(start, stop)
        kernel(indptr[start : stop + 1], indices, data, other, gram, penalties[part], n_steps, factors[part])

    starts = range(0, len(factors), _PIECE)
    drain([(start, min(start + _PIECE, len(factors))) for start in starts], work_on, n_threads)


def _worthwhile(work: float) -> bool:
    if not _fast.available():
        return False
    seconds = work / _PER_SECOND
    least = _fast.LOADING if _fast.is_compiled(_steps_of_rows) else _fast.COMPILING
    return _kernel.cache_info().currsize > 0 or seconds >= least


@cache
def _kernel():
    """Compile the loop, or read it from numba's cache on disk."""
    from numba import types

    def array(kind, n_dimensions=1):
        return types.Array(kind, n_dimensions, "C", readonly=True)

    floats, matrix = array(types.float32), array(types.float32, 2)
    result = types.Array(types.float32, 2, "C")
    signature = types.void(array(types.int64), array(types.int32), floats, matrix, matrix, floats, types.int64, result)
    return _fast.compile_loop(_steps_of_rows, signature, fastmath={"reassoc", "contract", "arcp", "nsz"})


def _steps_of_rows(indptr, indices, data, other, gram, penalties, n_steps, factors):
    """Do the steps of one row after the other; numbers are summed in float32."""
    size = other.shape[1]
    ahead = np.empty(size, dtype=np.float32)
    rest = np.empty(size, dtype=np.float32)
    product = np.empty(size, dtype=np.float32)
    for row in range(len(penalties)):
        start, stop = indptr[row], indptr[row + 1]
        if start == stop:
            for k in range(size):
                factors[row, k] = 0
            continue
        for k in range(size):
            ahead[k] = factors[row, k]
        left = np.float32(0)
        for step in range(n_steps + 1):
            for k in range(size):
                product[k] = penalties[row] * ahead[k]
            for m in range(size):
                value = ahead[m]
                for k in range(size):
                    product[k] += gram[m, k] * value
            for e in range(start, stop):
                column, confidence = indices[e], data[e]
                dot = np.float32(0)
                for k in range(size):
                    dot += other[column, k] * ahead[k]
                weight = (confidence - np.float32(1)) * dot
                if step == 0:
                    weight -= confidence
                for k in range(size):
                    product[k] += weight * other[column, k]
            if step == 0:
                for k in range(size):
                    rest[k] = -product[k]
                    ahead[k] = rest[k]
                    left += rest[k] * rest[k]
                if left < _ENOUGH:
                    break
                continue
            curvature = np.float32(0)
            for k in range(size):
                curvature += ahead[k] * product[k]
            length = left / curvature
            now = np.float32(0)
            for k in range(size):
                factors[row, k] += length * ahead[k]
                rest[k] -= length * product[k]
                now += rest[k] * rest[k]
            if now < _ENOUGH:
                break
            for k in range(size):
                ahead[k] = rest[k] + now / left * ahead[k]
            left = now


def _in_blocks(indptr, indices, data, other, gram, penalties, n_steps, factors) -> None:
    """Do the same steps on blocks of rows."""
    size, start = other.shape[1], 0
    while start < len(factors):
        limit = indptr[start] + max(1, _BLOCK // size)
        stop = max(start + 1, int(np.searchsorted(indptr, limit, side="right")) - 1)
        _steps_of_block(
            indptr[start : stop + 1] - indptr[start],
            other[indices[indptr[start] : indptr[stop]]],
            data[indptr[start] : indptr[stop], None],
            gram,
            penalties[start:stop, None],
            n_steps,
            factors[start:stop],
        )
        start = stop


def _steps_of_block(indptr, vectors, confidence, gram, penalties, n_steps, factors) -> None:
    counts = np.diff(indptr)
    rows, filled = np.repeat(np.arange(len(counts)), counts), counts > 0
    factors[~filled] = 0

    def summed(weights):
        total = np.zeros_like(factors)
        if len(vectors):
            total[filled] = np.add.reduceat(weights * vectors, indptr[:-1][filled])
        return total

    def dots(ahead):
        return np.einsum("ij,ij->i", vectors, ahead[rows])[:, None]

    rest = -(factors @ gram + penalties * factors + summed((confidence - 1) * dots(factors) - confidence))
    rest[~filled] = 0
    ahead, left = rest.copy(), np.einsum("ij,ij->i", rest, rest)[:, None]
    active = left > _ENOUGH
    for _ in range(n_steps):
        product = ahead @ gram + penalties * ahead + summed((confidence - 1) * dots(ahead))
        curvature = np.einsum("ij,ij->i", ahead, product)[:, None]
        length = np.divide(left, curvature, out=np.zeros_like(left), where=active & (curvature != 0))
        factors += length * ahead
        rest -= length * product
        now = np.einsum("ij,ij->i", rest, rest)[:, None]
        ahead = rest + np.divide(now, left, out=np.zeros_like(left), where=active & (left != 0)) * ahead
        left = now
        active &= left > _ENOUGH
