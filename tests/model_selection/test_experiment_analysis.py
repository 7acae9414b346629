"""Analysis: closed forms, brute force and simulation say the same, and nothing is left out in silence."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import chisquare, ttest_ind

from skrec.model_selection import Experiment, analyze_experiment
from skrec.model_selection._cuped import Moments, effect, fieller
from skrec.model_selection._experiment_analysis import compare_moments
from skrec.model_selection._sequential import crossing, multiplier, p_value, tuned

RATE = {"rate": ("clicked", "shown")}


def make(n=600, lift=0.0, seed=0, arms=("control", "new")):
    """Return one row per user, clustered: how much and how well differs between users."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"user": np.arange(n), "variant": rng.choice(arms, n)})
    table["shown"] = rng.poisson(rng.lognormal(2, 1, n)) + 1
    chance = rng.beta(4, 16, n)
    table["clicked"] = rng.binomial(
        table["shown"], np.where(table["variant"] == "new", np.minimum(chance * (1 + lift), 1), chance)
    )
    table["before"] = rng.binomial(rng.poisson(20, n), chance).astype(float)
    return table


def arms(table, *columns):
    return [Moments.of(table.loc[table["variant"] == name, list(columns)]) for name in ("control", "new")]


def test_mean_is_welchs_test():
    table = make()
    row = analyze_experiment(table, metrics="clicked", bounds="fixed").table.iloc[0]
    new, old = (table.loc[table["variant"] == name, "clicked"] for name in ("new", "control"))
    assert row["difference"] == pytest.approx(new.mean() - old.mean())
    assert row["difference"] / row["standard_error"] == pytest.approx(ttest_ind(new, old, equal_var=False).statistic)
    assert (row["users"], row["control_users"]) == (len(new), len(old))


def test_ratio_has_the_error_of_the_jackknife():
    table = make(1000)
    row = analyze_experiment(table, metrics=RATE, bounds="fixed").table.iloc[0]
    variance = 0
    for name in ("new", "control"):
        y, n = (table.loc[table["variant"] == name, column].to_numpy() for column in ("clicked", "shown"))
        left_out = (y.sum() - y) / (n.sum() - n)
        variance += (len(y) - 1) * left_out.var()
    assert row["standard_error"] == pytest.approx(np.sqrt(variance), rel=0.02)
    assert row["value"] == pytest.approx(
        table.query("variant == 'new'").pipe(lambda t: t.clicked.sum() / t.shown.sum())
    )


def test_cuped_has_the_best_theta():
    table = make(lift=0.2)
    row = analyze_experiment(table, metrics=RATE, covariates="before", bounds="fixed").table.iloc[0]

    def adjusted(theta):
        difference = variance = 0
        for name, sign in (("new", 1), ("control", -1)):
            part = table[table["variant"] == name]
            ratio = part.clicked.sum() / part.shown.sum()
            z = (part.clicked - ratio * part.shown) / part.shown.mean() - theta * part.before
            difference += sign * (ratio - theta * part.before.mean())
            variance += z.var() / len(part)
        return difference, variance

    best = minimize_scalar(lambda theta: adjusted(theta)[1], bounds=(-1, 1), method="bounded", options={"xatol": 1e-9})
    difference, variance = adjusted(best.x)
    plain, counts = adjusted(0)[1], table.groupby("variant")["user"].nunique()
    worth = (1 / counts).sum() ** 2 / (counts.astype(float) ** -3).sum() - 2  # users behind theta
    variance *= (worth / (worth - 1)) ** 2
    assert row["difference"] == pytest.approx(difference) and row["standard_error"] == pytest.approx(np.sqrt(variance))
    assert row["variance_reduction"] == pytest.approx(1 - variance / plain) and row["variance_reduction"] > 0.05
    plain = analyze_experiment(table, metrics=RATE, bounds="fixed").table.iloc[0]
    assert plain["variance_reduction"] == 0 and plain["value"] == row["value"]


def test_cuped_is_centred_on_the_truth():
    """Over many draws the adjusted difference has the mean of the plain one, and the variance that it states."""
    found = []
    for seed in range(300):
        table = make(400, lift=0.3, seed=seed)
        found.append(effect(*arms(table.assign(one=1.0), "clicked", "one", "before")))
    difference = np.array([one.difference for one in found])
    plain = np.array([one.value - one.control for one in found])
    assert difference.mean() == pytest.approx(plain.mean(), abs=3 * (difference - plain).std() / np.sqrt(300))
    assert np.mean([one.error**2 for one in found]) == pytest.approx(difference.var(), rel=0.25)


