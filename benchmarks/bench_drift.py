"""Drift: faults planted in weeks of two real shops, found by `DriftMonitor` or not, and its false alarms.

Prints per fault the share of weeks in which an alarm named it (within the week: the fault fills one week, which is
judged at its end), and false alarms in weeks as they are, beside the usual tests: PSI and Jensen-Shannon distance over
items, Kolmogorov-Smirnov over prices, ADWIN over events. Statistics, floors and thresholds were fixed on Online Retail;
Complete Journey confirms them. Faults: `drift_faults.py`.

    python benchmarks/bench_drift.py [online_retail complete_journey season others aging cost] [--seed 0]
"""

import sys
import time
import warnings

import numpy as np
import pandas as pd
import protocols
from drift_faults import FAULTS, MORE

from skrec.datasets import load_online_retail
from skrec.inspection import DriftMonitor

STABLE = {  # 20 weeks without a holiday season, the first with 16 weeks before
    "online_retail": ("2011-04-04", "2011-08-15"),
    "complete_journey": ("2017-04-24", "2017-09-04"),
}
WINDOW = 8
COLUMNS = {"user": "user", "item": "item", "time": "time", "price": "price", "country": "place", "weight": "weight"}


def online_retail():
    """Return the events of the first shop."""
    names = {
        "CustomerID": "user",
        "StockCode": "item",
        "InvoiceDate": "time",
        "UnitPrice": "price",
        "Country": "place",
        "Quantity": "weight",
    }
    return load_online_retail().events.rename(columns=names)[list(names.values())], dict(COLUMNS)


def complete_journey():
    """Return the events of the second shop: shelf prices of one piece, stores as places, departments as categories."""
    names = {"household_id": "user", "product_id": "item", "transaction_timestamp": "time", "store_id": "place"}
    data = pd.read_parquet(protocols.DATA / "dunnhumby_cj_transactions.parquet")
    items = pd.read_parquet(protocols.DATA / "dunnhumby_cj_products.parquet").set_index("product_id")
    data = data[data["quantity"] > 0].rename(columns=names)
    data["price"] = ((data["sales_value"] + data["retail_disc"]) / data["quantity"]).round(2)
    data["weight"] = data["quantity"]
    data["category"] = data["item"].map(items["department"])
    events = data[["user", "item", "time", "price", "place", "weight", "category"]]
    return events, {**COLUMNS, "category": "category"}


# the usual tests, in their simple forms; each returns whether it alarms


