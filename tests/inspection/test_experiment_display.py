"""The plot of an experiment shows the numbers of the result."""

import numpy as np
import pandas as pd
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")

from skrec.inspection import ExperimentDisplay  # noqa: E402
from skrec.model_selection import analyze_experiment  # noqa: E402


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"user": np.arange(3000), "variant": rng.choice(["control", "a", "b"], 3000)})
    rows["spent"], rows["clicked"] = rng.gamma(2, 1, 3000), rng.integers(0, 2, 3000)
    rows["time"] = pd.Timestamp("2026-03-01") + pd.to_timedelta(rng.uniform(0, 8, 3000), unit="D")
    return analyze_experiment(rows, metrics={"revenue": "spent", "$clicks": "clicked"}, time="time")


@pytest.fixture(autouse=True)
def _close():
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def test_a_point_and_an_interval_for_each_variant(result):
    for relative, columns in ((True, ["lift", "lift_low", "lift_high"]), (False, ["difference", "low", "high"])):
        display = ExperimentDisplay.from_result(result, relative=relative)
        values = result.table[columns].to_numpy() * (100 if relative else 1)
        np.testing.assert_allclose(display.ax_.lines[-2].get_xdata(), values[:, 0])
        ends = np.array([path.vertices[:, 0] for path in display.ax_.collections[0].get_paths()])
        np.testing.assert_allclose(ends, values[:, 1:])
        labels = [label.get_text() for label in display.ax_.get_yticklabels()]
        assert labels == ["revenue: a", "revenue: b", "$clicks: a", "$clicks: b"]
        display.figure_.canvas.draw()


def test_no_bounds_is_no_interval(result):
    """A point alone, not an interval of width 0 that looks certain; half an interval is none either."""
    table = result.table.copy()
    table.loc[0, ["low", "high", "lift_low", "lift_high"]] = np.nan
    table.loc[1, ["high", "lift_high"]] = np.inf
    for relative, columns in ((True, ["lift", "lift_low", "lift_high"]), (False, ["difference", "low", "high"])):
        display = ExperimentDisplay(table, relative=relative).plot()
        values = table[columns].to_numpy() * (100 if relative else 1)
        np.testing.assert_allclose(display.ax_.lines[-2].get_xdata(), values[:, 0])
        ends = np.array([path.vertices for path in display.ax_.collections[0].get_paths()])
        np.testing.assert_allclose(ends[:, :, 0], values[2:, 1:])
        np.testing.assert_allclose(ends[:, 0, 1], [1, 0])
        assert all(len(caps.get_xdata()) == 2 for caps in display.ax_.lines[:2])
        display.figure_.canvas.draw()
    table[["low", "high"]] = np.nan
    ExperimentDisplay(table, relative=False).plot().figure_.canvas.draw()


def test_over_time(result):
    display = ExperimentDisplay.from_result(result, over_time=True, metric="$clicks")
    rows = result.over_time.query("metric == '$clicks' and variant == 'b'")
    np.testing.assert_allclose(display.ax_.lines[1].get_ydata(), 100 * rows["lift"])
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["a", "b"]
    display.figure_.canvas.draw()
    _, ax = matplotlib.pyplot.subplots()
    assert ExperimentDisplay.from_result(result, ax=ax).ax_ is ax


def test_errors(result):
    with pytest.raises(ValueError, match="metric='x' is none of the result's"):
        ExperimentDisplay.from_result(result, metric="x")
    rows = pd.DataFrame({"user": range(400), "variant": ["control", "new"] * 200, "x": [0, 1, 1, 0] * 100})
    with pytest.raises(ValueError, match="pass time= to analyze_experiment"):
        ExperimentDisplay.from_result(analyze_experiment(rows, metrics="x"), over_time=True)
