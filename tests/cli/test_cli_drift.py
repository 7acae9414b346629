"""skrec drift: exit code 3 and the name of the fault, 0 without one, and files."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from skrec.cli._drift import drift_of
from skrec.feature_extraction import to_histories

COLUMNS = ["--user", "who", "--item", "what", "--time", "when", "--price", "paid", "--country", "land"]


def shop(n_weeks=20, per_week=800, start="2024-01-01"):
    rng = np.random.default_rng(0)
    n = n_weeks * per_week
    days = np.sort(rng.random(n)) * 7 * n_weeks
    days[0], days[-1] = 0, 7 * n_weeks - 0.01
    item = np.minimum(rng.geometric(0.05, n), 90)
    when = pd.Timestamp(start) + pd.to_timedelta((days * 86400).astype(int), unit="s")
    return pd.DataFrame(
        {
            "who": rng.integers(1000, 1300, n),
            "what": [f"P{one:03d}" for one in item],
            "when": when,
            "paid": 1.0 + item % 9,
            "land": rng.choice(["DE", "FR"], n),
        }
    )


@pytest.fixture
def logs(tmp_path, monkeypatch):
    """Write a log without drift, and the same with a week in which events are written twice and prices have risen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    events = shop()
    events.to_csv("good.csv", index=False)
    late = events["when"] >= "2024-05-13"
    bad = events.assign(paid=events["paid"].where(~late, 1.1 * events["paid"]))
    bad = pd.concat([bad, bad[late].iloc[::10]], ignore_index=True)
    bad.to_parquet("bad.parquet", index=False)
    events[~late].to_csv("before.csv", index=False)
    bad[bad["when"] >= "2024-05-13"].to_csv("week.csv", index=False)
    return tmp_path


def test_a_log_without_drift_ends_with_0(logs, run):
    code, out, err = run("drift", "good.csv", *COLUMNS)
    assert code == 0, err
    assert "The period from 2024-05-13: all 16 statistics ok." in out
    assert "category_shares, category_lost: left out without category" in out


def test_a_planted_fault_ends_with_3_and_is_named(logs, run):
    code, out, _ = run("drift", "bad.parquet", *COLUMNS)
    assert code == 3
    assert "2024-05-13, alarm: exact duplicates" in out and "Events are written twice" in out
    assert "2024-05-13, alarm: price of the same item" in out
    assert "alarm" in out.splitlines()[-1] and "2024-05-13" in out.splitlines()[-1]


def test_a_reference_of_its_own_gives_the_same(logs, run):
    assert run("drift", "good.csv", *COLUMNS)[0] == 0
    code, out, _ = run("drift", "week.csv", "--reference", "before.csv", *COLUMNS)
    assert code == 3 and "exact duplicates" in out
    code, _, err = run("drift", "bad.parquet", "--reference", "before.csv", *COLUMNS)
    assert code == 2 and "where the reference ends" in err


def test_files_hold_all_periods(logs, run):
    code, out, _ = run("drift", "bad.parquet", *COLUMNS, "-o", "scores.csv", "--report", "drift.html")
    assert code == 3 and "Wrote the scores" in out
    scores = pd.read_csv("scores.csv")
    assert scores["period"].nunique() == 20
    assert set(scores.loc[scores["verdict"] == "alarm", "statistic"]) >= {"exact_duplicates", "price_ratio"}
    assert "Events are written twice" in (logs / "drift.html").read_text()


def test_the_exit_code_is_that_of_the_last_period(logs, run):
    events = pd.read_parquet("bad.parquet")
    more = shop(1, start="2024-05-20")
    pd.concat([events, more]).to_parquet("later.parquet", index=False)
    code, out, _ = run("drift", "later.parquet", *COLUMNS, "--weeks", "all", "--quiet")
    assert code == 0
    assert "2024-05-13, alarm: exact duplicates" in out and "of 21 periods have a verdict that is not ok" in out


def test_a_tracker_that_died_alarms(logs, run):
    now = datetime.now(UTC).replace(tzinfo=None)
    monday = now - timedelta(days=now.weekday() + 7 * 14)
    events = shop(12, start=f"{monday:%Y-%m-%d}")  # the two weeks before this one have no event
    events.to_csv("died.csv", index=False)
    code, out, _ = run("drift", "died.csv", *COLUMNS)
    assert code == 3 and "counts as complete until now" in out and "alarm: events a day 0" in out
    code, out, _ = run("drift", "died.csv", *COLUMNS, "--until", f"{events['when'].max():%Y-%m-%dT%H:%M:%S}.9")
    assert code == 0


def test_until_now_and_dates(logs, run):
    code, out, _ = run("drift", "good.csv", *COLUMNS, "--until", "2024-05-27")
    assert code == 3 and "events a day 0" in out and "Read --until as 27 May 2024" in out
    assert run("drift", "good.csv", *COLUMNS, "--until", "now", "-q")[0] == 3
    code, _, err = run("drift", "good.csv", *COLUMNS, "--until", "2024-05-01")
    assert code == 2 and "before the last event" in err


