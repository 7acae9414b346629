"""Fitting on a GPU: the error where there is none, and the way back, with a stand-in on the processor."""

import implicit.gpu
import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking

from skrec.datasets import make_histories
from skrec.decomposition import ALS, BPR

PLAIN = {"l2_exponent": 0, "unobserved_weight": 1.0, "l2": 0.5, "alpha": 2.0, "max_iter": 5, "random_state": 0}


class OnDevice:
    """An array that leaves only by `to_numpy`, as those of implicit.gpu do."""

    def __init__(self, array):
        self.to_numpy = lambda: array


def _stand_in(solver, **fixed):
    class StandIn:
        def __init__(self, *arguments, **options):
            self._solver = solver(*arguments, **options, **fixed)

        def fit(self, entries, show_progress):
            self._solver.fit(entries, show_progress=show_progress)
            self.item_factors = OnDevice(self._solver.item_factors)
            self.user_factors = OnDevice(self._solver.user_factors)

    return StandIn


@pytest.fixture
def histories():
    return make_histories(60, 20, random_state=0)


@pytest.mark.parametrize("model", [ALS(l2_exponent=0, use_gpu=True), BPR(use_gpu=True)])
def test_no_gpu_is_an_error(model, histories, monkeypatch):
    monkeypatch.setattr(implicit.gpu, "HAS_CUDA", False)
    with pytest.raises(ValueError, match="use_gpu=True needs a CUDA GPU"):
        model.fit(histories)


@pytest.mark.parametrize("settings", [{}, {"l2_exponent": 0, "solver": "cholesky"}])
def test_the_scaled_penalty_needs_the_processor(settings, histories):
    with pytest.raises(ValueError, match="use_gpu=True needs l2_exponent=0 and solver=None"):
        ALS(use_gpu=True, **settings).fit(histories)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # implicit warns of BLAS threads
def test_als_comes_back_as_numpy(histories, monkeypatch):
    monkeypatch.setattr(implicit.gpu, "HAS_CUDA", True)
    monkeypatch.setattr(implicit.gpu.als, "AlternatingLeastSquares", _stand_in(AlternatingLeastSquares, num_threads=1))
    model = ALS(4, use_gpu=True, **PLAIN).fit(histories)
    expected = ALS(4, **PLAIN).fit(histories)
    assert isinstance(model.item_factors_, np.ndarray) and model.n_iter_ == 5
    np.testing.assert_allclose(model.item_factors_, expected.item_factors_, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(model.predict(histories), expected.predict(histories))


def test_bpr_comes_back_as_numpy(histories, monkeypatch):
    solver = _stand_in(BayesianPersonalizedRanking, num_threads=1)
    monkeypatch.setattr(implicit.gpu, "HAS_CUDA", True)
    monkeypatch.setattr(implicit.gpu.bpr, "BayesianPersonalizedRanking", solver)
    model = BPR(4, max_iter=5, random_state=0, use_gpu=True).fit(histories)
    expected = BPR(4, max_iter=5, random_state=0).fit(histories)
    np.testing.assert_array_equal(model.item_factors_, expected.item_factors_)
    np.testing.assert_array_equal(model.item_biases_, expected.item_biases_)
