"""Counts of what follows what."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skrec.utils import _csr, _fast, _fast_transitions
from skrec.utils._transitions import Transitions, count_transitions

SETTINGS = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(params=["compiled", "as Python", "SciPy"])
def loop(request, monkeypatch):
    """Take the loops however small the work, or SciPy."""
    monkeypatch.setattr(_fast_transitions, "worthwhile", lambda seconds: request.param != "SciPy")
    if request.param == "as Python":
        loops = _fast_transitions._order, _fast_transitions._count
        monkeypatch.setattr(_fast_transitions, "kernels", lambda: loops)
    elif request.param == "compiled" and not _fast.available():
        pytest.skip("numba is not installed")


def by_hand(histories, n_items, weights, backward):
    counts = np.zeros((n_items, n_items))
    for history in histories:
        for place, before in enumerate(history):
            for gap, weight in enumerate(weights, 1):
                if place + gap < len(history):
                    counts[before, history[place + gap]] += weight
                    counts[history[place + gap], before] += weight * backward
    return counts


def compressed(histories):
    codes = np.concatenate([np.zeros(0, np.int64), *histories]).astype(np.int32)
    return codes, np.concatenate([[0], np.cumsum([len(history) for history in histories], dtype=np.int64)])


def rows_as_they_are(transitions):
    return transitions.map_rows(lambda start, block: block)


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.5, 0.25], [0.0, 2.0]])
def test_counts_are_those_of_two_loops(weights):
    rng = np.random.default_rng(0)
    histories = [rng.integers(0, 6, size) for size in (0, 1, 2, 7, 3)]
    rows = np.repeat(np.arange(5), [len(history) for history in histories])
    found = count_transitions(np.concatenate(histories).astype(int), rows, 6, weights)
    np.testing.assert_allclose(found.toarray(), by_hand(histories, 6, weights, 0))


def test_nothing_follows_where_histories_have_one_event():
    assert count_transitions(np.array([0, 1]), np.array([0, 1]), 3, [1.0, 0.5]).nnz == 0


@SETTINGS
@given(
    lengths=st.lists(st.integers(0, 12), max_size=8),
    n_items=st.sampled_from([1, 3, 70, 200]),
    weights=st.sampled_from([[1.0], [1.0, 0.7, 0.49, 0.343], [1.0] * 15, [0.0, 2.0], [1.0, 1e-50]]),
    backward=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 2**16),
)
def test_transitions_are_those_of_two_loops(loop, lengths, n_items, weights, backward, seed):
    rng = np.random.default_rng(seed)
    histories = [rng.integers(0, n_items, length) for length in lengths]
    transitions = Transitions(*compressed(histories), n_items, weights, backward)
    expected = by_hand(histories, n_items, weights, backward)
    for found in (rows_as_they_are(transitions), transitions.exact(), rows_as_they_are(transitions)):
        assert found.has_sorted_indices
        np.testing.assert_allclose(found.toarray(), expected, rtol=1e-6, atol=1e-40)
    assert transitions.exact().dtype == np.float64 or not transitions.exact().nnz


def test_columns_of_large_catalogues_ascend(loop):
    """Columns lie in several groups of 4,096, the last one part of a group."""
    histories = [[9000, 5, 8191], [9000, 4096, 0, 63, 64, 8192], [9000, 4095, 8999]]
    found = rows_as_they_are(Transitions(*compressed(histories), 9001, [1.0, 0.5, 0.25, 0.125, 0.0625], 0.0))
    assert found[[9000]].indices.tolist() == [0, 5, 63, 64, 4095, 4096, 8191, 8192, 8999]
    assert found[[9000]].data.tolist() == [0.5, 1, 0.25, 0.125, 1, 1, 0.5, 0.0625, 0.5]


@pytest.mark.skipif(not _fast.available(), reason="numba is not installed")
@pytest.mark.parametrize("dtype", ["lazy", "formed"])
def test_the_loop_answers_as_scipy_does(dtype, monkeypatch):
    rng = np.random.default_rng(1)
    histories = [rng.zipf(1.3, length).clip(max=300) - 1 for length in rng.integers(0, 40, 500)]
    answers = []
    for fast in (True, False):
        monkeypatch.setattr(_fast_transitions, "worthwhile", lambda seconds, fast=fast: fast)
        transitions = Transitions(*compressed(histories), 300, 0.7 ** np.arange(5), 0.3)
        answers.append(rows_as_they_are(transitions) if dtype == "lazy" else transitions.exact())
    one, other = answers
    np.testing.assert_array_equal(one.indptr, other.indptr)
    np.testing.assert_array_equal(one.indices, other.indices)
    if dtype == "lazy":
        np.testing.assert_array_equal(one.data, other.data)  # sums are exact, in any order
    np.testing.assert_allclose(one.data, other.data, rtol=1e-13)


@pytest.mark.parametrize("size", [1, 50, 10**6])
@pytest.mark.parametrize("threads", [1, 3])
def test_sums_do_not_depend_on_blocks_threads_and_the_order_of_the_users(loop, size, threads, monkeypatch):
    rng = np.random.default_rng(2)
    histories = [rng.zipf(1.3, length).clip(max=40) - 1 for length in rng.integers(0, 15, 60)]
    expected = rows_as_they_are(Transitions(*compressed(histories), 40, 0.7 ** np.arange(5), 0.3))
    monkeypatch.setattr(_csr, "_ROWS", size)
    monkeypatch.setattr(_csr, "n_threads", lambda: threads)
    shuffled = [histories[row] for row in rng.permutation(len(histories))]
    found = rows_as_they_are(Transitions(*compressed(shuffled), 40, 0.7 ** np.arange(5), 0.3))
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))


def test_parts_of_a_log_add_up_and_can_be_taken_away(loop):
    rng = np.random.default_rng(3)
    histories = [rng.integers(0, 9, length) for length in rng.integers(0, 9, 30)]

    def of(some):
        return Transitions(*compressed(some), 9, [1.0, 0.7], 0.3)

    whole = of(histories).exact().toarray()
    added = of(histories[:20]) + of(histories[20:])
    np.testing.assert_allclose(added.exact().toarray(), whole, rtol=1e-12)
    left = of(histories).formed() - of(histories[20:])
    np.testing.assert_allclose(left.exact().toarray(), of(histories[:20]).exact().toarray(), rtol=1e-12)
    np.testing.assert_array_equal(left.exact().indices, of(histories[:20]).exact().indices)


def test_entries_are_estimated(loop):
    rng = np.random.default_rng(4)
    histories = [rng.zipf(1.2, length).clip(max=2000) - 1 for length in rng.integers(0, 60, 300)]
    transitions = Transitions(*compressed(histories), 2000, 0.7 ** np.arange(5), 0.3)
    estimate = transitions.estimated_entries()
    n_entries = transitions.exact().nnz
    assert estimate == pytest.approx(n_entries, rel=0.1)
    assert transitions.estimated_entries() == n_entries


def test_a_product_that_is_formed_is_mapped_by_rows(monkeypatch):
    monkeypatch.setattr(_csr, "_ROWS", 10)
    rng = np.random.default_rng(5)
    histories = [rng.integers(0, 9, length) for length in rng.integers(0, 9, 30)]
    transitions = Transitions(*compressed(histories), 9, [1.0, 0.7], 0.3).formed()
    doubled = transitions.map_rows(lambda start, block: sp.csr_array(block * (start + 1.0)))
    ratio = doubled.toarray() / np.where(transitions.exact().toarray() > 0, transitions.exact().toarray(), 1)
    firsts = ratio.max(axis=1)
    assert (np.diff(firsts[firsts > 0]) >= 0).all() and len(np.unique(firsts)) > 2
