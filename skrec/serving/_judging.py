"""Comparison of models on events that none of them has learned: NDCG and hit rate of users, and of each day."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ..metrics import ranking_scores
from ._learned import learn, learned, refitted, times
from ._served import ServedModel

K = 10
_MOST_USERS = 10_000  # of a comparison; more change its figures little
_SHARE, _NEW_SHARE = 0.9, 0.8  # of all events, or of the new ones, that is learned before the rest is predicted
_DAY = 86_400_000_000


@dataclass(frozen=True)
class Questions:
    """Users with events to be predicted: the histories before, and the items that followed."""

    history: pa.Table
    answers: dict[Any, list]

    def __len__(self) -> int:
        return len(self.answers)


def questions(table: pa.Table, asked: np.ndarray) -> Questions:
    """Return what to predict: the marked events of users with earlier ones, by the history before the first of them.

    Parameters
    ----------
    table : pyarrow.Table
        Complete histories, ordered by user, time and seq.
    asked : ndarray of shape (n_events,), dtype bool
        Which events are to be predicted.

    Returns
    -------
    Questions
        Of at most 10,000 users, drawn at random.
    """
    users, names = pd.factorize(table["user"].to_pandas())
    place = np.arange(len(users))
    first = np.full(len(names), len(users))
    np.minimum.at(first, users[asked], place[asked])
    history = place < first[users]
    chosen = np.flatnonzero((first < len(users)) & (np.bincount(users[history], minlength=len(names)) > 0))
    if len(chosen) > _MOST_USERS:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, _MOST_USERS, replace=False))
    taken = np.zeros(len(names), dtype=bool)
    taken[chosen] = True
    follows = table.filter(pa.array(asked & taken[users]))
    answers: dict[Any, list] = {}
    for user, item in zip(follows["user"].to_pylist(), follows["item"].to_pylist(), strict=True):
        answers.setdefault(user, []).append(item)
    return Questions(table.filter(pa.array(history & taken[users])), answers)


def evaluate(model: ServedModel, asked: Questions, *, popularity: bool = False) -> dict[str, np.ndarray]:
    """Return the NDCG and the hit of each user, "ndcg" and "hit_rate", in the order of the user ids.

    Parameters
    ----------
    model : ServedModel
        The model.
    asked : Questions
        At least one user.
    popularity : bool, default=False
        Whether each user gets the items that most users of the model have, instead of what the model recommends.
    """
    X = model.frame(asked.history)
    answers = [asked.answers[user] for user in X.index.tolist()]
    found = _popular(model, X) if popularity else model.estimator.recommend(X, k=K)
    scores = ranking_scores(answers, found, k=min(K, found.shape[1]), metrics=("ndcg", "hit_rate"))
    return {name.partition("@")[0]: values for name, values in scores.items()}


def judge_update(current: ServedModel, row: dict, table: pa.Table, merges, settings) -> dict[str, Any]:
    """Learn the first 80 % of the new events and compare with the current model on the rest.

    Parameters
    ----------
    current : ServedModel
        The model to be updated.
    row : dict
        Its row in the store.
    table : pyarrow.Table
        Complete histories of the users of the update, ordered by user, time and seq.
    merges : sequence of (seq, source, target)
        All merges.
    settings : Settings
        Margin, and least number of users.

    Returns
    -------
    dict
        The numbers, and whether the update has `passed`.
    """
    new = ~learned(table, row)
    if not new.any():
        return not_judged("no event is new, only users were merged", settings)
    asked = new & (times(table) > np.quantile(times(table)[new], _NEW_SHARE, method="lower"))
    of_users = questions(table, asked)
    if len(of_users) < settings.min_judged_users:
        return not_judged(f"{len(of_users)} users have an earlier event and one of the last new ones", settings)
    estimator = learn(current, row, table.filter(pa.array(~asked)), merges)[0]
    updated = ServedModel(current.version, estimator, current.notes)
    return outcome(updated, current, of_users, settings, "the last 20 % of the new events")


def judge_refit(current: ServedModel, row: dict, table: pa.Table, settings) -> dict[str, Any]:
    """Compare the recipe of the current model, fitted on earlier events, with the model on events after it.

    Parameters
    ----------
    current : ServedModel
        The model that is fitted again.
    row : dict
        Its row in the store.
    table : pyarrow.Table
        All events, ordered by user, time and seq.
    settings : Settings
        Margin, and least number of users.

    Returns
    -------
    dict
        The numbers, and whether the refit has `passed`.
    """
    until = row["learned_until"]
    if until is not None and (of_users := _after(table, until, settings)) is not None:
        earlier = table.filter(pa.array(times(table) <= until))
        if len(earlier):
            return outcome(refitted(current, earlier), current, of_users, settings, f"events after {_text(until)}")
    moment, of_users = _last_part(table, settings)
    if of_users is None:
        return not_judged(f"too few users have events before and after {_text(moment)}", settings)
    model = refitted(current, table.filter(pa.array(times(table) <= moment)))
    return outcome(model, model, of_users, settings, f"events after {_text(moment)}, by the same recipe")


def judge_other(
    candidate: ServedModel, row: dict, current: ServedModel, current_row: dict, table: pa.Table, settings
) -> dict[str, Any]:
    """Compare another model with the current one on events after both, or both recipes fitted on earlier events.

    Parameters
    ----------
    candidate, current : ServedModel
        The models.
    row, current_row : dict
        Their rows in the store.
    table : pyarrow.Table
        All events, ordered by user, time and seq.
    settings : Settings
        Margin, and least number of users.

    Returns
    -------
    dict
        The numbers, and whether the candidate has `passed`.
    """
    if row["learned_until"] is not None and current_row["learned_until"] is not None:
        until = max(row["learned_until"], current_row["learned_until"])
        if (of_users := _after(table, until, settings)) is not None:
            return outcome(candidate, current, of_users, settings, f"events after {_text(until)}")
    moment, of_users = _last_part(table, settings)
    if of_users is None:
        return not_judged(f"too few users have events before and after {_text(moment)}", settings)
    earlier = table.filter(pa.array(times(table) <= moment))
    on = f"events after {_text(moment)}, both fitted on those before"
    return outcome(refitted(candidate, earlier), refitted(current, earlier), of_users, settings, on)


def daily_quality(current: ServedModel, row: dict, table: pa.Table, days: int = 400) -> list[dict[str, Any]]:
    """Return how well a model predicts the events that it has not learned, day by day.

    Parameters
    ----------
    current : ServedModel
        The model.
    row : dict
        Its row in the store.
    table : pyarrow.Table
        Complete histories of users with new events, ordered by user, time and seq.
    days : int, default=400
        Number of newest days.

    Returns
    -------
    list of dict
        `day`, `version`, `n_users`, `ndcg`, `hit_rate`, `popularity_ndcg`: arguments of the store's `add_quality`.
    """
    new = ~learned(table, row)
    day = times(table) // _DAY
    users, names = pd.factorize(table["user"].to_pandas())
    found = []
    for one in np.unique(day[new])[-days:]:
        asked = new & (day == one)
        active = np.zeros(len(names), dtype=bool)
        active[users[asked]] = True
        rows = active[users]
        of_users = questions(table.filter(pa.array(rows)), asked[rows])
        if not of_users:
            continue
        scores = evaluate(current, of_users)
        found.append(
            {
                "day": datetime.fromtimestamp(int(one) * 86_400, UTC).date().isoformat(),
                "version": current.version,
                "n_users": len(of_users),
                "ndcg": _mean(scores["ndcg"]),
                "hit_rate": _mean(scores["hit_rate"]),
                "popularity_ndcg": _mean(evaluate(current, of_users, popularity=True)["ndcg"]),
            }
        )
    return found


def outcome(new: ServedModel, old: ServedModel, of_users: Questions, settings, on: str) -> dict[str, Any]:
    """Return the numbers of a comparison, and whether the new model has passed.

    It has not where its NDCG is lower by more than the margin and by more than twice the standard error of the
    difference over users: without the latter, chance would reject one in a few updates of a small shop.
    """
    scores = evaluate(new, of_users)
    before = scores if new is old else evaluate(old, of_users)
    ndcg, current = _mean(scores["ndcg"]), _mean(before["ndcg"])
    difference = scores["ndcg"] - before["ndcg"]
    error = float(np.nanstd(difference) / max(1, len(difference) - 1) ** 0.5)
    return {
        "judged": True,
        "passed": ndcg >= (1 - settings.margin) * current or ndcg + 2 * error >= current,
        "on": on,
        "k": K,
        "n_users": len(of_users),
        "ndcg": ndcg,
        "hit_rate": _mean(scores["hit_rate"]),
        "current_ndcg": current,
        "current_hit_rate": _mean(before["hit_rate"]),
        "popularity_ndcg": _mean(evaluate(old, of_users, popularity=True)["ndcg"]),
        "difference": _mean(difference),
        "difference_error": error,
        "margin": settings.margin,
    }


def worse(judgement: dict) -> str:
    """Say why a model has not passed."""
    if not judgement.get("judged"):
        return str(judgement.get("reason"))
    return (
        f"NDCG@{judgement['k']} is {judgement['ndcg']:.4f}, that of the current model {judgement['current_ndcg']:.4f} "
        f"({judgement['n_users']:,} users, {judgement['on']}): lower by more than the margin of "
        f"{judgement['margin']:.0%} and twice the standard error of the difference, {judgement['difference_error']:.4f}"
    )


def not_judged(reason: str, settings) -> dict[str, Any]:
    """Return the outcome where too little can be predicted to compare."""
    return {"judged": False, "passed": True, "reason": f"{reason}; {settings.min_judged_users} are needed to judge"}


def _after(table: pa.Table, until: int, settings) -> Questions | None:
    """Return the events after a moment, None where too few users have any."""
    found = questions(table, times(table) > until)
    return found if len(found) >= settings.min_judged_users else None


def _last_part(table: pa.Table, settings) -> tuple[int, Questions | None]:
    moment = int(np.quantile(times(table), _SHARE, method="lower"))  # of the events: one far date moves nothing
    return moment, _after(table, moment, settings)


def _popular(model: ServedModel, X) -> np.ndarray:
    """Return for each user the items that most users of the model have, the user's own last where the model says so."""
    estimator = model.estimator
    order = [model.ids[place] for place in np.argsort(-estimator.popularity_, kind="stable").tolist()]
    width, exclude_seen = min(K, len(order)), getattr(estimator, "exclude_seen", True)
    found = np.empty((len(X), width), dtype=estimator.items_.dtype)
    for row, history in enumerate(X["item"]):
        seen = set(history) if exclude_seen else set()
        ranked = [item for item in order[: width + len(seen)] if item not in seen]
        ranked += [item for item in order[: width + len(seen)] if item in seen]
        found[row] = ranked[:width]
    return found


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values))


def _text(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1e6, UTC).isoformat(" ", "seconds").removesuffix("+00:00")