def test_useless_and_doubled_covariates_change_nothing():
    table = make().assign(constant=3.0)
    plain = analyze_experiment(table, metrics=RATE).table
    one = analyze_experiment(table, metrics=RATE, covariates="before").table
    pd.testing.assert_frame_equal(plain, analyze_experiment(table, metrics=RATE, covariates="constant").table)
    again = table.assign(again=1000 * table["before"])
    pd.testing.assert_frame_equal(one, analyze_experiment(again, metrics=RATE, covariates=["before", "again"]).table)


def test_fieller_agrees_with_the_difference_and_with_a_search():
    for seed, lift in ((0, 0.0), (1, 0.2), (2, 0.6)):
        table = make(500, lift=lift, seed=seed).assign(one=1.0)
        found = effect(*arms(table, "clicked", "one", "before"))
        low, high = fieller(found.adjusted, 1.96)
        value, control, variance1, variance0, covariance = found.adjusted
        assert value - control == pytest.approx(float(found.difference))
        assert variance1 + variance0 - 2 * covariance == pytest.approx(float(found.error) ** 2)
        lifts = np.linspace(-0.9, 3, 400_001)
        error = np.sqrt(variance1 + (1 + lifts) ** 2 * variance0 - 2 * (1 + lifts) * covariance)
        inside = lifts[np.abs(value - (1 + lifts) * control) <= 1.96 * error]
        assert (low, high) == pytest.approx((inside[0], inside[-1]), abs=2e-5)
        outside = abs(found.difference) > 1.96 * found.error
        assert outside == (not low <= 0 <= high)


def test_bounds_are_those_of_the_paper():
    """Equation 2.2 of Waudby-Smith et al.: the same with rho squared in place of x."""
    n, alpha, planned = 5000, 0.05, 20_000
    rho = np.sqrt(tuned(alpha) / planned)
    expected = np.sqrt(2 * (n * rho**2 + 1) / (n**2 * rho**2) * np.log(np.sqrt(n * rho**2 + 1) / alpha)) * np.sqrt(n)
    assert multiplier(n, planned, alpha) == pytest.approx(expected)
    grid = np.geomspace(100, 1e6, 2000)
    assert grid[multiplier(grid, planned, alpha).argmin()] == pytest.approx(planned, rel=0.01)
    z = multiplier(n, planned, alpha)
    assert p_value(z, n, planned, alpha) == pytest.approx(alpha)


@pytest.mark.parametrize("drift, n_looks", [(0.0, 30), (3.0, 12), (4.0, 60)])
def test_crossing_is_what_simulation_gives(drift, n_looks):
    rng = np.random.default_rng(0)
    times = np.arange(1, n_looks + 1) / n_looks
    walks = rng.normal(drift / n_looks, np.sqrt(1 / n_looks), (20_000, n_looks)).cumsum(axis=1)
    outside = np.abs(walks) > multiplier(times, 1.0, 0.05) * np.sqrt(times)
    crossed = np.maximum.accumulate(outside, axis=1).mean(axis=0)
    np.testing.assert_allclose(crossing(drift, n_looks, 0.05), crossed, atol=0.013)


