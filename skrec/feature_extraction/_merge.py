"""Parts of stored histories merged into one, by blocks of users."""

from pathlib import Path

import numpy as np

from ..utils._histories import Histories
from ..utils._row_blocks import row_blocks
from ..utils._validation import as_ids, join_ids
from ._store import part_writer
from ._stored import StoredHistories
from ._stored_times import finest_type

_INT32_MAX = 2**31 - 1
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
    first, roles = parts[0], parts[0].columns
    users, places = _join([part._users for part in parts], "the users of the parts")
    codes, ids = {}, {"user": users}
    ids["item"], codes["item"] = _join([_arrow(one.ids) for one in read], "the items of the parts")
    if "event" in roles:
        ids["event"], codes["event"] = _join([_arrow(one.event_ids) for one in read], "the kinds of event of the parts")
    lengths = np.zeros(len(users), dtype=np.int64)
    for one, place in zip(read, places, strict=True):
        lengths[place] += one.lengths
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    kind = finest_type([part._time_type for part in parts]) if "time" in roles else None
    with part_writer(folder, int(indptr[-1]), roles) as writer:
        for rows in row_blocks(indptr):
            writer.add(_merged_rows(read, places, codes, roles, rows))
        writer.close(indptr, ids, {"user": first._user, "time_type": kind, "dated": read[0].dated})


def check_alike(parts: list[StoredHistories]) -> None:
    """Raise where the last part does not fit the others."""
    before, after = parts[0], parts[-1]
    if before.columns != after.columns:
        raise ValueError(
            f"the store has the list columns {before.columns}, and the events to append give {after.columns}: name the "
            "same columns"
        )
    read = [part._read for part in parts]
    if "time" in before.columns:
        if read[0].dated != read[-1].dated:
            kinds = ["dates" if one.dated else "numbers" for one in (read[0], read[-1])]
            raise TypeError(
                f"the store has {kinds[0]} as times, and the events to append have {kinds[1]}: convert them"
            )
        finest_type([part._time_type for part in parts])
    both = "of the store and of the events to append"
    _common_type([part._users for part in parts], f"the users {both}")
    _common_type([_arrow(one.ids[[0, -1]]) for one in read], f"the items {both}")
    if "event" in before.columns:
        named = [one.event_ids for one in read if one.event_ids is not None]
        _common_type([_arrow(one[[0, -1]]) for one in named], f"the kinds of event {both}")


def _join(arrays: list, name: str) -> tuple:
    """Return the distinct ids of Arrow arrays, ascending, and the position of each array's ids in them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = _common_type(arrays, name)
    arrays = [one.cast(kind) for one in arrays]
    ids = pc.unique(pa.chunked_array(arrays))
    ids = ids.take(pc.array_sort_indices(ids))
    return ids, [pc.index_in(one, value_set=ids).to_numpy(zero_copy_only=False) for one in arrays]


def _common_type(arrays: list, name: str):
    """Return the type that holds ids, ascending in each Arrow array, exactly; TypeError where there is none."""
    import pyarrow as pa

    kinds = {one.type for one in arrays}
    if any(map(pa.types.is_large_string, kinds)) or sum(one.nbytes for one in arrays) > _INT32_MAX:
        kinds = {pa.large_string() if pa.types.is_string(kind) else kind for kind in kinds}
    if len(kinds) == 1:
        return kinds.pop()
    ends = [as_ids(one.take(pa.array([0, len(one) - 1])).to_numpy(zero_copy_only=False), name) for one in arrays]
    return pa.from_numpy_dtype(join_ids(ends, name).dtype)


def _merged_rows(read: list[Histories], places: list, codes: dict, roles: list, rows: slice) -> dict:
    """Return the events of some consecutive users, by role."""
    numbers: list[np.ndarray] = []
    columns: dict[str, list] = {role: [] for role in roles}
    for number, (one, place) in enumerate(zip(read, places, strict=True)):
        low, high = np.searchsorted(place, [rows.start, rows.stop])  # both ascend, so the rows are consecutive
        part = one[int(low) : int(high)]
        numbers.append(np.repeat(place[low:high], part.lengths))
        for role in roles:
            values = getattr(part, _ARRAYS[role])
            columns[role].append(codes[role][number][values] if role in codes else values)
    row = np.concatenate(numbers)
    joined = {role: np.concatenate(values) for role, values in columns.items()}
    order = np.argsort(row, kind="stable") if "time" not in joined else np.lexsort((joined["time"], row))
    return {role: values[order] for role, values in joined.items()}


def _arrow(ids):
    import pyarrow as pa

    return pa.array(ids, type=pa.string()) if ids.dtype.kind == "O" else pa.array(ids)
