"""Experiments: false alarms with and without a difference, power, and what CUPED gains, by simulation.

Two kinds of users, 28 days, half of them in each variant, a look at the end of each day at the users seen so far:

- simulated: 2,000 users arrive over the days, come again by a log-normal activity (sigma 1.2), and click with a
  probability of their own (Beta); clicks by impression, clicks a user, and revenue a user (log-normal orders);
- Online Retail: the customers of four weeks until 8 December 2011, and until 10 November, on which choices were made,
  drawn with replacement, 2,000 a run; units by order, units and orders a customer, with the logarithm of 1 + the units
  before as the covariate.

In A/A runs both variants are alike, so each difference that is found is a false alarm. Each run is an experiment of its
own; the standard error of a rate of 5 % over 2,000 runs is .5 %. The intervals are those of `analyze_experiment`,
computed from the moments of all runs at once.

The errors of off-policy evaluation come last, as `bench_off_policy.py` prints them.

    python benchmarks/bench_experiments.py [--runs 2000] [--seed 0] [--off-policy 40]
"""

import argparse
import time

import bench_off_policy
import numpy as np

from skrec.datasets import load_online_retail
from skrec.model_selection._cuped import Moments
from skrec.model_selection._experiment_analysis import compare_moments
from skrec.model_selection._sequential import crossing

DAYS, USERS, BLOCK = 28, 2000, 50
METRICS = {"clicks by impression": (0, 1), "clicks a user": (0, None), "revenue a user": (2, None)}
ALPHA = 0.05


def simulate(rng, runs, lift=0.0):
    """Return cumulated clicks, impressions and revenue (runs, users, days, 3), past clicks, and who is treated."""
    shape = (runs, USERS)
    rate = rng.lognormal(-0.72, 1.2, shape)  # impressions a day, mean 1
    chance = rng.beta(1.0, 9.0, shape)
    treated = rng.random(shape) < 0.5
    shown_chance = np.clip(chance * (1 + lift * treated), 0, 1)
    arrival = rng.integers(0, DAYS, shape)
    arrival[rng.random(shape) < 0.3] = 0  # known customers are there at once
    there = np.arange(DAYS) >= arrival[..., None]
    shown = rng.poisson(rate[..., None] * there)
    shown += np.arange(DAYS) == arrival[..., None]  # seen on the day of arrival
    clicks = rng.binomial(shown, shown_chance[..., None])
    orders = rng.binomial(clicks, 0.2)
    revenue = np.sqrt(orders) * rng.lognormal(3.0, 1.0, orders.shape) * (orders > 0)
    past = rng.binomial(rng.poisson(rate * DAYS), chance).astype(float)
    return np.stack([clicks, shown, revenue], axis=-1).cumsum(axis=2, dtype=float), past, treated