def of_sums(n, total, product):
    """Return the moments from sums: of users (...), of columns (..., k), of their products (..., k, k)."""
    n = np.asarray(n, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n[..., None]
        cov = (product - n[..., None, None] * mean[..., :, None] * mean[..., None, :]) / (n - 1)[..., None, None]
    return Moments(n, mean, cov)


def test_false_alarms():
    """1,000 A/A experiments on users who come again: 5 % at one look, and fewer at 20 sequential looks."""
    rng = np.random.default_rng(0)
    runs, users, looks = 1000, 400, 20
    rate = rng.lognormal(-1, 1, (runs, users, 1)) + np.zeros((1, 1, looks))
    shown = rng.poisson(rate) + (np.arange(looks) == rng.integers(0, looks, (runs, users, 1)))
    clicked = rng.binomial(shown, rng.beta(1, 4, (runs, users, 1)))
    columns = np.stack([clicked, shown], axis=-1).cumsum(axis=2).astype(float)
    treated = rng.random((runs, users)) < 0.5
    found = []
    for arm in (~treated, treated):
        seen = arm[..., None] & (columns[..., 1] > 0)
        part = (columns * seen[..., None]).transpose(0, 2, 1, 3)
        found.append(of_sums(seen.sum(axis=1), part.sum(axis=2), part.transpose(0, 1, 3, 2) @ part))
    alarms = {}
    for bounds in ("fixed", "sequential"):
        row = compare_moments(*found, found[0].n + found[1].n, bounds, users, 0.05)
        alarms[bounds] = (row["low"] > 0) | (row["high"] < 0)
    assert alarms["fixed"][:, -1].mean() == pytest.approx(0.05, abs=0.025)
    assert alarms["fixed"].any(axis=1).mean() > 0.1  # what daily looks do
    assert alarms["sequential"].any(axis=1).mean() < 0.05
    clicks, impressions = (np.stack([one.n * one.mean[..., k] for one in found])[..., -1] for k in (0, 1))
    pooled = clicks.sum(axis=0) / impressions.sum(axis=0)
    error = np.sqrt(pooled * (1 - pooled) * (1 / impressions).sum(axis=0))
    naive = np.abs(np.diff(clicks / impressions, axis=0)[0]) > 1.96 * error
    assert naive.mean() > 0.15  # and impressions


def test_verdicts_and_p_values_agree():
    for lift, verdict in ((1.0, "higher"), (-0.8, "lower"), (0.0, "undecided")):
        for bounds in ("fixed", "sequential"):
            result = analyze_experiment(make(2000, lift=lift, seed=1), metrics=RATE, bounds=bounds, planned_users=2000)
            row = result.table.iloc[0]
            assert row["verdict"] == verdict and (row["p_value"] < 0.05) == (verdict != "undecided")
            assert row["low"] < row["difference"] < row["high"]


def test_rows_and_totals_are_the_same():
    totals = make()
    rows = totals.loc[totals.index.repeat(totals["shown"])].reset_index(drop=True)
    number = rows.groupby("user").cumcount()
    rows["clicked"] = (number < rows["clicked"]).astype(int)
    rows = rows.drop(columns="shown").sample(frac=1, random_state=0)
    one = analyze_experiment(totals, metrics=RATE, covariates="before").table
    two = analyze_experiment(rows, metrics={"rate": ("clicked", None)}, covariates="before").table
    pd.testing.assert_frame_equal(one, two)


def test_every_container_gives_the_same():
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    table = make().assign(user=lambda t: "user " + t["user"].astype(str))
    one = analyze_experiment(table, metrics=RATE, covariates="before").table
    for other in (polars.from_pandas(table), pyarrow.Table.from_pandas(table)):
        pd.testing.assert_frame_equal(one, analyze_experiment(other, metrics=RATE, covariates="before").table)


def test_swapped_variants_swap_the_sign():
    table = make(lift=0.3)
    one = analyze_experiment(table, metrics=RATE, covariates="before").table.iloc[0]
    two = analyze_experiment(table, metrics=RATE, covariates="before", control="new").table.iloc[0]
    assert one["difference"] == pytest.approx(-two["difference"]) and one["low"] == pytest.approx(-two["high"])
    assert (two["variant"], two["value"]) == ("control", one["control_value"])


def test_what_is_left_out_is_counted():
    table = make()
    clean = analyze_experiment(table, metrics=RATE)
    extra = pd.DataFrame(
        {
            "user": [0, 1, None, None, 9001, 9002, 9003],
            "variant": [{"new": "control"}.get(v, "new") for v in table["variant"][:2]]
            + ["new", "x", None, "holdout", "holdout"],
            "shown": 1,
            "clicked": 1,
        }
    )
    mixed = pd.concat([table, extra], ignore_index=True)
    result = analyze_experiment(mixed, metrics=RATE)
    assert result.notes[:-1] == [
        "2 rows without a user are left out",
        "1 rows without a variant, outside the experiment, are left out",
        "2 rows of the holdout group are left out",
        "2 of 600 users were in several variants and are left out",
    ]
    pd.testing.assert_frame_equal(result.table, analyze_experiment(table.iloc[2:], metrics=RATE).table)
    assert "several variants" in repr(result) and "left out" not in repr(clean)


def test_number_and_text_of_an_id_are_one_user():
    table = make()
    split = pd.concat([table.assign(user=table["user"].astype(object)), table.assign(user=table["user"].astype(str))])
    assert analyze_experiment(split, metrics=RATE).users["users"].sum() == 600


def test_users_without_a_past_are_a_group():
    table = make()
    table.loc[table.index % 3 == 0, "before"] = np.nan
    result = analyze_experiment(table, metrics=RATE, covariates="before")
    assert "200 users have no 'before'" in result.notes[0]
    told = table.assign(gone=table["before"].isna() * 1.0, before=table["before"].fillna(7.0))
    by_hand = analyze_experiment(told, metrics=RATE, covariates=["before", "gone"])
    pd.testing.assert_frame_equal(result.table, by_hand.table)


def test_sample_ratio():
    table = make(2000)
    lost = table.drop(table[table["variant"] == "new"].index[:300])
    counts = lost["variant"].value_counts()
    with pytest.raises(ValueError, match="contradict the weights"):
        analyze_experiment(lost, metrics=RATE)
    with pytest.warns(UserWarning, match="contradict the weights"):
        result = analyze_experiment(lost, metrics=RATE, on_mismatch="warn")
    assert result.p_mismatch == pytest.approx(chisquare(counts).pvalue) and "NOT AS PLANNED" in repr(result)
    silent = analyze_experiment(lost, metrics=RATE, on_mismatch="ignore")
    assert any("contradict" in note for note in silent.notes)
    weights = {"control": counts["control"], "new": counts["new"]}
    assert analyze_experiment(lost, metrics=RATE, weights=weights).p_mismatch == pytest.approx(1)
    with pytest.raises(ValueError, match="third 0"):  # a variant without any user is a mismatch, too
        analyze_experiment(table, metrics=RATE, weights={"control": 1, "new": 1, "third": 1})
    with pytest.raises(ValueError, match="weights lacks the variants"):
        analyze_experiment(table, metrics=RATE, weights={"control": 1, "newer": 1})


def test_experiment_gives_variants_and_weights():
    experiment = Experiment("both", {"control": 3, "new": 1}, holdout=0.1, share=0.9)
    table = make(4000)
    table["variant"] = experiment.assign_many(table["user"])
    result = analyze_experiment(table, metrics=RATE, weights=experiment)
    assert result.p_mismatch > 0.0005 and result.users["expected"].tolist() == pytest.approx(
        [0.75 * result.users["users"].sum(), 0.25 * result.users["users"].sum()]
    )


def test_several_variants_share_the_level():
    table = make(3000, arms=("control", "new", "newer", "old"))
    both = table[table["variant"].isin(["control", "new"])]
    three = analyze_experiment(table, metrics=RATE, bounds="fixed").table.set_index("variant")
    assert three.index.tolist() == ["new", "newer", "old"]
    one = analyze_experiment(both, metrics=RATE, bounds="fixed", confidence=1 - 0.05 / 3).table.iloc[0]
    assert three.loc["new", "low"] == pytest.approx(one["low"]) and three.loc["new", "p_value"] == one["p_value"]


def test_looks_are_the_analyses_of_what_was_known():
    rng = np.random.default_rng(0)
    rows = make(3000).sample(3000, replace=True, random_state=0)
    rows["time"] = pd.Timestamp("2026-03-01 10:00") + pd.to_timedelta(rng.uniform(0, 9, len(rows)), unit="D")
    metrics = {"rate": ("clicked", "shown"), "clicks": "clicked"}
    result = analyze_experiment(rows, metrics=metrics, time="time", on_mismatch="ignore")
    assert len(result.over_time) == 2 * 10
    for look in ("2026-03-03", "2026-03-07", "2026-03-11"):
        known = rows[rows["time"] < look]
        expected = analyze_experiment(known, metrics=metrics, on_mismatch="ignore").table
        found = result.over_time[result.over_time["time"] == look].drop(columns="time").reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected)
    weekly = analyze_experiment(rows, metrics=metrics, time="time", every="7D", on_mismatch="ignore").over_time
    assert weekly["time"].drop_duplicates().tolist() == [pd.Timestamp("2026-03-08"), pd.Timestamp("2026-03-15")]
    json.dumps(result.to_dict(), allow_nan=False)


