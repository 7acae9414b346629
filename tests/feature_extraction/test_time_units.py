"""Times that are numbers: the unit is recognised and said, or given, and never guessed where it is not clear."""

import logging

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import BehaviorFeatures, HistoryVectorizer, _event_files, to_histories
from skrec.model_selection import split_next_purchase, split_time
from skrec.neighbors import BuyAgainRecommender, SessionKNN
from skrec.utils._histories import read_histories

SECONDS = np.array([1_600_000_000, 1_600_086_400, 1_262_304_000, 1_600_000_000])
FORMS = [
    "pandas",
    "polars",
    "lazy",
    "pyarrow",
    "csv",
    "parquet",
    "jsonl",
    "csv without duckdb",
    "parquet without duckdb",
]


def events_as(form, tmp_path, monkeypatch, times):
    log = pd.DataFrame({"u": [1, 1, 2, 2], "i": list("abab"), "t": times})
    kind, _, without = form.partition(" without ")
    monkeypatch.setattr(_event_files, "has_duckdb", lambda: not without)
    path = tmp_path / f"log.{kind}"
    if kind == "csv":
        log.to_csv(path, index=False)
    elif kind == "parquet":
        log.to_parquet(path)
    elif kind == "jsonl":
        log.to_json(path, orient="records", lines=True)
    else:
        return {"pandas": pd.DataFrame, "polars": pl.DataFrame, "lazy": pl.LazyFrame, "pyarrow": pa.table}[kind](log)
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_units_are_recognised_and_said(tmp_path, monkeypatch, caplog, form, unit, factor):
    events = events_as(form, tmp_path, monkeypatch, SECONDS * factor)
    with caplog.at_level(logging.WARNING, logger="skrec"):
        histories = to_histories(events, user="u", item="i", time="t")
    read = read_histories(histories)
    assert read.dated
    np.testing.assert_array_equal(read.time, SECONDS / 86_400)
    words = {"s": "as seconds", "ms": "as milliseconds", "us": "as microseconds", "ns": "as nanoseconds"}[unit]
    assert words in caplog.text and "2010-01-01 to 2020-09-14" in caplog.text
    if hasattr(histories, "attrs"):
        assert len(histories.attrs["notes"]) == 1 and words in histories.attrs["notes"][0]


@pytest.mark.parametrize("form", FORMS)
def test_units_are_given(tmp_path, monkeypatch, caplog, form):
    events = events_as(form, tmp_path, monkeypatch, [18_000, 18_001, 18_002, 18_003])
    assert not read_histories(to_histories(events, user="u", item="i", time="t")).dated
    with caplog.at_level(logging.WARNING, logger="skrec"):
        read = read_histories(to_histories(events, user="u", item="i", time="t", time_unit="D"))
    assert read.dated and read.time.tolist() == [18_000, 18_001, 18_002, 18_003]
    assert not caplog.text  # nothing was guessed
    read = read_histories(to_histories(events, user="u", item="i", time="t", time_unit="s"))
    assert read.dated and read.time[0] == 18_000 / 86_400


@pytest.mark.parametrize(
    "times",
    [
        [1_600_000_000, 0, 1_600_000_000, 1_600_000_000],  # one that is not
        [1_600_000_000, 1_600_000_000_000, 1_600_000_000, 1_600_000_000],  # two units
        [20_111_109, 20_111_110, 20_111_111, 20_111_112],  # days written as numbers
        [1, 2, 3, 4],
        [631_151_999] * 4,
        [4_102_444_800] * 4,
    ],
)
def test_other_numbers_stay_numbers(times):
    histories = to_histories(pd.DataFrame({"u": [1] * 4, "i": [1] * 4, "t": times}), user="u", item="i", time="t")
    assert not read_histories(histories).dated and "notes" not in histories.attrs
    assert sorted(read_histories(histories).time) == sorted(times)


