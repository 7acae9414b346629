"""The result of an experiment from what the store holds."""

from typing import Any

import numpy as np

from ..model_selection import ExperimentResult, analyze_experiment
from ._database import now
from ._schemas_experiments import experiment_of
from ._store_experiments import DAY

_PAST_DAYS = 30
_COLUMNS = ("user", "variant", "day", "lists", "events", "value", "responses")


class NoResult(ValueError):
    """There is nothing to compare yet; the message says why."""


def result_of(store, row: dict[str, Any], *, event: str | None = None, bounds: str = "sequential") -> ExperimentResult:
    """Analyse an experiment, user by user.

    Users count from the first list that they were shown in a variant; merged users are one person. Compared are

    - ``events a user``: events since the first list, whatever led to them;
    - ``value a user``: the sum of their values, where events have values;
    - ``responses a list``: events attributed to the lists, by `rec_id` or by rule, within the days of the experiment.

    The covariate of CUPED is the number of events in the 30 days until an hour before the first list, as log1p.

    Parameters
    ----------
    store : Store
        The store.
    row : dict
        The row of the experiment.
    event : str, default=None
        The kind of events that count, such as "purchase"; None is all.
    bounds : {"sequential", "fixed"}, default="sequential"
        Kind of the intervals.

    Returns
    -------
    ExperimentResult
        The result, with a look at the end of each day.

    Raises
    ------
    NoResult
        If fewer than two variants, or not the control, were shown to anybody.
    """
    import pandas as pd

    body, name = row["settings"], row["name"]
    until = now() if row["stop"] is None else min(row["stop"], now())
    within = round(body["attribution_days"] * DAY)
    store.flush_exposures()
    with store.database.begin() as connection:  # one state of the database for all
        shown = store.exposed(name, until, connection)
        followed = store.followed(name, before=_PAST_DAYS * DAY, until=until, event=event, connection=connection)
        responses = store.responses(name, within=within, until=until, event=event, connection=connection)
    variants = {variant for _, variant, *_ in shown}
    if len(variants) < 2 or body["control"] not in variants:
        raise NoResult(f"lists of the control and of another variant must have been shown, got {sorted(variants)}")
    seen: dict[Any, set[str]] = {}
    for user, variant, *_ in shown:
        seen.setdefault(user, set()).add(variant)
    rows = [(user, variant, day, n, 0, 0.0, 0) for user, variant, day, n in shown]
    rows += [
        (user, variant, day, 0, n, value or 0.0, 0)
        for user, since, day, n, value in followed
        if since
        for variant in sorted(seen[user])
    ]
    rows += [(user, variant, day, 0, 0, 0.0, n) for user, variant, day, n in responses]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    past: dict[Any, float] = dict.fromkeys(seen, 0.0)
    for user, since, _, n, _ in followed:
        if not since:
            past[user] += n
    table["past"] = np.log1p(table["user"].map(past))
    table["time"] = pd.to_datetime(table["day"] * DAY, unit="us")
    metrics = {"events a user": "events", "responses a list": ("responses", "lists")}
    if any(value is not None for _, since, _, _, value in followed if since):
        metrics["value a user"] = "value"
    return analyze_experiment(
        table,
        metrics=metrics,
        control=body["control"],
        weights=experiment_of(body),
        covariates="past",
        time="time",
        bounds=bounds,
        planned_users=body["planned_users"],
        on_mismatch="ignore",
    )
