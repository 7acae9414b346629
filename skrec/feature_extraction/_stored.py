"""Histories on disk, memory-mapped, in place of a frame."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..utils._histories import Histories
from ..utils._row_blocks import BLOCK, row_blocks
from ._history_frames import pandas_frame, user_index
from ._stored_times import as_time_type


class StoredHistories:
    """Histories that lie on disk: one row per user, read where they are needed.

    `to_histories` with ``store=`` and `open_histories` return it. Every recommender, splitter and metric, and
    scikit-learn's cross-validation, takes it in place of the frame. Its arrays are memory-mapped: an event takes 12
    bytes on disk with its time, and in memory only what is being read, which the system may drop again. A part of the
    rows (``X[:1000]``, a boolean mask or positions) is of the same class; what `split_last` and the others cut is
    copied to memory. Nothing is ever written into the arrays.

    Times are stored as float64 days, so to the microsecond, and weights as float32, as the models read them.

    A pickle, and so a copy for another machine, has all events. Other processes on the same machine (``n_jobs``) map
    the same files, so append nothing and merge nothing while they start.

    Parameters
    ----------
    read : Histories
        The events in compressed rows. The functions above pass this and the rest.
    users : pyarrow.Array of shape (n_users,)
        The user ids, ascending.
    user : str
        The name of the column of users.
    time_type : str, default=None
        The Arrow type in which the times came; None without times.
    path : pathlib.Path, default=None
        The folder; None for a part.

    Attributes
    ----------
    path : pathlib.Path or None
        The folder; None for a part.
    shape : tuple of int
        ``(n_users,)``.
    n_events : int
        Number of events.
    columns : list of str
        The list columns of `to_frame`: "item", and "time", "weight" and "event" where they were read.
    index : pandas.Index of shape (n_users,)
        The user ids, ascending.
    items : ndarray of shape (n_items,)
        The distinct item ids, ascending.

    See Also
    --------
    skrec.feature_extraction.open_histories : Open a folder.
    skrec.large.write_recommendations : Recommend to all users, block by block.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from skrec.feature_extraction import open_histories, to_histories
    >>> events = pd.DataFrame({"user": ["ann", "bob", "ann"], "item": ["tea", "mug", "pot"], "day": [1, 2, 3]})
    >>> folder = tempfile.TemporaryDirectory()
    >>> histories = to_histories(events, user="user", item="item", time="day", store=folder.name + "/log")
    >>> histories
    StoredHistories(2 users, 3 items, 3 events)
    >>> open_histories(folder.name + "/log").to_frame()["item"].to_dict()
    {'ann': ['tea', 'pot'], 'bob': ['mug']}
    >>> folder.cleanup()
    """

    def __init__(self, read: Histories, users, *, user: str, time_type=None, path: Path | None = None):
        self.path = path
        self._read, self._users, self._user, self._time_type = read, users, user, time_type
        self._is_sound = False

    @classmethod
    def _later(cls, path: Path, opener: Callable[[], "StoredHistories"]) -> "StoredHistories":
        """Return stored histories that are opened when they are first read."""
        stored = cls.__new__(cls)
        vars(stored).update(path=path, _opener=opener)
        return stored

    def __getattr__(self, name: str):
        if name in ("_read", "_users", "_user", "_time_type", "_is_sound") and "_opener" in vars(self):
            vars(self).update(vars(self._opener()))  # first: where it fails, the next read tries again
            vars(self).pop("_opener", None)
            return vars(self)[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getstate__(self) -> dict:
        _ = self._read  # opens
        return dict(vars(self))

    def __deepcopy__(self, memo) -> "StoredHistories":
        return copy.copy(self)  # read-only arrays are shared

    @property
    def histories(self) -> Histories:
        """The events in compressed rows, as the models read them; nothing may be written to it.

        Raises
        ------
        ValueError
            If the files are damaged.
        """
        if not self._is_sound:
            read = self._read
            sound = bool((np.diff(read.indptr) >= 0).all()) and read.indptr[-1] == len(read.codes)
            sound = sound and _within(read.codes, len(read.ids))
            if read.event_codes is not None and read.event_ids is not None:
                sound = sound and _within(read.event_codes, len(read.event_ids))
            if not sound:
                raise ValueError(f"stored histories in {self.path or 'a folder'} are damaged: write them again")
            self._is_sound = True
        return self._read

    @property
    def shape(self) -> tuple[int]:
        """Number of users, as a tuple."""
        return (len(self),)

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self._read.codes)

    @property
    def items(self) -> np.ndarray:
        """The distinct item ids, ascending."""
        return self._read.ids

    @property
    def columns(self) -> list[str]:
        """The list columns that `to_frame` returns."""
        read = self._read
        there = {"time": read.time, "weight": read.weight, "event": read.event_codes}
        return ["item", *(name for name, values in there.items() if values is not None)]

    @property
    def index(self):
        """The user ids, ascending, as a pandas Index."""
        if "_index" not in vars(self):
            self._index = user_index(self._users, self._user)
        return self._index

    def __len__(self) -> int:
        return len(self._read)

    def __getitem__(self, rows):
        if isinstance(rows, tuple) and len(rows) == 2 and rows[1] is Ellipsis:  # as scikit-learn takes rows of an array
            rows = rows[0]
        if isinstance(rows, (int, np.integer)):
            row = range(len(self))[rows]
            read = self[row : row + 1].histories
            return read.ids[read.codes].tolist()
        if isinstance(rows, slice) and rows.step in (None, 1):
            start, stop, _ = rows.indices(len(self))
            return self._part(self._read[start : max(start, stop)], self._users[start : max(start, stop)])
        import pyarrow as pa

        positions = None if isinstance(rows, (str, tuple)) else np.arange(len(self))[rows]
        if positions is None or positions.ndim != 1:
            raise IndexError(
                f"StoredHistories takes rows by slice, boolean mask or positions, got {rows!r}: to_frame() has columns"
            )
        return self._part(self.histories.take_rows(positions), self._users.take(pa.array(positions)))

    def __repr__(self) -> str:
        if "_opener" in vars(self):
            return f"StoredHistories({str(self.path)!r}, not read yet)"
        return f"StoredHistories({len(self):,} users, {len(self.items):,} items, {self.n_events:,} events)"

    def blocks(self, n_events: int = BLOCK) -> Iterator["StoredHistories"]:
        """Yield consecutive rows, about `n_events` events at a time and at least one row.

        Parameters
        ----------
        n_events : int, default=4194304
            Events of a block; only a longer history exceeds it.

        Yields
        ------
        StoredHistories of shape (n_rows,)
            The rows of the block.
        """
        if len(self):
            yield from (self[rows] for rows in row_blocks(self._read.indptr, n_events))

    def to_frame(self):
        """Return the rows as the frame that `to_histories` makes.

        Returns
        -------
        pandas.DataFrame of shape (n_users, n_columns)
            Arrow list columns; the index has the user ids. All of it is in memory: take a part of the rows first.
        """
        import pyarrow as pa

        read = self.histories
        flat = {"item": _taken(read.ids, read.codes)}
        if read.time is not None:
            flat["time"] = as_time_type(read.time, self._time_type)
        if read.weight is not None:
            flat["weight"] = pa.array(np.array(read.weight))
        if read.event_codes is not None:
            flat["event"] = _taken(read.event_ids, read.event_codes)
        return pandas_frame(self._users, np.array(read.indptr), flat, self._user)

    def _part(self, histories: Histories, users) -> "StoredHistories":
        return StoredHistories(histories, users, user=self._user, time_type=self._time_type)

    def _with_items(self, ids: np.ndarray) -> "StoredHistories":
        """Return the same events with other item ids, shape (n_items,), in any order."""
        return self._part(replace(self.histories, ids=ids), self._users)

    def _keep_events(self, keep: np.ndarray) -> "StoredHistories":
        """Keep the events where a boolean mask of shape (n_events,) is true; every row stays."""
        return self._part(self.histories.take_events(keep), self._users)

    def _keep_items(self, keep: np.ndarray):
        """Return the items of some events of every row, a Series of lists."""
        kept = replace(self.histories, time=None, weight=None, event_ids=None, event_codes=None).take_events(keep)
        return self._part(kept, self._users).to_frame()["item"]


def _within(codes: np.ndarray, n: int) -> bool:
    return not len(codes) or (int(codes.min()) >= 0 and int(codes.max()) < n)


def _taken(ids: np.ndarray, codes: np.ndarray):
    import pyarrow as pa

    if ids.dtype.kind != "O":
        return pa.array(ids[codes])
    return pa.array(ids, type=pa.string()).take(pa.array(np.array(codes)))
