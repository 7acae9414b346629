"""What a job of the trainer works with, and how a model that was fitted becomes a version."""

import logging
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ._judging import worse
from ._learned import Snapshot, as_learned, learned, steadily, times
from ._models import Models, NotPromoted
from ._served import ServedModel

logger = logging.getLogger("skrec.serving")
_DAY = 86_400_000_000


class JobFailed(RuntimeError):
    """A job that cannot be done; the message says why, and repeating it would not help."""


def _silent(text: str) -> None:
    """Drop a progress text."""


def _at_once(seconds: float) -> None:
    """Do not wait."""


@dataclass(frozen=True)
class Work:
    """What a job works with.

    Parameters
    ----------
    models : Models
        The versions of the model, and with them the store and the settings.
    say : callable
        Is told the present step, as text.
    long : callable
        Returns the context of a step that may be interrupted, such as a fit.
    pause : callable
        Waits for a number of seconds.
    """

    models: Models
    say: Callable[[str], object] = _silent
    long: Callable[[], AbstractContextManager] = nullcontext
    pause: Callable[[float], object] = _at_once

    @property
    def store(self):
        """The store."""
        return self.models.store

    @property
    def settings(self):
        """The settings."""
        return self.models.settings

    def current(self) -> tuple[ServedModel, dict]:
        """Return the current model and its row; raise where there is none."""
        row = self.store.current()
        if row is None:
            raise JobFailed("there must be a current model: upload one with POST /v1/models, and promote it")
        self.models.refresh()
        model = self.models.current
        if model is None or model.version != row["version"]:
            model = self.models.load(row["version"])
        return model, row

    def offer(
        self, estimator, notes: dict, snapshot: Snapshot, until: int, *, base: int, note: str, judgement: dict
    ) -> dict[str, Any]:
        """Write a version, promote it where it has passed, and return what became of it.

        It stays a candidate where `base`, which it was made from, is not current any more: somebody has put another
        version to use meanwhile.
        """
        learned = {"learned_seq": snapshot.seq, "learned_merge": snapshot.merge, "learned_until": until}
        self.say("writing the model")
        try:
            new = self.models.write(estimator, notes, learned=learned, note=note, quality=judgement)
        except NotPromoted as error:
            raise JobFailed(str(error)) from error
        result: dict[str, Any] = {"version": new.version, "promoted": judgement["passed"], "judgement": judgement}
        if judgement["passed"]:
            if not self.models.install(new, instead_of=base):
                result |= {"promoted": False, "reason": f"version {base} was replaced while this one was made from it"}
                logger.warning("version %s is not promoted: %s", new.version, result["reason"])
        else:
            self.store.set_version(new.version, status="rejected")
            result["reason"] = worse(judgement)
            logger.warning("version %s is not promoted: %s", new.version, result["reason"])
        self.models.tidy()
        return result


def new_notes(model: ServedModel, estimator, until: int | None, n_at_last: int, forgotten=()) -> dict[str, Any]:
    """Return the metadata for the file of a model that takes the place of another.

    Parameters
    ----------
    model : ServedModel
        The other, whose notes are taken over.
    estimator : recommender
        The model.
    until : int or None
        Time of its last event, in microseconds since 1970.
    n_at_last : int
        Number of events at this time.
    forgotten : sequence of str, default=()
        Names of jobs "forget" that it need not follow.
    """
    notes = {name: value for name, value in model.notes.items() if name not in ("data", "forgotten")}
    if model.dated and until is not None:
        whole, rest = divmod(until, _DAY)
        notes |= {"learned_until": whole + rest / _DAY, "events_at_last": n_at_last}
    if isinstance(names := notes.get("item_names"), list):
        known = dict(zip(model.ids, names, strict=False))
        notes["item_names"] = [known.get(item) for item in estimator.items_.tolist()]
    return notes | ({"forgotten": list(forgotten)} if forgotten else {})


