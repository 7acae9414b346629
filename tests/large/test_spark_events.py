"""Histories on Spark are those of one machine."""

import datetime
import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from skrec.feature_extraction import to_histories
from skrec.large import spark as large
from skrec.utils._histories import read_histories

ROLES = {"user": "u", "item": "i", "time": "t", "weight": "w", "event": "e"}


def _events(n=3000, seed=0, **columns):
    """Return a log of users of very different activity, with few distinct times."""
    rng = np.random.default_rng(seed)
    days = rng.integers(0, 40, n) * 86_400_000_000 + 1_500_000_000_000_000
    table = {
        "u": np.where(rng.random(n) < 0.4, 7, rng.integers(0, 120, n)),  # one user has 40 % of the events
        "i": [f"item {item}" for item in rng.zipf(1.4, n).clip(max=90)],
        "t": pa.array(days, pa.timestamp("us", tz="UTC")),
        "w": rng.integers(1, 5, n).astype(float),
        "e": rng.choice(["view", "buy"], n),
    }
    return pa.table({**table, **columns})


def _same(frame, events, roles=ROLES, tie=None, **options):
    """Check that histories on Spark equal those of one machine."""
    expected = to_histories(events, **roles, **options)
    got = large.to_histories(frame, **roles, tie=tie, **options).toArrow().sort_by(roles["user"])
    assert got.column_names == [roles["user"], *expected.columns]
    assert got.column(roles["user"]).to_pylist() == expected.index.tolist()
    one, other = read_histories(expected), read_histories(got)
    assert (one.indptr == other.indptr).all()
    assert (one.ids[one.codes] == other.ids[other.codes]).all()
    for name in ("time", "weight"):
        if getattr(one, name) is not None:
            np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=0, atol=1e-10)
    assert one.dated == other.dated
    if one.event_ids is not None:
        assert (one.event_ids[one.event_codes] == other.event_ids[other.event_codes]).all()
    return got


@pytest.mark.parametrize("n_partitions", [1, 4, 16])
def test_histories_are_those_of_one_machine(spark, n_partitions):
    events = _events()
    frame = spark.createDataFrame(events).repartition(n_partitions, "i")  # another order of the events
    _same(frame, frame.toArrow())


def test_events_of_one_time_keep_their_order(spark):
    events = _events(2000, t=np.zeros(2000, dtype=np.int64))
    _same(spark.createDataFrame(events), events)


def test_without_times_the_order_is_that_of_the_rows(spark):
    _same(spark.createDataFrame(_events(500)), _events(500), {"user": "u", "item": "i"})


def test_tie_orders_events_of_one_time(spark):
    events = _events(1000, offset=np.arange(1000))
    _same(spark.createDataFrame(events).repartition(5, "i"), events, tie="offset")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("kind", [np.int64, np.float64])
def test_numbers_become_moments(spark, unit, kind, caplog):
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    times = (1_300_000_000 + np.random.default_rng(0).integers(0, 10**6, 200)) * per_second
    times = times.astype(kind) + (0.25 if kind is np.float64 and unit == "s" else 0)
    events = _events(200, t=times)
    frame = spark.createDataFrame(events)
    with caplog.at_level(logging.WARNING, "skrec"):
        _same(frame, events)
    assert caplog.text.count("since 1970") == 2  # both say what was recognised
    _same(frame, events, time_unit=unit)


@pytest.mark.parametrize(
    "times",
    [
        np.arange(200) % 30,  # numbers of unknown unit
        pa.array([datetime.date(2020, 1, 1 + day % 28) for day in range(200)]),
        pa.array(np.arange(200)[::-1] * 10**10, pa.timestamp("us")),
    ],
    ids=["numbers", "dates", "timestamps without a zone"],
)
def test_kinds_of_times(spark, times):
    events = _events(200, t=times)
    frame = spark.createDataFrame(events)
    if pa.types.is_timestamp(events["t"].type):
        frame = frame.selectExpr("u", "i", "w", "e", "cast(t as timestamp_ntz) as t")
        events = frame.toArrow()
    _same(frame, events)


