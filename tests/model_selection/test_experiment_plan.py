"""Planning: closed form for one look, simulation for daily ones, and the baseline from data."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from skrec.model_selection import analyze_experiment, experiment_baseline, plan_experiment
from skrec.model_selection._sequential import multiplier


def test_one_look_is_the_closed_form():
    plan = plan_experiment(0.1, mean=2.0, variance=9.0, users_per_day=500, bounds="fixed", power=0.9)
    expected = 4 * 9 * (norm.ppf(0.975) + norm.ppf(0.9)) ** 2 / 0.2**2
    assert plan.users == int(np.ceil(expected)) and plan.days == -(-plan.users // 500)
    assert plan.power == pytest.approx(0.9, abs=1e-3) and plan.false_alarms == pytest.approx(0.05)
    uneven = plan_experiment(0.1, mean=2.0, variance=9.0, bounds="fixed", power=0.9, weights={"control": 9, "new": 1})
    assert uneven.users == pytest.approx(plan.users / 4 * (1 / 0.9 + 1 / 0.1), abs=2) and uneven.days is None


def test_cuped_and_variants():
    plain = plan_experiment(0.1, mean=2.0, variance=9.0, bounds="fixed")
    assert plan_experiment(0.1, mean=2.0, variance=9.0, correlation=0.6, bounds="fixed").users == pytest.approx(
        0.64 * plain.users, abs=1
    )
    assert plan_experiment(-0.1, mean=2.0, variance=9.0, bounds="fixed").users == plain.users
    three = plan_experiment(0.1, mean=2.0, variance=9.0, bounds="fixed", weights=["control", "a", "b"])
    factor = ((norm.ppf(1 - 0.0125) + norm.ppf(0.8)) / (norm.ppf(0.975) + norm.ppf(0.8))) ** 2
    assert three.users == pytest.approx(1.5 * factor * plain.users, rel=1e-3)


def test_daily_looks_are_what_simulation_gives():
    plan = plan_experiment(0.2, mean=1.0, variance=4.0, users_per_day=200)
    assert plan.users == plan.days * 200 and plan.power >= 0.8 and plan.false_alarms < 0.05
    rng = np.random.default_rng(0)
    per_arm = rng.normal(0, 2 / np.sqrt(100), (2, 4000, plan.days))
    per_arm[1] += 0.2
    n = 200 * np.arange(1, plan.days + 1)
    difference = (per_arm[1] - per_arm[0]).cumsum(axis=1) / np.arange(1, plan.days + 1)
    outside = np.abs(difference) > multiplier(n, plan.users, 0.05) * np.sqrt(4 * 4 / n)
    assert outside.any(axis=1).mean() == pytest.approx(plan.power, abs=0.02)
    ends = np.where(outside.any(axis=1), outside.argmax(axis=1) + 1, plan.days)
    assert ends.mean() == pytest.approx(plan.expected_days, rel=0.03)
    shorter = plan_experiment(0.2, mean=1.0, variance=4.0, users_per_day=200, power=plan.power - 0.05)
    assert shorter.days < plan.days
    without_days = plan_experiment(0.2, mean=1.0, variance=4.0)
    assert without_days.days is None and without_days.users == pytest.approx(plan.users, rel=0.05)


def test_baseline_is_what_the_analysis_measures():
    rng = np.random.default_rng(0)
    n = 20_000
    table = pd.DataFrame({"user": np.arange(n), "variant": rng.choice(["control", "new"], n)})
    table["before"] = rng.gamma(2, 1, n)
    table["spent"] = table["before"] + rng.gamma(2, 1, n)
    table["orders"] = rng.poisson(2, n) + 1
    table["time"] = pd.Timestamp("2026-03-01") + pd.to_timedelta(np.arange(n) % 10, unit="D")
    for metric in ("spent", ("spent", "orders")):
        baseline = experiment_baseline(table, metric=metric, covariate="before", time="time")
        options = {"metrics": {"m": metric}, "bounds": "fixed"}
        row = analyze_experiment(table, **options).table.iloc[0]
        assert np.sqrt(4 * baseline.variance / n) == pytest.approx(row["standard_error"], rel=0.02)
        assert baseline.mean == pytest.approx(row["control_value"], rel=0.05)
        adjusted = analyze_experiment(table, covariates="before", **options).table.iloc[0]
        assert baseline.correlation**2 == pytest.approx(adjusted["variance_reduction"], abs=0.02)
        assert baseline.users_per_day == n / 10
        assert plan_experiment(0.05, **baseline).days > 0
    assert experiment_baseline(table, metric="spent").users_per_day is None


@pytest.mark.parametrize(
    "options, match",
    [
        ({"lift": 0}, "lift must be a number above 0"),
        ({"lift": "5 %"}, "lift must be a number above 0"),
        ({"mean": -1}, "mean must be a number above 0"),
        ({"variance": np.nan}, "variance must be a number above 0"),
        ({"users_per_day": 0}, "users_per_day must be a number above 0"),
        ({"correlation": 1}, "correlation must be a number between -1 and 1"),
        ({"power": 80}, "power"),
        ({"weights": ["control"]}, "at least two"),
        ({"bounds": "bayes"}, "bounds must be"),
        ({"lift": 0.001, "users_per_day": 5}, "more than 1000 days at 5 users a day: plan for a larger lift"),
        ({"lift": 0.001, "users_per_day": 5, "bounds": "fixed"}, "more than 1000 days at 5 users a day: plan for a"),
        ({"lift": 9, "users_per_day": 0.05}, "more than 1000 days at 0.05 users a day: each variant needs 50 users"),
        ({"lift": 9, "users_per_day": 0.05, "bounds": "fixed"}, "more than 1000 days .*: each variant needs 50 users"),
    ],
)
def test_errors(options, match):
    with pytest.raises((TypeError, ValueError), match=match):
        plan_experiment(**{"lift": 0.05, "mean": 1.0, "variance": 1.0, **options})
    with pytest.raises(ValueError, match="user lacks 1 users"):
        experiment_baseline(pd.DataFrame({"user": [1, None], "x": [1, 2]}), metric="x")


@pytest.mark.parametrize("bounds", ["sequential", "fixed"])
@pytest.mark.parametrize("per_day", [None, 7])
def test_each_variant_gets_the_users_that_bounds_need(bounds, per_day):
    weights = {"control": 0.9, "new": 0.1}
    found = plan_experiment(2.0, mean=0.5, variance=0.1, users_per_day=per_day, weights=weights, bounds=bounds)
    assert found.users >= 500  # a tenth of them are 50
    assert found.days is None or (found.days - 1) * per_day < 500 <= found.days * per_day
    assert found.power > 0.99 and found.expected_users <= found.users


def test_baseline_of_a_long_period():
    table = pd.DataFrame({"user": range(2400), "spent": 1.0})
    table["time"] = pd.Timestamp("2020-01-01 12:00") + pd.to_timedelta(np.arange(2400) // 2, unit="D")
    shuffled = table.sample(frac=1, random_state=0)
    assert experiment_baseline(shuffled, metric="spent", time="time").users_per_day == 2