def of_sums(n, total, product):
    """Return the moments from sums: of users (...), of columns (..., k), of their products (..., k, k)."""
    n = np.asarray(n, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n[..., None]
        cov = (product - n[..., None, None] * mean[..., :, None] * mean[..., None, :]) / (n - 1)[..., None, None]
    return Moments(n, mean, cov)


def moments(cumulated, metric, treated, past=None):
    """Return the moments of both variants, with the axes runs and days."""
    numerator, denominator = metric
    seen = cumulated[..., 1] > 0
    one = np.ones(seen.shape)
    columns = [cumulated[..., numerator], one if denominator is None else cumulated[..., denominator]]
    if past is not None:
        columns.append(np.broadcast_to(past[..., None], seen.shape))
    values = np.stack(columns, axis=-1) * seen[..., None]
    found = []
    for arm in (~treated, treated):
        mask = arm[..., None] & seen
        part = (values * mask[..., None]).transpose(0, 2, 1, 3)
        found.append(of_sums(mask.sum(axis=1), part.sum(axis=2), part.transpose(0, 1, 3, 2) @ part))
    return found


def naive(found):
    """Return where a test by impression, as if each were independent, finds a difference."""
    shown = [one.n * one.mean[..., 1] for one in found]
    clicks = [one.n * one.mean[..., 0] for one in found]
    pooled = sum(clicks) / sum(shown)
    error = np.sqrt(pooled * (1 - pooled) * sum(1 / total for total in shown))
    return np.abs(clicks[1] / shown[1] - clicks[0] / shown[0]) > 1.96 * error


def findings(found, n_planned=USERS):
    """Return by kind of analysis where it finds a difference, (runs,), and the last difference and its error."""
    total = found[0].n + found[1].n
    fixed = compare_moments(*found, total, "fixed", n_planned, ALPHA)
    bounds = compare_moments(*found, total, "sequential", n_planned, ALPHA)
    outside = (fixed["low"] > 0) | (fixed["high"] < 0)
    ever = (bounds["low"] > 0) | (bounds["high"] < 0)
    looks = np.where(ever.any(axis=1), ever.argmax(axis=1) + 1, DAYS)
    return {
        "one look": outside[:, -1],
        "daily looks": outside.any(axis=1),
        "sequential, daily looks": ever.any(axis=1),
        "days": looks,
        "error": fixed["standard_error"][:, -1],
    }


def over_blocks(draw, runs):
    """Join the findings of blocks of runs, by metric."""
    parts = {}
    for start in range(0, runs, BLOCK):
        for key, values in draw(min(BLOCK, runs - start)).items():
            parts.setdefault(key, []).append(values)
    return {key: np.concatenate(values) for key, values in parts.items()}


def simulated(rng, runs, lift=0.0):
    def draw(n):
        cumulated, past, treated = simulate(rng, n, lift)
        rows = {}
        for name, metric in METRICS.items():
            found = moments(cumulated, metric, treated)
            if name == "clicks by impression":
                by_row = naive(found)
                rows |= {(name, "by impression, one look"): by_row[:, -1]}
                rows |= {(name, "by impression, daily looks"): by_row.any(axis=1)}
            rows |= {(name, kind): values for kind, values in findings(found).items()}
            with_past = findings(moments(cumulated, metric, treated, past))
            rows |= {(name, f"CUPED, {kind}"): values for kind, values in with_past.items()}
        return rows

    return over_blocks(draw, runs)


def retail_days(until):
    """Return units, orders (customers, days, 2) of four weeks until a day, cumulated, and the units before."""
    frame = load_online_retail().histories
    lengths = frame["item"].list.len().to_numpy()
    times = np.concatenate([np.asarray(row, dtype="datetime64[us]") for row in frame["time"]])
    weights = np.concatenate([np.asarray(row, dtype=float) for row in frame["weight"]])
    rows = np.repeat(np.arange(len(lengths)), lengths)
    day = (times.astype("datetime64[D]") - np.datetime64(until)).astype(int) + DAYS
    inside = (day >= 0) & (day < DAYS)
    values = np.zeros((len(lengths), DAYS, 2))
    np.add.at(values, (rows[inside], day[inside], 0), weights[inside])
    baskets = np.unique(np.stack([rows[inside], times[inside].astype(np.int64)]), axis=1)
    basket_day = (baskets[1].astype("datetime64[us]").astype("datetime64[D]") - np.datetime64(until)).astype(int) + DAYS
    np.add.at(values, (baskets[0], basket_day, 1), 1)
    past = np.bincount(rows[day < 0], weights[day < 0], minlength=len(lengths))
    active = values[:, :, 1].sum(axis=1) > 0
    return values[active].cumsum(axis=1), past[active]


def retail(rng, runs, until):
    cumulated, past = retail_days(until)
    cumulated = np.concatenate([cumulated, np.zeros((*cumulated.shape[:2], 1))], axis=2)
    metrics = {"units by order": (0, 1), "units a customer": (0, None), "orders a customer": (1, None)}

    def draw(n):
        drawn = rng.integers(0, len(cumulated), (n, USERS))
        treated = rng.random(drawn.shape) < 0.5
        rows = {}
        for name, metric in metrics.items():
            rows |= {(name, k): v for k, v in findings(moments(cumulated[drawn], metric, treated)).items()}
            with_past = findings(moments(cumulated[drawn], metric, treated, np.log1p(past[drawn])))
            rows |= {(name, f"CUPED, {k}"): v for k, v in with_past.items()}
        return rows

    return over_blocks(draw, runs)


def show(title, found, kinds):
    names = list(dict.fromkeys(name for name, _ in found))
    print(f"\n{title}\n{'':34}" + "".join(f"{name:>24}" for name in names))
    for kind in kinds:
        cells = [found.get((name, kind)) for name in names]
        print(f"{kind:34}" + "".join(f"{'' if cell is None else f'{100 * cell.mean():.2f} %':>24}" for cell in cells))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--off-policy", type=int, default=40, metavar="RUNS", help="runs of bench_off_policy; 0: none")
    options = parser.parse_args()
    began = time.time()
    rng = np.random.default_rng(options.seed)
    plain = ["by impression, one look", "by impression, daily looks"]
    ours = ["one look", "daily looks", "sequential, daily looks"]
    ours += [f"CUPED, {kind}" for kind in ours]
    alike = simulated(rng, options.runs)
    show(f"A/A, simulated users, {options.runs} runs: share with a difference", alike, plain + ours)
    for until in ("2011-11-10", "2011-12-08"):
        found = retail(rng, options.runs, until)
        show(f"A/A, Online Retail, four weeks until {until}, {options.runs} runs", found, ours)
    print(f"\nPower, simulated users, {options.runs // 4} runs a lift: clicks by impression")
    print(f"{'lift':>6}{'one look':>12}{'sequential':>12}{'days':>7}{'with CUPED':>12}{'sequential':>12}{'days':>7}")
    for lift in (0.1, 0.2, 0.3, 0.4):
        rows = {kind: v for (name, kind), v in simulated(rng, options.runs // 4, lift).items() if "by imp" in name}
        cells = [rows[f"{c}{kind}"].mean() for c in ("", "CUPED, ") for kind in ("one look", ours[2], "days")]
        print(f"{lift:6.0%}" + "".join(f"{c:12.1%}{s:12.1%}{d:7.1f}" for c, s, d in (cells[:3], cells[3:])))
    print("\nCUPED, share of the variance taken away")
    for name in METRICS:
        gain = 1 - (alike[name, "CUPED, error"] ** 2).mean() / (alike[name, "error"] ** 2).mean()
        print(f"{name:24}{gain:8.1%}")
    print(f"\ntheory: false alarms of sequential bounds over {DAYS} looks {crossing(0.0, DAYS, ALPHA)[-1]:.2%}")
    print(f"{time.time() - began:.0f} s\n")
    if options.off_policy:
        bench_off_policy.main(["--runs", str(options.off_policy), "--seed", str(options.seed)])


if __name__ == "__main__":
    main()
