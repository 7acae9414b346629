"""Large CSR arrays without copies: the same as the plain operations of SciPy."""

import numpy as np
import pytest
import scipy.sparse as sp

from skrec.utils import _csr, _nearest
from skrec.utils._csr import (
    are_ones,
    as_float32,
    column_sums,
    counts_of,
    estimated_sum,
    ones,
    pattern_of,
    stacked_rows,
    transposed,
    with_values,
)


def matrix_of(seed=0, levels=3, shape=(40, 25), density=0.3, dtype=np.float32):
    rng = np.random.default_rng(seed)
    values = np.ceil(rng.random(shape) * levels) * (rng.random(shape) < density)
    return sp.csr_array(values.astype(dtype))


def same(one, other):
    np.testing.assert_array_equal(one.indptr, other.indptr)
    np.testing.assert_array_equal(one.indices, other.indices)
    np.testing.assert_array_equal(one.data, other.data)
    assert one.shape == other.shape


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_values_that_are_all_one_take_no_memory(dtype):
    matrix = matrix_of(levels=1, dtype=dtype)
    binary = as_float32(matrix)
    assert are_ones(binary.data) and binary.data.dtype == np.float32 and binary.data.base.size == 1
    assert np.shares_memory(binary.indices, matrix.indices)
    same(binary, matrix.astype(np.float32))
    assert not are_ones(with_values(binary).data)
    same(with_values(binary), matrix.astype(np.float32))


def test_other_values_are_kept():
    matrix = matrix_of()
    assert np.shares_memory(as_float32(matrix).data, matrix.data)
    assert with_values(matrix) is matrix
    assert are_ones(pattern_of(matrix).data) and not are_ones(np.ones(3, np.float32)) and not are_ones(ones(0))
    assert not are_ones(np.broadcast_to(np.float32(2), 3))


@pytest.mark.parametrize("levels", [1, 3])
def test_sums_and_transpose_are_those_of_scipy(levels, monkeypatch):
    monkeypatch.setattr(_csr, "_BLOCK", 7)
    matrix = matrix_of(levels=levels)
    for form in (matrix, as_float32(matrix)):
        np.testing.assert_allclose(column_sums(form), matrix.sum(axis=0), rtol=1e-12)
        np.testing.assert_allclose(column_sums(form, squared=True), matrix.multiply(matrix).sum(axis=0), rtol=1e-12)
        same(transposed(form), sp.csr_array(matrix.T))
    np.testing.assert_array_equal(counts_of(matrix.indices, 25), np.bincount(matrix.indices, minlength=25))


def test_matrices_without_entries():
    nothing = sp.csr_array((4, 3), dtype=np.float32)
    assert column_sums(as_float32(nothing)).tolist() == [0, 0, 0]
    same(transposed(as_float32(nothing)), sp.csr_array((3, 4), dtype=np.float32))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("size", [1, 30, 10**6])
def test_blocks_of_rows_are_stacked_in_order(threads, size, monkeypatch):
    monkeypatch.setattr(_csr, "_ROWS", size)
    monkeypatch.setattr(_csr, "n_threads", lambda: threads)
    matrix = matrix_of(dtype=np.float64, density=0.1)
    bounds = np.concatenate([[0], np.cumsum(2 * np.diff(matrix.indptr))])
    stacked = stacked_rows(lambda start, stop: sp.csr_array(matrix[start:stop]), bounds, 25)
    same(stacked, matrix)
    assert stacked.dtype == np.float64 and stacked.indices.dtype == stacked.indptr.dtype == np.int32


@pytest.mark.parametrize("block", [1, 8, 10**6])
def test_padded_rows_are_compacted(block, monkeypatch):
    monkeypatch.setattr(_nearest, "_BLOCK", block)
    rng = np.random.default_rng(0)
    padded, counts = rng.integers(0, 100, (20, 4)), rng.integers(0, 5, 20)
    expected = [value for row, count in zip(padded.tolist(), counts, strict=True) for value in row[:count]]
    assert _nearest.compacted(padded, counts).tolist() == expected


def test_a_sum_over_items_is_estimated_from_some():
    sizes = np.random.default_rng(0).permutation(1e6 / np.arange(1, 50_001))
    looked_at = []

    def values_of(items):
        looked_at.extend(items)
        return sizes[items] ** 0.8

    assert estimated_sum(sizes, values_of) == pytest.approx((sizes**0.8).sum(), rel=0.02)
    assert len(looked_at) <= 200
    assert estimated_sum(np.array([3, 1, 2]), lambda items: np.array([3.0, 1, 2])[items]) == 6
