"""DriftMonitor: z in closed form, calm on stable logs, planted faults named, and what could fail in silence."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import skrec
from skrec.datasets import load_online_retail
from skrec.feature_extraction import to_histories
from skrec.inspection import DriftMonitor
from skrec.inspection._drift_judge import judge
from skrec.inspection._drift_log import complete_until, make_calendar

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from drift_faults import FAULTS, MORE

COLUMNS = {"user": "user", "item": "item", "time": "time", "price": "price", "country": "place"}


@pytest.fixture(scope="module")
def retail():
    names = {"CustomerID": "user", "StockCode": "item", "InvoiceDate": "time", "UnitPrice": "price", "Country": "place"}
    events = load_online_retail().events.rename(columns=names)
    return events[list(names.values())]


def week_of(events, day):
    start = pd.Timestamp(day)
    return events[(events["time"] >= start) & (events["time"] < start + pd.Timedelta(days=7))].reset_index(drop=True)


@pytest.fixture(scope="module")
def monitor(retail):
    return DriftMonitor(**COLUMNS).fit(retail[retail["time"] < "2011-07-11"])


def shop(seed, n_weeks=30, n_events=1500, n_users=400, n_items=120):
    """A log without any drift: users come at random and items have fixed popularity and prices."""
    rng = np.random.default_rng(seed)
    n = n_weeks * n_events
    popularity = 1 / np.arange(1, n_items + 1)
    item = rng.choice(n_items, n, p=popularity / popularity.sum())
    user = rng.integers(0, n_users, n)
    times = np.sort(rng.random(n)) * 7 * n_weeks
    times[0], times[-1] = 0, 7 * n_weeks - 0.01
    return pd.DataFrame(
        {
            "user": user,
            "item": item,
            "time": pd.Timestamp("2024-01-01") + pd.to_timedelta(times, unit="D"),
            "price": np.round(1.0 + item % 7 + (rng.random(n) < 0.05), 2),
            "place": np.array(["A", "B", "C", "D"])[user % 7 % 4],
        }
    )


def verdicts(scores):
    return set(scores.loc[scores["verdict"] == "alarm", "statistic"])


def test_z_is_the_closed_form():
    values = [10.0, 12.0, 11.0, 9.0, 10.0, 13.0, 10.0, 11.0, 16.0]
    table = pd.DataFrame({"country_shares": values})
    noise = pd.DataFrame({"country_shares": np.zeros(9)})
    scores = judge(table, noise, {}, rows=[8], calendar=make_calendar("7D", True), window=8, warn=4, alarm=5)
    before = np.array(values[:8])
    window = 1.4826 * np.median(np.abs(before - np.median(before)))
    moves = [values[row] - np.median(values[max(0, row - 8) : row]) for row in range(4, 8)]
    scale = np.sqrt((window**2 + (1.4826 * np.median(np.abs(moves))) ** 2) / 2)
    assert scores["z"].item() == pytest.approx((16 - np.median(before)) / max(scale, 0.5))
    assert scores["reference"].item() == np.median(before)


@pytest.mark.parametrize(("value", "verdict"), [(2.9, "ok"), (4.2, "warn"), (5.2, "alarm"), (-9.0, "ok")])
def test_verdicts_begin_at_their_z_and_on_their_side(value, verdict):
    table = pd.DataFrame({"country_shares": [0.0] * 8 + [0.5 * value]})  # the floor is 0.5
    scores = judge(table, table * 0, {}, rows=[8], calendar=make_calendar("7D", True), window=8, warn=4, alarm=5)
    assert scores["verdict"].item() == verdict


@pytest.mark.parametrize("n_events", [60, 1500])
def test_few_false_alarms_on_stable_logs(n_events):
    weeks = 0
    for seed in range(4):
        scores = DriftMonitor(**COLUMNS).score_log(shop(seed, n_events=n_events, n_weeks=36))
        judged = scores[scores["period"] >= scores["period"].min() + pd.Timedelta(days=7 * 16)]
        weeks += judged.loc[judged["verdict"] == "alarm", "period"].nunique()
    assert weeks <= 4  # of 80: one in 20


@pytest.mark.parametrize("fault", [*FAULTS, *(name for name in MORE if "outage" not in name)])
def test_a_planted_fault_is_named(retail, monitor, fault):
    plant, names = {**FAULTS, **MORE}[fault]
    now = week_of(retail, "2011-07-11")
    before = retail[(retail["time"] >= "2011-05-16") & (retail["time"] < "2011-07-11")]
    assert not verdicts(monitor.score(now))
    planted = plant(now, before, np.random.default_rng(3))
    scores = monitor.score(planted, until="2011-07-18")
    assert verdicts(scores) & names
    alarm = scores[scores["verdict"] == "alarm"].iloc[0]
    assert alarm["advice"].endswith((".", "?")) and abs(alarm["z"]) >= 5


def test_moved_names_what_moved(retail, monitor):
    now = week_of(retail, "2011-07-11")
    planted = now.assign(item=now["item"].where(now.index % 5 > 0, "NEW1"))
    scores = monitor.score(planted, until="2011-07-18").set_index("statistic")
    assert scores.loc["unknown_items", "moved"].split(", ")[0] == "item NEW1"
    gone = now[now["place"] != "Germany"]
    scores = monitor.score(gone, until="2011-07-18").set_index("statistic")
    assert scores.loc["country_lost", "moved"] == "country Germany" or "Germany" in scores.loc["country_lost", "moved"]


def test_score_equals_score_log(retail):
    monitor = DriftMonitor(**COLUMNS, window=6)
    whole = monitor.score_log(retail)
    later = monitor.fit(retail[retail["time"] < "2011-09-05"]).score(retail[retail["time"] >= "2011-09-05"])
    expected = whole[whole["period"] >= "2011-09-05"].reset_index(drop=True)
    pd.testing.assert_frame_equal(later.drop(columns="moved"), expected.drop(columns="moved"))  # ties in any order


def test_rows_in_any_order_and_of_any_library_give_the_same(retail):
    events = retail[retail["time"] < "2011-05-01"]
    monitor = DriftMonitor(**COLUMNS)
    expected = monitor.score_log(events)
    copy = events.copy()
    for other in (events.sample(frac=1, random_state=0), pl.from_pandas(events), pl.from_pandas(events).to_arrow()):
        found = monitor.score_log(other)
        pd.testing.assert_frame_equal(found.drop(columns="moved"), expected.drop(columns="moved"))
    pd.testing.assert_frame_equal(events, copy)


def test_histories_give_what_their_events_give(retail):
    events = retail[retail["time"] < "2011-05-01"]
    histories = to_histories(events, user="user", item="item", time="time")
    found = DriftMonitor().score_log(histories)
    expected = DriftMonitor(user="user", item="item", time="time").score_log(events)
    pd.testing.assert_frame_equal(found.drop(columns="moved"), expected.drop(columns="moved"))
    same = DriftMonitor().score_log(to_histories(pl.from_pandas(events), user="user", item="item", time="time"))
    pd.testing.assert_frame_equal(same.drop(columns="moved"), expected.drop(columns="moved"))
    assert not found["statistic"].isin(["price_ratio", "country_lost"]).any()
    assert any("without price=" in note for note in found.attrs["notes"])


def two_years(december_in_both, fault=False):
    """104 weeks with three times the events in weeks 44 to 51 of the second year, and of the first where asked."""
    rng = np.random.default_rng(5)
    parts = []
    for week in range(104):
        season = 44 <= week % 52 <= 51 and (week >= 52 or december_in_both)
        n = int((1500 if season else 500) * rng.uniform(0.95, 1.05))
        part = shop(week, n_weeks=1, n_events=n, n_users=300)
        part["time"] += pd.Timedelta(days=7 * week)
        parts.append(pd.concat([part, part.iloc[::10]]) if fault and week == 96 else part)
    return pd.concat(parts, ignore_index=True)


def test_a_season_of_both_years_is_told_from_one_that_is_new():
    columns = {"user": "user", "item": "item", "time": "time"}
    events = two_years(december_in_both=True)
    scores = DriftMonitor(**columns).score_log(events).set_index(["statistic", "period"])
    starts = pd.Timestamp("2024-01-01") + pd.to_timedelta([7 * 44, 7 * 96], unit="D")
    first, second = (scores.loc[("events_per_day", start)] for start in starts)
    assert first["verdict"] == "alarm" and "could not be told from a season" in first["advice"]
    assert second["verdict"] == "as a year ago" and "a year ago" in second["advice"]
    assert second["year_ago"] == pytest.approx(first["value"])
    new = DriftMonitor(**columns).score_log(two_years(december_in_both=False)).set_index(["statistic", "period"])
    row = new.loc[("events_per_day", starts[1])]
    assert row["verdict"] == "alarm" and "did not move like this a year ago" in row["advice"]


def test_a_fault_within_a_season_alarms():
    columns = {"user": "user", "item": "item", "time": "time"}
    scores = DriftMonitor(**columns).score_log(two_years(True, fault=True))
    week = scores[scores["period"] == pd.Timestamp("2024-01-01") + pd.Timedelta(days=7 * 96)]
    assert "exact_duplicates" in verdicts(week) and "events_per_day" not in verdicts(week)


def test_a_tracker_that_died_is_not_left_out_as_a_period_that_is_not_over(retail, monitor):
    now = week_of(retail, "2011-07-11")
    half = now[now["time"] < "2011-07-13"]
    with pytest.raises(ValueError, match=r"no whole period of '7D': the last period.*not over.*until="):
        monitor.score(half)
    assert "events_per_day" in verdicts(monitor.score(half, until="2011-07-18"))
    none = pd.concat([half, week_of(retail, "2011-07-18")])
    scores = monitor.score(half, until="2011-07-25")  # the second week has no event at all
    assert scores["period"].nunique() == 2
    last = scores[scores["period"] == "2011-07-18"]
    assert last["statistic"].tolist() == ["events_per_day"] and last["verdict"].item() == "alarm"
    assert np.isfinite(last["z"]).all()
    assert monitor.score(none)["period"].nunique() == 2


@pytest.mark.parametrize(("per_week", "verdict"), [(400, "alarm"), (60, "alarm"), (3, "ok")])
def test_a_week_without_events_alarms_where_that_is_no_chance(per_week, verdict):
    events = shop(0, n_weeks=12, n_events=per_week)
    scores = DriftMonitor(**COLUMNS).score_log(events[events["time"] < "2024-03-18"], until="2024-03-25")
    last = scores[scores["period"] == "2024-03-18"]
    assert last["value"].tolist() == [0.0] and last["verdict"].tolist() == [verdict]


def test_silence_does_not_become_the_reference():
    events = shop(0, n_weeks=12, n_events=400)
    scores = DriftMonitor(**COLUMNS).score_log(events, until="2026-01-05")
    silent = scores[scores["period"] >= "2024-03-25"]
    assert len(silent) == 93 and (silent["verdict"] == "alarm").all()
    back = events.assign(time=events["time"] + pd.Timedelta(days=7 * 30))
    scores = DriftMonitor(**COLUMNS).score_log(pd.concat([events, back]))
    first = scores[scores["period"] == "2024-07-29"].set_index("statistic")
    assert first.loc["events_per_day", "verdict"] == "ok"  # as before the silence


def test_ids_of_another_type_alarm_and_floats_of_whole_numbers_do_not(retail, monitor):
    now = week_of(retail, "2011-07-11")
    assert "new_id_formats" in verdicts(monitor.score(now.assign(user=now["user"].astype(str))))
    assert not verdicts(monitor.score(now.assign(user=now["user"].astype(float))))


def test_missing_ids_are_counted(retail, monitor):
    now = week_of(retail, "2011-07-11")
    user = now["user"].astype(float).where(now.index % 10 > 0)
    scores = monitor.score(now.assign(user=user)).set_index("statistic")
    assert scores.loc["missing_values", "value"] == pytest.approx(user.isna().mean())
    assert scores.loc["missing_values", "verdict"] == "alarm"


@pytest.mark.parametrize("price", [0.0, np.nan, -1.0])
def test_prices_that_are_gone_are_not_left_out_in_silence(retail, monitor, price):
    scores = monitor.score(week_of(retail, "2011-07-11").assign(price=price)).set_index("statistic")
    assert scores.loc["missing_values", ["value", "verdict"]].tolist() == [1.0, "alarm"]
    assert "price_ratio" not in scores.index


def test_a_lasting_change_becomes_the_reference(retail):
    late = retail["time"] >= "2011-06-06"
    changed = retail.assign(price=retail["price"].where(~late, (1.2 * retail["price"]).round(2)))
    scores = DriftMonitor(**COLUMNS).score_log(changed)
    ratio = scores[scores["statistic"] == "price_ratio"].set_index("period")["verdict"]
    assert ratio["2011-06-06"] == "alarm" and ratio["2011-06-13"] == "alarm"
    assert (ratio["2011-07-18":"2011-08-15"] == "ok").all()


def test_numbers_as_times_and_epoch_seconds():
    events = shop(0, n_weeks=14)
    seconds = events.assign(time=(events["time"] - pd.Timestamp("1970-01-01")) // pd.Timedelta(seconds=1))
    expected = DriftMonitor(**COLUMNS).score_log(events)
    found = DriftMonitor(**COLUMNS).score_log(seconds)
    pd.testing.assert_frame_equal(found[["period", "verdict"]], expected[["period", "verdict"]])
    steps = events.assign(time=(events["time"] - events["time"].min()) / pd.Timedelta(days=7))
    scores = DriftMonitor(**COLUMNS, period=1).score_log(steps)
    assert scores["period"].unique().tolist() == list(map(float, range(14)))
    assert not scores["verdict"].eq("as a year ago").any()
    with pytest.raises(ValueError, match="numbers of unknown unit"):
        DriftMonitor(**COLUMNS, period="7D").fit(steps)


def test_zones_and_days():
    events = shop(1, n_weeks=3)
    zoned = events.assign(time=events["time"].dt.tz_localize("UTC"))
    expected = DriftMonitor(**COLUMNS, period="1D").score_log(events)
    pd.testing.assert_frame_equal(DriftMonitor(**COLUMNS, period="1D").score_log(zoned), expected)
    assert expected["period"].nunique() == 21


def test_clone_keeps_the_parameters(monitor):
    assert clone(monitor).get_params() == monitor.get_params()


def test_a_saved_monitor_judges_alike(retail, tmp_path):
    monitor = DriftMonitor(**COLUMNS).fit(retail[retail["time"] < "2011-07-11"])
    now = week_of(retail, "2011-07-11")
    expected = monitor.score(now.assign(price=2 * now["price"]))
    skrec.save(monitor, tmp_path / "monitor.skrec")
    for other in (skrec.load(tmp_path / "monitor.skrec"), pickle.loads(pickle.dumps(monitor))):
        found = other.score(now.assign(price=2 * now["price"]))
        pd.testing.assert_frame_equal(found, expected)
        pd.testing.assert_frame_equal(other.statistics_, monitor.statistics_)
    assert clone(monitor).fit(retail).n_periods_ == 52
    with pytest.raises(NotFittedError):
        pickle.loads(pickle.dumps(DriftMonitor(**COLUMNS))).score(now)


def test_unjudged_until_there_is_a_reference():
    scores = DriftMonitor(**COLUMNS).score_log(shop(0, n_weeks=6))
    first = scores[scores["period"] < "2024-01-29"]
    assert (first["verdict"] == "unjudged").all() and first["advice"].str.startswith("No verdict yet").all()
    last = scores[scores["period"] == "2024-02-05"].set_index("statistic")["verdict"]
    assert last["events_per_day"] == "ok" and last["unknown_items"] == "ok"


def test_errors_say_what_to_do(retail, monitor):
    with pytest.raises(ValueError, match="events before 2011-07-11, where the reference ends"):
        monitor.score(retail[retail["time"] < "2011-07-20"])
    with pytest.raises(ValueError, match="'StockCod' is not a column"):
        DriftMonitor(user="user", item="StockCod", time="time").fit(retail)
    with pytest.raises(ValueError, match="time must name the column"):
        DriftMonitor(user="user", item="item").fit(retail)
    with pytest.raises(ValueError, match="user and item must be named too"):
        DriftMonitor(time="time").fit(retail)
    with pytest.raises(TypeError, match="which is text: convert it with"):
        DriftMonitor(**COLUMNS).fit(retail.iloc[:10].astype({"time": str}))
    with pytest.raises(ValueError, match="has no events"):
        DriftMonitor(**COLUMNS).fit(retail.iloc[:0])
    with pytest.raises(ValueError, match="warn must be at most alarm"):
        DriftMonitor(**COLUMNS, warn=6).fit(retail)
    with pytest.raises(ValueError, match="'window' parameter"):
        DriftMonitor(**COLUMNS, window=2).fit(retail)
    with pytest.raises(ValueError, match="lies before the last event"):
        DriftMonitor(**COLUMNS).fit(retail, until="2011-01-01")
    with pytest.raises(TypeError, match="must hold numbers"):
        DriftMonitor(**COLUMNS).fit(retail.iloc[:10].assign(price="dear"))
    with pytest.raises(TypeError, match="frame that to_histories returns"):
        DriftMonitor().fit([["a"]])
    with pytest.raises(TypeError, match="item column must hold numbers or text"):
        DriftMonitor(**COLUMNS).fit(week_of(retail, "2011-07-11").assign(item=lambda frame: [["a"]] * len(frame)))
    with pytest.raises(ValueError, match="periods after the first event"):
        DriftMonitor(**COLUMNS).fit(retail.iloc[:2], until="9000-01-01")
    with pytest.raises(ValueError, match="periods of 7 each"):
        far = retail.iloc[:2].assign(time=[pd.Timestamp("1500-01-01"), pd.Timestamp("2011-01-01")])
        DriftMonitor(**COLUMNS).fit(far)


def same_scores(found, expected):
    columns = ["period", "statistic", "value", "reference", "z", "verdict"]
    pd.testing.assert_frame_equal(found[columns].reset_index(drop=True), expected[columns].reset_index(drop=True))


@pytest.mark.parametrize("cut", ["2024-02-12", "2024-02-14 09:00"])
def test_a_log_in_two_parts_gives_what_the_whole_gives(cut):
    events = shop(0, n_weeks=14)
    events = events[events["time"] >= "2024-01-04"]  # the first week is not whole
    whole = DriftMonitor(**COLUMNS).score_log(events)
    early = events["time"] < cut
    found = DriftMonitor(**COLUMNS).fit(events[early]).score(events[~early])
    same_scores(found, whole[whole["period"] >= "2024-02-12"])
    assert any("that fit had" in note for note in found.attrs["notes"]) == ("09:00" in cut)


def test_events_of_a_period_that_was_not_over_are_needed_wholly_or_not_at_all(tmp_path):
    events = shop(0, n_weeks=14)
    monitor = DriftMonitor(**COLUMNS).fit(events[events["time"] < "2024-03-14"])
    whole = monitor.score(events[events["time"] >= "2024-03-11"])
    same_scores(monitor.score(events[events["time"] >= "2024-03-14"]), whole)
    monitor = skrec.load(skrec.save(monitor, tmp_path / "monitor.skops"))
    same_scores(monitor.score(events[events["time"] >= "2024-03-14"]), whole)
    with pytest.raises(ValueError, match="pass all of them again, or none"):
        monitor.score(events[events["time"] >= "2024-03-13"])


@pytest.mark.parametrize("days", [20, 3000])
def test_a_date_in_the_future_moves_nothing(days):
    now = pd.Timestamp.now().normalize()
    events = shop(0, n_weeks=14)
    events["time"] += now - pd.Timedelta(days=now.weekday()) - pd.Timestamp("2024-04-08")  # until this Monday
    expected = DriftMonitor(**COLUMNS).score_log(events)
    wrong = events.tail(1).assign(time=now + pd.Timedelta(days=days))
    found = DriftMonitor(**COLUMNS).score_log(pd.concat([events, wrong]))
    same_scores(found, expected)
    assert found.attrs["notes"][0] == "1 events are dated after today and are left out"


@pytest.mark.parametrize(
    ("age", "moment"),
    [(55.9, "now"), (0, "now"), (-0.9, "latest"), (-1.1, None), (56, None), (4000, None)],
)
def test_a_log_is_complete_until_now_where_its_last_event_is_recent(age, moment):
    now = pd.Timestamp("2024-05-15 12:00")
    latest = now - pd.Timedelta(days=age)
    expected = {"now": now, "latest": latest, None: None}[moment]
    assert complete_until(latest, now, 56) == expected


def test_a_week_whose_ids_are_all_missing_says_so():
    events = shop(0, n_weeks=14)
    events["user"] = events["user"].astype("float").where(events["time"] < "2024-04-01")
    scores = DriftMonitor(**COLUMNS).score_log(events)
    last = scores[scores["period"] == scores["period"].max()].set_index("statistic")
    assert last.loc["missing_values", ["value", "verdict"]].tolist() == [1.0, "alarm"]


def test_a_price_that_is_not_finite_is_a_missing_one():
    events = shop(0, n_weeks=14)
    at = np.arange(len(events)) % 50 == 0
    infinite = DriftMonitor(**COLUMNS).score_log(events.assign(price=events["price"].where(~at, np.inf)))
    same_scores(infinite, DriftMonitor(**COLUMNS).score_log(events.assign(price=events["price"].where(~at))))


def test_ids_of_a_new_format_are_named_once_each():
    events = shop(0, n_weeks=14).astype({"item": object})
    late = np.flatnonzero(events["time"] >= "2024-04-01")
    events.loc[late[:300], "item"] = "X-1"
    events.loc[late[300:400], "item"] = "Y-1"
    scores = DriftMonitor(**COLUMNS).score_log(events)
    assert scores.loc[scores["statistic"] == "new_id_formats", "moved"].iloc[-1] == "item X-1, Y-1"


@pytest.mark.parametrize(
    ("n_weeks", "year_ago", "verdict", "advice"),
    [
        (56, True, "alarm", "does not reach back a year and 4 periods"),  # the week beside it alone is judged
        (57, True, "as a year ago", "a season"),
        (57, False, "alarm", "did not move like this a year ago"),
    ],
)
def test_a_year_of_reference_begins_with_the_same_week_judged(n_weeks, year_ago, verdict, advice):
    events = shop(0, n_weeks=n_weeks, n_events=400)
    week = ((events["time"] - pd.Timestamp("2024-01-01")).dt.days // 7).to_numpy()
    twice = (week == n_weeks - 1) | (year_ago & (week == n_weeks - 53))
    again = events[twice].assign(user=lambda frame: frame["user"] + 500, time=lambda frame: frame["time"].dt.floor("s"))
    scores = DriftMonitor(**COLUMNS).score_log(pd.concat([events, again]))
    row = scores[scores["statistic"] == "events_per_day"].iloc[-1]
    assert row["verdict"] == verdict and advice in row["advice"]


def test_periods_too_long_for_a_year_say_so():
    table = pd.DataFrame({"unknown_items": [0.1] * 8 + [0.9]})
    scores = judge(table, table * 0, {}, rows=[8], calendar=make_calendar("140D", True), window=8, warn=4, alarm=5)
    assert "the periods are too long" in scores["advice"].iloc[0]


def test_polars_histories_without_a_column_of_users_are_numbered():
    events = shop(0, n_weeks=14)
    histories = to_histories(events, user="user", item="item", time="time")
    bare = pl.DataFrame({name: [list(one) for one in histories[name]] for name in ("item", "time")})
    same_scores(DriftMonitor().score_log(bare), DriftMonitor().score_log(histories))


def test_a_period_or_window_that_is_set_after_fit_does_not_move_the_reference(tmp_path):
    events = shop(0, n_weeks=14)
    monitor = DriftMonitor(**COLUMNS).fit(events[events["time"] < "2024-03-18"])
    after = events[events["time"] >= "2024-03-18"]
    expected = monitor.score(after)
    for parameters in ({"period": "6D"}, {"window": 20}, {"window": 4}):
        same_scores(monitor.set_params(**parameters).score(after), expected)
    again = skrec.load(skrec.save(monitor, tmp_path / "monitor.skrec"))
    same_scores(again.score(after), expected)
    assert again.window == 4