def psi(before, now):
    """Population stability index over the 10 deciles of item popularity of the reference, unknown items last; 0.2."""
    counts = before["item"].value_counts()
    decile = pd.Series(np.minimum(10 * np.cumsum(counts.to_numpy()) // counts.sum(), 9), index=counts.index)
    p = np.bincount(before["item"].map(decile).astype(int), minlength=11) / len(before)
    q = np.bincount(now["item"].map(decile).fillna(10).astype(int), minlength=11) / len(now)
    p, q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    return ((q - p) * np.log(q / p)).sum() > 0.2


def jensen_shannon(before, now):
    """Jensen-Shannon distance (base 2) between the shares of all items; 0.1."""
    p, q = before["item"].value_counts(normalize=True), now["item"].value_counts(normalize=True)
    p, q = p.align(q, fill_value=0.0)
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        part = [np.nansum(one * np.log2(one / middle)) / 2 for one in (p, q)]
    return np.sqrt(max(sum(part), 0.0)) > 0.1


def kolmogorov_smirnov(before, now):
    """Two-sample test over the prices of events; p < 0.05."""
    from scipy.stats import ks_2samp

    return ks_2samp(before["price"], now["price"], method="asymp").pvalue < 0.05


def adwin(before, now, delta=0.002):
    """ADWIN's cut test (Bifet and Gavalda 2007, section 3) over events: item known or not, and log price.

    The cuts of the whole sequence are tested at 64 places after each of 10 parts of the week, without buckets.
    """
    known = set(before["item"])
    flags = np.concatenate([np.zeros(len(before)), ~now["item"].isin(known)])
    prices = np.log1p(np.concatenate([before["price"], now["price"]]))
    for values in (flags, prices / max(prices.max(), 1e-9)):
        total = np.cumsum(values)
        for end in np.linspace(len(before), len(values), 11).astype(int)[1:]:
            cuts = np.unique(np.linspace(1, end - 1, 64).astype(int))
            n0, n1 = cuts, end - cuts
            mean0, mean1 = total[cuts - 1] / n0, (total[end - 1] - total[cuts - 1]) / n1
            m, log = 1 / (1 / n0 + 1 / n1), np.log(2 * np.log(end) / delta)
            variance = values[:end].var()
            bound = np.sqrt(2 / m * variance * log) + 2 / (3 * m) * log
            if (np.abs(mean0 - mean1) > bound).any():
                return True
    return False


TESTS = {"PSI": psi, "JS": jensen_shannon, "KS": kolmogorov_smirnov, "ADWIN": adwin}


def monday_of(events):
    """Return the Monday of each event."""
    monday = np.datetime64("1970-01-05")
    weeks = (events["time"].to_numpy() - monday) // np.timedelta64(7, "D")
    return pd.Series(monday + weeks * np.timedelta64(7, "D"), index=events.index)


def run(name, seed):
    """Print the table of one shop."""
    events, columns = {"online_retail": online_retail, "complete_journey": complete_journey}[name]()
    events = events.sort_values("time", kind="stable", ignore_index=True)
    monitor = DriftMonitor(**columns, window=WINDOW)
    started = time.perf_counter()
    scores = monitor.score_log(events)
    seconds = time.perf_counter() - started
    n_periods, low, high = scores["period"].nunique(), *map(pd.Timestamp, STABLE[name])
    print(f"\n{name}: {len(events):,} events, {n_periods} whole weeks, all scored in {seconds:.2f} s")
    alarms = scores[scores["verdict"] == "alarm"]
    calm = alarms[(alarms["period"] >= low) & (alarms["period"] <= high)]
    weeks = pd.date_range(low, high, freq="7D")
    judged = scores.loc[scores["verdict"] != "unjudged", "period"].nunique()
    print(
        f"false alarms: {calm['period'].nunique()} of {len(weeks)} stable weeks ({low:%Y-%m-%d} to {high:%Y-%m-%d}), "
        f"{len(calm)} statistics; {alarms['period'].nunique()} of all {judged} weeks judged"
    )
    for row in alarms.itertuples():
        what = f"{row.statistic} {row.value:.3f} where {row.reference:.3f}, z {row.z:+.1f}"
        print(f"  {row.period:%Y-%m-%d} {what} {row.moved}")
    number = monday_of(events)
    weekly = events["user"].groupby(number).nunique().loc[low:high]
    print(f"users a week: median {weekly.median():,.0f} in the stable weeks")
    without = DriftMonitor(**{role: column for role, column in columns.items() if role != "country"}, window=WINDOW)
    fewer = without.score_log(events)
    fewer = fewer[(fewer["verdict"] == "alarm") & (fewer["period"] >= low) & (fewer["period"] <= high)]
    print(f"false alarms without the column of countries: {fewer['period'].nunique()} of {len(weeks)} stable weeks")
    if "country" in columns:
        users = events.groupby([number, columns["country"]])["user"].nunique()
        for row in calm[calm["statistic"].isin(["country_shares", "country_lost"])].itertuples():
            for place in str(row.moved).partition(" ")[2].split(", ")[:1]:
                counts = users[users.index.get_level_values(1).astype(str) == place].droplevel(1)
                before = counts[counts.index < row.period].tail(WINDOW).tolist()
                then = counts.get(row.period, 0)
                print(f"  {row.period:%Y-%m-%d} {row.statistic} {place}: {then} users, before {before}")
    quiet = {one: set(alarms.loc[alarms["period"] == one, "statistic"]) for one in weeks}
    found = {fault: {key: [] for key in ("named", "any", *TESTS)} for fault in ("none", *FAULTS, *MORE)}
    start = number.to_numpy()
    for week in weeks:
        now, past = events[start == np.datetime64(week)], events[start < np.datetime64(week)]
        before = past[start[: len(past)] >= np.datetime64(week - pd.Timedelta(7 * WINDOW, unit="D"))]
        now = now.reset_index(drop=True)
        monitor.fit(past, until=week)
        for test, alarm in TESTS.items():
            found["none"][test].append(alarm(before, now))
        for number, (fault, (plant, names)) in enumerate({**FAULTS, **MORE}.items()):
            planted = plant(now, before, np.random.default_rng([seed, week.toordinal(), number]))
            result = monitor.score(planted, until=week + pd.Timedelta("7D"))
            alarmed = set(result.loc[result["verdict"] == "alarm", "statistic"]) - quiet[week]
            found[fault]["named"].append(bool(alarmed & names))
            found[fault]["any"].append(bool(alarmed))
            for test, alarm in TESTS.items():
                found[fault][test].append(alarm(before, planted))
    table = pd.DataFrame(
        {fault: {key: np.mean(one or [np.nan]) for key, one in row.items()} for fault, row in found.items()}
    ).T
    table.loc["none", "any"] = calm["period"].nunique() / len(weeks)
    table.insert(2, "goal", "")
    order = [*FAULTS, "mean of the 10", *MORE, "none"]
    table.loc["mean of the 10"] = table.loc[list(FAULTS)].drop(columns="goal").mean()
    table = table.rename(index={"none": "none: false alarms"}).drop(columns="goal")
    order[-1] = "none: false alarms"
    print(
        (100 * table.loc[order].astype(float)).round(0).map(lambda x: "" if np.isnan(x) else f"{x:.0f} %").to_string()
    )


def season():
    """Print what a year of reference changes: half of the users of Online Retail a year earlier than the others."""
    events, columns = online_retail()
    users = np.sort(events["user"].unique())
    shown = []
    for seed in range(5):
        first = np.random.default_rng(seed).permutation(users)[: len(users) // 2]
        in_first = events["user"].isin(first)
        # only whole weeks, so that the years meet without a gap
        events_in = (events["time"] >= "2010-12-06") & (events["time"] < "2011-12-05")
        earlier = events[in_first & events_in].assign(time=lambda frame: frame["time"] - pd.Timedelta(364, unit="D"))
        two = pd.concat([earlier, events[~in_first & events_in]]).sort_values("time", kind="stable", ignore_index=True)
        scores = DriftMonitor(**columns, window=WINDOW).score_log(two, until="2011-12-05")
        later = scores[scores["period"] >= "2011-03-07"]
        alone = DriftMonitor(**columns, window=WINDOW).score_log(two[two["time"] >= "2010-12-06"], until="2011-12-05")
        alone = alone[alone["period"] >= "2011-03-07"]
        judged = later.loc[later["verdict"] != "unjudged", "period"].nunique()
        shown.append([
            judged,
            (alone["verdict"] == "alarm").sum(), alone["verdict"].isin(["warn", "alarm"]).sum(),
            (later["verdict"] == "alarm").sum(), later["verdict"].isin(["warn", "alarm"]).sum(),
            (later["verdict"] == "as a year ago").sum(),
        ])  # fmt: skip
    print("\nseason: Online Retail, half of the users a year earlier; March to December, sums over 5 halves")
    names = [
        "weeks judged",
        "alarms, no year",
        "warnings and alarms, no year",
        "alarms",
        "warnings and alarms",
        "as a year ago",
    ]
    print(pd.DataFrame(shown, columns=names).sum().to_string())
    # the last of the halves; its years meet in December, so that the weeks end a month before
    groups = {
        "April to August": ("2011-04-04", "2011-08-15", "14D"),
        "October, November": ("2011-10-03", "2011-11-14", "7D"),
    }
    summer = two[(two["time"] >= "2011-06-01") & (two["time"] < "2011-09-01")]
    print(f"users a week in summer: median {summer['user'].groupby(monday_of(summer)).nunique().median():.0f}")
    table = {}
    for group, (low, high, step) in groups.items():
        weeks = pd.date_range(low, high, freq=step)
        named = {fault: [] for fault in FAULTS}
        for week in weeks:
            now, past = two[two["time"] >= week], two[two["time"] < week]
            now = now[now["time"] < week + pd.Timedelta("7D")].reset_index(drop=True)
            monitor = DriftMonitor(**columns, window=WINDOW).fit(past, until=week)
            before = past[past["time"] >= week - 8 * pd.Timedelta("7D")]
            for number, (fault, (plant, names)) in enumerate(FAULTS.items()):
                planted = plant(now, before, np.random.default_rng([week.toordinal(), number]))
                result = monitor.score(planted, until=week + pd.Timedelta("7D"))
                named[fault].append(bool(set(result.loc[result["verdict"] == "alarm", "statistic"]) & names))
        table[f"{group}, {len(weeks)} weeks"] = pd.DataFrame(named).mean()
    table = pd.DataFrame(table)
    table.loc["mean of the 10"] = table.mean()
    print("faults planted into half of the shop, with a year of reference, named:")
    print((100 * table).round(0).map("{:.0f} %".format).to_string())


def others():
    """Print the weeks with alarms of two logs that no choice looked at; nothing is planted."""
    names = {"rechorus_grocery_train": ("time", "2010-01-01"), "ml100k_ratings": ("timestamp", "1990-01-01")}
    for name, (time_column, first) in names.items():
        events = pd.read_parquet(protocols.DATA / f"{name}.parquet")
        events[time_column] = pd.to_datetime(events[time_column], unit="s")
        events = events[events[time_column] >= first]
        scores = DriftMonitor(user="user_id", item="item_id", time=time_column).score_log(events)
        judged = scores.loc[scores["verdict"] != "unjudged", "period"].nunique()
        alarms = scores[scores["verdict"] == "alarm"]
        found = alarms["statistic"].value_counts().to_dict()
        new = scores.loc[scores["statistic"] == "new_users", "value"].median()
        print(f"{name}: {alarms['period'].nunique()} of {judged} weeks alarm, {found}; new users, median {new:.0%}")


def aging():
    """Print how two models age on Online Retail after 1 August 2011."""
    from skrec.dummy import PopularityRecommender
    from skrec.inspection import staleness
    from skrec.linear_model import EASE
    from skrec.model_selection import split_time

    histories = load_online_retail().histories
    known, _ = split_time(histories, "2011-08-01", verbose=0)
    for name, model in {
        "EASE(l2=200)": EASE(l2=200, exclude_seen=False, incremental=True),
        "popularity of 30 days": PopularityRecommender(window="30D", exclude_seen=False),
    }.items():
        started = time.perf_counter()
        found = staleness(model.fit(known), histories, since="2011-08-01", n_points=6, refit_cost=0.01)
        print(f"\nstaleness of {name}, Online Retail, repeats allowed, in {time.perf_counter() - started:.1f} s")
        print(found.curve.drop(columns=["start", "p_value"]).round(4).to_string(index=False))
        print(found.sentence, f"Refit every {found.refit_every} weeks at a cost of 0.01.")


def cost():
    """Print time of `score_log` and `score`."""
    events, columns = online_retail()
    monitor = DriftMonitor(**columns)
    week = events["time"] >= "2011-11-28"
    last = events[week & (events["time"] < "2011-12-05")]
    for name, call in {
        "score_log, 52 weeks": lambda: monitor.score_log(events),
        "fit, 51 weeks": lambda: monitor.fit(events[~week]),
        "score, one week": lambda: monitor.score(last),
    }.items():
        taken = []
        for _ in range(5):
            started = time.perf_counter()
            call()
            taken.append(time.perf_counter() - started)
        print(f"{name}: {np.median(taken):.2f} s (median of 5), {len(events):,} events")


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)
    arguments = sys.argv[1:]
    seed = int(arguments.pop(arguments.index("--seed") + 1)) if "--seed" in arguments else 0
    asked = [one for one in arguments if one != "--seed"] or [
        "online_retail",
        "complete_journey",
        "season",
        "aging",
        "cost",
    ]
    for one in asked:
        {"season": season, "others": others, "aging": aging, "cost": cost}.get(one, lambda one=one: run(one, seed))()
