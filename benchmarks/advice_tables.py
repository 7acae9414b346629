"""Summary of what `advice_measure` found, its test by leaving sets out, and the tables of both."""

import json
import platform
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from advice_measure import K, read_rows

from skrec.advice._cost import CostModel
from skrec.advice._suggest_data import COSTS, NAMED, Measurements, from_dict
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
    for log in dict.fromkeys(row["log"] for row in rows):
        of_log = {row["recipe"]: row for row in rows if row["log"] == log}
        scored = {name: row for name, row in of_log.items() if "ndcg" in row}
        best = max(filter(_is_plain, scored), key=lambda name: float(np.mean(of_log[name]["ndcg"])))
        first = of_log[best]
        character = {name: _rounded(value) for name, value in first["character"].items()}
        recipes = {name: _summary(row, first) for name, row in of_log.items()}
        logs.append(
            {
                "name": log,
                "group": first["group"],
                "time": first["said"].get("time"),
                "rows": first["said"].get("rows", "users"),
                "exclude_seen": first["exclude_seen"],
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


def _is_plain(recipe: str) -> bool:
    return not recipe.endswith(NAMED)


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


def print_tables(measured: Measurements) -> None:
    """Print what was measured, and how good advice and cost models are on sets that they do not know."""
    _print_quality(measured)
    _print_errors(measured)
    _print_costs(measured)


def _print_quality(measured: Measurements) -> None:
    print(f"# NDCG at {measured.about['k']} on {measured.about['part']}, measured {measured.about['measured']}")
    width = max(map(len, measured.logs)) + 1
    short = [name[:9] for name in measured.recipes]
    print(" " * width + "".join(f"{name:>10}" for name in short))
    for log, values in zip(measured.logs, measured.ndcg, strict=True):
        print(f"{log:{width}}" + "".join(f"{value:10.4f}" if value == value else f"{'-':>10}" for value in values))


def choices(measured: Measurements) -> dict[str, np.ndarray]:
    """Return for each way to choose the order of the recipes for each log, best first, (n_logs, n_recipes).

    Nothing of the log's own set is known to any of them.
    """
    groups, able = np.array(measured.groups), measured.suggestible
    found: dict[str, list] = {"suggest": [], "best on average": []}
    always = [name for name in ("blend", "ease", "session-knn", "item-knn", "popularity") if name in measured.recipes]
    for row, expected in left_out(measured):
        found["suggest"].append(expected)
        others = measured.relative[groups != groups[row]]
        known = ~np.isnan(others)
        mean = np.where(known, others, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        found["best on average"].append(mean)
        for name in always:
            found.setdefault(f"always {name}", []).append(np.array(measured.recipes) == name)
    orders = {}
    for name, scores in found.items():
        table = np.where(able & ~np.isnan(measured.ndcg), np.array(scores, dtype=float), -np.inf)
        orders[name] = np.argsort(-table, axis=1, kind="stable")
    return orders


def errors(measured: Measurements, order: np.ndarray, rows=slice(None)) -> dict[str, float]:
    """Return how often the best is among the first three, and what the first and the best of three lose."""
    relative = np.where(measured.suggestible, measured.relative, np.nan)
    first = np.take_along_axis(relative, order[:, :3], axis=1)
    behind = np.take_along_axis(measured.below, order[:, :3], axis=1)
    best = np.nanmax(first, axis=1)
    return {
        "best among three": float(np.mean(best[rows] >= 1)),
        "best or equal among three": float(np.mean((np.nanmax(behind, axis=1) >= 0)[rows])),
        "lost by the first": float(np.mean(1 - first[rows, 0])),
        "lost by the best of three": float(np.mean(1 - best[rows])),
    }


def _print_errors(measured: Measurements) -> None:
    real = np.array([not group.startswith("synthetic") for group in measured.groups])
    n_groups = len(set(measured.groups))
    print(
        f"\n# Advice for a log from the other sets alone: {len(measured.logs)} logs of {n_groups} sets left out in turn"
    )
    for part, rows in (("all logs", np.ones(len(real), bool)), ("real logs", real), ("synthetic logs", ~real)):
        if not rows.any():
            continue
        print(f"{part} ({rows.sum()}):")
        for name, order in choices(measured).items():
            cells = [f"{key} {100 * value:5.1f} %" for key, value in errors(measured, order, rows).items()]
            print(f"  {name:20}" + "   ".join(cells))


def cost_errors(measured: Measurements, make=CostModel) -> dict[str, np.ndarray]:
    """Return the logarithm of predicted over measured cost, by kind of cost, from the other sets alone."""
    groups = np.array(measured.groups)
    found: dict[str, list] = {name: [] for name in COSTS}
    for row, group in enumerate(measured.groups):
        predicted = make(measured.take(groups != group)).predict(measured.characters[row])
        for name in COSTS:
            with np.errstate(divide="ignore", invalid="ignore"):
                found[name].append(np.log(predicted[name] / measured.costs[name][row]))
    return {name: np.array(values) for name, values in found.items()}


def within(error: np.ndarray, factor: float = 1.5) -> float:
    """Return the share of the known errors, logarithms of predicted over measured, within a factor."""
    known = np.abs(error[np.isfinite(error)])
    return float(np.mean(known < np.log(factor))) if len(known) else float("nan")


def _print_costs(measured: Measurements) -> None:
    print("\n# Costs of a log from the other sets alone: share within a factor of 1.5, 90 % quantile of it")
    print(f"{'':18}" + "".join(f"{name:>24}" for name in COSTS))
    found = cost_errors(measured)
    for recipe, name in enumerate([*measured.recipes, "all"]):
        cells = []
        for kind in COSTS:
            error = found[kind][:, measured.suggestible].ravel() if name == "all" else found[kind][:, recipe]
            error = error[np.isfinite(error)]
            far = np.exp(np.quantile(np.abs(error), 0.9)) if len(error) else np.nan
            cells.append(f"{100 * within(error):14.0f} %{far:8.2f}")
        print(f"{name:18}" + "".join(cells))


def shipped() -> Measurements:
    """Return the measurements of the data file, as it is now."""
    return from_dict(json.loads(DATA.read_text(encoding="utf-8")))
