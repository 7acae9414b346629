"""Counts of what follows what."""

import numpy as np
import pytest

from skrec.utils._transitions import count_transitions


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.5, 0.25], [0.0, 2.0]])
def test_counts_are_those_of_two_loops(weights):
    rng = np.random.default_rng(0)
    histories = [rng.integers(0, 6, size) for size in (0, 1, 2, 7, 3)]
    expected = np.zeros((6, 6))
    for history in histories:
        for place, before in enumerate(history):
            for gap, weight in enumerate(weights, 1):
                if place + gap < len(history):
                    expected[before, history[place + gap]] += weight
    rows = np.repeat(np.arange(5), [len(history) for history in histories])
    found = count_transitions(np.concatenate(histories).astype(int), rows, 6, weights)
    np.testing.assert_allclose(found.toarray(), expected)


def test_nothing_follows_where_histories_have_one_event():
    assert count_transitions(np.array([0, 1]), np.array([0, 1]), 3, [1.0, 0.5]).nnz == 0
