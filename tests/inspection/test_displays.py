"""Plots: what they compute, and that they draw."""

import numpy as np
import pandas as pd
import pytest

from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender
from skrec.inspection import ComparisonDisplay, MetricAtKDisplay, PopularityBiasDisplay
from skrec.linear_model import EASE
from skrec.metrics import ndcg_at_k
from skrec.model_selection import compare, split_last

matplotlib = pytest.importorskip("matplotlib")
Figure = pytest.importorskip("matplotlib.figure").Figure


@pytest.fixture(autouse=True)
def no_windows():
    matplotlib.use("agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def compared():
    X, y = split_last(make_histories(100, 40, random_state=0))
    models = {"EASE $a_b$": EASE(l2=10), "popular": PopularityRecommender(), "broken": PopularityRecommender(window=-1)}
    board, details = compare(models, X, y, return_per_user=True)
    return X, y, board, {name: detail.recommendations for name, detail in details.items()}


def test_comparison(compared):
    board = compared[2]
    display = ComparisonDisplay.from_comparison(board)
    assert display.names == board.index[:2].tolist()  # the failed one is not drawn
    np.testing.assert_array_equal(display.values, board["ndcg@10"][:2])
    np.testing.assert_array_equal(display.low, board["ndcg@10_low"][:2])
    assert "95 %" in display.ax_.get_xlabel() and display.figure_ is display.ax_.figure
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == display.names
    display.figure_.canvas.draw()


def test_comparison_of_a_metric_without_interval(compared):
    ax = Figure().add_subplot()
    display = ComparisonDisplay.from_comparison(compared[2], metric="recall@10", note="new items", ax=ax)
    assert display.ax_ is ax and ax.get_xlabel() == "Recall@10" and ax.get_title(loc="left").endswith("new items")
    with pytest.raises(ValueError, match="metric='bleu' is not a column"):
        ComparisonDisplay.from_comparison(compared[2], metric="bleu")


def test_metric_at_k(compared):
    _, y, _, predictions = compared
    display = MetricAtKDisplay.from_predictions(y, predictions, k=[3, 10])
    assert display.curves["popular"] == pytest.approx([ndcg_at_k(y, predictions["popular"], k=k) for k in (3, 10)])
    assert MetricAtKDisplay.from_predictions(y, predictions).k.tolist() == list(range(1, 11))
    display.figure_.canvas.draw()
    with pytest.raises(ValueError, match="predictions is empty"):
        MetricAtKDisplay.from_predictions(y, {})


def test_popularity_bias():
    popularity = pd.Series({"a": 4, "b": 2, "c": 1})
    display = PopularityBiasDisplay.from_predictions(
        {"one": [["a", "c"], ["a", "b"]], "two": [["new", "c"]]}, popularity=popularity
    )
    assert display.curves["one"].tolist() == [0.5, 0.75, 1]
    assert display.curves["two"].tolist() == [0, 0, 1]  # an unknown item counts as the least popular
    assert display.history == pytest.approx([4 / 7, 6 / 7, 1])
    display.figure_.canvas.draw()
    with pytest.raises(ValueError, match="predictions is empty"):
        PopularityBiasDisplay.from_predictions({}, popularity=popularity)


def test_models_can_be_told_apart():
    from skrec.inspection._displays import style

    styles = [tuple(style(number).values()) for number in range(28)]
    assert len(set(styles)) == len(styles)
