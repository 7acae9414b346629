"""A compiled loop that searches int8 codes of item vectors, through the optional package numba."""

from functools import cache

import numpy as np

from . import _fast

_TILE = 1024  # items whose codes stay near while all users of a block are served
_BLOCK = 32  # items that share one bound
_TINY = np.float32(1e-30)  # above what is lost where float32 numbers underflow


@cache
def kernel():
    """Compile the loop, or read it from numba's cache on disk."""
    from numba import types

    def array(kind, n_dimensions=1):
        return types.Array(kind, n_dimensions, "C", readonly=True)

    floats, longs = array(types.float32), array(types.int64)
    results = types.Array(types.int64, 2, "C"), types.Array(types.float32, 2, "C"), types.Array(types.int64, 1, "C")
    signature = types.void(
        *(array(types.int8, 2), floats, floats, floats),
        *(array(types.int16, 2), floats, floats, floats, longs, longs),
        *(types.int64, *results),
    )
    return _fast.compile_loop(_candidates, signature)


def _candidates(
    codes,
    scales,
    errors,
    norms,
    queries,
    query_scales,
    query_errors,
    query_norms,
    hidden_indptr,
    hidden,
    k,
    found,
    bounds,
    counts,
):
    """Collect for each user the items that may be among the k best; -1 in `counts` where there were too many."""
    n_items, width = codes.shape
    n_users, room = found.shape
    heaps = np.full((n_users, k), -np.inf, dtype=np.float32)  # the k largest lower bounds, the least of them first
    done = np.zeros(n_users, dtype=np.uint8)
    totals = np.empty(_BLOCK, dtype=np.int32)
    for user in range(n_users):
        counts[user] = 0
    for tile in range(0, n_items, _TILE):
        for user in range(n_users):
            if done[user]:
                continue
            heap, query = heaps[user], queries[user]
            least = heap[0]
            n_found = counts[user]
            for start in range(tile, min(tile + _TILE, n_items), _BLOCK):
                block = start // _BLOCK
                if query_norms[user] * norms[block] + _TINY < least:  # norms descend: no later item can be best
                    done[user] = 1
                    break
                error = query_norms[user] * errors[block] + query_errors[user] * norms[block] + _TINY
                size = min(_BLOCK, n_items - start)
                for row in range(size):
                    total = np.int32(0)
                    for place in range(width):
                        total += np.int32(np.int32(codes[start + row, place]) * np.int32(query[place]))
                    totals[row] = total
                for row in range(size):
                    item = start + row
                    score = np.float32(totals[row]) * (scales[item] * query_scales[user])
                    if score + error < least:
                        continue
                    low, high = hidden_indptr[user], hidden_indptr[user + 1]
                    while low < high:
                        middle = (low + high) // 2
                        if hidden[middle] < item:
                            low = middle + 1
                        else:
                            high = middle
                    if low < hidden_indptr[user + 1] and hidden[low] == item:
                        continue
                    if n_found == room:  # keep what is still above the bound
                        kept = 0
                        for place in range(n_found):
                            if bounds[user, place] >= least:
                                found[user, kept] = found[user, place]
                                bounds[user, kept] = bounds[user, place]
                                kept += 1
                        n_found = kept
                        if n_found > room // 2:
                            done[user] = 2
                            break
                    found[user, n_found] = item
                    bounds[user, n_found] = score + error
                    n_found += 1
                    bound = score - error
                    if bound > least:  # replace the top of the heap, and let it sink
                        node = 0
                        down = 1
                        while down < k:
                            if down + 1 < k and heap[down + 1] < heap[down]:
                                down += 1
                            if bound <= heap[down]:
                                break
                            heap[node] = heap[down]
                            node = down
                            down = 2 * node + 1
                        heap[node] = bound
                        least = heap[0]
                if done[user]:
                    break
            counts[user] = n_found
    for user in range(n_users):
        if done[user] == 2:
            counts[user] = -1
            continue
        least = heaps[user, 0]
        kept = 0
        for place in range(counts[user]):
            if bounds[user, place] >= least:
                found[user, kept] = found[user, place]
                kept += 1
        counts[user] = kept
