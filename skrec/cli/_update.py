"""The steps of `skrec update`."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..utils._histories import read_histories
from ..utils._validation import id_kind, plain
from ._data import check_output, facts
from ._dates import moment_text, times_of
from ._model_files import learned_until, load_model, save_model
from ._options import Log
from ._recommend import read_like_model
from ._screen import Screen, UserError


def run(screen: Screen, model_file: Path, log: Log, *, force: bool, output: Path | None) -> None:
    """Let a saved model learn what came since its last event."""
    check_output(output, "--output")
    with screen.working("Loading the model"):
        estimator, notes = load_model(model_file)
    check_updatable(estimator, notes, model_file)
    columns, reading = notes["columns"], notes.get("reading", {})
    source = replace(log, columns=columns).like(reading)
    histories, names = read_like_model(screen, source, notes)
    check_kind(histories, estimator.items_)
    known_until = notes["learned_until"]
    times, read = times_of(histories), read_histories(histories)
    since = np.concatenate([[0], np.cumsum(times <= known_until)])[read.indptr]
    known, active = np.diff(since), read.lengths > np.diff(since)
    until = moment_text(histories, known_until)
    if not active.any():
        screen.say(f"The log has no event after {until}, the last that the model has learned: nothing to update.")
        return
    if not known.any() and not force:
        raise UserError(
            f"the log begins after {until}, the last event that the model has learned, but the complete histories of "
            "the users with new events are needed: pass the whole log, or add --force if all its users are new"
        )
    n_items, n_users = estimator.n_items_, int(np.count_nonzero(active))
    started = time.perf_counter()
    with screen.working(f"Updating with {n_users:,} users"):
        estimator.partial_fit(histories[active], since=known[active])
    seconds = time.perf_counter() - started
    late = int(np.count_nonzero(times == known_until)) - notes.get("events_at_last", 0)
    if late > 0:
        screen.say(
            f"{late:,} events of {until}, the last moment that the model had learned, came later and are not learned: "
            "update behind whole days, or fit again."
        )
    notes |= {"data": facts(histories), **learned_until(histories)}
    notes["n_updates"] = notes.get("n_updates", 0) + 1
    output = model_file if output is None else output
    save_model(estimator, output, notes, source, item_names(estimator, notes, names))
    screen.say(
        f"Learned {int((read.lengths - known).sum()):,} events after {until}, of {n_users:,} users, with "
        f"{estimator.n_items_ - n_items:,} new items, in {seconds:.1f} s; saved to {output}."
    )
    screen.say(f"The model has learned until {moment_text(histories, times.max())} and {estimator.n_items_:,} items.")


def check_updatable(estimator, notes: dict, path: Path) -> None:
    """Raise where a model cannot be updated, or does not say until when it has learned."""
    if not hasattr(estimator, "partial_fit"):
        name = type(estimator).__name__
        raise UserError(f"{path} holds a {name} that cannot be updated: fit it with --incremental, or fit it again")
    if notes.get("time") == "basket":
        raise UserError(
            f"{path} learned times that number the baskets of each user, which do not tell what is new: fit it again"
        )
    if not isinstance(notes.get("learned_until"), float):
        raise UserError(f"{path} does not say until when it has learned: fit it again, with --time")


def check_kind(histories, items: np.ndarray) -> None:
    """Raise where the ids of a log are of another kind than those of the model, so that new ones would be as well."""
    ids = read_histories(histories).ids
    if len(ids) and id_kind(ids) != id_kind(items):
        raise UserError(
            f"the model learned ids such as {plain(items[0])!r} ({id_kind(items)}), and the log has ids such as "
            f"{plain(ids[0])!r} ({id_kind(ids)}): convert them to the type used in fit"
        )


def item_names(estimator, notes: dict, names):
    """Return the names of the items, those of the log for items that are new; None where there are none."""
    import pandas as pd

    known = notes.pop("item_names", None)
    if names is None or known is None:
        return names
    old = pd.Series(known, index=estimator.items_[: len(known)], dtype=object).dropna()
    return pd.concat([old, names[~names.index.isin(old.index)]])
