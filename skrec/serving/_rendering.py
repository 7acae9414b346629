"""Answers as JSON."""

from typing import Any

from ._answers import Answer
from ._bodies import dumps, iso
from ._experiments import Applied


def rendered(answer: Answer, asked, applied: Applied | None, catalogue) -> bytes:
    """Return an answer as JSON, with the names and details of its items."""
    rows = []
    for place, item in enumerate(answer.items):
        row: dict[str, Any] = {"item": item, "score": answer.scores[place], "source": answer.sources[place]}
        if answer.probabilities is not None:
            row["probability"] = answer.probabilities[place]
        if answer.reasons is not None:
            row["because"] = [one | {"name": _name(catalogue, one["item"])} for one in answer.reasons[place]]
        if asked.details:
            details = catalogue.details(item)
            row["details"] = details and details | {"added": iso(details["added"])}
        rows.append(row)
    model = None if answer.version is None else {"version": answer.version}
    body: dict[str, Any] = {"rec_id": answer.rec_id, "items": rows, "model": model}
    if applied is not None:
        body |= {"experiments": applied.variants}
    return dumps(body | {"fallback": answer.reason is not None, "reason": answer.reason})


def _name(catalogue, item) -> str | None:
    row = catalogue.rows.get(item)
    return None if row is None else row["name"]