def test_days_since_1970(spark):
    events = _events(100, t=np.arange(100) % 17 + 15_000)
    _same(spark.createDataFrame(events), events, time_unit="D")


def test_online_retail(spark):
    from skrec.datasets import load_online_retail

    data = load_online_retail()
    events = data.events[["CustomerID", "StockCode", "InvoiceDate", "Quantity"]]
    events = events[events["CustomerID"] % 8 == 0]
    frame = spark.createDataFrame(pa.Table.from_pandas(events, preserve_index=False))
    frame = frame.selectExpr("CustomerID", "StockCode", "to_timestamp_ntz(InvoiceDate) as InvoiceDate", "Quantity")
    roles = {"user": "CustomerID", "item": "StockCode", "time": "InvoiceDate", "weight": "Quantity"}
    _same(frame, pa.Table.from_pandas(frame.toArrow().to_pandas()), roles)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("u", [1, None], "user column 'u' has missing values"),
        ("i", ["a", None], "item column 'i' has missing values"),
        ("t", [1.0, float("nan")], "time column 't' has values that are missing or not finite"),
        ("w", [1.0, None], "weight column 'w' has values that are missing"),
        ("w", [1.0, -1.0], "weight column 'w' must be at least 0"),
        ("w", [1.0, float("inf")], "weight column 'w' has values that are missing or not finite"),
    ],
)
def test_values_that_a_role_does_not_allow_fail_the_job(spark, column, values, message):
    table = {"u": [1, 2], "i": ["a", "b"], "t": [1.0, 2.0], "w": [1.0, 1.0]} | {column: values}
    frame = spark.createDataFrame(pa.table(table))
    histories = large.to_histories(frame, user="u", item="i", time="t", weight="w", time_unit=None)
    with pytest.raises(Exception, match=message):
        histories.collect()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"item": "j"}, ValueError, "item='j' is not a column of events"),
        ({"user": "i"}, ValueError, "user and item both name the column 'i'"),
        ({"tie": "x"}, ValueError, "tie='x' is not a column"),
        ({"time": "s"}, TypeError, "time column 's' has the type string, which is not a time"),
        ({"weight": "s"}, TypeError, "weight column 's' has the type string: weights must be numbers"),
        ({"user": "w"}, TypeError, "user column 'w' has the type double: ids must be integers or strings"),
        ({"time_unit": "s"}, ValueError, "time_unit='s' needs the times"),
        ({"time": "d", "time_unit": "s"}, ValueError, "time_unit='s' is for times that are numbers"),
        ({"time": "d", "time_unit": "h"}, ValueError, "time_unit must be"),
    ],
)
def test_errors_name_the_parameter(spark, options, error, message):
    table = {"u": [1], "i": ["a"], "s": ["x"], "w": [1.5], "d": [datetime.date(2020, 1, 1)]}
    options = {"user": "u", "item": "i"} | options
    with pytest.raises(error, match=message):
        large.to_histories(spark.createDataFrame(pa.table(table)), **options)


def test_a_frame_of_pandas_is_refused():
    pytest.importorskip("pyspark")
    with pytest.raises(TypeError, match="events must be a Spark DataFrame, got pandas"):
        large.to_histories(pd.DataFrame({"u": [1], "i": [1]}), user="u", item="i")


def test_the_column_of_users_may_not_be_a_list_column(spark):
    frame = spark.createDataFrame(pa.table({"item": [1], "i": ["a"]}))
    with pytest.raises(ValueError, match="user='item' is also the name of a list column"):
        large.to_histories(frame, user="item", item="i")


def test_times_that_are_no_dates_are_refused(spark):
    frame = spark.createDataFrame(pa.table({"u": [1], "i": ["a"], "t": [10**15]}))
    with pytest.raises(ValueError, match="are no dates in the years 1 to 9999"):
        large.to_histories(frame, user="u", item="i", time="t", time_unit="s")
