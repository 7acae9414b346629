"""Rows and labels of "who buys next" agree with split_time, and no row or label knows what it may not know."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from skrec.datasets import make_histories
from skrec.feature_extraction import BehaviorFeatures, to_histories
from skrec.model_selection import split_next_purchase, split_time

HISTORIES = make_histories(120, 30, mean_length=8, random_state=0)
LOG = pd.DataFrame(
    {
        "user": [1, 1, 1, 2, 2, 3],
        "item": ["a", "b", "a", "b", "c", "a"],
        "day": pd.to_datetime(["2024-01-01", "2024-01-05", "2024-01-20", "2024-01-02", "2024-01-10", "2024-01-12"]),
        "kind": ["view", "buy", "view", "view", "buy", "buy"],
    }
)
COLUMNS = {"user": "user", "item": "item", "time": "day", "event": "kind"}
FRAME = to_histories(LOG, **COLUMNS)


@pytest.mark.parametrize("at", ["2024-03-01", "2024-07-01", "2024-11-15"])
def test_equals_split_time(at):
    until = pd.Timestamp(at) + pd.Timedelta(days=30)
    history, later = split_time(HISTORIES, at, until=until)
    known = history["item"].list.len() > 0
    X, y = split_next_purchase(HISTORIES, at)
    pd.testing.assert_frame_equal(X.drop(columns="at"), history[known])
    np.testing.assert_array_equal(y, [len(items) > 0 for items in later[known]])
    assert y.dtype == np.int64
    assert (X["at"] == pd.Timestamp(at)).all()
    assert 0 < y.mean() < 1


def test_several_moments_are_rows_of_each():
    moments = ["2024-03-01", pd.Timestamp("2024-07-01", tz="UTC"), np.datetime64("2024-11-15")]
    X, y = split_next_purchase(HISTORIES, moments, "10D")
    parts = [split_next_purchase(HISTORIES, moment, 10) for moment in moments]
    pd.testing.assert_frame_equal(X, pd.concat([part for part, _ in parts]))
    np.testing.assert_array_equal(y, np.concatenate([labels for _, labels in parts]))
    assert X["at"].nunique() == 3
    model = make_pipeline(BehaviorFeatures(), DecisionTreeClassifier(max_depth=2, random_state=0))
    assert len(cross_val_score(model, X, y, groups=X.index, cv=GroupKFold(3), error_score="raise")) == 3


def test_both_frames(df_module):
    X = to_histories(df_module.DataFrame({name: LOG[name].to_numpy() for name in LOG}), **COLUMNS)
    before = X.clone() if hasattr(X, "clone") else X.copy()
    got, y = split_next_purchase(X, ["2024-01-05", "2024-01-11"], "10D")
    assert [list(row) for row in got["item"].to_list()] == [["a"], ["b"], ["a", "b"], ["b", "c"]]
    assert y.tolist() == [1, 1, 1, 0]  # the event at the moment follows; that of user 3 makes no row
    assert X.equals(before)
    assert len(BehaviorFeatures().fit_transform(got)) == 4


def test_only_events_of_a_name_count():
    X, y = split_next_purchase(FRAME, "2024-01-11", "10D", event="buy")
    assert y.tolist() == [0, 0]
    assert X["event"].tolist() == [["view", "buy"], ["view", "buy"]]
    assert split_next_purchase(FRAME, "2024-01-11", "10D", event="view")[1].tolist() == [1, 0]


def test_numbers_and_the_last_day():
    X = pd.DataFrame({"item": [["a", "b"], ["a"]], "time": [[0, 10], [3]]})
    rows, y = split_next_purchase(X, at=4, horizon=7)  # day 10 counts to its end
    assert y.tolist() == [1, 0]
    assert rows["at"].tolist() == [4, 4]
    with pytest.raises(ValueError, match=r"horizon=8 after at=4 reaches beyond the last event of X \(10"):
        split_next_purchase(X, at=4, horizon=8)
    with pytest.raises(ValueError, match=r"reaches beyond the last event of X \(2024-01-20T00:00:00\)"):
        split_next_purchase(FRAME, at="2024-01-12")


@pytest.mark.parametrize(
    ("X", "parameters", "error", "message"),
    [
        ([["a"]], {"at": 1}, TypeError, "X must be a frame with the list columns 'item' and 'time'"),
        (FRAME[["item"]], {"at": 1}, ValueError, "X has no times"),
        (FRAME.assign(at=1), {"at": 1}, ValueError, "X has a column 'at' already"),
        (FRAME, {"at": []}, ValueError, "at is an empty list"),
        (FRAME, {"at": "soon"}, TypeError, "at must be a date or a number, got 'soon'"),
        (FRAME, {"at": "2024-01-01", "horizon": 1}, ValueError, "no user of X has an event before at='2024-01-01'"),
        (FRAME, {"at": "2024-01-05", "horizon": 0}, ValueError, "horizon must be above 0"),
        (FRAME, {"at": "2024-01-05", "event": "rent"}, ValueError, r"event='rent' is none of the events \['view'"),
        (FRAME[["item", "time"]], {"at": 1, "event": "buy"}, ValueError, "event='buy' needs histories with the column"),
    ],
)
def test_errors(X, parameters, error, message):
    with pytest.raises(error, match=message):
        split_next_purchase(X, **parameters)
