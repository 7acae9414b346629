"""The measurements that the suggestions rest on, as `benchmarks/bench_advice.py` wrote them."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

COSTS = ("fit_seconds", "memory_mib", "latency_ms")
NAMED = ", names"  # end of the name of a recipe that was measured with the names of the items

_ENOUGH = 0.25  # share of the logs on which a recipe must be measured to be suggested


@dataclass(frozen=True)
class Measurements:
    """Quality and cost of recipes on logs.

    Attributes
    ----------
    logs, groups : list of str of length n_logs
        Name of each log; the set or generator that it comes from.
    recipes : list of str of length n_recipes
        Names of the recipes.
    characters : list of dict of length n_logs
        What `log_character` returns.
    exclude_seen, sessions : ndarray of shape (n_logs,), dtype bool
        Whether items that a user has come last; whether a row is a session.
    ndcg : ndarray of shape (n_logs, n_recipes)
        NDCG at 10; NaN where it was not measured.
    below : ndarray of shape (n_logs, n_recipes)
        Upper end of the 95 % interval of what a recipe reaches more than the best one of the log, which is below 0
        where chance alone does not explain that it is behind.
    costs : dict of str to ndarray of shape (n_logs, n_recipes)
        `COSTS`: processor seconds of a fit and MiB that it takes; processor milliseconds of a request of one user.
    unit_seconds : float
        `machine_unit` of the machine that measured.
    about : dict
        What was measured when and how.
    """

    logs: list[str]
    groups: list[str]
    recipes: list[str]
    characters: list[dict[str, float]]
    exclude_seen: np.ndarray
    sessions: np.ndarray
    ndcg: np.ndarray
    below: np.ndarray
    costs: dict[str, np.ndarray]
    unit_seconds: float
    about: dict

    @property
    def relative(self) -> np.ndarray:
        """NDCG relative to the best of the recipes that can be suggested, shape (n_logs, n_recipes)."""
        return self.ndcg / np.nanmax(self.ndcg[:, self.suggestible], axis=1, keepdims=True)

    @property
    def suggestible(self) -> np.ndarray:
        """Whether a recipe was measured without names of items on a quarter of the logs or more, shape (n_recipes,)."""
        plain = np.array([not name.endswith(NAMED) for name in self.recipes])
        return plain & (np.mean(~np.isnan(self.ndcg), axis=0) >= _ENOUGH)

    def take(self, rows: np.ndarray) -> "Measurements":
        """Return the measurements on some logs."""
        places = np.arange(len(self.logs))[rows]
        lists = (self.logs, self.groups, self.characters)
        logs, groups, characters = ([values[place] for place in places] for values in lists)
        costs = {name: values[rows] for name, values in self.costs.items()}
        flags = self.exclude_seen[rows], self.sessions[rows]
        return Measurements(
            logs, groups, self.recipes, characters, *flags, self.ndcg[rows], self.below[rows], costs,
            self.unit_seconds, self.about
        )  # fmt: skip


def from_dict(data: dict) -> Measurements:
    """Return the measurements that a file holds."""
    logs, recipes = data["logs"], data["recipes"]

    def table(key):
        cells = [[log["recipes"].get(name, {}).get(key) for name in recipes] for log in logs]
        return np.array(cells, dtype=np.float64)

    return Measurements(
        [log["name"] for log in logs],
        [log["group"] for log in logs],
        recipes,
        [{name: _number(value) for name, value in log["character"].items()} for log in logs],
        np.array([log["exclude_seen"] for log in logs], dtype=bool),
        np.array([log["rows"] == "sessions" for log in logs], dtype=bool),
        table("ndcg"),
        table("below"),
        {name: table(name) for name in COSTS},
        data["unit_seconds"],
        {name: value for name, value in data.items() if name not in ("logs", "recipes", "unit_seconds")},
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


@cache
def measurements() -> Measurements:
    """Return the measurements that the package ships."""
    text = files(__package__).joinpath("data", "measurements.json").read_text(encoding="utf-8")
    return from_dict(json.loads(text))