def test_cap_changes_only_what_is_beyond():
    table = make()
    table.loc[5, "clicked"] = 10_000
    capped = analyze_experiment(table, metrics="clicked", cap=0.99)
    assert (
        capped.table["standard_error"].iloc[0]
        < 0.2 * analyze_experiment(table, metrics="clicked").table["standard_error"].iloc[0]
    )
    most = np.quantile(table["clicked"], 0.99, method="higher")
    by_hand = analyze_experiment(table.assign(clicked=table["clicked"].clip(upper=most)), metrics="clicked")
    pd.testing.assert_frame_equal(capped.table, by_hand.table)
    assert any(f"{(table['clicked'] > most).sum()} users are capped" in note for note in capped.notes)


def test_no_bounds_from_few_users_or_from_one_value():
    few = analyze_experiment(make(90), metrics=RATE)
    assert (
        np.isnan(few.table[["low", "high", "lift_low", "p_value"]].to_numpy()).all()
        and "50 are needed" in few.notes[-1]
    )
    assert few.table["verdict"].tolist() == ["undecided"] and "undecided" in repr(few)
    same = analyze_experiment(make().assign(clicked=1), metrics="clicked")
    assert np.isnan(same.table["low"].iloc[0]) and "do not vary" in same.notes[-1]


def test_lift_has_no_bounds_where_the_control_is_not_above_0():
    rng = np.random.default_rng(0)
    row = analyze_experiment(make().assign(profit=rng.normal(0, 1, 600)), metrics="profit").table.iloc[0]
    assert np.isnan(row["lift_low"]) and np.isfinite(row["low"])


