"""The picture of drift, and its part of the report."""

import pandas as pd
import pytest

from skrec.datasets import load_online_retail
from skrec.inspection import DriftDisplay, DriftMonitor, write_report
from skrec.inspection._drift_report import drift_rows, found_sentences, write_drift_report

pyplot = pytest.importorskip("matplotlib.pyplot")
pyplot.switch_backend("agg")


@pytest.fixture(scope="module")
def scores():
    events = load_online_retail().events
    late = events["InvoiceDate"] >= "2011-11-28"
    faulty = pd.concat([events, events[late].iloc[::10]], ignore_index=True)
    names = {"user": "CustomerID", "item": "StockCode", "time": "InvoiceDate", "country": "Country"}
    return DriftMonitor(**names).score_log(faulty.assign(Country="<b>" + faulty["Country"]))


def test_a_panel_for_each_statistic_with_its_alarms(scores):
    display = DriftDisplay.from_scores(scores, n_columns=4)
    assert set(display.axes_) == set(scores["statistic"])
    assert display.size == (52, scores["statistic"].nunique())
    panel = display.axes_["exact_duplicates"]
    marked = [line for line in panel.get_lines() if line.get_label() == "alarm"]
    expected = scores[(scores["statistic"] == "exact_duplicates") & (scores["verdict"] == "alarm")]
    assert [pd.Timestamp(one) for one in marked[0].get_xdata()] == expected["period"].tolist()
    assert not [line for line in display.axes_["head_share"].get_lines() if line.get_label() == "alarm"]
    pyplot.close(display.figure_)


def test_a_figure_of_the_caller_is_used(scores):
    from matplotlib.figure import Figure

    figure = Figure()
    before = pyplot.get_fignums()
    assert DriftDisplay.from_scores(scores[scores["statistic"] == "new_users"], figure=figure).figure_ is figure
    assert pyplot.get_fignums() == before


def test_display_errors(scores):
    with pytest.raises(TypeError, match=r"what DriftMonitor\.score returns, but it lacks z, verdict"):
        DriftDisplay(scores.drop(columns=["z", "verdict"]))
    with pytest.raises(ValueError, match="no rows"):
        DriftDisplay.from_scores(scores.iloc[:0])


def test_report_has_the_section_the_picture_and_escaped_names(scores, tmp_path):
    path = write_drift_report(tmp_path / "drift.html", scores)
    text = path.read_text()
    assert "exact duplicates" in text and "Events are written twice" in text and "data:image/svg+xml" in text
    assert "<b>" not in text
    path = write_report({}, tmp_path / "report.html", drift=scores)
    assert "is the newest period like those before" in path.read_text()


def test_rows_begin_with_what_is_farthest_off(scores):
    last = scores[scores["period"] == scores["period"].max()]
    header, rows = drift_rows(last)
    assert rows[0][0] == "exact duplicates" and rows[0][header.index("verdict")] == "alarm"
    assert found_sentences(last)[0].startswith("2011-11-28, alarm: exact duplicates")


def test_report_without_matplotlib_says_so(scores, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = write_drift_report(tmp_path / "drift.html", scores).read_text()
    assert "matplotlib is not installed" in text and "data:image" not in text


def test_a_report_names_the_thresholds_of_the_scores(tmp_path):
    scores = DriftMonitor(warn=2, alarm=3).score_log(load_online_retail().histories)
    text = write_drift_report(tmp_path / "drift.html", scores).read_text(encoding="utf-8")
    assert "a warning begins at 2, an alarm at 3" in text
