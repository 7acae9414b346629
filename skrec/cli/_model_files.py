"""Model files of the command: a model, and what `recommend` must know to read a log for it."""

from pathlib import Path

import numpy as np

from ._dates import times_of
from ._options import Log
from ._screen import UserError


def save_model(estimator, path: Path, notes: dict, log: Log, names=None) -> None:
    """Save a model with its notes, how its log was read, and the names of the items if there are any."""
    from .. import persistence

    notes = {**notes, "columns": log.columns, "reading": log.reading()}
    if names is not None:
        texts = names.reindex(estimator.items_).tolist()
        notes["item_names"] = [text if isinstance(text, str) else None for text in texts]
    persistence.save(estimator, path, metadata=notes)


def learned_until(histories) -> dict:
    """Return the notes that say until when a model has learned: the last moment, and how many events it had."""
    times = times_of(histories)
    return {"learned_until": float(times.max()), "events_at_last": int(np.count_nonzero(times == times.max()))}


def load_model(path: Path):
    """Return a saved recommender and its notes."""
    from .. import persistence

    estimator, header = persistence.load(path, return_metadata=True)
    if not hasattr(estimator, "recommend"):
        raise UserError(f"{path} holds a {type(estimator).__name__}, which does not recommend")
    notes = header["metadata"]
    known = isinstance(notes, dict) and isinstance(notes.get("reading", {}), dict)
    if not known or not isinstance(notes.get("columns"), dict):
        raise UserError(f"{path} does not say which columns of a log it needs: fit it with skrec fit")
    return estimator, notes