@pytest.mark.parametrize(
    "change, options, match",
    [
        ({}, {"metrics": {}}, "metrics is empty"),
        ({}, {"metrics": ["clicked"]}, "metrics must be a column or a dict"),
        ({}, {"metrics": {"rate": ("clicked", "shown", "x")}}, r"metrics\['rate'\] must be a column, or a pair"),
        ({}, {"metrics": "klicked"}, "did you mean 'clicked'"),
        ({"clicked": "x"}, {}, "metrics must name columns of numbers"),
        ({"clicked": np.nan}, {}, "600 missing or infinite"),
        ({"variant": "control"}, {}, "at least two variants"),
        ({}, {"control": "old"}, "control='old' is none of the variants"),
        ({}, {"covariates": "shown", "again": True}, "several of 'shown'"),
        ({"before": np.nan}, {"covariates": "before"}, "no value of 'before'"),
        ({"before": np.inf}, {"covariates": "before"}, "infinite"),
        ({}, {"time": "shown"}, "time must name a column of dates"),
        ({}, {"bounds": "bayes"}, "bounds must be 'sequential' or 'fixed'"),
        ({}, {"planned_users": 10}, "planned_users"),
        ({}, {"confidence": 95}, "confidence"),
        ({}, {"weights": 3}, "weights must be an Experiment"),
        ({}, {"user": None}, "user must be the name of a column"),
    ],
)
def test_errors(change, options, match):
    table = make().assign(**change)
    options = dict(options)
    if options.pop("again", False):
        table = pd.concat([table, table.assign(shown=table["shown"] + 1)])
    with pytest.raises((TypeError, ValueError), match=match):
        analyze_experiment(table, **{"metrics": RATE, **options})


def test_large_amounts_keep_their_differences():
    table = make().assign(amount=lambda t: 1e9 + t["clicked"])
    found = analyze_experiment(table, metrics={"clicks": "clicked", "amounts": "amount"}, covariates="before").table
    found = found[["difference", "low"]].to_numpy(dtype=float)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.assign(variant=t["variant"].astype("category")),
        lambda t: t.assign(user=t["user"].astype("category")),
        lambda t: t.assign(user=t["user"].astype("Int64")),
        lambda t: t.assign(won=t["won"].astype("boolean")),
        lambda t: t.assign(time=t["time"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")),
        lambda t: t.sample(frac=1, random_state=0),
    ],
)
def test_types_of_columns_do_not_matter(change):
    table = make().loc[lambda t: t.index.repeat(2)].reset_index(drop=True)
    table["won"] = table["clicked"] > 3
    table["time"] = pd.Timestamp("2026-03-01") + pd.to_timedelta(np.arange(len(table)) % 7, unit="h")
    options = {"metrics": {"won": ("won", None)}, "time": "time", "every": "2h"}
    one, two = analyze_experiment(table, **options), analyze_experiment(change(table), **options)
    pd.testing.assert_frame_equal(one.table, two.table)
    pd.testing.assert_frame_equal(one.over_time, two.over_time)


