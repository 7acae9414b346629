"""Which events of the store a version of the model has learned, as whose, and learning the others."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.base import clone

from ._served import ServedModel

Read = TypeVar("Read")
_ATTEMPTS = 20


class Snapshot(NamedTuple):
    """A state of the store: its last event, all merges, and the deletions of users that models must still follow."""

    seq: int
    merges: tuple[tuple[int, Any, Any], ...]  # seq, source, target
    forgets: tuple[int, ...]  # ids of jobs

    @property
    def merge(self) -> int:
        """Number of the last merge."""
        return self.merges[-1][0] if self.merges else 0


def take_snapshot(store) -> Snapshot:
    """Read the state of the store."""
    merges = tuple((row.seq, row.source, row.target) for row in store.merges())
    return Snapshot(store.last_seq(), merges, tuple(store.open_jobs("forget")))


def steadily(store, read: Callable[[Snapshot], Read]) -> tuple[Snapshot, Read]:
    """Return a snapshot and what is read of it, with no merge and no deletion in between."""
    for _ in range(_ATTEMPTS):
        snapshot = take_snapshot(store)
        found = read(snapshot)
        if take_snapshot(store)[1:] == snapshot[1:]:
            return snapshot, found
    raise RuntimeError(f"users were merged or deleted during {_ATTEMPTS} attempts to read the events: try again later")


def targets(merges, until: int) -> dict:
    """Return whom each user that was merged away belongs to, by the merges up to a number."""
    straight = {source: target for seq, source, target in merges if seq <= until}
    found = {}
    for source in straight:
        user, met = source, {source}
        while (after := straight.get(user)) is not None and after not in met:
            user = after
            met.add(user)
        found[source] = user
    return found


def learned(table: pa.Table, row: dict) -> np.ndarray:
    """Return which events a version has learned: those up to its number and not later than its last moment."""
    known = _numbers(table["seq"]) <= (row["learned_seq"] or 0)
    until = row["learned_until"]
    return known if until is None else known & (_numbers(table["time"]) <= until)


def times(table: pa.Table) -> np.ndarray:
    """Return the times of the events, in microseconds since 1970."""
    return _numbers(table["time"])


def as_learned(table: pa.Table, row: dict, merges) -> pa.Table:
    """Return the events that a version has learned, each of the user that it knew at the time."""
    table = table.filter(pa.array(learned(table, row)))
    return table.set_column(table.column_names.index("user"), "user", _users(table, targets(merges, _merge(row))))


class Change(NamedTuple):
    """What an update must learn and unlearn."""

    known: dict  # number of the first events that the model knows, of each user
    gone: pa.Table  # histories to be unlearned, since they have changed other than at their end


def change(table: pa.Table, row: dict, merges) -> Change:
    """Tell what an update must learn, from the complete histories of its users, ordered by user, time and seq."""
    users, names = pd.factorize(table["user"].to_pandas())
    known = learned(table, row)
    before, _ = pd.factorize(_users(table, targets(merges, _merge(row))).to_pandas())
    n_events, n_known = (np.bincount(users[mask], minlength=len(names)) for mask in (slice(None), known))
    place = np.arange(len(users)) - np.repeat(np.cumsum(n_events) - n_events, n_events)
    odd = np.zeros(len(names), dtype=bool)
    odd[users[known & (place >= n_known[users])]] = True  # an event came before others that are known
    pairs = np.unique(np.column_stack([users[known], before[known]]), axis=0)
    odd |= np.bincount(pairs[:, 0], minlength=len(names)) > 1  # several users became one
    gone = as_learned(table.filter(pa.array(odd[users])), row, merges)
    return Change(dict(zip(names.tolist(), np.where(odd, 0, n_known).tolist(), strict=True)), gone)


def learn(current: ServedModel, row: dict, table: pa.Table, merges) -> tuple[Any, int]:
    """Return an updated copy of the model, and the number of users whose histories it could not unlearn.

    Users whose new events are all behind the known ones are updated. The others, who have events that came late or
    were merged, are learned anew and then unlearned as they were; a model that cannot unlearn keeps both.

    Parameters
    ----------
    current : ServedModel
        The model, which stays as it is.
    row : dict
        Its row in the store.
    table : pyarrow.Table
        Complete histories of the users of the update, ordered by user, time and seq.
    merges : sequence of (seq, source, target)
        All merges.

    Returns
    -------
    estimator : recommender
        The updated copy.
    n_twice : int
        Number of histories that count twice until the next refit.
    """
    what = change(table, row, merges)
    estimator = copy.copy(current.estimator)
    X = current.frame(table)
    estimator.partial_fit(X, since=np.array([what.known[user] for user in X.index.tolist()], dtype=np.int64))
    if not len(what.gone):
        return estimator, 0
    if hasattr(estimator, "forget"):
        estimator.forget(current.frame(what.gone))
        return estimator, 0
    return estimator, len(what.gone["user"].unique())


def unlearn(model: ServedModel, row: dict, table: pa.Table, merges) -> Any | None:
    """Return a copy of the model that never saw some events, None if it has not seen them.

    Parameters
    ----------
    model : ServedModel
        The model, which stays as it is.
    row : dict
        Its row in the store.
    table : pyarrow.Table
        Complete histories of the users, ordered by user, time and seq.
    merges : sequence of (seq, source, target)
        The merges of these users.
    """
    known = as_learned(table, row, merges)
    return copy.copy(model.estimator).forget(model.frame(known)) if len(known) else None


def refitted(model: ServedModel, table: pa.Table) -> ServedModel:
    """Return the same recipe fitted on other events."""
    return ServedModel(model.version, clone(model.estimator).fit(model.frame(table)), model.notes)


def changed_users(store, row: dict, snapshot: Snapshot) -> pa.Table:
    """Return the complete histories of users with events, or merges, that a version has not learned."""
    if is_cut(row):
        table = store.events(upto_seq=snapshot.seq)
        new = table.filter(pa.array(~learned(table, row)))
    else:
        new = store.events(after_seq=row["learned_seq"] or 0, upto_seq=snapshot.seq)
    users = set(new["user"].unique().to_pylist())
    final = targets(snapshot.merges, snapshot.merge)
    users |= {final[source] for seq, source, _ in snapshot.merges if seq > _merge(row)}
    if is_cut(row):
        return table.filter(pc.is_in(table["user"], value_set=pa.array(list(users), table["user"].type)))
    return store.events(users=sorted(users), upto_seq=snapshot.seq) if users else new


def is_cut(row: dict) -> bool:
    """Tell whether a version may not have learned events with smaller numbers than its last, since they are later."""
    return row["learned_until"] is not None and (row["quality"] or {}).get("origin") == "file"


def _merge(row: dict) -> int:
    return row["learned_merge"] or 0


def _users(table: pa.Table, moved: dict) -> pa.ChunkedArray:
    """Return the user that each event belonged to when only some merges had been."""
    original = pc.coalesce(table["original_user"], table["user"])
    if not moved:
        return original
    codes = original.combine_chunks().dictionary_encode()
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    names = pa.array([moved.get(name, name) for name in codes.dictionary.to_pylist()], codes.dictionary.type)
    return pa.chunked_array([names.take(codes.indices)])


def _numbers(column) -> np.ndarray:
    return column.cast(pa.int64()).to_numpy()
