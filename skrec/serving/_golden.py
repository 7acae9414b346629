"""Golden requests: what a model must answer before it is put to use."""

import math

from ._served import Row, ServedModel


def problems_of(model: ServedModel, kind: str | None, samples: list[list[Row]]) -> list[str]:
    """Answer golden requests.

    Parameters
    ----------
    model : ServedModel
        The model.
    kind : str or None
        The kind of the item ids of the store, "integer" or "string", where it is fixed.
    samples : list of list of (item, time, event, value)
        Histories.

    Returns
    -------
    list of str
        What is wrong; empty if nothing is.
    """
    if kind is not None and model.kind != kind:
        return [f"item ids must be of the kind {kind}, as in the store, and those of the model are {model.kind}"]
    if not model.ids:
        return ["it knows no item"]
    own: list[list[Row]] = [[(item, 0, None, None)] for item in model.ids[:2]]
    problems = []
    for rows in [*samples, *own]:
        if problem := _problem(model, rows):
            problems.append(problem)
    return list(dict.fromkeys(problems))


def _problem(model: ServedModel, rows: list[Row]) -> str | None:
    """Return what is wrong with the answer for a history."""
    who = f"a user with {len(rows)} events"
    try:
        items, scores = model.recommend(rows, 10)
    except Exception as error:
        return f"{who} gives {type(error).__name__}: {error}"
    least = min(10, len(model.ids) - len({row[0] for row in rows}))
    if len(items) < least:
        return f"{who} gets {len(items)} items of {len(model.ids)}"
    if len(set(items)) < len(items) or any(item not in model.position for item in items):
        return f"{who} gets items twice, or items that it does not know"
    if not all(math.isfinite(score) for score in scores):
        return f"{who} gets scores that are not finite"
    return None