@pytest.mark.parametrize("bounds", ["sequential", "fixed"])
@pytest.mark.parametrize("seed", range(5))
def test_rounding_is_no_difference(bounds, seed):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"user": np.arange(3000 + 7 * seed), "price": 0.1, "orders": 1})
    table["variant"] = rng.choice(["control", "new"], len(table))
    table["past"] = rng.exponential(size=len(table)) + 1e9
    table["now"] = 2 * table["past"]
    options = {"bounds": bounds, "on_mismatch": "ignore"}
    for metric, covariates in (("price", None), (("price", "orders"), None), ("now", "past")):
        found = analyze_experiment(table, metrics={"m": metric}, covariates=covariates, **options)
        assert found.table["verdict"].tolist() == ["undecided"]
        assert found.table[["low", "high", "p_value"]].isna().all(axis=None)
        assert any("values that do not vary" in note for note in found.notes)


@pytest.mark.parametrize("hours", [2, 5, 8, 23])
def test_the_last_look_has_all_rows(hours):
    table = make()
    table["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.linspace(0, hours, len(table)).round(), unit="h")
    found = analyze_experiment(table, metrics=RATE, time="time", every="1h")
    columns = ["users", "control_users", "difference", "low", "high"]
    np.testing.assert_allclose(
        found.over_time.iloc[-1][columns].astype(float), found.table.iloc[0][columns].astype(float)
    )


def test_number_and_text_of_a_variant_are_one():
    table = make(arms=("0", "1"))
    mixed = table.assign(variant=[int(v) if i % 3 else v for i, v in enumerate(table["variant"])])
    one, two = (analyze_experiment(t, metrics=RATE, control="0") for t in (table, mixed))
    pd.testing.assert_frame_equal(one.table, two.table)


def test_a_denominator_of_0_is_named():
    table = make().assign(shown=lambda t: t["shown"].where(t["variant"] == "control", 0))
    found = analyze_experiment(table, metrics=RATE)
    assert found.notes[-1] == "rate, new: no bounds, because of a denominator that is 0 in a variant"
    assert found.table["verdict"].tolist() == ["undecided"]


def test_bounds_hold_where_users_are_fixed_and_their_events_grow():
    """The worst case: all users came at once, what they do in one hour is independent of the last, 600 looks."""
    rng = np.random.default_rng(0)
    hours = np.arange(1, 601)
    z = np.cumsum(rng.normal(size=(4000, len(hours))), axis=1) / np.sqrt(hours)
    for share in (0.3, 1.0, 3.0):  # of the planned users
        assert (np.abs(z) > multiplier(share, 1.0, 0.05)).any(axis=1).mean() < 0.055


@pytest.mark.parametrize(("n0", "n1", "p"), [(60, 60, 20), (60, 60, 40), (55, 500, 20), (300, 300, 40)])
def test_many_covariates_raise_no_false_alarms(n0, n1, p):
    rng = np.random.default_rng(0)
    one, two = (np.concatenate([rng.normal(size=(1000, n, 1)), np.ones((1000, n, 1))], axis=2) for n in (n0, n1))
    found = []
    for a, b in zip(one, two, strict=True):
        sides = (np.c_[part, rng.normal(size=(len(part), p))] for part in (a, b))
        found.append(compare_moments(*(Moments.of(side) for side in sides), n0 + n1, "fixed", 1e4, 0.05)["verdict"])
    assert 0.03 < np.mean(np.array(found) != "undecided") < 0.075


def test_more_covariates_than_users_give_no_bounds():
    table = make(n=110)
    names = [f"x{i}" for i in range(108)]
    past = pd.DataFrame(np.random.default_rng(0).normal(size=(110, 108)), columns=names)
    table = pd.concat([table, past], axis=1)
    found = analyze_experiment(table, metrics="clicked", covariates=names, on_mismatch="ignore")
    assert found.table[["low", "high", "lift_low"]].isna().all(axis=None)
    assert found.notes[-1] == "clicked, new: no bounds, because of more covariates than the users can bear"


@pytest.mark.parametrize("bounds, name", [("sequential", "always-valid 99 % interval"), ("fixed", "99 % interval")])
def test_the_intervals_have_a_name(bounds, name):
    table = pd.DataFrame({"user": range(400), "variant": ["control", "new"] * 200, "orders": [0, 1, 1, 0] * 100})
    result = analyze_experiment(table, metrics="orders", bounds=bounds, confidence=0.99)
    assert result.interval == name and f"%, {name} from" in repr(result)
