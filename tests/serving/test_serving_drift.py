"""Drift of the service: planted faults in the log and in the answers, what is kept, and who may see it."""

import json
import time

import numpy as np
import pyarrow as pa
import pytest
from service_process import Api, serving
from shop_log import DAY, folder_of, opened

from skrec.serving._models import Models
from skrec.serving._store import Event, Impression
from skrec.serving._training import run_job
from skrec.serving._watch import exposition
from skrec.serving._work import Work

WEEK = 7 * DAY
MONDAY = 15_285 * DAY  # 2011-11-07


def weeks_of_events(n_weeks=14, *, per_week=1500, new_items=False, seed=0, first=MONDAY):
    """Return a table of whole weeks of a steady shop; in the last week perhaps a third of the items are new."""
    rng = np.random.default_rng(seed)
    parts = []
    for week in range(n_weeks):
        users = rng.choice(400, per_week)
        items = np.minimum(rng.zipf(1.4, per_week), 200)
        if new_items and week == n_weeks - 1:
            items[rng.random(per_week) < 0.3] += 1000
        times = first + week * WEEK + np.sort(rng.integers(0, WEEK, per_week))
        times[0], times[-1] = first + week * WEEK, first + (week + 1) * WEEK - 1
        parts.append(
            pa.table(
                {
                    "user": [f"person-{user}" for user in users],
                    "item": items,
                    "time": times,
                    "event": rng.choice(["view", "purchase"], per_week),
                }
            )
        )
    return pa.concat_tables(parts)


@pytest.fixture
def work(tmp_path):
    settings = folder_of(tmp_path)
    store = opened(settings)
    yield Work(Models(settings, store))
    store.close()


def judged(work):
    result = run_job({"id": 1, "kind": "drift", "payload": None}, work)
    return result, work.store.drift()


def test_a_quiet_shop_has_no_alarm(work):
    work.store.add_log(weeks_of_events())
    result, kept = judged(work)
    assert (result["alarm"], result["warn"]) == ([], [])
    assert result["period"].startswith("2012-02-06")
    assert {row["part"] for row in kept["scores"]} == {"shop"}
    assert kept["gauges"]["skrec_drift_alarms"] == 0


def test_new_items_are_found_and_named(work):
    work.store.add_log(weeks_of_events(new_items=True))
    work.store.put_items(
        [{"item": item, "category": "a" if item % 2 else "b"} for item in range(1, 1201)], partial=True
    )
    result, kept = judged(work)
    assert "unknown_items" in result["alarm"]
    row = next(r for r in kept["scores"] if r["statistic"] == "unknown_items" and r["period"] == result["period"])
    assert row["verdict"] == "alarm" and row["z"] > 5
    assert row["value"] == pytest.approx(0.3, abs=0.05)
    assert "item" in row["moved"] and row["advice"]
    assert any(one["statistic"] == "category_shares" for one in kept["scores"])
    text = exposition(work.store.drift_gauges()).decode()
    assert f"skrec_drift_unknown_items {row['value']!r}\n" in text


def test_nothing_of_a_person_is_kept(work):
    table = weeks_of_events(per_week=800)
    bot = table.slice(len(table) - 800).set_column(0, "user", pa.array(["person-7"] * 800))
    work.store.add_log(pa.concat_tables([table, bot]))
    result, kept = judged(work)
    assert result["alarm"]
    assert "person-" not in json.dumps(kept) + json.dumps(result)


def test_scores_take_the_place_of_the_former_ones(work):
    work.store.add_log(weeks_of_events(6))
    first = judged(work)[1]
    work.store.add_log(weeks_of_events(4, first=MONDAY + 6 * WEEK, seed=1))
    second = judged(work)[1]
    assert max(row["period"] for row in second["scores"]) > max(row["period"] for row in first["scores"])


def test_an_empty_shop_and_a_short_log_say_why(work):
    assert judged(work)[0]["skipped"] == "there are no events"
    work.store.add_log(weeks_of_events(1, per_week=20).slice(0, 10))
    result, kept = judged(work)
    assert "whole" in result["skipped"]
    assert kept["scores"] == []


