"""Does `AutoRecommender` find what fitting every recipe would find, in a tenth of the processor time?

For each log of `advice_logs` on which `bench_advice` has measured every recipe without nets, with default settings,
the budget is a tenth of the processor seconds of these fits, scaled by the speed of this machine. The search, the last
fit and everything between count; the clock is processor time of one thread. What `suggest` knows of the set or the
generator that the log comes from is left out, so that no suggestion rests on the log itself. Prints for each log the
NDCG at 10 on the held-out questions of `bench_advice`, of which `fit` knows nothing, also relative to the best recipe
there, the choice, and the processor seconds. `--share` is the share of the time (0.1), `--seed` that of the draws (0),
`--logs` are beginnings of names, `--small` takes two synthetic logs. `--data` names a file that ``bench_advice
--summarise`` wrote, in place of the one that the package ships.

    OMP_NUM_THREADS=1 python benchmarks/bench_auto.py [--share 0.1] [--seed 0] [--logs beauty ...] [--small]
        [--data FILE]
"""

import argparse
import json
import os
import time
from pathlib import Path

import advice_logs
import numpy as np

from skrec.advice import AutoRecommender, _auto_search, _suggest
from skrec.advice._cost import CostModel, machine_unit
from skrec.advice._suggest_data import NAMED, Measurements, from_dict, measurements
from skrec.advice._suggest_neighbours import NearestLogs
from skrec.metrics import ranking_scores

K = 10
SMALL = ["synthetic: popularity", "synthetic: tastes, many items"]


def without_group(measured: Measurements, group: str) -> None:
    """Let `suggest` know the measurements of all logs but those of a set or generator."""
    others = measured.take(np.array([one != group for one in measured.groups]))
    nearest, cost = NearestLogs(others), CostModel(others)
    _suggest.measurements, _suggest.nearest_logs, _suggest._cost_model = lambda: others, lambda: nearest, lambda: cost


def measure(log: advice_logs.Log, measured: Measurements, share: float, seed: int, speed: float) -> dict:
    """Return what was chosen on one log, how good it is, and what it took."""
    place = measured.logs.index(log.name)
    plain = [n for n, name in enumerate(measured.recipes) if not name.endswith(NAMED)]
    ndcg, seconds = measured.ndcg[place, plain], measured.costs["fit_seconds"][place, plain]
    names = [measured.recipes[n] for n in plain]
    total = speed * float(np.nansum(seconds))
    task = advice_logs.build(log)
    without_group(measured, log.group)
    options = {"exclude_seen": task.exclude_seen, "k": K, "random_state": seed}
    started = time.process_time()
    model = AutoRecommender(budget=share * total, **options, **log.said).fit(task.X_train)
    used = time.process_time() - started
    answer = model.recommend(task.X_test, K)
    reached = float(np.mean(ranking_scores(task.y_test, answer, k=K, metrics=("ndcg",))[f"ndcg@{K}"]))
    first = model.leaderboard_["recipe"][model.leaderboard_["rung"] > 0]
    return {
        "log": log.name,
        "best by hand": names[int(np.nanargmax(ndcg))],
        "best": float(np.nanmax(ndcg)),
        "chosen": f"{model.best_recipe_} {model.best_settings_ or ''}".strip(),
        "ndcg": reached,
        "relative": reached / float(np.nanmax(ndcg)),
        "tried": len(first),
        "score": model.score_,
        "all seconds": total,
        "seconds": used,
        "share": used / total,
    }


def show(row: dict) -> None:
    """Print one row of the table."""
    print(
        f"{row['log']:32}{row['best by hand']:14}{row['best']:7.4f}  {row['chosen'][:36]:37}{row['ndcg']:7.4f}"
        f"{100 * row['relative']:7.1f} %{row['tried']:6}{row['all seconds']:9.1f}{row['seconds']:8.2f}"
        f"{100 * row['share']:7.1f} %",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--logs", nargs="*", help="beginnings of their names")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("needs OMP_NUM_THREADS=1 in the environment: processor seconds are measured on one thread")
    _auto_search.clock = time.process_time
    measured = measurements() if given.data is None else from_dict(json.loads(given.data.read_text()))
    speed = machine_unit() / measured.unit_seconds
    wanted = SMALL if given.small else given.logs or [""]
    logs = [log for log in advice_logs.all_logs() if log.largest and log.name in measured.logs]
    print(
        f"{'log':32}{'best by hand':14}{'NDCG':>7}  {'chosen':37}{'NDCG':>7}{'relative':>9}{'tried':>6}{'all s':>9}"
        f"{'auto s':>8}{'share':>9}"
    )
    rows = []
    for log in logs:
        if any(log.name.startswith(one) for one in wanted):
            rows.append(measure(log, measured, given.share, given.seed, speed))
            show(rows[-1])
    relative, share = np.array([[row["relative"], row["share"]] for row in rows]).T
    print(
        f"{len(rows)} logs, of the best NDCG: {100 * relative.mean():.1f} % on average, "
        f"{100 * np.median(relative):.1f} % in the median, {100 * relative.min():.1f} % at least, "
        f"97 % or more on {(relative >= 0.97).sum()}; "
        f"of the processor time: {100 * share.mean():.1f} % on average, {100 * share.max():.1f} % at most"
    )


if __name__ == "__main__":
    main()
