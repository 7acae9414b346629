"""Recipes that suit a log: what they are expected to reach, what they cost, and why."""

from functools import cache

import numpy as np
import pandas as pd

from ..recipes import ENSEMBLES, NEED_DATES
from ..utils._arguments import check_choice, check_flags, check_whole, is_no_number, shown
from ..utils._histories import read_histories
from ..utils._resources import free_bytes
from ._character import log_character
from ._cost import CostModel, machine_unit
from ._suggest_data import measurements
from ._suggest_neighbours import gain_of_names, nearest_logs
from ._suggest_reasons import buys_again, changes, contradictions, extrapolations, gain_in_words, percent, reason

NEEDS = ("repeats", "new", "session", "cold")
_EXCLUDES = {"repeats": False, "session": False, "new": True, "cold": True}
_PARTS = {"users": ("ease", "transition", "session-knn"), "sessions": ("item-knn", "transition", "session-knn")}
_SHOWN_LOGS = 2  # nearest logs that a reason names
_FLOOR = "random"  # never suggested


def suggest(
    histories,
    *,
    need: str | None = None,
    exclude_seen: bool | None = None,
    budget_seconds: float | None = None,
    memory: float | None = None,
    latency_ms: float | None = None,
    rows: str | None = None,
    item_names=None,
    n: int = 4,
) -> pd.DataFrame:
    """Suggest recipes for a log before any is fitted.

    The order comes from measurements: what each recipe reached on logs that are similar to this one
    (:func:`log_character`), weighted by similarity. Costs come from models that were fitted to the same measurements.
    The user guide tells how often both are right. :func:`~skrec.model_selection.compare` measures on the log itself.

    Parameters
    ----------
    histories : histories of shape (n_users,)
        One row per user, as :func:`~skrec.feature_extraction.to_histories` returns them.
    need : {"repeats", "new", "session", "cold"}, default=None
        What is to be recommended: items that a user may have already, items new to the user, the next item of a
        session, or items that are new in the catalogue. None takes repeats where at least 10 % of the events repeat
        an item, else new items.
    exclude_seen : bool, default=None
        Whether items that a user already has come last. None follows from `need`.
    budget_seconds : float, default=None
        Processor seconds on one thread that a fit may take; None for any number.
    memory : float, default=None
        GiB that a fit may take; None for what is free on this machine.
    latency_ms : float, default=None
        Processor milliseconds that a request for one user may take; None for any number.
    rows : {"users", "sessions"}, default=None
        What a row is. None takes sessions with ``need="session"``, else users.
    item_names : pandas.Series of shape (n_items,) or bool, default=None
        Names of the items as for :func:`~skrec.recipes.make_recommender`, or whether there are any.
    n : int, default=4
        Number of recipes at most.

    Returns
    -------
    pandas.DataFrame of shape (n_recipes, 6)
        Best first, indexed by the name of the recipe, with the columns

        - ``expected``: NDCG at 10 relative to the best recipe without limits, 0 to 1;
        - ``fit_seconds``: processor seconds of a fit on one thread of this machine;
        - ``memory_gib``: GiB that a fit takes beyond the histories;
        - ``latency_ms``: processor milliseconds of a request for one user;
        - ``reason``: why it suits the log;
        - ``changes``: what would change the choice.

        Its `attrs` hold "facts", what :func:`log_character` returns; "neighbours", the nearest measured logs, with
        "log", "weight" and "best", the recipe that was best there; "exclude_seen" and "rows" as they were taken;
        "notes", sentences on what was assumed, on contradictions between need and log, and on extrapolation.

    Raises
    ------
    TypeError, ValueError
        If an argument is not one of its values, `exclude_seen` or `rows` contradicts `need`, or `histories` has no
        event.

    See Also
    --------
    log_character : The numbers by which logs are compared.
    skrec.recipes.make_recommender : Builds a recipe.
    skrec.model_selection.compare : Measures recipes on the log itself.

    Notes
    -----
    Neural networks were not measured, and the recipe "hybrid" on too few logs: neither is suggested. The seconds are
    scaled by the time that a small fixed piece of work takes on this machine.

    Examples
    --------
    >>> from skrec.advice import suggest
    >>> from skrec.datasets import make_histories
    >>> histories = make_histories(300, 100, order=0.7, random_state=0)
    >>> advice = suggest(histories, need="new", n=3)
    >>> list(advice.columns)
    ['expected', 'fit_seconds', 'memory_gib', 'latency_ms', 'reason', 'changes']
    >>> len(advice)
    3
    """
    _check_limits(budget_seconds=budget_seconds, memory=memory, latency_ms=latency_ms)
    n = check_whole(n, "n")
    read = read_histories(histories, "histories")
    facts = log_character(read)
    notes: list[str] = []
    exclude_seen, rows = _question(need, exclude_seen, rows, facts, notes)
    named = item_names is not None and item_names is not False
    if named and item_names is not True and not hasattr(item_names, "to_frame"):
        raise TypeError(f"item_names must be a pandas Series indexed by item id or a bool, got {shown(item_names)}")
    notes += contradictions(need, exclude_seen, rows == "sessions", facts, named)
    notes += extrapolations(facts, measurements().characters)

    frame, weights = _expected(facts, exclude_seen, rows, named, dated=read.dated)
    best = frame["expected"].max()
    limits = {"fit_seconds": budget_seconds, "latency_ms": latency_ms}
    limits["memory_gib"] = free_bytes() / 2**30 if memory is None else memory
    fits = np.logical_and.reduce([frame[name] <= limit for name, limit in limits.items() if limit is not None])
    if not fits.any():
        cheapest = frame["fit_seconds"].idxmin()
        notes.append(f"No recipe keeps the limits; {cheapest} has the cheapest fit")
        fits = frame.index == cheapest
    elif best > frame.loc[fits, "expected"].max():
        lost = 1 - frame.loc[fits, "expected"].max() / best
        notes.append(f"The limits cost {percent(lost)} of the NDCG expected of {frame['expected'].idxmax()}")
    frame = frame.assign(expected=frame["expected"] / best)[fits]
    frame = frame.sort_values("expected", ascending=False, kind="stable").head(n)
    near = np.argsort(-weights, kind="stable")
    frame["reason"] = [reason(name, facts, *_reached(name, near, exclude_seen, rows)) for name in frame.index]
    if named:
        gains = {name: gain_of_names(measurements(), name, weights)["ndcg"] for name in ENSEMBLES}
        frame["reason"] = [why + gain_in_words(gains.get(name, 1.0)) for name, why in frame["reason"].items()]
    other = _other_need(facts, exclude_seen, rows, named, frame, limits, dated=read.dated)
    frame["changes"] = [changes(frame, place, other if place == 0 else None) for place in range(len(frame))]
    neighbours = [_neighbour(log, float(weights[log])) for log in near[:3]]
    frame.attrs |= {"facts": facts, "neighbours": neighbours, "notes": notes}
    frame.attrs |= {"exclude_seen": exclude_seen, "rows": rows}
    return frame


