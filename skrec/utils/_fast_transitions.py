"""Compiled loops that count pairs of events by item, through the optional package numba."""

from functools import cache

import numpy as np

from . import _fast


@cache
def kernels():
    """Compile both loops, or read them from numba's cache on disk."""
    from numba import types

    def vector(kind, readonly=True):
        return types.Array(kind, 1, "C", readonly=readonly)

    codes, counters = vector(types.int32), vector(types.int64, False)
    positions = types.Array(types.uint32, 1, "C")
    weights = vector(types.float64)
    ordering = types.void(codes, counters, positions)
    counting = types.void(
        *(codes, vector(types.boolean), vector(types.uint32), vector(types.int64), weights, weights, types.int64),
        *(counters, vector(types.int32, False), vector(types.float64, False)),
    )
    return _fast.compile_loop(_order, ordering), _fast.compile_loop(_count, counting)


def worthwhile(seconds: float) -> bool:
    """Tell whether the compiled loops pay for work that takes NumPy so many seconds; see `_fast.worthwhile`."""
    if not _fast.available():
        return False
    least = _fast.LOADING if _fast.is_compiled(_count) else _fast.COMPILING
    return kernels.cache_info().currsize > 0 or seconds >= least


def _order(codes, starts, positions):
    """Sort the positions of events by item, ascending for each; `starts` is moved to the ends."""
    for position in range(len(codes)):
        code = codes[position]
        positions[starts[code]] = position
        starts[code] += 1


def _count(codes, begins, positions, item_indptr, forward, backward, n_items, indptr, columns, values):
    """Sum the weights of the pairs of each item into one dense buffer, and write them down by column.

    A bit for each column, and one for each 64 of them, tell which have been touched; read in their order, they sort.
    """
    score = np.zeros(n_items, dtype=np.float64)
    n_words = (n_items + 63) >> 6
    words = np.zeros(n_words, dtype=np.uint64)
    groups = np.zeros((n_words + 63) >> 6, dtype=np.uint64)
    one = np.uint64(1)
    none = np.uint64(0)
    low = np.uint64(63)
    n_events = len(codes)
    filled = 0
    for row in range(len(item_indptr) - 1):
        indptr[row + 1] = filled
        if item_indptr[row] == item_indptr[row + 1]:
            continue
        for place in range(item_indptr[row], item_indptr[row + 1]):
            position = np.int64(positions[place])
            for step in range(len(forward)):
                other = position + step + 1
                if other >= n_events or begins[other]:
                    break
                column = codes[other]
                if score[column] == 0:
                    words[column >> 6] |= one << (np.uint64(column) & low)
                    groups[column >> 12] |= one << (np.uint64(column >> 6) & low)
                score[column] += forward[step]
            for step in range(len(backward)):
                if begins[position - step]:
                    break
                column = codes[position - step - 1]
                if score[column] == 0:
                    words[column >> 6] |= one << (np.uint64(column) & low)
                    groups[column >> 12] |= one << (np.uint64(column >> 6) & low)
                score[column] += backward[step]
        for group in range(len(groups)):
            if groups[group] == none:
                continue
            groups[group] = none
            for place in range(group << 6, min((group + 1) << 6, n_words)):
                word = words[place]
                words[place] = none
                column = place << 6
                while word != none:
                    if word & one != none:
                        columns[filled] = column
                        values[filled] = score[column]
                        score[column] = 0
                        filled += 1
                    word >>= one
                    column += 1
        indptr[row + 1] = filled
