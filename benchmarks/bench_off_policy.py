"""Off-policy evaluation: errors and coverage of the estimators where the truth is known, and a logged shop.

Simulated: 40 kinds of users, 50 items, lists of 10. An item's attraction is 0.3 / (1 + exp(-z)) with z standard
normal for each kind. The logging policy draws Plackett-Luce lists at a temperature from z plus noise, scaled to
standard deviation 1; the judged policy has noise of its own, and draws at the same temperature or is greedy. The
correlation of the two scores is .92, .8 and .5 for noise .3, .5 and 1. The truth is exact.

- position-based model: the item at position p is seen with probability 1 / p and clicked with its attraction if seen;
- cascade: the user looks from the top and stops at the first click. The truth is that of 2,000,000 lists.

Open Bandit, women: 10,000 rows of a uniform policy and 10,000 of Bernoulli Thompson sampling (bts), each a row of one
position; what bts would have earned by the logs of the uniform policy, with bts' shares of items at each position,
beside what it did earn, and the reverse.

    python benchmarks/bench_off_policy.py [--runs 100] [--seed 0] [--data ../shared/data]
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import protocols

from skrec.model_selection import off_policy_evaluation
from skrec.utils._plackett_luce import position_probabilities, sample

KINDS, ITEMS, K = 40, 50, 10
SEEN = 1 / np.arange(1, K + 1)


class World:
    """Attractions, a logging policy, a policy to judge, and lists drawn from either."""

    def __init__(self, rng, temperature, greedy, model, noise):
        z = rng.normal(size=(KINDS, ITEMS))
        self.rng, self.model = rng, model
        self.attraction = 0.3 / (1 + np.exp(-z))
        scale = np.sqrt(1 + noise**2)
        self.logging = (z + noise * rng.normal(size=z.shape)) / scale, temperature
        self.judged = (z + noise * rng.normal(size=z.shape)) / scale, 0.0 if greedy else temperature
        self.b, self.e = (
            np.array([position_probabilities(row, K, heat) for row in scores])
            for scores, heat in (self.logging, self.judged)
        )
        self.truth = self._truth()

    def draw(self, policy, n):
        """Return kinds of users and their lists under a policy."""
        scores, heat = policy
        kind = self.rng.integers(0, KINDS, n)
        noisy = scores[kind] + (heat * self.rng.gumbel(size=(n, ITEMS)) if heat else 0)
        return kind, np.argsort(-noisy, axis=1)[:, :K]

    def clicks(self, kind, lists):
        """Return where the lists are clicked."""
        drawn = self.rng.random(lists.shape) < self.attraction[kind[:, None], lists]
        if self.model == "cascade":
            return drawn & (np.cumsum(drawn, axis=1) == 1)
        return drawn & (self.rng.random(lists.shape) < SEEN)

    def _truth(self):
        if self.model == "position":
            return float((self.e * self.attraction[:, :, None] * SEEN).sum(axis=(1, 2)).mean())
        return float(np.mean([self.clicks(*self.draw(self.judged, 100_000)).sum() / 1e5 for _ in range(20)]))

    def logs(self, n):
        """Return the logs of lists, and the kinds of their users."""
        kind, lists = self.draw(self.logging, n)
        rows, place = np.repeat(np.arange(n), K), np.tile(np.arange(K), n)
        item, kinds = lists.ravel(), np.repeat(kind, K)
        columns = {"rec_id": rows, "position": place, "item": item, "kind": kinds}
        columns |= {"probability": self.b[kinds, item, place], "policy": self.e[kinds, item, place]}
        return pd.DataFrame(columns | {"reward": self.clicks(kind, lists).ravel().astype(float)}), kind

    def table(self, kind):
        """Return all items of the judged policy for each list."""
        flat = np.argwhere(self.e > 1e-9)
        of = {one: flat[flat[:, 0] == one] for one in range(KINDS)}
        parts = [of[one] for one in kind]
        rec = np.repeat(np.arange(len(kind)), [len(part) for part in parts])
        cell = np.concatenate(parts)
        chance = np.minimum(self.e[tuple(cell.T)], 1)
        return pd.DataFrame({"rec_id": rec, "position": cell[:, 2], "item": cell[:, 1], "probability": chance})


def measure(runs, n, temperature, greedy, model, noise, seed, estimators=("ips", "snips"), worlds=5):
    """Print the relative errors and coverages over runs in several worlds."""
    found = {one: [] for one in estimators}
    for one_world in range(worlds):
        world = World(np.random.default_rng([seed, one_world]), temperature, greedy, model, noise)
        for _ in range(max(1, runs // worlds)):
            logs, kind = world.logs(n)
            policy = world.table(kind) if "dr" in estimators else "policy"
            result = off_policy_evaluation(logs, policy, estimators=list(estimators), on_mismatch="ignore")
            for one in estimators:
                found[one].append([world.truth, *result.table.loc[one, ["value", "low", "high", "ess"]]])
    for one, rows in found.items():
        truth, value, low, high, ess = np.array(rows, dtype=float).T
        ok = ~np.isnan(value)
        text = f"| {model} | {'greedy' if greedy else 'drawn'} | {noise:g} | {temperature:g} | {n:,} | {one} | "
        if not ok.any():
            print(text + f"{ess.mean():,.0f} | {len(ok)} of {len(ok)} refused | | | |", flush=True)
            continue
        error = (value[ok] / truth[ok]) - 1
        inside = (low[ok] <= truth[ok]) & (truth[ok] <= high[ok])
        refused = f"{(~ok).sum()} of {len(ok)}"
        size = f"{ess.mean():,.0f}" if one != "dm" else ""
        print(
            text
            + f"{size} | {refused} | {100 * np.abs(error).mean():.1f} % | {100 * np.sqrt((error**2).mean()):.1f} % | "
            f"{100 * error.mean():+.1f} % | {100 * inside.mean():.0f} % |",
            flush=True,
        )


def open_bandit(folder):
    path = folder / "open_bandit_women.parquet"
    if not path.exists():
        print("Open Bandit is not there")
        return
    frame = pd.read_parquet(path)
    frame = frame.rename(columns={"item_id": "item", "propensity_score": "probability", "click": "reward"})
    frame["rec_id"] = np.arange(len(frame))
    parts = {name: part.reset_index(drop=True) for name, part in frame.groupby("policy")}
    shares = parts["bts"].groupby("position")["item"].value_counts(normalize=True).rename("probability").reset_index()
    uniform = pd.DataFrame(
        [(place, item, 1 / 46) for place in (1, 2, 3) for item in range(46)],
        columns=["position", "item", "probability"],
    )
    for logged, judged, policy in (("random", "bts", shares), ("bts", "random", uniform)):
        earned = parts[judged]["reward"]
        error = earned.std() / len(earned) ** 0.5
        print(f"\nlogs of {logged}; {judged} earned {earned.mean():.4f} +- {1.96 * error:.4f} a row in its own logs")
        print(off_policy_evaluation(parts[logged], policy, on_mismatch="ignore"))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=protocols.DATA)
    asked = parser.parse_args(arguments)
    start = time.perf_counter()
    print(
        "| clicks | policy | noise | temperature | lists | estimator | ESS | refused | error | RMSE | bias | coverage |"
    )
    print("|---|---|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|")
    for noise in (0.3, 0.5, 1.0):
        for temperature in (0.1, 0.3, 1.0):
            measure(asked.runs, 20_000, temperature, False, "position", noise, asked.seed)
    for noise in (0.3, 1.0):
        for temperature in (0.3, 1.0):
            measure(asked.runs, 20_000, temperature, True, "position", noise, asked.seed)
    for temperature in (0.3, 1.0):
        measure(asked.runs, 2000, temperature, False, "position", 0.3, asked.seed, ("ips", "snips", "dm", "dr"))
    for greedy in (False, True):
        for temperature in (0.3, 1.0):
            measure(asked.runs, 20_000, temperature, greedy, "cascade", 0.3, asked.seed)
    open_bandit(asked.data)
    scores, rng = np.random.default_rng(0).normal(size=50), np.random.default_rng(1)
    times = []
    for _ in range(300):
        begin = time.perf_counter()
        sample(scores, 10, 0.3, rng)
        times.append(time.perf_counter() - begin)
    print(f"\nPlackett-Luce list of 10 of 50 with its probabilities: median {1e3 * np.median(times):.2f} ms")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