@pytest.mark.parametrize("ahead", [2, 40, 4000])
def test_an_event_dated_in_the_future_moves_nothing(work, ahead):
    work.store.add_log(weeks_of_events(new_items=True))
    expected, before = judged(work)
    wrong = [time.time_ns() // 1000 + ahead * DAY]
    work.store.add_log(pa.table({"user": ["person-1"], "item": [1], "time": wrong, "event": ["view"]}))
    found, kept = judged(work)
    assert found | {"seconds": 0} == expected | {"seconds": 0} and kept["scores"] == before["scores"]
    assert kept["notes"][0] == "1 events are dated after today and are left out"


def days_ago(days):
    """Return the first moment of 14 whole weeks, the last of which ended at least so many days ago."""
    return (time.time_ns() // 1000 - days * DAY - 4 * DAY) // WEEK * WEEK + 4 * DAY - 14 * WEEK


@pytest.mark.parametrize(("days", "silent"), [(21, True), (42, True), (70, False)])
def test_a_tracker_that_died_weeks_ago_still_alarms_and_a_log_that_ended_does_not(work, days, silent):
    work.store.add_log(weeks_of_events(first=days_ago(days)))
    result, _ = judged(work)
    assert ("events_per_day" in result["alarm"]) == silent


def test_an_event_hours_ahead_is_kept(work):
    work.store.add_log(weeks_of_events(first=days_ago(0)))
    soon = [time.time_ns() // 1000 + DAY // 3]
    work.store.add_log(pa.table({"user": ["person-1"], "item": [1], "time": soon, "event": ["view"]}))
    result, kept = judged(work)
    assert "skipped" not in result and not any("after" in note for note in kept["notes"])


def test_gauges_are_kept_apart_from_the_scores(work):
    assert work.store.drift() is None and work.store.drift_gauges() == {}
    work.store.keep_drift({"judged": "x", "notes": [], "scores": [1]}, {"skrec_drift_alarms": 2.0})
    work.store.keep_drift({"judged": "y", "notes": [], "scores": []}, {"skrec_drift_alarms": 1.0})
    assert work.store.drift() == {"judged": "y", "notes": [], "scores": [], "gauges": {"skrec_drift_alarms": 1.0}}
    assert exposition(work.store.drift_gauges()) == b"# TYPE skrec_drift_alarms gauge\nskrec_drift_alarms 1.0\n"


def last_monday():
    return (time.time_ns() // 1000 - 11 * DAY) // WEEK * WEEK + 4 * DAY  # 1970 began on a Thursday


def show(store, rows):
    """Show lists of item 1: rows of moment, name and version."""
    for start in range(0, len(rows), 1000):
        store.show(
            [
                Impression(name, 0, f"person-{name[-4:]}", 1, "default", 0.5, None, version, int(moment))
                for moment, name, version in rows[start : start + 1000]
            ]
        )
        store._flush_impressions()


def test_the_hit_rate_counts_what_is_taken_within_a_day_of_lists_that_are_named(work):
    rng = np.random.default_rng(0)
    work.store.add_log(weeks_of_events(4))
    moments = np.sort(rng.integers(0, 10 * WEEK, 2000)) + last_monday() - 9 * WEEK
    rows = [(moment, f"{int(moment):014x}{number:012x}", 1) for number, moment in enumerate(moments)]
    show(work.store, rows)
    events = []
    for number, (moment, name, _) in enumerate(rows):
        event = {"user": f"person-{name[-4:]}", "item": 1, "rec_id": name}
        if number % 5 == 0:
            events.append(event | {"time": int(moment) + 60_000_000})
        if number % 5 == 1 and moment < moments[-1] - 15 * DAY:  # old lists alone had the time for it
            events.append(event | {"time": int(moment) + 8 * DAY})
        if number % 5 == 2 and moment < moments[-1] - 15 * DAY:  # an experiment that is over
            events.append(event | {"time": int(moment) + 3_600_000_000, "rec_id": None})
    work.store.submit([Event(None, event=None, **event) for event in events]).result()
    work.store.attribute(0, work.store.last_seq(), 20 * DAY)
    _, kept = judged(work)
    rates = [row["value"] for row in kept["scores"] if row["statistic"] == "online_hit_rate"]
    assert len(rates) >= 9 and np.abs(np.array(rates) - 0.2).max() < 0.03


def test_without_events_that_name_a_list_there_is_no_hit_rate(work):
    work.store.add_log(weeks_of_events(4))
    moments = last_monday() - np.arange(2000, 0, -1) * (7 * WEEK // 2000)
    show(work.store, [(moment, f"{int(moment):014x}{number:012x}", 1) for number, moment in enumerate(moments)])
    statistics = {row["statistic"] for row in judged(work)[1]["scores"] if row["part"] == "answers"}
    assert "fallback_share" in statistics and "online_hit_rate" not in statistics


def test_more_fallbacks_are_found(work):
    work.store.add_log(weeks_of_events(4))
    rng = np.random.default_rng(0)
    monday = last_monday()
    shown = []
    for week in range(10):
        for number, moment in enumerate(np.sort(rng.integers(0, WEEK, 300)) + monday - (9 - week) * WEEK):
            failed = rng.random() < (0.4 if week == 9 else 0.02)
            name = f"{int(moment):014x}{number:012x}"
            shown.append(
                Impression(
                    name,
                    0,
                    f"person-{number}",
                    1,
                    "default",
                    0.5 + rng.random(),
                    None,
                    None if failed else 1,
                    int(moment),
                )
            )
    for start in range(0, len(shown), 1000):
        work.store.show(shown[start : start + 1000])
        work.store._flush_impressions()
    result, kept = judged(work)
    assert "fallback_share" in result["alarm"]  # whose week is not that of the log, which ended
    rows = [row for row in kept["scores"] if row["part"] == "answers" and row["statistic"] == "fallback_share"]
    assert [row["verdict"] for row in rows if row["verdict"] == "alarm"] == ["alarm"]
    assert rows[-1]["verdict"] == "alarm" or rows[-2]["verdict"] == "alarm"
    assert kept["gauges"]["skrec_drift_answers_fallback_share"] > 0.01


def test_over_http(tmp_path):
    settings = folder_of(tmp_path, trainer=False)
    store = opened(settings)
    store.add_log(weeks_of_events(new_items=True))
    run_job({"id": 1, "kind": "drift", "payload": None}, Work(Models(settings, store)))
    with serving(settings) as app:
        api = Api(app.port)
        found = api.ok("GET", "/v1/drift")
        assert found["scores"] and found["judged"]
        job = api.ok("POST", "/v1/jobs", {"kind": "drift"})["id"]
        assert store.job(job)["kind"] == "drift"
        metrics = api.ok("GET", "/metrics")
        assert "skrec_drift_alarms" in str(metrics)
    store.close()
