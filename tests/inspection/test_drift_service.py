"""Drift of a service: the interval of the hit rate by simulation, planted faults in requests, and gauges."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from skrec.datasets import load_online_retail
from skrec.inspection import DriftMonitor, drift_gauges, hit_rate_interval, score_requests


def requests(seed=0, n_weeks=20, per_week=600, last=None):
    """Answers of a service without drift; `last` changes the rows of the last week."""
    rng = np.random.default_rng(seed)
    n = n_weeks * per_week
    times = np.sort(rng.random(n)) * 7 * n_weeks
    times[0], times[-1] = 0, 7 * n_weeks - 0.001
    frame = pd.DataFrame(
        {
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(times, unit="D"),
            "fallback": rng.random(n) < 0.01,
            "n_items": rng.integers(1, 20, n),
            "score": rng.gamma(2.0, 1.0, n),
            "hit": (rng.random(n) < 0.1).astype(float),
            "who": rng.integers(0, 200, n),
        }
    )
    frame["n_known"] = rng.binomial(frame["n_items"], 0.97)
    if last is not None:
        rows = frame["at"] >= frame["at"].max() - pd.Timedelta(days=6.99)
        frame.loc[rows] = last(frame[rows].copy(), rng)
    return frame


ALL = {"time": "at", "fallback": "fallback", "n_known": "n_known", "n_items": "n_items", "score": "score", "hit": "hit"}


def alarms(frame):
    scores = score_requests(frame, **ALL, user="who")
    last = scores[scores["period"] == scores["period"].max()]
    return set(last.loc[last["verdict"] == "alarm", "statistic"])


def test_interval_covers_the_rate_of_clustered_users():
    """Users differ in their rate and answers, so that answers of one user are alike: 93 to 97 % must cover."""
    rng, covered, naive = np.random.default_rng(0), 0, 0
    for _ in range(600):
        n = rng.integers(1, 30, 150)
        rate = rng.beta(1, 9, 150)
        users = np.repeat(np.arange(150), n)
        hits = rng.random(len(users)) < rate[users]
        value, low, high = hit_rate_interval(hits, users)
        covered += low <= 0.1 <= high
        _, low, high = hit_rate_interval(hits)
        naive += low <= 0.1 <= high
        assert value == pytest.approx(hits.mean())
    assert 0.92 <= covered / 600 <= 0.98
    assert naive < 0.9 * covered  # answers taken as independent are too sure


def test_interval_without_users_is_that_of_a_mean():
    hits = np.array([1, 0, 0, 1, 0, 0, 0, 0, np.nan, 1.0])
    known = hits[~np.isnan(hits)]
    rate, low, high = hit_rate_interval(hits)
    assert rate == pytest.approx(known.mean())
    assert (high - low) / 2 == pytest.approx(1.959964 * known.std(ddof=1) / 3)
    assert np.isnan(hit_rate_interval([1.0], ["a"])[1:]).all() and np.isnan(hit_rate_interval([])[0])
    with pytest.raises(ValueError, match="hits must lie between 0 and 1"):
        hit_rate_interval([2.0, 1.0])
    with pytest.raises(ValueError, match="users has 1 values but hits has 2"):
        hit_rate_interval([1, 0], ["a"])


def test_requests_without_drift_are_quiet():
    weeks = 0
    for seed in range(5):
        scores = score_requests(requests(seed, n_weeks=28), **ALL, user="who")
        weeks += scores.loc[scores["verdict"] == "alarm", "period"].nunique()
    assert weeks <= 5  # of 5 x 20


@pytest.mark.parametrize(
    ("statistic", "change"),
    [
        ("fallback_share", lambda rows, rng: rows.assign(fallback=rng.random(len(rows)) < 0.1)),
        ("known_items", lambda rows, rng: rows.assign(n_known=(0.7 * rows["n_items"]).astype(int))),
        ("score_shift", lambda rows, rng: rows.assign(score=2 * rows["score"])),
        ("online_hit_rate", lambda rows, rng: rows.assign(hit=(rng.random(len(rows)) < 0.01).astype(float))),
    ],
)
def test_a_planted_fault_of_a_service_is_named(statistic, change):
    assert not alarms(requests(1))
    assert alarms(requests(1, last=change)) == {statistic}


def test_values_and_interval_are_those_of_the_week():
    frame = requests(2)
    scores = score_requests(frame, **ALL, user="who")
    week = frame[frame["at"] >= "2024-05-13"]
    last = scores[scores["period"] == "2024-05-13"].set_index("statistic")
    assert last.loc["fallback_share", "value"] == pytest.approx(week["fallback"].mean())
    assert last.loc["known_items", "value"] == pytest.approx(week["n_known"].sum() / week["n_items"].sum())
    expected = hit_rate_interval(week["hit"], week["who"])
    assert last.loc["online_hit_rate", ["value", "low", "high"]].tolist() == pytest.approx(expected)
    before = frame[(frame["at"] < "2024-05-13") & (frame["at"] >= "2024-03-18")]
    assert last.loc["score_shift", "value"] == pytest.approx(ks_2samp(week["score"], before["score"]).statistic)
    assert last.drop("online_hit_rate")[["low", "high"]].isna().all(axis=None)


@pytest.mark.parametrize("per_week", [300, 599, 600, 1300])
def test_scores_are_thinned_to_the_most_that_are_kept(monkeypatch, per_week):
    """Of each period, the one judged as well as those before it, and evenly."""
    monkeypatch.setattr("skrec.inspection._drift_service._SAMPLE", 300)
    sizes = []

    def spy(now, before, **options):
        sizes.append((len(now), len(before)))
        return ks_2samp(now, before, **options)

    monkeypatch.setattr("scipy.stats.ks_2samp", spy)
    frame = requests(3, n_weeks=12, per_week=per_week)
    frame.loc[::7, "score"] = np.nan
    scores = score_requests(frame, time="at", score="score", window=5)
    now, before = np.array(sizes).T
    assert now.max() <= 300 and before.max() <= 5 * 300
    assert now.min() > 150 and (before[5:] > 5 * 150).all()
    assert set(scores["verdict"]) == {"ok", "unjudged"}


def test_hits_that_are_not_known_yet_are_left_out():
    frame = requests(3)
    late = frame["at"] >= "2024-05-13"
    frame.loc[late & (frame.index % 2 == 0), "hit"] = np.nan
    scores = score_requests(frame, **ALL).set_index(["statistic", "period"])
    known = frame.loc[late, "hit"].dropna()
    assert scores.loc[("online_hit_rate", pd.Timestamp("2024-05-13")), "value"] == pytest.approx(known.mean())


def test_a_service_that_answers_no_more_has_no_silent_week():
    frame = requests(4)
    scores = score_requests(frame[frame["at"] < "2024-05-15"], **ALL, until="2024-05-27")
    assert scores["period"].max() == pd.Timestamp("2024-05-13")
    with pytest.raises(ValueError, match="no whole period"):
        score_requests(frame[frame["at"] < "2024-01-03"], **ALL)


def test_request_errors():
    frame = requests(5, n_weeks=2)
    with pytest.raises(ValueError, match="score='points' is not a column"):
        score_requests(frame, time="at", score="points")
    with pytest.raises(ValueError, match="belong together"):
        score_requests(frame, time="at", n_known="n_known")
    with pytest.raises(ValueError, match="needs a column to judge"):
        score_requests(frame, time="at", user="who")
    with pytest.raises(ValueError, match="has no rows"):
        score_requests(frame.iloc[:0], time="at", score="score")


def test_gauges_hold_the_last_period():
    scores = DriftMonitor().score_log(load_online_retail().histories)
    gauges = drift_gauges(scores)
    last = scores[scores["period"] == "2011-11-28"].set_index("statistic")
    assert gauges["skrec_drift_new_users"] == last.loc["new_users", "value"]
    assert gauges["skrec_drift_new_users_z"] == last.loc["new_users", "z"]
    assert gauges["skrec_drift_period_start_seconds"] == pd.Timestamp("2011-11-28").timestamp()
    counts = [gauges[f"skrec_drift_{name}"] for name in ("alarms", "warnings", "as_a_year_ago", "unjudged")]
    assert sum(counts) == (last["verdict"] != "ok").sum()
    assert all(isinstance(value, float) for value in gauges.values())
    with pytest.raises(ValueError, match="has no rows"):
        drift_gauges(scores.iloc[:0])


def test_values_that_are_missing_are_left_out_of_both_sides_of_a_share():
    at = pd.date_range("2024-01-01", periods=12_000, freq="10min")
    frame = pd.DataFrame({"at": at, "n": 5.0, "known": 4.0, "fallback": (np.arange(12_000) % 50 == 0).astype(float)})
    frame["known"] = frame["known"].where(np.arange(12_000) % 2 == 0)
    frame["fallback"] = frame["fallback"].where(at < "2024-03-11")  # a week without any, and no warning of NumPy
    scores = score_requests(frame, time="at", n_known="known", n_items="n", fallback="fallback")
    assert scores.loc[scores["statistic"] == "known_items", "value"].unique().tolist() == [0.8]
    assert scores.loc[scores["statistic"] == "fallback_share", "period"].max() == pd.Timestamp("2024-03-04")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"hit": 2.0}, "hit column 'hit' must lie between 0 and 1, got 0 to 2"),
        ({"fallback": -1.0}, "fallback column 'fallback' must lie between 0 and 1, got -1 to 0"),
        ({"known": 6}, "n_known column 'known' must lie between 0 and n_items, .* 100 of 100"),
    ],
)
def test_shares_out_of_range_are_refused(change, match):
    frame = pd.DataFrame({"at": pd.date_range("2024-01-01", periods=100), "n": 5, "known": 5, "hit": 0, "fallback": 0})
    with pytest.raises(ValueError, match=match):
        score_requests(frame.assign(**change), time="at", n_known="known", n_items="n", hit="hit", fallback="fallback")


def test_thresholds_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="at most alarm, got warn=6 and alarm=5"):
        score_requests(requests(), time="at", fallback="fallback", warn=6, alarm=5)
