"""Stored histories: made, opened and appended to."""

import atexit
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..utils._histories import Histories
from ..utils._list_columns import to_numpy
from ..utils._row_blocks import BLOCK
from ..utils._time import as_days, far_limit, logger
from ..utils._validation import as_ids
from ._merge import check_alike, merge_parts
from ._store import (
    check_store,
    check_user_name,
    is_store,
    list_parts,
    locked,
    new_part,
    part_writer,
    read_part,
    remove_empty,
    remove_unfinished,
    set_parts,
)
from ._stored import StoredHistories


def open_histories(path: str | os.PathLike) -> StoredHistories:
    """Open histories that `to_histories` has stored.

    Parameters
    ----------
    path : path-like
        The folder that was given as ``store=``.

    Returns
    -------
    StoredHistories of shape (n_users,)
        The histories, memory-mapped: opening reads ids and row boundaries only. Where events were appended since the
        folder was last opened, all parts are merged first, one pass over the files, and the merged part replaces them.
        From a folder that is read-only they are merged into temporary files.

    Raises
    ------
    FileNotFoundError
        If the folder is not there or holds no stored histories.
    ValueError
        If files are damaged, or of a later version of skrec.

    See Also
    --------
    to_histories : Makes stored histories with ``store=``, and appends events with ``append=True``.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from skrec.feature_extraction import open_histories, to_histories
    >>> folder = tempfile.TemporaryDirectory()
    >>> log = pd.DataFrame({"user": ["ann", "bob"], "item": ["tea", "mug"], "day": [1, 2]})
    >>> columns = {"user": "user", "item": "item", "time": "day", "store": folder.name + "/log"}
    >>> _ = to_histories(log, **columns)
    >>> today = pd.DataFrame({"user": ["ann"], "item": ["pot"], "day": [3]})
    >>> _ = to_histories(today, **columns, append=True)
    >>> histories = open_histories(folder.name + "/log")
    >>> histories.to_frame()["item"].to_dict()
    {'ann': ['tea', 'pot'], 'bob': ['mug']}
    >>> folder.cleanup()
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be the path of a folder, got {path!r}")
    folder = Path(path).expanduser()
    while True:
        names = list_parts(folder)
        try:
            if len(names) == 1:
                return read_part(folder / names[0], folder)
            if not os.access(folder, os.W_OK):
                return _merged_elsewhere(folder, names)
            with locked(folder):
                names = list_parts(folder)
                if len(names) > 1:
                    logger.info("merging %d parts of %s", len(names), folder)
                    merged = new_part(folder)
                    merge_parts([read_part(folder / name) for name in names], merged)
                    set_parts(folder, [merged.name])
        except (ValueError, OSError):
            if list_parts(folder) == names:
                raise
            # another process has replaced the parts meanwhile


def _merged_elsewhere(folder: Path, names: list[str]) -> StoredHistories:
    """Merge the parts of a folder that cannot be written to into temporary files of this process."""
    place = tempfile.mkdtemp(prefix="skrec-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    logger.info("merging %d parts of %s, which is read-only, into %s", len(names), folder, place)
    merge_parts([read_part(folder / name) for name in names], Path(place, "merged"))
    return read_part(Path(place, "merged"), folder)


def store_part(store, append: bool, user, write: Callable[[Path], object]) -> StoredHistories:
    """Let a function write a part into a store, a new one or one more of those there, and open the store.

    Parameters
    ----------
    store : path-like
        The folder.
    append : bool
        Whether the store may be there already.
    user : str
        The name of the column of users.
    write : callable
        Takes the path of the part.
    """
    folder = check_store(store, append)
    check_user_name(user)
    made = not folder.exists()
    folder.mkdir(exist_ok=True)
    with locked(folder):
        try:
            check_store(store, append)  # another process may have been faster
            parts = list_parts(folder) if is_store(folder) else []
            remove_unfinished(folder)
            part = new_part(folder)
            write(part)
            if parts:
                check_alike([read_part(folder / name) for name in (*parts, part.name)])
            set_parts(folder, [*parts, part.name])
        except BaseException:
            with contextlib.suppress(ValueError):  # what is damaged stays as it is
                remove_unfinished(folder)
            remove_empty(folder, keep=not made)
            raise
    if parts:  # merged when they are read, so that several days in a row are merged once
        return StoredHistories._later(folder, lambda: open_histories(folder))
    return read_part(folder / part.name, folder)


def write_part(part: Path, users, indptr: np.ndarray, flat: dict, user: str) -> None:
    """Write a part from what `group_events` returns: Arrow arrays of user ids and of events, by role."""
    import pyarrow as pa

    columns, ids = {}, {"user": users}
    time_type, dated = None, False
    for role, values in flat.items():
        if role in ("item", "event"):
            encoded = values.dictionary_encode()
            distinct = as_ids(encoded.dictionary.to_numpy(zero_copy_only=False), f"{role} column")
            order = np.argsort(distinct, kind="stable")
            rank = np.empty(len(order), dtype=np.int32)
            rank[order] = np.arange(len(order), dtype=np.int32)
            columns[role] = rank[encoded.indices.to_numpy(zero_copy_only=False)]
            ids[role] = encoded.dictionary.take(pa.array(order))
        elif role == "time":
            times = to_numpy(values)
            time_type, dated = str(values.type), times.dtype.kind == "M"
            columns[role] = as_days(times)
        else:
            columns[role] = values.to_numpy(zero_copy_only=False)
    with part_writer(part, int(indptr[-1]), columns) as writer:
        writer.add(columns)
        writer.close(indptr, ids, {"user": user, "time_type": time_type, "dated": dated})


def far_events(read: Histories) -> tuple[int, float, float]:
    """Return how many events are dated in the far future, and the first and last moment, block by block."""
    assert read.time is not None
    limit, n_far, low, high = far_limit(read.time, read.dated), 0, np.inf, -np.inf
    for start in range(0, len(read.time), BLOCK):
        days = read.time[start : start + BLOCK]
        n_far += int(np.count_nonzero(days > limit))
        low, high = min(low, float(days.min())), max(high, float(days.max()))
    return n_far, low, high
