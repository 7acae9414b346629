"""Times, moments and durations: one scale, units that are never guessed, dates that are never misread."""

import datetime
import logging

import numpy as np
import pandas as pd
import pytest

from skrec.utils._histories import read_histories
from skrec.utils._time import are_dates, as_days, as_duration, as_moment, far_future, latest_time

BERLIN = datetime.timezone(datetime.timedelta(hours=1))


def test_times_share_one_scale():
    day = 19_723.5  # 2024-01-01 12:00
    stamps = [
        pd.Timestamp("2024-01-01 12:00"),
        datetime.datetime(2024, 1, 1, 12),
        np.datetime64("2024-01-01T12:00"),
        pd.Timestamp("2024-01-01 13:00", tz="Europe/Paris"),
        datetime.datetime(2024, 1, 1, 13, tzinfo=BERLIN),
    ]
    for stamp in stamps:
        assert as_moment(stamp, "at", dated=True) == day
    for text in ("2024-01-01 12:00", "2024-01-01T12:00:00", "2024-01-01 13:00+01:00", "2024-01-01T12:00:00.000Z"):
        assert as_moment(text, "at") == day
    assert as_moment(3, "at") == 3
    np.testing.assert_array_equal(as_days(np.array(stamps[:2], dtype=object)), [day, day])
    np.testing.assert_array_equal(as_days(np.array([1, 2])), [1, 2])
    with pytest.raises(ValueError, match="time lacks 1 of 2 times"):
        as_days(np.array(["2024-01-01", "NaT"], dtype="datetime64[s]"))


def test_one_moment_is_one_number_in_every_unit():
    text = "2011-12-01T08:26:37"
    units = [as_days(np.array([text], dtype=f"datetime64[{unit}]"))[0] for unit in ("s", "ms", "us", "ns")]
    assert len(set(units)) == 1
    assert as_moment(text, "at") == units[0] == as_moment(pd.Timestamp(text).as_unit("us"), "at")


def test_dates_reach_the_year_9999():
    last = (datetime.date(9999, 12, 31) - datetime.date(1970, 1, 1)).days
    values = [
        np.array(["9999-12-31"], dtype="datetime64[D]"),
        np.array(["9999-12-31"], dtype="datetime64[s]"),
        np.array([datetime.date(9999, 12, 31)], dtype=object),
        np.array([datetime.datetime(9999, 12, 31, 0, tzinfo=datetime.UTC)], dtype=object),
    ]
    for value in values:
        assert as_days(value)[0] == last
    assert as_moment("9999-12-31", "until") == last
    assert as_days(np.array([datetime.date(1500, 1, 1), None], dtype=object)[:1])[0] < 0
    X = pd.DataFrame({"item": [["a", "b"]], "time": [list(np.array(["2020-01-01", "9999-12-31"], "datetime64[s]"))]})
    read = read_histories(X)
    assert read.time.tolist() == [18262, last] and read.dated


@pytest.mark.parametrize(
    "text", ["10.11.2011", "10/11/2011", "2011/11/10", "2011", "20111110", "2011-1-5", "2011-02-30"]
)
def test_text_must_be_iso(text):
    with pytest.raises(ValueError, match="at"):
        as_moment(text, "at")


@pytest.mark.parametrize(
    "value", ["noon", True, None, float("nan"), pd.NaT, np.timedelta64(3, "D"), [3], b"2011-11-01"]
)
def test_what_is_no_moment(value):
    with pytest.raises(TypeError, match="at must be a date or a number, got"):
        as_moment(value, "at")


def test_a_date_needs_times_that_are_dates():
    with pytest.raises(
        ValueError, match="at='2011-11-01' is a date, but the times are numbers of unknown unit: pass time_unit="
    ):
        as_moment("2011-11-01", "at", dated=False)
    with pytest.raises(ValueError, match="at=1600000000 is no day in the years to 9999"):
        as_moment(1_600_000_000, "at", dated=True)
    assert as_moment(15_279, "at", dated=True) == as_moment("2011-11-01", "at", dated=True)


def test_durations():
    for value in (
        "36h",
        "1.5D",
        "1.5 d",
        "1D 12h",
        "P1DT12H",
        "36:00:00",
        1.5,
        np.timedelta64(36, "h"),
        np.timedelta64(36 * 3600, "s"),
        np.timedelta64(36, "h").astype("timedelta64[ns]"),
        datetime.timedelta(hours=36),
        pd.Timedelta(hours=36),
    ):
        assert as_duration(value, "window") == 1.5
    assert as_duration(np.timedelta64(2, "W"), "window") == 14
    assert as_duration(datetime.timedelta(days=400_000), "window") == 400_000  # beyond nanoseconds
    assert as_duration(7, "window", dated=False) == 7
    for value in (0, -1, "0D", "-3D", float("nan"), np.timedelta64(-1, "D")):
        with pytest.raises(ValueError, match="window must be above 0, got"):
            as_duration(value, "window")
    for value in ("soon", "", "30M", "1 year", "NaT", None, True, [30], pd.NaT):
        with pytest.raises(TypeError, match="half_life must be a number of days or a duration such as '30D', got"):
            as_duration(value, "half_life")


def test_a_duration_in_text_has_a_unit():
    for text in ("30", " 30 ", "1e3", "+2.5", ".5"):
        with pytest.raises(ValueError, match="lacks a unit: write"):
            as_duration(text, "window")
    for value in (np.timedelta64(30), np.timedelta64(2, "M"), np.timedelta64("NaT")):
        with pytest.raises(ValueError, match="window must have a unit of fixed length"):
            as_duration(value, "window")


def test_a_unit_needs_times_with_a_unit():
    for value in ("30D", datetime.timedelta(days=30), np.timedelta64(30, "D")):
        with pytest.raises(ValueError, match="has a unit, but the times are numbers of unknown unit: pass time_unit="):
            as_duration(value, "window", dated=False)


def test_kinds_are_not_mixed():
    day = datetime.date(2020, 1, 1)
    with pytest.raises(TypeError, match="mixes numbers and datetimes"):
        as_days(np.array([day, 3], dtype=object))
    zoned = [pd.Timestamp("2020-01-01", tz="UTC"), pd.Timestamp("2020-01-01")]
    with pytest.raises(ValueError, match="mixes times with a zone and without one"):
        as_days(np.array(zoned, dtype=object))
    for value in (np.timedelta64(1, "D"), True, "2020"):
        with pytest.raises(TypeError, match="which is not a time"):
            as_days(np.array([value, day], dtype=object))
    assert are_dates(np.array([day], dtype=object)) and not are_dates(np.array([1.0], dtype=object))


def test_the_far_future_is_not_now(caplog):
    days = as_days(np.array(["2020-01-01", "2021-01-01", "9999-12-31"], dtype="datetime64[s]"))
    assert far_future(days, True).tolist() == [False, False, True]
    with caplog.at_level(logging.WARNING, logger="skrec"):
        assert latest_time(days, True) == days[1]
    assert "1 of 3 events are dated more than a year from now" in caplog.text
    assert latest_time(days, False) == days[2]  # numbers: nobody knows what they are
    assert latest_time(days[2:], True) == days[2]