def test_parts_of_a_unit_are_kept():
    log = pd.DataFrame({"u": [1, 1], "i": [1, 2], "t": [1_600_000_000.25, 1_600_000_001.0]})
    times = to_histories(log, user="u", item="i", time="t")["time"].iloc[0]
    assert [str(time) for time in times] == ["2020-09-13 12:26:40.250000", "2020-09-13 12:26:41"]
    half = to_histories(log.assign(t=[0.5, 1.0]), user="u", item="i", time="t", time_unit="D")
    assert read_histories(half).time.tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("times", "options", "kind", "match"),
    [
        ([1, 2], {"time_unit": "h"}, ValueError, "time_unit must be 's', 'ms', 'us', 'ns', 'D' or None, got 'h'"),
        (
            [16 * 10**11] * 2,
            {"time_unit": "s"},
            ValueError,
            "no date in the years 1 to 9999; did you mean time_unit='ms'",
        ),
        ([2**63 - 1] * 2, {"time_unit": "us"}, ValueError, "no date in the years 1 to 9999: check the unit"),
        ([-(10**15)] * 2, {"time_unit": "ms"}, ValueError, "-1000000000000000, which with time_unit='ms' is no date"),
        (
            pd.to_datetime(["2020", "2021"]),
            {"time_unit": "s"},
            ValueError,
            "time_unit='s' is for times that are numbers",
        ),
        (["1.2.2020"] * 2, {}, TypeError, "not a time: .*name their form with time_format="),
        (["1.2.2020"] * 2, {"time_format": "%Y"}, ValueError, "time column 't' is not in time_format='%Y'"),
        (["1.2.2020"] * 2, {"time_format": 3}, TypeError, "time_format must be a str"),
        (pd.to_datetime(["2020", "2021"]), {"time_format": "%Y"}, ValueError, "is for times in text, but"),
        ([1, 2], {"time_unit": "s", "time_format": "%Y"}, ValueError, "give one of them"),
    ],
)
def test_what_does_not_fit_is_an_error(times, options, kind, match):
    with pytest.raises(kind, match=match):
        to_histories(pd.DataFrame({"u": [1, 1], "i": [1, 2], "t": times}), user="u", item="i", time="t", **options)
    with pytest.raises(ValueError, match="time_unit='s' needs the times of the events"):
        to_histories(pd.DataFrame({"u": [1], "i": [1]}), user="u", item="i", time_unit="s")


@pytest.mark.parametrize("form", FORMS)
def test_times_in_a_form_of_their_own(tmp_path, monkeypatch, form):
    events = events_as(
        form, tmp_path, monkeypatch, ["10.11.2011 08:26", "11.10.2011 00:00", "1.1.2012 00:00", "1.2.2012 00:00"]
    )
    histories = to_histories(events, user="u", item="i", time="t", time_format="%d.%m.%Y %H:%M")
    items = histories["item"].to_list() if "polars" in form or form == "lazy" else histories["item"].tolist()
    assert items == [["b", "a"], ["a", "b"]]
    days = events_as(form, tmp_path, monkeypatch, [20_111_110, 20_111_011, 20_120_101, 20_120_201])
    read = read_histories(to_histories(days, user="u", item="i", time="t", time_format="%Y%m%d"))
    assert read.dated and np.datetime64(int(read.time[0]), "D") == np.datetime64("2011-10-11")


@pytest.mark.parametrize("form", ["pandas", "csv", "csv without duckdb", "jsonl"])
def test_zoned_and_naive_times_are_not_mixed(tmp_path, monkeypatch, form):
    if form == "csv" and int(pytest.importorskip("duckdb").__version__.split(".")[0]) < 2:
        pytest.skip("DuckDB before 2.0 takes a column of different zones for text, which is an error that says so")
    zoned = ["2020-01-01 08:00+01:00", "2020-01-01 08:00+00:00", "2020-01-01T08:00Z", "2020-01-01 09:00+01:00"]
    mixed = [*zoned[:3], "2020-01-01 09:00"]
    if form == "pandas":
        zoned, mixed = ([pd.Timestamp(text) for text in texts] for texts in (zoned, mixed))
    read = read_histories(to_histories(events_as(form, tmp_path, monkeypatch, zoned), user="u", item="i", time="t"))
    assert (read.time * 24 % 24).round(6).tolist() == [7, 8, 8, 8]
    with pytest.raises(ValueError, match="mixes times with a zone and without one"):
        to_histories(events_as(form, tmp_path, monkeypatch, mixed), user="u", item="i", time="t")


@pytest.mark.parametrize("duckdb", [True, False])
def test_files_with_and_without_a_zone_are_not_mixed(tmp_path, monkeypatch, duckdb):
    monkeypatch.setattr(_event_files, "has_duckdb", lambda: duckdb)
    log = pd.DataFrame({"u": [1, 1], "i": ["a", "b"], "t": pd.to_datetime(["2020-01-01", "2020-01-02"])})
    log.to_parquet(tmp_path / "1.parquet")
    log.assign(t=log["t"].dt.tz_localize("Europe/Berlin")).to_parquet(tmp_path / "2.parquet")
    with pytest.raises(ValueError, match="mixes times with a zone and without one"):
        to_histories(tmp_path / "*.parquet", user="u", item="i", time="t")
    log.assign(t=[1, 2]).to_parquet(tmp_path / "2.parquet")
    with pytest.raises(TypeError, match="write both with one type"):
        to_histories(tmp_path / "*.parquet", user="u", item="i", time="t")


