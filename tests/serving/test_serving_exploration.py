"""Exploration: the order at temperature 0, stated probabilities, rules that reorder, and ties."""

import random
from collections import Counter

import numpy as np
import pytest

from skrec.serving._exploration import Exploration, utilities
from skrec.utils._plackett_luce import position_probabilities


def test_a_low_temperature_keeps_the_order():
    order, chances, drawn = Exploration(temperature=1e-3).draw([5.0, 3.0, 1.0], 2, random.Random(0))
    assert (order, drawn) == ([0, 1], False)
    assert chances == pytest.approx([1, 1])


def test_stated_probabilities_are_those_of_the_model_and_of_what_is_drawn():
    scores, k, rng, total = [2.0, 1.5, 1.4, 0.0, -3.0], 3, random.Random(0), 4000
    exact = position_probabilities(utilities(scores), k, 0.7)
    shown = Counter()
    for _ in range(total):
        order, chances, _ = Exploration(temperature=0.7).draw(scores, k, rng)
        assert chances == pytest.approx(exact[order, range(k)].tolist(), abs=1e-9)
        shown.update(enumerate(order))
    for place in range(k):
        found = np.array([shown[place, one] for one in range(5)]) / total
        assert np.abs(found - exact[:, place]).max() < 5 * 0.5 / np.sqrt(total)


def test_rules_that_reordered_the_candidates_keep_their_order():
    counts = Counter(
        Exploration(temperature=0.5).draw([1.0, 9.0, 5.0], 1, random.Random(seed))[0][0] for seed in range(900)
    )
    assert counts[0] > counts[1] > counts[2]


def test_scores_that_are_equal_are_drawn_alike():
    counts = Counter(
        Exploration(temperature=0.1).draw([1.0, 1.0], 1, random.Random(seed))[0][0] for seed in range(1000)
    )
    assert abs(counts[0] - 500) < 80


def test_the_scale_of_the_scores_does_not_matter():
    scores = [3.0, 2.0, 0.5, 0.1]
    one = Exploration(temperature=0.4).draw(scores, 4, random.Random(3))
    other = Exploration(temperature=0.4).draw([1000 * score + 7 for score in scores], 4, random.Random(3))
    assert one[0] == other[0]
    assert one[1] == pytest.approx(other[1])


def test_a_share_of_random_lists():
    order, chances, drawn = Exploration(explore=1.0).draw([3.0, 2.0, 1.0], 3, random.Random(0))
    assert sorted(order) == [0, 1, 2]
    assert drawn and chances == pytest.approx([1 / 3] * 3)
    assert Exploration(explore=0.5).draw([], 3, random.Random(0))[0] == []
    assert Exploration(temperature=0.5).draw([], 3, random.Random(0))[0] == []