def test_times_that_are_numbers_or_written_otherwise(logs, run):
    events = pd.read_csv("good.csv")
    when = pd.to_datetime(events["when"])
    events.assign(when=when.dt.strftime("%d.%m.%Y %H:%M")).to_csv("german.csv", index=False)
    events.assign(when=(when - when.min()) / pd.Timedelta(days=1)).to_csv("days.csv", index=False)
    code, out, _ = run("drift", "german.csv", *COLUMNS, "--time-format", "%d.%m.%Y %H:%M")
    assert code == 0 and "The period from 2024-05-13" in out
    code, out, _ = run("drift", "days.csv", *COLUMNS, "--period", "7")
    assert code == 0 and "The period from 133" in out
    code, _, err = run("drift", "days.csv", *COLUMNS)
    assert code == 2 and "--period 7D has a unit, but the times of the log are numbers" in err
    code, _, err = run("drift", "german.csv", *COLUMNS)
    assert code == 2 and "--time-format" in err


def test_missing_times_are_refused_or_left_out(logs, run):
    events = pd.read_csv("good.csv")
    events.loc[::100, "when"] = None
    events.to_csv("gaps.csv", index=False)
    code, _, err = run("drift", "gaps.csv", *COLUMNS)
    assert code == 2 and "160 of 16,000 events have no 'when': add --drop-missing" in err
    code, out, _ = run("drift", "gaps.csv", *COLUMNS, "--drop-missing")
    assert code == 0 and "Left out 160 events" in out


def test_errors_end_with_2(logs, run):
    for words, said in [
        (["drift", "good.csv", "--user", "who", "--item", "what"], "name their column with --time"),
        (["drift", "good.csv", *COLUMNS, "--weeks", "some"], "--weeks takes one of last, all"),
        (["drift", "good.csv", *COLUMNS, "--period", "soon"], "period"),
        (["drift", "good.csv", *COLUMNS, "--window", "2"], "window"),
        (["drift", "good.csv", *COLUMNS, "-o", "scores.txt"], "must end in .csv or .parquet"),
        (["drift", "good.csv", *COLUMNS[:-1], "nation"], "'nation' is not a column"),
        (["drift", "good.csv", *COLUMNS, "--where", "paid > 100"], "fits none of the"),
    ]:
        code, _, err = run(*words)
        assert code == 2 and said in err, (words, err)
    first = pd.read_csv("good.csv").query("when < '2024-01-22'")
    first.to_csv("short.csv", index=False)
    code, _, err = run("drift", "short.csv", *COLUMNS)
    assert code == 2 and "no statistic of the period from 2024-01-15 could be judged" in err


def test_help_names_the_exit_code(run):
    code, out, _ = run("drift", "--help")
    assert code == 0 and "exit code is 3 on an alarm" in " ".join(out.split())


@pytest.mark.parametrize("ahead", [2, 30, 9000])
@pytest.mark.parametrize("options", [[], ["--until", "now"]])
def test_dates_in_the_future_are_left_out_and_counted(tmp_path, monkeypatch, run, ahead, options):
    monkeypatch.chdir(tmp_path)
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    events = shop(start=pd.Timestamp(now - timedelta(days=140, hours=1)))
    events.to_csv("good.csv", index=False)
    wrong = events.tail(2).assign(when=now + timedelta(days=ahead))
    pd.concat([events, wrong]).to_csv("ahead.csv", index=False)
    code, out, _ = run("drift", "good.csv", *COLUMNS, *options)
    code_ahead, out_ahead, err = run("drift", "ahead.csv", *COLUMNS, *options)
    assert (code, out.splitlines()[-1]) == (code_ahead, out_ahead.splitlines()[-1])
    assert code == 0 and "Note: 2 events are dated after today and are left out." in out_ahead + err


@pytest.mark.parametrize("options", [[], ["--until", "now"]])
def test_a_clock_that_is_hours_ahead_is_no_error(tmp_path, monkeypatch, run, options):
    monkeypatch.chdir(tmp_path)
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    shop(start=pd.Timestamp(now - timedelta(days=140) + timedelta(hours=7))).to_csv("ahead.csv", index=False)
    code, out, err = run("drift", "ahead.csv", *COLUMNS, *options)
    assert code == 0 and "after today" not in out + err


def test_zones_are_brought_to_utc(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    events = shop(start=pd.Timestamp(now - timedelta(days=140, hours=1)))
    last = events["when"].max()
    events.assign(when=events["when"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")).to_parquet("zone.parquet")
    code, out, _ = run("drift", "zone.parquet", *COLUMNS)
    assert code == 0 and f"The last event is of {last:%Y-%m-%d %H:%M}" in out


def test_a_report_of_a_short_log_with_a_date_in_the_future_has_no_drift():
    events = shop(n_weeks=2)
    wrong = events.tail(1).assign(when=pd.Timestamp("2199-01-01"))
    histories = to_histories(pd.concat([events, wrong]), user="who", item="what", time="when")
    assert drift_of(histories) is None
    assert drift_of(to_histories(shop(), user="who", item="what", time="when")) is not None
