"""The plot of a training."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from skrec.inspection import TrainingDisplay

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def no_windows():
    matplotlib.use("agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


class Net(BaseEstimator):
    """What the display reads of a fitted net."""

    def __init__(self, history):
        self.history_ = history

    def fit(self):
        return self


def test_the_best_epoch_has_the_highest_score_or_the_lowest_loss():
    by_score = TrainingDisplay.from_estimator(Net({"loss": [3.0, 2.0, 1.0], "val_score": [0.1, 0.3, 0.2]}))
    assert by_score.best_epoch == 2
    np.testing.assert_array_equal(by_score.ax_.lines[0].get_ydata(), [3.0, 2.0, 1.0])
    np.testing.assert_array_equal(by_score.held_out_ax_.lines[0].get_ydata(), [0.1, 0.3, 0.2])
    assert TrainingDisplay.from_estimator(Net({"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.9]})).best_epoch == 2


def test_without_a_held_out_part_only_the_loss_is_drawn():
    for history in ({"loss": [3.0, 2.0]}, {"loss": [3.0, 2.0, 1.0], "val_score": [0.1, 0.2]}):
        display = TrainingDisplay.from_estimator(Net(history))
        assert display.best_epoch is None
        assert not hasattr(display, "held_out_ax_")
        assert len(display.figure_.axes) == 1
