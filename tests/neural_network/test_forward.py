"""The forward pass in NumPy gives what TensorFlow gives."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("tensorflow")

from skrec.datasets import make_histories
from skrec.neural_network import GRU4Rec, SASRec
from skrec.utils._single import read_single

HISTORIES = [list(row) for row in make_histories(200, 60, mean_length=8, order=0.5, random_state=0)["item"]]
QUICK = {"epochs": 2, "early_stopping": False, "random_state": 0, "learning_rate": 0.02}


class Rows(list):
    """A list of another type, which takes the general way."""


def questions(longest):
    rng = np.random.default_rng(0)
    known = [rng.integers(0, 60, length).tolist() for length in range(1, longest + 3)]
    return [*known, [3, 3, 3], [999, 4, 999, 4], [5, 999]]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"n_blocks": 2, "n_heads": 4},
        {"n_blocks": 2, "n_heads": 2, "distances": True, "returns": True},
        {"n_blocks": 2, "n_heads": 2, "frequency": 0.6},
        {"n_blocks": 2, "distances": True, "frequency": 0.3, "max_length": 4},
        {"tied": False, "max_length": 5, "returns": True, "exclude_seen": False},
    ],
    ids=str,
)
def test_as_tensorflow(settings):
    model = SASRec(8, **{"max_length": 10, **QUICK, **settings}).fit(HISTORIES)
    for row in questions(12):
        assert model._score_single(read_single(model, [row]), None) is not None
        quick, general = (model.recommend(X, k=60, return_scores=True) for X in ([row], Rows([row])))
        assert_allclose(quick[1], general[1], rtol=1e-5, atol=1e-5)
        clear = np.abs(np.diff(np.nan_to_num(general[1][0], neginf=-99))) > 1e-4
        assert_array_equal(quick[0][0, :-1][clear][:1], general[0][0, :-1][clear][:1])


def test_training_on_changes_what_was_prepared():
    model = SASRec(8, max_length=10, **QUICK).fit(HISTORIES)
    before = model.recommend([[3, 4]], return_scores=True)
    model.partial_fit(HISTORIES[:100])
    quick, general = (model.recommend(X, return_scores=True) for X in ([[3, 4]], Rows([[3, 4]])))
    assert_allclose(quick[1], general[1], rtol=1e-5, atol=1e-5)
    assert np.abs(quick[1] - before[1]).max() > 1e-4


def test_what_the_pass_cannot_do_goes_through_tensorflow():
    model = SASRec(8, max_length=10, mixed_precision=True, **QUICK).fit(HISTORIES)
    assert model._score_single(read_single(model, [[3]]), None) is None
    model = SASRec(8, max_length=10, **QUICK).fit(HISTORIES)
    assert model._score_single(read_single(model, [[999]]), None) is None
    recurrent = GRU4Rec(8, max_length=10, **QUICK).fit(HISTORIES)
    assert recurrent._score_single(read_single(recurrent, [[3]]), None) is None
    assert_array_equal(recurrent.recommend([[3, 4]]), recurrent.recommend(Rows([[3, 4]])))
