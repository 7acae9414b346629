"""A compiled loop for sparse products, through the optional package numba; nothing here is needed for an answer.

The loop is a plain function that `kernels` compiles, so importing this module costs nothing and needs nothing.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from ._csr import loop_arrays
from ._threads import drain, n_threads

_BLOCK = 32  # columns whose highest score is compared at once
_BLOCK_MASK = _BLOCK - 1
LOADING, COMPILING = 0.4, 2.0  # seconds of work from which reading the compiled loop, or compiling it, pays


@cache
def available() -> bool:
    """Tell whether numba is installed; it is not imported."""
    return find_spec("numba") is not None


def worthwhile(seconds: float) -> bool:
    """Tell whether the compiled loop pays: it is loaded in this process, or there is much to do.

    Measured on one core: importing numba and reading the compiled loop from its cache takes 0.4 to 0.7 s in each
    process; compiling it takes 3 to 5 s, once for each version of skrec, numba and the processor. NumPy has answered a
    small question by then, so the loop is loaded for work of 0.4 s, and compiled for work of 2 s.

    Parameters
    ----------
    seconds : float
        Estimate of what NumPy and SciPy would take on one core.

    Returns
    -------
    bool
        Whether to call `best_of_product`.
    """
    if not available():
        return False
    return kernels.cache_info().currsize > 0 or seconds >= (LOADING if is_compiled(_best_of_product) else COMPILING)


def is_compiled(loop) -> bool:
    """Tell whether numba's cache beside the file of a loop seems to hold it; a cache elsewhere counts as none."""
    file, line = Path(loop.__code__.co_filename), loop.__code__.co_firstlineno
    return any(file.parent.glob(f"__pycache__/{file.stem}.{loop.__name__}-{line}.*.nbi"))


def compile_loop(loop, signature, **options):
    """Compile a loop, or read it from numba's cache on disk."""
    import numba

    options = {"nogil": True, "error_model": "numpy", **options}
    try:
        return numba.njit(signature, cache=True, **options)(loop)
    except RuntimeError:  # no folder to cache in: compile in each process
        return numba.njit(signature, **options)(loop)


@cache
def kernels():
    """Compile the loop, or read it from numba's cache on disk."""
    from numba import types

    def vector(kind):
        return types.Array(kind, 1, "C", readonly=True)

    pointers, positions, floats = vector(types.uint64), vector(types.uint32), vector(types.float32)
    sparse = (pointers, positions, floats)
    formula = (types.boolean, types.boolean, types.float32, types.float32, floats, floats, floats, floats)
    answer = (types.Array(types.uint32, 2, "C"), types.Array(types.float32, 2, "C"), types.Array(types.int64, 1, "C"))
    pattern = (pointers, positions)
    arguments = (*sparse, *sparse, *pattern, *pattern, positions, positions, *formula, types.boolean, *answer)
    return compile_loop(_best_of_product, types.void(*arguments))


