"""The selection of the best items against a plain sort, ties included."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st

from skrec.utils._nearest import prune_rows
from skrec.utils._topk import block_slices, map_blocks, mask_scores, popularity_order, top_k, top_k_sparse


def plain_top_k(scores, k, order):
    rank = np.empty(scores.shape[1], dtype=int)
    rank[order] = np.arange(scores.shape[1])
    return np.stack([np.lexsort((rank, -row))[:k] for row in scores])


@settings(max_examples=200, deadline=None)
@given(
    n_items=st.integers(1, 900),
    k=st.integers(1, 40),
    levels=st.sampled_from([1, 2, 5, 10**6]),
    zeros=st.sampled_from([0.0, 0.5, 0.99]),
    pushed=st.sampled_from([0.0, 0.2, 0.95]),
    seed=st.integers(0, 2**16),
)
def test_top_k_equals_a_full_sort(n_items, k, levels, zeros, pushed, seed):
    rng = np.random.default_rng(seed)
    k = min(k, n_items)
    scores = np.round(rng.random((7, n_items)) * levels).astype(np.float32)
    scores[rng.random(scores.shape) < zeros] = 0
    scores[rng.random(scores.shape) < pushed] = -np.inf
    order = popularity_order(rng.integers(0, 4, n_items))
    columns, values = top_k(scores, k, order)
    np.testing.assert_array_equal(columns, plain_top_k(scores, k, order))
    np.testing.assert_array_equal(values, np.take_along_axis(scores, columns, axis=1))


@settings(max_examples=200, deadline=None)
@given(
    n_items=st.integers(1, 400),
    k=st.integers(1, 30),
    levels=st.sampled_from([1, 5, 10**6]),
    density=st.sampled_from([0.0, 0.05, 0.5]),
    seen=st.sampled_from([None, 0.1, 0.95]),
    allowed=st.sampled_from([0.3, 1.0]),
    seed=st.integers(0, 2**16),
)
def test_sparse_top_k_equals_the_dense_one(n_items, k, levels, density, seen, allowed, seed):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.random((7, n_items)) * levels).astype(np.float32)
    scores[rng.random(scores.shape) >= density] = 0
    seen = None if seen is None else sp.csr_array(rng.random(scores.shape) < seen)
    removed = sp.csr_array(rng.random(scores.shape) < 0.1)
    order = popularity_order(rng.integers(0, 4, n_items))
    order = order[rng.random(n_items) < allowed]
    k = min(k, len(order) - removed.sum(axis=1).max())
    if k < 1:
        return
    dense = scores.copy()
    if seen is not None:
        mask_scores(dense, seen)
    mask_scores(dense, removed, remove=True)
    found, expected = top_k(dense[:, order], k, np.arange(len(order)))
    columns, values = top_k_sparse(sp.csr_array(scores), k, order, seen=seen, removed=removed)
    np.testing.assert_array_equal(columns, order[found])
    np.testing.assert_array_equal(values, expected)


def test_removed_items_rank_below_demoted_ones():
    scores = np.arange(4, dtype=np.float32)[None]
    seen = sp.csr_array(np.array([[0, 0, 0, 1]]))
    removed = sp.csr_array(np.array([[0, 0, 1, 0]]))
    mask_scores(scores, seen)
    mask_scores(scores, removed, remove=True)
    columns, values = top_k(scores, 4, np.arange(4))
    np.testing.assert_array_equal(columns, [[1, 0, 3, 2]])
    np.testing.assert_array_equal(values, [[1, 0, -np.inf, -np.inf]])


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 12), density=st.floats(0, 1), levels=st.sampled_from([2, 50]), seed=st.integers(0, 2**16))
def test_prune_rows_keeps_the_largest(n, density, levels, seed):
    rng = np.random.default_rng(seed)
    dense = np.round(rng.random((9, 15)) * levels) * (rng.random((9, 15)) < density)
    pruned = prune_rows(sp.csr_array(dense), n).toarray()
    for row, kept in zip(dense, pruned, strict=True):
        stored = np.flatnonzero(row)
        best = stored[np.lexsort((stored, -row[stored]))][:n]
        np.testing.assert_array_equal(np.flatnonzero(kept), np.sort(best))
        np.testing.assert_array_equal(kept[best], row[best])


def test_popularity_order_keeps_the_item_order_of_ties():
    np.testing.assert_array_equal(popularity_order(np.array([1, 3, 1, 3])), [1, 3, 0, 2])


@pytest.mark.parametrize("memory", [1, 64])
def test_blocks_stay_inside_working_memory_and_cover_all_rows(memory):
    with sklearn.config_context(working_memory=memory):
        slices = list(block_slices(1000, 2**18, n_parallel=2))
    assert slices[0].start == 0
    assert slices[-1].stop == 1000
    assert all(a.stop == b.start for a, b in pairwise(slices))
    assert max(s.stop - s.start for s in slices) * 2**18 * 2 <= memory * 2**20


def test_map_blocks_keeps_the_order_of_rows():
    with sklearn.config_context(working_memory=1):
        blocks = map_blocks(lambda rows: np.arange(rows.start, rows.stop), 500, 2**15)
    assert len(blocks) > 10
    np.testing.assert_array_equal(np.concatenate(blocks), np.arange(500))
