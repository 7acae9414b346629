"""Vectors by neighbours: closed form on a small example, and what the nets make of them."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from skrec.neural_network import GRU4Rec, SASRec
from skrec.neural_network import _sequence as sequence
from skrec.neural_network._neighbours import neighbour_vectors

PAIRS = np.array([[0, 0, 1, 2], [0, 0, 2, 1], [0, 3, 4, 3], [0, 0, 0, 5], [1, 2, 1, 2]])
BEFORE = {"epochs": 1, "learning_rate": 1e-9, "early_stopping": False, "schedule": "constant", "random_state": 0}


def test_all_components_give_back_the_positive_mutual_information():
    counts = np.zeros((6, 6))
    for row in PAIRS:
        row = row[row > 0]
        for place, code in enumerate(row):
            for other, beside in enumerate(row):
                if other != place:
                    counts[code, beside] += 1 / abs(other - place)
    counts = counts[1:, 1:]
    total = counts.sum(axis=1)
    share = total**0.75 / (total**0.75).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.nan_to_num(np.maximum(np.log(counts / np.outer(total, share)), 0))
    vectors = neighbour_vectors(PAIRS, 6, 5, 0, first=1, spread=1.0)[1:].astype(np.float64)
    left, values, _ = np.linalg.svd(expected)
    wanted = (left * values) @ left.T
    found = vectors @ vectors.T
    np.testing.assert_allclose(found / np.trace(found), wanted / np.trace(wanted), atol=1e-5)


def test_spread_and_codes_without_neighbours():
    vectors = neighbour_vectors(PAIRS, 6, 3, 0, first=1, spread=0.25)
    assert np.isnan(vectors[0]).all() and (vectors[5] == 0).all()
    np.testing.assert_allclose(vectors[1:].std(), 0.25, rtol=1e-5)
    assert (neighbour_vectors(np.array([[0, 1], [0, 2]]), 3, 2, 0, first=1, spread=1.0)[1:] == 0).all()


@pytest.mark.parametrize("kind", [SASRec, GRU4Rec])
@pytest.mark.parametrize("tied", [True, False])
def test_a_net_starts_with_alike_vectors_of_items_that_stand_together(kind, tied):
    groups = [range(8), range(8, 16)]
    rng = np.random.default_rng(0)
    histories = [rng.permutation(groups[number % 2]).tolist() for number in range(40)]

    def contrast(init):
        unit = kind(4, tied=tied, init=init, **BEFORE).fit(histories).item_factors_
        unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
        likeness = unit @ unit.T
        return likeness[:8, :8].mean() - likeness[:8, 8:].mean()

    assert contrast("neighbours") > 0.7
    assert abs(contrast("random")) < 0.4


def test_held_out_items_are_not_looked_at(monkeypatch):
    seen = []

    def spy(codes, *arguments, **how):
        seen.append(codes.copy())
        return neighbour_vectors(codes, *arguments, **how)

    monkeypatch.setattr(sequence, "neighbour_vectors", spy)
    histories = [[first, first + 1, 40 + first] for first in range(30)]  # the last item of each is nowhere else
    SASRec(4, **{**BEFORE, "early_stopping": True, "validation_fraction": 0.5}).fit(histories)
    (codes,) = seen
    assert np.count_nonzero(codes) == 30 * 3 - 15


def test_more_components_than_items():
    assert SASRec(16, **BEFORE).fit([[1, 2, 3], [2, 3, 1]] * 4).item_factors_.shape == (3, 16)