def best_of_product(left, right, k, *, order=None, seen=None, removed=None, below=None, fill=True):
    """Find the k best columns of each row of a sparse product that never exists as a whole.

    Rows are done in threads; a row is summed in the order in which SciPy sums it, so that both give the same values.
    Factors whose values are `ones` are summed without reading any.

    Parameters
    ----------
    left : CSR array of shape (n_rows, n)
        Entries of at least 0.
    right : CSR array of shape (n, n_columns)
        Entries of at least 0.
    k : int
        Number of columns for each row.
    order : ndarray of shape (n_allowed,), default=None
        The columns that may be chosen in the order that breaks ties and fills; None is all from the first to the last.
    seen : CSR array of shape (n_rows, n_columns), default=None
        Pattern of what is chosen only when nothing else is left.
    removed : CSR array of shape (n_rows, n_columns), default=None
        Pattern of what is never chosen.
    below : Below, default=None
        What each entry of the product is divided by.
    fill : bool, default=True
        True: rows with fewer than k positive entries are filled with columns of score 0, then seen ones. False: the
        columns of each row come in any order instead of best first.

    Returns
    -------
    columns : ndarray of shape (n_rows, k), dtype int32
        The best columns.
    values : ndarray of shape (n_rows, k), dtype float32
        Their scores; ``-inf`` for seen columns.
    counts : ndarray of shape (n_rows,), dtype int64
        How many columns of each row are set: all k unless ``fill=False``.
    """
    n_rows, n_columns = left.shape[0], right.shape[1]
    if order is None:
        order = rank = np.arange(n_columns, dtype=np.uint32)
    else:
        rank = np.full(n_columns, n_columns, dtype=np.uint32)
        rank[order] = np.arange(len(order), dtype=np.uint32)
    none = np.zeros(0, dtype=np.float32)
    formula = (False, False, np.float32(0), np.float32(0), none, none, none, none) if below is None else below.terms()
    nothing = sp.csr_array((n_rows, n_columns), dtype=np.float32)
    product = (*loop_arrays(left), *loop_arrays(right))
    patterns = [part for one in (seen, removed) for part in loop_arrays(nothing if one is None else one)[:2]]
    order = np.require(order, np.uint32, "CA")
    columns = np.zeros((n_rows, k), dtype=np.uint32)
    values = np.zeros((n_rows, k), dtype=np.float32)
    counts = np.zeros(n_rows, dtype=np.int64)
    kernel = kernels()

    def work(start, stop):
        part = slice(start, stop + 1)
        kernel(
            product[0][part],
            *product[1:],
            patterns[0][part],
            patterns[1],
            patterns[2][part],
            patterns[3],
            order,
            rank,
            *formula[:4],
            *(term[start:stop] for term in formula[4:6]),
            *formula[6:],
            fill,
            columns[start:stop],
            values[start:stop],
            counts[start:stop],
        )

    threads = n_threads()
    size = max(64, n_rows // (8 * threads) + 1)
    starts = range(0, n_rows, size)
    drain(((start, min(start + size, n_rows)) for start in starts), work, threads if len(starts) > 1 else 1)
    return columns.view(np.int32), values, counts


def _best_of_product(
    l_indptr,
    l_indices,
    l_data,
    r_indptr,
    r_indices,
    r_data,
    seen_indptr,
    seen_indices,
    removed_indptr,
    removed_indices,
    order,
    rank,
    divide,
    root,
    slope,
    constant,
    left_plus,
    left_times,
    right_plus,
    right_times,
    fill,
    columns,
    values,
    counts,
):
    """Sum each row of the product into one dense buffer and keep its best entries in a heap, worst on top."""
    n_columns, n_allowed = len(rank), len(order)
    k = columns.shape[1]
    score = np.zeros(n_columns, dtype=np.float32)
    state = np.zeros(n_columns, dtype=np.uint8)  # 1 seen, 2 removed, 3 chosen
    touched = np.empty(n_columns, dtype=np.uint32)
    heap = np.empty(k, dtype=np.uint64)  # score bits, which order as the scores, then the rank upside down
    number = np.empty(1, dtype=np.float32)
    bits = number.view(np.uint32)
    left_ones, right_ones = len(l_data) == 0, len(r_data) == 0
    low = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    score_bits = score.view(np.uint32)  # of numbers of at least 0 they order as the numbers
    for row in range(len(counts)):
        for p in range(seen_indptr[row], seen_indptr[row + 1]):
            state[seen_indices[p]] = 1
        for p in range(removed_indptr[row], removed_indptr[row + 1]):
            state[removed_indices[p]] = 2

        work = 0
        for p in range(l_indptr[row], l_indptr[row + 1]):
            work += np.int64(r_indptr[l_indices[p] + 1] - r_indptr[l_indices[p]])
        whole = 2 * work > n_columns  # then it is faster to look at all columns
        n_touched = 0
        if whole:
            for p in range(l_indptr[row], l_indptr[row + 1]):
                weight = np.float32(1) if left_ones else l_data[p]
                if right_ones:
                    for q in range(r_indptr[l_indices[p]], r_indptr[l_indices[p] + 1]):
                        score[r_indices[q]] += weight
                    continue
                for q in range(r_indptr[l_indices[p]], r_indptr[l_indices[p] + 1]):
                    score[r_indices[q]] += weight * r_data[q]
            for p in range(seen_indptr[row], seen_indptr[row + 1]):
                score[seen_indices[p]] = 0
        else:
            for p in range(l_indptr[row], l_indptr[row + 1]):
                weight = np.float32(1) if left_ones else l_data[p]
                for q in range(r_indptr[l_indices[p]], r_indptr[l_indices[p] + 1]):
                    column = r_indices[q]
                    if score[column] == 0:
                        touched[n_touched] = column
                        n_touched += 1
                    score[column] += weight if right_ones else weight * r_data[q]

        size = 0
        least = np.float32(0)
        skip = whole and not divide
        t = 0
        end = n_columns if whole else n_touched
        while t < end:
            if skip and t & _BLOCK_MASK == 0 and t + _BLOCK <= end:
                highest = np.uint32(0)
                for u in range(t, t + _BLOCK):
                    highest = max(highest, score_bits[u])
                number[0] = least
                if highest < bits[0] or highest == 0:
                    t += _BLOCK
                    continue
            column = np.uint32(t) if whole else touched[t]
            t += 1
            value = score[column]
            if not whole:
                score[column] = 0
            if value <= 0:
                continue
            if divide:
                product = left_times[row] * right_times[column]
                if root:
                    product = np.sqrt(product)
                below = (left_plus[row] + right_plus[column]) + slope * value + product + constant
                value = value / below if below > 0 else np.float32(0)
            if value < least or value <= 0:  # most columns end here
                continue
            tie = rank[column]
            if state[column] != 0 or tie >= n_allowed:
                continue
            number[0] = value
            key = (np.uint64(bits[0]) << half) | (low - np.uint64(tie))
            if size < k:  # a new leaf rises
                node = size
                size += 1
                while node > 0 and heap[(node - 1) >> 1] > key:
                    heap[node] = heap[(node - 1) >> 1]
                    node = (node - 1) >> 1
            else:  # the top is replaced, and its place sinks
                if key < heap[0]:
                    continue
                node = 0
                down = 1
                while down < k:
                    if down + 1 < k:
                        down += int(heap[down + 1] < heap[down])
                    if key < heap[down]:
                        break
                    heap[node] = heap[down]
                    node = down
                    down = 2 * node + 1
            heap[node] = key
            if size == k:
                bits[0] = heap[0] >> half
                least = number[0]

        if whole:
            score[:] = 0

        gap = size if fill else 0
        while gap > 1:  # a shell sort, largest first
            gap = max(1, gap * 5 // 11)
            for t in range(gap, size):
                key = heap[t]
                node = t
                while node >= gap and heap[node - gap] < key:
                    heap[node] = heap[node - gap]
                    node -= gap
                heap[node] = key
        counts[row] = size
        for t in range(size):
            bits[0] = heap[t] >> half
            columns[row, t] = order[low - (heap[t] & low)]
            values[row, t] = number[0]

        if fill and size < k:
            for t in range(size):
                state[columns[row, t]] = 3
            for wanted in range(2):  # what is not seen, then what is
                for t in range(n_allowed):
                    if size == k:
                        break
                    if state[order[t]] == wanted:
                        columns[row, size] = order[t]
                        values[row, size] = 0 if wanted == 0 else -np.inf
                        size += 1
            for t in range(counts[row]):
                state[columns[row, t]] = 0
            counts[row] = size
        for p in range(seen_indptr[row], seen_indptr[row + 1]):
            state[seen_indices[p]] = 0
        for p in range(removed_indptr[row], removed_indptr[row + 1]):
            state[removed_indices[p]] = 0
