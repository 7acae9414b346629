"""A compiled loop that searches 4-bit codes of item vectors, through the optional package numba."""

from functools import cache

import numpy as np

from . import _fast

BLOCK = 64  # items whose codes lie together, and that share a bound
_TILE = 16  # blocks whose codes stay near while all users are served
_TINY = np.float32(1e-30)  # above what is lost where float32 numbers underflow


@cache
def kernel():
    """Compile the loop, or read it from numba's cache on disk."""
    from numba import types

    def array(kind, n_dimensions=1):
        return types.Array(kind, n_dimensions, "C", readonly=True)

    floats, longs, vectors = array(types.float32), array(types.int64), array(types.float32, 2)
    results = types.Array(types.int64, 2, "C"), types.Array(types.float32, 2, "C"), types.Array(types.int64, 1, "C")
    signature = types.void(
        *(array(types.uint16, 3), floats, floats, floats, floats, array(types.int32), vectors, types.float32),
        *(vectors, array(types.int16, 2), floats, floats, floats, floats, longs, longs),
        *(types.int64, *results),
    )
    return _fast.compile_loop(_candidates, signature, fastmath={"reassoc"})


def _candidates(
    codes,
    scales,
    errors,
    block_errors,
    block_norms,
    order,
    items,
    rounding,
    queries,
    weights,
    steps,
    offsets,
    query_errors,
    query_norms,
    hidden_indptr,
    hidden,
    k,
    found,
    bounds,
    counts,
):
    """Collect for each user the items that may be among the k best; -1 in `counts` where there were too many.

    The codes of four components are a number of 16 bits, ``x = c0 + 16 c1 + 256 c2 + 4096 c3``. The weights
    ``a0, a1 - 16 a0, a2 - 16 a1, a3 - 16 a2`` of ``x, x >> 4, x >> 8, x >> 12`` give ``a0 c0 + a1 c1 + a2 c2 + a3 c3``
    modulo 2 ** 16, without a mask; the sum over all components fits into 16 bits.
    """
    n_blocks, n_words, _ = codes.shape
    n_items, n_components = items.shape
    n_users, room = found.shape
    heaps = np.full((n_users, k), -np.inf, dtype=np.float32)  # the k largest lower bounds, the least of them first
    done = np.zeros(n_users, dtype=np.uint8)
    n_exact = np.zeros(n_users, dtype=np.int64)
    totals = np.empty(BLOCK, dtype=np.int16)
    for user in range(n_users):
        counts[user] = 0
    for tile in range(0, n_blocks, _TILE):
        for user in range(n_users):
            if done[user]:
                continue
            heap, weight, query = heaps[user], weights[user], queries[user]
            step, offset, length = steps[user], offsets[user], query_norms[user]
            least = heap[0]
            n_found = counts[user]
            for block in range(tile, min(tile + _TILE, n_blocks)):
                if length * block_norms[block] + _TINY < least:  # norms descend: no later item can be best
                    done[user] = 1
                    break
                for row in range(BLOCK):
                    totals[row] = 0
                for word in range(0, n_words, 2):
                    a, b = 4 * word, 4 * word + 4
                    a0, a1, a2, a3 = weight[a], weight[a + 1], weight[a + 2], weight[a + 3]
                    b0, b1, b2, b3 = weight[b], weight[b + 1], weight[b + 2], weight[b + 3]
                    for row in range(BLOCK):
                        x, y = codes[block, word, row], codes[block, word + 1, row]
                        one = x * a0 + (x >> 4) * a1 + (x >> 8) * a2 + (x >> 12) * a3
                        other = y * b0 + (y >> 4) * b1 + (y >> 8) * b2 + (y >> 12) * b3
                        totals[row] = np.int16(totals[row] + one + other)
                first = block * BLOCK
                longest = block_norms[block] + block_errors[block]  # of a code, which may be longer than its item
                slack = query_errors[user] * longest + _TINY
                needed = least - (slack + length * block_errors[block])
                hit = False
                for row in range(BLOCK):
                    hit |= (np.float32(totals[row]) - offset) * (scales[first + row] * step) >= needed
                if not hit:
                    continue
                error = rounding * length * block_norms[block] + _TINY
                for row in range(min(BLOCK, n_items - first)):
                    score = (np.float32(totals[row]) - offset) * (scales[first + row] * step)
                    if score + (slack + length * errors[first + row]) < least:
                        continue
                    item = order[first + row]
                    low, high = hidden_indptr[user], hidden_indptr[user + 1]
                    while low < high:
                        middle = (low + high) // 2
                        if hidden[middle] < item:
                            low = middle + 1
                        else:
                            high = middle
                    if low < hidden_indptr[user + 1] and hidden[low] == item:
                        continue
                    n_exact[user] += 1
                    exact = np.float32(0)
                    for place in range(n_components):
                        exact += items[item, place] * query[place]
                    if exact + error < least:
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
                    bounds[user, n_found] = exact + error
                    n_found += 1
                    bound = exact - error
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
                if n_exact[user] > room + n_items // 16:  # as slow as all products
                    done[user] = 2
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
