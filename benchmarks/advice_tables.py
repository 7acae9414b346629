"""Summary of what `advice_measure` found, its test by leaving sets out, and the tables of both."""

import json
import platform
from datetime import UTC, datetime
from pathlib import Path

import advice_logs
import numpy as np
from advice_measure import K, read_rows

from skrec.advice import log_character
from skrec.advice._suggest_data import COSTS, NAMED, Measurements
from skrec.advice._suggest_neighbours import NearestLogs
from skrec.metrics import paired_bootstrap
from skrec.recipes import recipe_names

DATA = Path(__file__).parents[1] / "skrec" / "advice" / "data" / "measurements.json"


def summarise(raw: Path, path: Path = DATA) -> None:
    """Write the data file that the package ships from the rows that were measured."""
    rows = read_rows(raw)
    order = [*recipe_names(), *(f"{name}{NAMED}" for name in recipe_names())]
    found = {row["recipe"] for row in rows}
    logs = []
    for log in advice_logs.all_logs():
        of_log = {row["recipe"]: row for row in rows if row["log"] == log.name}
        scored = {name: row for name, row in of_log.items() if "ndcg" in row}
        if not scored:
            continue
        best = max(scored, key=lambda name: float(np.mean(scored[name]["ndcg"])))
        first = of_log[best]
        task = advice_logs.build(log)
        character = {name: _rounded(value) for name, value in log_character(task.X_train).items()}
        recipes = {name: _summary(row, first) for name, row in of_log.items()}
        logs.append(
            {
                "name": log.name,
                "group": log.group,
                "time": log.said.get("time"),
                "rows": log.said.get("rows", "users"),
                "exclude_seen": task.exclude_seen,
                "n_questions": first["n_questions"],
                "character": character,
                "recipes": {name: recipes[name] for name in order if name in recipes},
            }
        )
    data = {
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, one thread",
        "k": K,
        "part": "validation parts",
        "seed": 0,
        "unit_seconds": _rounded(float(np.median([row["unit_seconds"] for row in rows]))),
        "recipes": [name for name in order if name in found],
        "logs": logs,
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(data, indent=None, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
    print(f"wrote {len(logs)} logs and {len(data['recipes'])} recipes, {path.stat().st_size / 1024:.0f} KiB")


def _summary(row: dict, best: dict) -> dict:
    if "error" in row:
        return {"error": row["error"]}
    ndcg = np.array(row["ndcg"])
    high = 0.0 if row is best else paired_bootstrap(ndcg, np.array(best["ndcg"]), random_state=0)[2]
    found = {"ndcg": _rounded(float(ndcg.mean())), "below": _rounded(high)}
    return found | {name: _rounded(row[name]) for name in COSTS}


def _rounded(value: float) -> float | None:
    return None if value != value else float(f"{value:.4g}")


def left_out(measured: Measurements, make=NearestLogs):
    """Yield each log and what is expected on it from the logs of the other sets."""
    groups = np.array(measured.groups)
    for row, group in enumerate(measured.groups):
        estimate = make(measured.take(groups != group)).estimate(
            measured.characters[row], bool(measured.exclude_seen[row]), bool(measured.sessions[row])
        )
        yield row, estimate.expected
