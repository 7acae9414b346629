"""Dates in options: ISO 8601 or the format of the log, and echoed with the month in letters."""

from datetime import datetime

import pandas as pd
import pytest

from skrec.cli._dates import echo, parse_moment
from skrec.cli._screen import UserError

TIMED = ["--user", "user", "--item", "item", "--time", "time"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2011-11-10", datetime(2011, 11, 10)),
        ("2011-11", datetime(2011, 11, 1)),
        ("2011-11-10T14:30", datetime(2011, 11, 10, 14, 30)),
        ("2011-11-10 14:30:05", datetime(2011, 11, 10, 14, 30, 5)),
        ("2011-11-10T14:30Z", datetime(2011, 11, 10, 14, 30)),
        ("2011-11-10T01:30+02:00", datetime(2011, 11, 9, 23, 30)),
        ("9999-12-31", datetime(9999, 12, 31)),
        ("20111110", 20111110.0),
        ("12.5", 12.5),
    ],
)
def test_iso_dates_and_numbers(text, value):
    assert parse_moment(text, "--at").value == value


@pytest.mark.parametrize("text", ["10.11.2011", "10/11/2011", "11-10-2011", "Nov 2011", "2011-13-01", "2011-02-30",
                                  "2011/11/10", "today", "", "nan", "inf", "2011-W45"])  # fmt: skip
def test_other_dates_are_refused(text):
    with pytest.raises(UserError, match="--at must be a date"):
        parse_moment(text, "--at")


def test_the_format_of_the_log_comes_first():
    assert parse_moment("10.11.2011", "--at", "%d.%m.%Y").value == datetime(2011, 11, 10)
    assert parse_moment("20111110", "--at", "%Y%m%d").value == datetime(2011, 11, 10)
    assert parse_moment("2011-11-10", "--at", "%d.%m.%Y").value == datetime(2011, 11, 10)
    with pytest.raises(UserError, match="or written as --time-format"):
        parse_moment("11/10/2011", "--at", "%d.%m.%Y")


def test_the_echo_cannot_be_misread():
    moments = parse_moment("2011-11-10", "--since"), None, parse_moment("2012-01-02T08:05:07", "--until")
    assert echo(*moments) == ["Read --since as 10 November 2011, 00:00 and --until as 2 January 2012, 08:05:07."]
    assert echo(None) == []


def test_the_command_says_how_it_read_a_date(folder, run):
    code, out, _ = run("evaluate", "log.csv", *TIMED, "--model", "ease", "--at", "2024-11-10")
    assert code == 0 and "Read --at as 10 November 2024, 00:00." in out and "before 2024-11-10 " in out
    code, _, err = run("evaluate", "log.csv", *TIMED, "--model", "ease", "--at", "10.11.2024")
    assert code == 2 and "ISO 8601" in err and "--time-format" in err


def test_a_number_is_no_date_and_a_date_no_number(folder, run, events):
    code, _, err = run("fit", "log.csv", *TIMED, "--since", "20240301", "-o", "m.skrec")
    assert code == 2 and "--since 20240301 is a number, but the times of the log are dates" in err
    numbers = (events["time"] - pd.Timestamp("2024-01-01")) / pd.Timedelta(days=1)
    events.assign(time=numbers).to_csv("numbers.csv", index=False)
    code, _, err = run("evaluate", "numbers.csv", *TIMED, "--at", "2024-03-01")
    assert code == 2 and "is a date, but the times of the log are numbers" in err and "--time-unit" in err
    code, out, _ = run("evaluate", "numbers.csv", *TIMED, "--at", "300", "--model", "ease")
    assert code == 0 and "events before 300 " in out
    code, _, err = run("evaluate", "numbers.csv", *TIMED, "--model", "popularity-30d")
    assert code == 2 and "counts days, but the times of the log are numbers" in err
    code, out, _ = run("evaluate", "numbers.csv", *TIMED, "-o", "t.csv", "-k", "3")
    assert code == 0 and "popularity-30d" not in set(pd.read_csv("t.csv")["model"])


@pytest.mark.parametrize(
    ("since", "until", "text"),
    [
        ("2024-03-01", "2024-03-01", "--until 2024-03-01 00:00:00 must be after --since"),
        ("2030-01-01", None, "no event lies between --since and --until: the log goes from 2024-01-01"),
    ],
)
def test_an_empty_period_is_an_error(folder, run, since, until, text):
    options = ["--since", since] + ([] if until is None else ["--until", until])
    code, _, err = run("fit", "log.csv", *TIMED, *options, "-o", "m.skrec")
    assert code == 2 and text in err


@pytest.mark.parametrize(
    ("at", "text"), [("2001-01-01", "no event comes before"), ("2031-01-01", "nothing is held out")]
)
def test_a_moment_outside_the_log_is_an_error(folder, run, at, text):
    code, _, err = run("evaluate", "log.csv", *TIMED, "--at", at)
    assert code == 2 and text in err and "the log goes from 2024-01-01" in err