NUMBERS = pd.DataFrame({"item": [["a", "b"], ["b"]], "time": [[1, 40], [50]]})


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (lambda X: PopularityRecommender(window="30D").fit(X), "window"),
        (lambda X: PopularityRecommender(half_life=np.timedelta64(30, "D")).fit(X), "half_life"),
        (lambda X: HistoryVectorizer(half_life="30D").fit(X).transform(X), "half_life"),
        (lambda X: SessionKNN(half_life="30D").fit(X), "half_life"),
        (lambda X: BuyAgainRecommender(half_life="30D").fit(X), "half_life"),
        (lambda X: BuyAgainRecommender(window="30D").fit(X), "window"),
        (lambda X: BehaviorFeatures(windows=["30D"]).fit(X), "windows"),
        (lambda X: split_next_purchase(X, 5, "30D"), "horizon"),
        (lambda X: split_time(X, "2020-01-01"), "at"),
        (lambda X: split_time(X, 5, until="2020-01-01"), "until"),
        (lambda X: BehaviorFeatures(at="2020-01-01").fit(X), "at"),
        (lambda X: PopularityRecommender(window=30).fit(X).recommend(X, at="2020-01-01"), "at"),
        (lambda X: BuyAgainRecommender().fit(X).recommend(X, at=pd.Timestamp("2020-01-01")), "at"),
    ],
)
def test_units_and_dates_need_times_of_a_known_unit(ask, name):
    with pytest.raises(ValueError, match=f"{name}=.*numbers of unknown unit: pass time_unit= to to_histories"):
        ask(NUMBERS)


FAR = pd.DataFrame(
    {
        "item": [["a", "b", "c"], ["a", "b"], ["b", "a"]],
        "time": [
            list(np.array(times, dtype="datetime64[s]"))
            for times in (
                ["2020-01-01", "2020-02-01", "9999-12-31"],
                ["2020-01-01", "2020-02-02"],
                ["2019-01-01", "2020-02-03"],
            )
        ],
    }
)


def test_the_far_future_counts_in_no_window(caplog):
    with caplog.at_level(logging.WARNING, logger="skrec"):
        model = PopularityRecommender(window="30D").fit(FAR)
    assert dict(zip(model.items_, model.scores_, strict=True)) == {"a": 1, "b": 2, "c": 0}
    assert "1 of 7 events are dated more than a year from now" in caplog.text
    halved = PopularityRecommender(half_life="30D").fit(FAR)
    assert halved.scores_[0] > 0.9 and halved.scores_[2] == 0
    decayed = HistoryVectorizer(half_life="31D").fit(FAR).transform(FAR).toarray()
    np.testing.assert_allclose(decayed[0], [0.5, 1, 0])
    again = BuyAgainRecommender().fit(FAR)
    assert again.latest_ < 20_000 and np.isfinite(again.decision_function(FAR)).all()
    assert again.decision_function(FAR)[0, 0] > again.prior_weight * again.prior_[0]
    assert SessionKNN(half_life="30D").fit(FAR).decision_function([["a"]]).max() > 0
    log = pd.DataFrame({"u": [1, 1], "i": [1, 2], "t": np.array(["2020-01-01", "9999-12-31"], dtype="datetime64[s]")})
    assert (
        "1 of 2 events are dated more than a year from now"
        in to_histories(log, user="u", item="i", time="t").attrs["notes"][0]
    )


def test_numbers_do_not_meet_dates():
    model = BuyAgainRecommender().fit(FAR)
    with pytest.raises(TypeError, match="has numbers, but fit had dates: convert the times to those of fit"):
        model.predict(NUMBERS)
    with pytest.raises(TypeError, match="has dates, but fit had numbers"):
        BuyAgainRecommender().fit(NUMBERS).predict(FAR)
    with pytest.raises(TypeError, match="must both be dates or both be numbers"):
        BehaviorFeatures().fit(FAR.assign(at=[1, 2, 3]))


def test_a_duration_without_a_unit_is_refused_in_fit():
    for model in (
        PopularityRecommender(window="30"),
        BuyAgainRecommender(half_life="30"),
        SessionKNN(half_life="30"),
        HistoryVectorizer(half_life="30"),
        BehaviorFeatures(windows=["30"]),
    ):
        with pytest.raises(ValueError, match="='30' lacks a unit: write '30D' for days"):
            model.fit(FAR)