def deleted_events(store, payloads: Iterable[dict]) -> tuple[pa.Table, list[tuple[int, Any, Any]]]:
    """Return the events of users who were deleted, ordered by user, time and seq, and the merges of these users.

    Parameters
    ----------
    store : Store
        The store.
    payloads : iterable of dict
        The payloads of the jobs "forget" of these users.
    """
    events, merges = [], []
    for payload in payloads:
        events += payload["events"]
        merges += [(one["seq"], one["source"], one["target"]) for one in payload["merges"]]
    events.sort(key=lambda event: (str(event["user"]), event["time"], event["seq"]))
    kinds = {"integer": pa.int64(), "string": pa.string(), None: pa.string()}
    user, item = kinds[store.kinds.user], kinds[store.kinds.item]
    types = {"seq": pa.int64(), "user": user, "original_user": user, "item": item, "event": pa.string()}
    types |= {"time": pa.int64(), "value": pa.float64(), "session": pa.string()}
    columns = {name: pa.array([event[name] for event in events], kind) for name, kind in types.items()}
    return pa.table(columns), sorted(merges)


def learned_events(store, row: dict, *, but: Collection[int] = ()) -> pa.Table:
    """Return the events that a version has learned, those of users included that are deleted and not yet unlearned.

    Parameters
    ----------
    store : Store
        The store.
    row : dict
        The row of the version.
    but : collection of int, default=()
        Jobs "forget" whose users are left out.
    """

    def read(snapshot: Snapshot):
        pending = store.payloads([number for number in snapshot.forgets if number not in but])
        deleted, merges = deleted_events(store, pending.values())
        kept = as_learned(store.events(upto_seq=row["learned_seq"] or 0), row, snapshot.merges)
        gone = as_learned(deleted, row, merges)
        return pa.concat_tables([kept, gone.select(kept.column_names).cast(kept.schema)]) if len(gone) else kept

    return steadily(store, read)[1]


def is_of_store(model: ServedModel, row: dict, store) -> bool:
    """Tell whether what a model has learned are events of the store; of an uploaded file it is found out once.

    Where the events were imported after the file, the row is brought up to date.
    """
    quality = row["quality"] or {}
    if quality.get("origin") != "file":
        return True
    if "of_store" not in quality:
        known = learned_events(store, row)
        found = _has_learned(model, known)
        if not found:
            moved = {"learned_seq": store.last_seq(), "learned_merge": store.last_merge()}
            if found := _has_learned(model, learned_events(store, row | moved)):
                row |= moved
            elif not len(known):  # learned elsewhere, or from a log that is imported later: it remains to be seen
                return True
        quality["of_store"] = found
        numbers = {name: row[name] for name in ("learned_seq", "learned_merge")}
        store.set_version(row["version"], quality=quality, **numbers)
    return quality["of_store"]


def elsewhere_until(model: ServedModel, row: dict) -> int | None:
    """Return until when a model has learned events that are not of the store; None where it has not, or does not say.

    Events of the store up to it that the model has not learned may be the same ones, imported later.
    """
    quality = row["quality"] or {}
    if quality.get("origin") == "file" and not quality.get("of_store"):
        return row["learned_until"]
    return model.notes.get("elsewhere_until")


def may_know(model: ServedModel, row: dict, table: pa.Table) -> bool:
    """Tell whether a model may have learned some of the events elsewhere."""
    until = elsewhere_until(model, row)
    return until is not None and bool((times(table)[~learned(table, row)] <= until).any())


def _has_learned(model: ServedModel, known: pa.Table) -> bool:
    """Compare the number of users of each item, and of events at the last moment."""
    if not len(known):
        return False
    try:
        matrix = model.estimator._encode(model.frame(known)).matrix
    except (ValueError, TypeError):
        return False
    counts = np.bincount(matrix.indices, minlength=model.estimator.n_items_)
    if (counts != model.estimator.popularity_).any():
        return False
    n_at_last = model.notes.get("events_at_last")
    return n_at_last is None or not model.dated or n_at_last == np.count_nonzero(times(known) == times(known).max())
