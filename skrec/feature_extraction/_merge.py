"""Parts of stored histories merged into one, by blocks of users."""

from pathlib import Path

import numpy as np

from ..utils._histories import Histories
from ..utils._validation import join_ids, lookup
from ._store import part_writer
from ._stored import BLOCK, StoredHistories

_ARRAYS = {"item": "codes", "time": "time", "weight": "weight", "event": "event_codes"}


def merge_parts(parts: list[StoredHistories], folder: Path) -> None:
    """Write one part with the events of several.

    The events of a user are sorted by time; those of the same time keep the order of the parts.

    Parameters
    ----------
    parts : list of StoredHistories
        Oldest first; all with the same columns.
    folder : pathlib.Path
        The new part.
    """
    read = [part.histories for part in parts]
    users, places = _join_users([part._users for part in parts])
    items = np.unique(join_ids([one.ids for one in read], "the items of the parts"))
    ids = {"item": items}
    codes = {"item": [lookup(one.ids, items) for one in read]}
    if kinds := [one.event_ids for one in read if one.event_ids is not None]:
        ids["event"] = np.unique(join_ids(kinds, "the kinds of event of the parts"))
        codes["event"] = [lookup(one, ids["event"]) for one in kinds]
    lengths = np.zeros(len(users), dtype=np.int64)
    for one, place in zip(read, places, strict=True):
        lengths[place] += one.lengths
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    roles = parts[0].columns
    first = parts[0]
    with part_writer(folder, int(indptr[-1]), roles) as writer:
        for start, stop in _blocks(indptr):
            writer.add(_merged_rows(read, places, codes, roles, start, stop))
        facts = {"user": first._user, "time_type": first._time_type, "dated": read[0].dated}
        writer.close(indptr, {"user": users} | {role: _arrow(values) for role, values in ids.items()}, facts)


def check_alike(before: StoredHistories, after: StoredHistories) -> None:
    """Raise where a new part does not fit the others."""
    if before.columns != after.columns:
        raise ValueError(
            f"the store has the list columns {before.columns}, and the events to append give {after.columns}: name the "
            "same columns"
        )
    if "time" in before.columns and before._read.dated != after._read.dated:
        kinds = ["dates" if one._read.dated else "numbers" for one in (before, after)]
        raise TypeError(f"the store has {kinds[0]} as times, and the events to append have {kinds[1]}: convert them")
    join_ids([before.items[:1], after.items[:1]], "the items of the store and of the events to append")
    _join_users([before._users[:1], after._users[:1]])


def _join_users(arrays: list) -> tuple:
    """Return the distinct user ids, ascending, and the position of each array's ids in them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = {one.type for one in arrays}
    if len(kinds) > 1:
        texts = {pa.types.is_string(kind) or pa.types.is_large_string(kind) for kind in kinds}
        if len(texts) > 1:
            raise TypeError(f"the user ids of the parts have the types {sorted(map(str, kinds))}: convert them to one")
        to = pa.large_string() if texts == {True} else pa.int64() if all(map(pa.types.is_integer, kinds)) else None
        arrays = [one.cast(to or pa.float64()) for one in arrays]
    users = pc.unique(pa.chunked_array(arrays))
    users = users.take(pc.array_sort_indices(users))
    return users, [pc.index_in(one, value_set=users).to_numpy(zero_copy_only=False) for one in arrays]


def _blocks(indptr: np.ndarray):
    start = 0
    while start < len(indptr) - 1:
        stop = int(np.searchsorted(indptr, indptr[start] + BLOCK, side="right")) - 1
        stop = min(max(stop, start + 1), len(indptr) - 1)
        yield start, stop
        start = stop


def _merged_rows(read: list[Histories], places: list, codes: dict, roles: list, start: int, stop: int) -> dict:
    """Return the events of the users from `start` to before `stop`, by role."""
    rows: list[np.ndarray] = []
    columns: dict[str, list] = {role: [] for role in roles}
    for number, (one, place) in enumerate(zip(read, places, strict=True)):
        low, high = np.searchsorted(place, [start, stop])  # both ascend, so the rows are consecutive
        part = one[int(low) : int(high)]
        rows.append(np.repeat(place[low:high], part.lengths))
        for role in roles:
            values = getattr(part, _ARRAYS[role])
            columns[role].append(codes[role][number][values] if role in codes else values)
    row = np.concatenate(rows)
    joined = {role: np.concatenate(values) for role, values in columns.items()}
    order = np.argsort(row, kind="stable") if "time" not in joined else np.lexsort((joined["time"], row))
    return {role: values[order] for role, values in joined.items()}


def _arrow(ids: np.ndarray):
    import pyarrow as pa

    return pa.array(ids, type=pa.string()) if ids.dtype.kind == "O" else pa.array(ids)
