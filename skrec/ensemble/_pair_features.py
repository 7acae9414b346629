"""What a ranker sees of a pair of user and item."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..feature_extraction._item_encoders import TagEncoder, _numbers
from ..feature_extraction._item_features import read_item_features, row_numbers
from ..utils._arguments import as_list
from ..utils._histories import Histories, check_same_times
from ..utils._time import as_duration, far_future, latest_time
from ..utils._users import Users
from ..utils._validation import factorize
from ._history_features import HistoryFeatures, usual_intervals
from ._item_vectors import cooccurrence_vectors, cosines, with_zeros
from ._pairs import Pairs

_LEVELS = 2  # of an item's counts and ages per unit of their log: finer ones tell single items apart, and what became
# popular in the held-out part is then learned by heart
_TEXT = 0.5  # a column of strings with more distinct values than this share of the items is a text, and left out


class PairFeatures:
    """Turns pairs of user and item into a table; state only, no parameters to search.

    Parameters
    ----------
    part_names : list of str
        Names of the retrievers.
    windows : sequence of durations
        Recent windows in which the events of an item are counted.
    own_time : bool
        Whether the moment of asking is that of the user's last event; else it is the latest known.
    dated : bool, default=None
        Whether the times are dates; None: not known, or there are none.
    repeats : bool, default=False
        Whether items that a user already has can be recommended; with times, baskets and intervals between purchases
        are then features.
    next_event : bool, default=False
        Whether the question is what comes next: how near candidates are to the newest items (`cosines`) is a feature
        then. It tells nothing measurable of a later basket; of a later period, trees learn by heart what became common.
    """

    dated: bool | None = None  # also of files of skrec 0.1.0
    intervals: np.ndarray | None = None
    levels: int | None = None
    vectors: np.ndarray | None = None

    def __init__(self, part_names, windows, own_time, dated=None, repeats=False, next_event=False):
        self.part_names = list(part_names)
        lengths = [
            (window, as_duration(window, "windows", dated=dated)) for window in as_list(windows, "windows", "durations")
        ]
        self.windows = {window if isinstance(window, str) else f"{days:g}D": days for window, days in lengths}
        self.own_time, self.dated, self.repeats, self.next_event = own_time, dated, repeats, next_event

    def fit(self, histories: Histories, n_items: int, columns: "ItemColumns | None", keep_events=False):
        """Learn the popularity of the items from histories coded on them.

        With `keep_events` the events of the longest window are kept, for `update`.
        """
        self.n_items, self.columns, self.levels = n_items, columns, _LEVELS
        self.vectors = cooccurrence_vectors(histories, n_items) if self.next_event else None
        codes: Any = histories.codes
        times: Any = histories.time
        self.counts = np.bincount(codes, minlength=n_items)
        self.latest, self.longest = None, 0.0
        self.events: Any = None
        if times is not None and len(times):
            self.latest = latest_time(times, histories.dated, tell=False)
            near = times <= self.latest  # dates in the far future do not count
            codes, times = codes[near], times[near]
            self.first, self.last = np.full(n_items, np.inf), np.full(n_items, -np.inf)
            self._see(codes, times)
            if self.repeats:
                self.intervals = usual_intervals(histories.take_events(near), n_items)
        self._tabulate(codes, times)
        if keep_events and self.latest is not None:
            self._keep(codes, times)
        return self

    def update(self, histories: Histories, n_items: int, columns: "ItemColumns | None") -> "PairFeatures":
        """Return features that have seen further events, coded on the items, which may be more."""
        wider = self._copied()
        if not len(histories.codes):
            return self
        new = n_items - self.n_items
        codes: Any = histories.codes
        times: Any = histories.time
        wider.n_items, wider.columns, wider.vectors = n_items, columns, with_zeros(self.vectors, new)
        wider.counts = np.append(self.counts, np.zeros(new, dtype=np.int64)) + np.bincount(codes, minlength=n_items)
        if self.latest is not None:
            check_same_times(histories, self.dated)
            far = far_future(times, bool(self.dated))
            codes, times = codes[~far], times[~far]
            wider.latest = max(self.latest, times.max(initial=-np.inf))
            wider.first = np.append(self.first, np.full(new, np.inf))
            wider.last = np.append(self.last, np.full(new, -np.inf))
            wider._see(codes, times)
            wider._add_intervals(new)
            codes, times = np.append(self.events[0], codes), np.append(self.events[1], times)
            wider._keep(codes, times)
        wider._tabulate(codes, times)
        return wider

    def _see(self, codes: np.ndarray, times: np.ndarray) -> None:
        """Learn when each item was first and last seen; `first` and `last` are arrays of its own."""
        np.minimum.at(self.first, codes, times)
        np.maximum.at(self.last, codes, times)
        self.longest = float(self.latest - self.first.min())

    def _add_intervals(self, n_new: int) -> None:
        """Give new items the longest of the usual intervals; updates do not learn intervals."""
        if self.intervals is not None:
            longest = self.intervals.max(initial=0)
            self.intervals = np.append(self.intervals, np.full(n_new, longest, np.float32))

    def _keep(self, codes: np.ndarray, times: np.ndarray) -> None:
        recent = self.latest - times < max(self.windows.values(), default=0)
        self.events = codes[recent], times[recent]

    def _tabulate(self, codes: np.ndarray, times: Any) -> None:
        """Make the features of the items; codes and times are at least the events of the longest window."""
        table = {"popularity": np.log1p(self.counts)}
        if self.latest is not None:
            seen = np.isfinite(self.first)
            first = np.where(seen, self.latest - self.first, 0)
            last = np.where(seen, self.latest - self.last, self.longest)
            table |= {"item age": np.log1p(first), "item idle": np.log1p(last)}
            for name, days in self.windows.items():
                recent = np.bincount(codes[self.latest - times < days], minlength=self.n_items)
                table[f"popularity {name}"] = np.log1p(recent)
        if self.columns is not None:
            for name, groups in self.columns.groups.items():
                events = np.bincount(groups + 1, self.counts, minlength=groups.max(initial=-1) + 2)
                events[0] = 0
                table[f"{name} popularity"] = np.log1p(events)[groups + 1]
        if self.levels is not None:
            table = {name: np.round(self.levels * values) / self.levels for name, values in table.items()}
        numbers = {} if self.columns is None else self.columns.numbers
        self.item_table = {name: values.astype(np.float32) for name, values in (table | numbers).items()}

    def _copied(self) -> "PairFeatures":
        other = PairFeatures(self.part_names, [], self.own_time)
        other.__dict__.update(self.__dict__)
        return other

    def extend(self, n_items: int, columns: "ItemColumns | None") -> "PairFeatures":
        """Return features that know further items, of which nothing is known but their columns."""
        wider = self._copied()
        n_new = n_items - self.n_items
        wider.n_items, wider.columns, wider.vectors = n_items, columns, with_zeros(self.vectors, n_new)
        wider._add_intervals(n_new)
        wider.item_table = {
            name: columns.numbers[name]
            if columns is not None and name in columns.numbers
            else np.concatenate([values, np.full(n_new, values.max() if name == "item idle" else 0, np.float32)])
            for name, values in self.item_table.items()
        }
        return wider

    def table(self, rows: Users, pairs: Pairs, user_names, at: float | None) -> tuple[list[str], np.ndarray]:
        """Return the names of the features, and a float32 array (n_pairs, n_features)."""
        features = dict(self._of_parts(pairs))
        features |= {name: values[pairs.column] for name, values in self.item_table.items()}
        histories: Any = rows.histories
        described: Any = rows.features
        past = HistoryFeatures(histories, self._days(histories, at), self.longest)
        features |= past.of_user(pairs, self.own_time)
        features |= past.of_group("item", pairs, np.arange(self.n_items))
        if self.intervals is not None and past.days is not None:
            features |= past.of_baskets(pairs, self.intervals)
        if self.vectors is not None:
            features |= cosines(self.vectors, histories, pairs)
        if self.columns is not None:
            for name, codes in self.columns.groups.items():
                features |= past.of_group(name, pairs, codes)
            for name, tags in self.columns.tags.items():
                features[f"{name} share"] = past.tag_share(pairs, tags)
            for name, values in self.columns.numbers.items():
                features[f"{name} difference"] = past.difference(pairs, values, name in self.columns.positive)
        for number, name in enumerate(user_names):
            features[name] = described[pairs.row, number]
        table = np.empty((len(pairs.row), len(features)), dtype=np.float32)
        for number, values in enumerate(features.values()):
            table[:, number] = values
        return list(features), table

    def _of_parts(self, pairs: Pairs):
        for number, name in enumerate([*self.part_names, "blend"]):
            yield f"{name} score", pairs.scores[:, number]
            yield f"{name} place", np.log1p(pairs.places(pairs.scores[:, number]))

    def _days(self, histories: Histories, at: float | None) -> np.ndarray | None:
        """Return how long before the moment of asking each event was, None if the model knows no times.

        Events without times, of a visitor who is here now, count as of this moment.
        """
        if self.latest is None:
            return None
        if histories.time is None:
            return np.zeros(len(histories.codes))
        check_same_times(histories, self.dated)
        filled = histories.lengths > 0
        moment = np.full(len(histories), self.latest)
        moment[filled] = histories.time[histories.indptr[1:][filled] - 1]
        if not self.own_time:
            moment = np.full(len(histories), at) if at is not None else np.maximum(moment, self.latest)
        return np.maximum(moment[histories.rows] - histories.time, 0)


class ItemColumns:
    """The columns of a frame of item features: numbers, groups with one label an item, tags with several.

    `like` are columns whose kinds are kept, for a frame with further items.
    """

    kinds: dict[str, str]
    positive: list[str]

    def __init__(self, item_features, items: np.ndarray, *, like: "ItemColumns | None" = None):
        frame = read_item_features(item_features)
        frame = frame.iloc[row_numbers(frame, items)]
        self.kinds = {column: _kind(frame[column]) for column in frame.columns} if like is None else like.kinds
        self.numbers: dict[str, np.ndarray] = {}
        self.groups: dict[str, np.ndarray] = {}
        self.tags: dict[str, sp.csr_array] = {}
        for name, kind in self.kinds.items():
            if kind == "number":
                values = np.array(_numbers(frame[name]), dtype=np.float64)
                known = np.isfinite(values)
                values[~known] = values[known].mean() if known.any() else 0
                self.numbers[name] = values.astype(np.float32)
            elif kind == "group":
                known = frame[name].notna().to_numpy()
                codes = np.full(len(frame), -1, dtype=np.int32)
                codes[known] = factorize(frame[name][known].astype(str).to_numpy(dtype=object))[0]
                self.groups[name] = codes
            elif kind == "tags":
                self.tags[name] = TagEncoder().fit_transform(frame[name])
                self.tags[name].data[:] = 1
        if not (self.numbers or self.groups or self.tags):
            raise ValueError(
                f"item_features has no number, label or list of labels among its columns {list(frame.columns)}: texts "
                "belong in a ContentRecommender among the retrievers"
            )
        least = {name: float(values.min()) for name, values in self.numbers.items()}
        self.positive = [name for name, value in least.items() if value > 0] if like is None else list(like.positive)


def as_table(features) -> np.ndarray:
    """Bring what a transformer of users gives to a float32 array."""
    return np.asarray(features.toarray() if sp.issparse(features) else features, dtype=np.float32)


def joined(item_features, more):
    """Return one frame with the rows of both; where an id stands in both, those of the first."""
    import pandas as pd

    frame, more = read_item_features(item_features), read_item_features(more)
    return pd.concat([frame, more[~more.index.isin(frame.index)]])


def _kind(column) -> str:
    """Return what a column holds: "number", "group", "tags", or "text"."""
    if column.dtype == "bool" or column.dtype == "boolean" or column.dtype == "category":
        return "group"
    if column.dtype.kind in "iufmM":
        return "number"
    cells = column[column.notna()].tolist()
    if all(isinstance(cell, str) for cell in cells):
        return "group" if len(set(cells)) <= max(2, _TEXT * len(cells)) else "text"
    return "tags"
