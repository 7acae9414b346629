"""Plackett-Luce probabilities against enumeration, the race of exponentials, and draws."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from skrec.utils._plackett_luce import chosen_probabilities, position_probabilities, sample


def enumerated(scores, k, temperature):
    """Sum the probabilities of all lists, each a product of softmax draws without replacement."""
    n = len(scores)
    weights = np.exp((np.asarray(scores) - np.max(scores)) / temperature)
    found = np.zeros((n, k))
    for order in permutations(range(n), min(k, n)):
        chance, left = 1.0, weights.copy()
        for item in order:
            chance *= left[item] / left.sum()
            left[item] = 0
        found[order, np.arange(len(order))] += chance
    return found


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 6),
    k=st.integers(1, 6),
    temperature=st.sampled_from([0.05, 0.3, 1.0, 10.0]),
    ties=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_equals_enumeration(n, k, temperature, ties, seed):
    scores = np.random.default_rng(seed).normal(size=n)
    scores = np.round(scores) if ties else scores
    found = position_probabilities(scores, k, temperature)
    np.testing.assert_allclose(found, enumerated(scores, k, temperature), atol=1e-11)


@pytest.mark.parametrize("temperature", [0.02, 0.3, 3.0])
def test_columns_sum_to_one_and_chosen_agree(temperature):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=60)
    found = position_probabilities(scores, 10, temperature)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-11)
    assert (found >= 0).all() and (found.sum(axis=1) <= 1 + 1e-11).all()
    weights = np.exp((scores - scores.max()) / temperature)
    np.testing.assert_allclose(found[:, 0], weights / weights.sum(), rtol=1e-9, atol=1e-12)
    items, positions = rng.permutation(60)[:10], rng.integers(0, 10, 10)
    chosen = chosen_probabilities(scores, items, positions, temperature)
    np.testing.assert_allclose(chosen, found[items, positions], atol=1e-12)


@pytest.mark.parametrize(("n", "k"), [(30, 30), (200, 10), (1000, 40), (3000, 150)])
def test_equal_scores_share_every_position(n, k):
    """The steepest curves: all items come at the same time."""
    found = chosen_probabilities(np.zeros(n), [3, 1, 2, 0], [0, k // 2, k - 2, k - 1], 1.0)
    np.testing.assert_allclose(found, 1 / n, rtol=1e-9)


def test_long_lists_and_full_catalogue():
    scores = np.linspace(0, 3, 40)
    found = position_probabilities(scores, 40, 0.5)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-10)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-10)
    assert np.argmax(found[:, 0]) == 39 and np.argmax(found[:, -1]) == 0


def test_probabilities_stay_positive_where_they_are_small():
    """At a low temperature a division-free count keeps the relative error."""
    scores = np.array([0.0, -1.0, -2.0, -2.5])
    found = position_probabilities(scores, 4, 0.1)
    np.testing.assert_allclose(found, enumerated(scores, 4, 0.1), rtol=1e-4, atol=1e-16)


def test_draws_follow_the_probabilities():
    rng = np.random.default_rng(0)
    scores, k, temperature, n = rng.normal(size=12), 4, 0.4, 40_000
    expected = position_probabilities(scores, k, temperature)
    orders = np.array([np.argsort(-(scores / temperature + rng.gumbel(size=12)))[:k] for _ in range(n)])
    for position in range(k):
        counts = np.bincount(orders[:, position], minlength=12)
        big = n * expected[:, position] > 10
        wanted = expected[big, position]
        assert chisquare(counts[big], wanted / wanted.sum() * counts[big].sum()).pvalue > 1e-4
    drawn = np.array([sample(scores, k, temperature, rng)[0] for _ in range(3000)])
    for position in range(k):
        share = np.bincount(drawn[:, position], minlength=12) / 3000
        error = np.sqrt(expected[:, position] * (1 - expected[:, position]) / 3000)
        assert (np.abs(share - expected[:, position]) < 4.5 * error + 1e-3).all()


def test_sample_returns_the_probability_of_what_it_drew():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=50)
    found = position_probabilities(scores, 10, 0.3)
    weights = []
    for _ in range(300):
        order, probabilities = sample(scores, 10, 0.3, rng)
        assert len(set(order)) == 10
        np.testing.assert_allclose(probabilities, found[order, np.arange(10)], atol=1e-12)
        weights.append(1 / probabilities[0])
    assert (np.array(weights) >= 1).all()


@pytest.mark.parametrize("temperature", [1e-3, 1e-9, 1e-300])
def test_no_temperature_is_the_limit_of_low_ones(temperature):
    scores = np.array([0.5, 3.0, -2.0, 1.0, 2.0])
    expected = position_probabilities(scores, 3, 0.0)
    np.testing.assert_allclose(position_probabilities(scores, 3, temperature), expected, atol=1e-11)
    order, probabilities = sample(scores, 3, temperature, np.random.default_rng(0))
    assert order.tolist() == [1, 4, 3] and probabilities.tolist() == pytest.approx([1, 1, 1])
    assert chosen_probabilities(scores, [4, 0], [1, 1], 0.0).tolist() == [1.0, 0.0]


def test_items_of_minus_infinity_are_never_drawn():
    scores = [-np.inf, 1.0, 0.0, -np.inf]
    order, probabilities = sample(scores, 4, 0.5, np.random.default_rng(0))
    assert sorted(order.tolist()) == [1, 2] and len(probabilities) == 2
    found = position_probabilities(scores, 4, 0.5)
    assert (found[[0, 3]] == 0).all() and found[:, 2:].sum() == 0
    np.testing.assert_allclose(found[1:3, :2].sum(axis=0), 1)
    assert chosen_probabilities(scores, [0, 1], [0, 0], 0.5)[0] == 0
    assert sample(scores, 4, 0.0, np.random.default_rng(0))[0].tolist() == [1, 2]


def test_shift_and_scale_do_not_matter():
    scores = np.random.default_rng(2).normal(size=8)
    found = position_probabilities(scores, 3, 0.5)
    np.testing.assert_allclose(position_probabilities(1e4 + scores, 3, 0.5), found, atol=1e-9)
    np.testing.assert_allclose(position_probabilities(scores * 7, 3, 3.5), found, atol=1e-12)


@pytest.mark.parametrize(
    ("scores", "k", "temperature", "error", "text"),
    [
        ([], 1, 1.0, ValueError, "one score per candidate"),
        ([[1.0]], 1, 1.0, ValueError, "one score per candidate"),
        ([np.nan], 1, 1.0, ValueError, "must be finite"),
        ([np.inf], 1, 1.0, ValueError, "must be finite"),
        ([-np.inf], 1, 1.0, ValueError, "no finite one"),
        ([1.0], 0, 1.0, ValueError, "k"),
        ([1.0], 1, -1.0, ValueError, "temperature must be a number of at least 0"),
        ([1.0], 1, np.nan, ValueError, "temperature must be a number of at least 0"),
        ([1.0], 1, "low", TypeError, "temperature must be a number of at least 0"),
    ],
)
def test_wrong_arguments(scores, k, temperature, error, text):
    with pytest.raises(error, match=text):
        sample(scores, k, temperature, np.random.default_rng(0))