def _check_limits(**limits) -> None:
    for name, value in limits.items():
        if value is not None and (is_no_number(value) or not value > 0):
            raise ValueError(f"{name} must be a number above 0 or None, got {shown(value)}")


def _question(need, exclude_seen, rows, facts, notes: list[str]) -> tuple[bool, str]:
    """Return whether items that a user has are left out, and what a row is."""
    if need is not None:
        check_choice(need, "need", NEEDS)
    if rows is not None:
        check_choice(rows, "rows", ("users", "sessions"))
    if need == "session" and rows == "users":
        raise ValueError("rows must be 'sessions' with need='session', got 'users': leave one of them out")
    rows = rows or ("sessions" if need == "session" else "users")
    if exclude_seen is not None:
        check_flags(exclude_seen=exclude_seen)
        if need in ("repeats", "new", "cold") and exclude_seen != _EXCLUDES[need]:
            raise ValueError(
                f"exclude_seen must be {_EXCLUDES[need]} with need={need!r}, got {exclude_seen}: leave one of them out"
            )
        return bool(exclude_seen), rows
    if need is not None:
        return _EXCLUDES[need], rows
    again = rows == "sessions" or buys_again(facts)
    repeats = f"{percent(facts['repeat_share'])} of the events repeat an item that the user already has"
    taken = "repeats may be recommended" if again else "items that a user already has are left out"
    notes.append(f"{repeats}, so {taken}: the need was not given")
    return not again, rows


@cache
def _cost_model() -> CostModel:
    return CostModel(measurements())


def _expected(facts, exclude_seen: bool, rows: str, named: bool, *, dated: bool) -> tuple[pd.DataFrame, np.ndarray]:
    """Return quality and costs of every recipe that the log allows, and the weights of the measured logs."""
    measured = measurements()
    expected, weights = nearest_logs().estimate(facts, exclude_seen, rows == "sessions")
    costs = _cost_model().predict(facts)
    speed = machine_unit() / measured.unit_seconds
    columns = {
        "expected": expected,
        "fit_seconds": costs["fit_seconds"] * speed,
        "memory_gib": costs["memory_mib"] / 1024,
        "latency_ms": costs["latency_ms"] * speed,
    }
    frame = pd.DataFrame(columns, index=pd.Index(measured.recipes, name="recipe"))
    parts = frame.loc[[name for name in _PARTS[rows] if name in frame.index]]
    for name in frame.index.intersection(
        ENSEMBLES, sort=False
    ):  # beyond the measured logs: at least what its parts cost
        frame.loc[name, "fit_seconds"] = max(frame.loc[name, "fit_seconds"], parts["fit_seconds"].sum())
        frame.loc[name, "memory_gib"] = max(frame.loc[name, "memory_gib"], parts["memory_gib"].max())
    left_out = {_FLOOR, *(() if dated else NEED_DATES)}
    frame = frame[measured.suggestible & ~frame.index.isin(left_out)]
    if named:
        factors = pd.DataFrame({name: gain_of_names(measured, name, weights) for name in ENSEMBLES}).T
        factors = factors.rename(columns={"ndcg": "expected", "memory_mib": "memory_gib"})
        there = frame.index.intersection(factors.index, sort=False)
        frame.loc[there] *= factors.loc[there, frame.columns]
    return frame, weights


def _reached(recipe: str, near: np.ndarray, exclude_seen: bool, rows: str) -> tuple[list, tuple[float, int]]:
    """Return what a recipe reached relative to the best: on the nearest logs, and in the mean of the same question.

    The mean comes with the number of its logs.
    """
    measured = measurements()
    relative = measured.relative[:, measured.recipes.index(recipe)]
    logs = [log for log in near if not np.isnan(relative[log])][:_SHOWN_LOGS]
    same = (measured.exclude_seen == exclude_seen) & (measured.sessions == (rows == "sessions")) & ~np.isnan(relative)
    mean = float(relative[same].mean()) if same.any() else float("nan")
    return [(measured.logs[log], float(relative[log])) for log in logs], (mean, int(same.sum()))


def _neighbour(log: int, weight: float) -> dict:
    measured = measurements()
    scores = np.where(measured.suggestible, measured.ndcg[log], np.nan)
    best = measured.recipes[int(np.nanargmax(scores))]
    return {"log": measured.logs[log], "weight": weight, "best": best}


def _other_need(facts, exclude_seen: bool, rows: str, named: bool, frame, limits, *, dated: bool) -> str | None:
    """Say which recipe is first where the question is the other one about repeats, None where it is the same."""
    if rows == "sessions":
        return None
    other, _ = _expected(facts, not exclude_seen, rows, named, dated=dated)
    keep = np.logical_and.reduce([other[name] <= limit for name, limit in limits.items() if limit is not None])
    if not keep.any() or (first := other.loc[keep, "expected"].idxmax()) == frame.index[0]:
        return None
    return f"{first} where repeats {'may be recommended' if exclude_seen else 'are left out'}"
