"""What a ranker sees of a candidate in the history of its user: counts, ages, baskets, intervals, tags, numbers."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..utils._histories import Histories, required
from ..utils._row_blocks import number_baskets
from ._pairs import Pairs


class HistoryFeatures:
    """The histories of a block of users, asked about items and their groups."""

    def __init__(self, histories: Histories, days: np.ndarray | None, longest: float):
        self.histories, self.rows, self.days, self.longest = histories, histories.rows, days, longest
        self.length = np.maximum(histories.lengths, 1).astype(np.float32)

    def of_user(self, pairs: Pairs, own_time: bool) -> dict[str, np.ndarray]:
        features = {"history length": np.log1p(self.histories.lengths)[pairs.row]}
        if self.days is not None and not own_time:
            idle = np.full(len(self.length), self.longest)
            filled = self.histories.lengths > 0
            idle[filled] = self.days[self.histories.indptr[1:][filled] - 1]
            features["history idle"] = np.log1p(idle)[pairs.row]
        return features

    def of_group(self, name: str, pairs: Pairs, group: np.ndarray) -> dict[str, np.ndarray]:
        """Say how often the user had the item's group (-1 for none), and how long ago; `group` is of each item."""
        n_groups = int(group.max(initial=0)) + 1
        of_event, of_pair = group[self.histories.codes], group[pairs.column]
        events = np.flatnonzero(of_event >= 0)
        keys = self.rows[events] * n_groups + of_event[events]
        order = np.argsort(keys, kind="stable")
        keys, events = keys[order], events[order]
        wanted = pairs.row * n_groups + of_pair
        stop = np.searchsorted(keys, wanted, side="right")
        count = stop - np.searchsorted(keys, wanted, side="left")
        count[of_pair < 0] = 0
        had = count > 0
        newest = events[stop[had] - 1]
        steps = self.histories.indptr[pairs.row[had] + 1] - newest
        recency = np.zeros(len(wanted), dtype=np.float32)
        recency[had] = 1 / steps
        features = {f"{name} share": count / self.length[pairs.row], f"{name} recency": recency}
        if name == "item":
            features = {"item count": np.log1p(count), **features}
        if self.days is not None:
            days = np.full(len(wanted), self.longest + 1)
            days[had] = self.days[newest]
            features[f"{name} days"] = np.log1p(days)
        return features

    def of_baskets(self, pairs: Pairs, usual: np.ndarray) -> dict[str, np.ndarray]:
        """Say in how many baskets the user had the item, how many ago, and whether its usual interval is over."""
        days: Any = self.days
        basket, first = number_baskets(self.histories.indptr, days)
        n_baskets = np.diff(first)
        keys = self.rows * len(usual) + self.histories.codes
        order = np.argsort(keys, kind="stable")
        keys, of_event = keys[order], basket[order]
        distinct = np.ones(len(keys), dtype=bool)
        distinct[1:] = (keys[1:] != keys[:-1]) | (of_event[1:] != of_event[:-1])
        before = np.concatenate([[0], np.cumsum(distinct)])
        wanted = pairs.row * len(usual) + pairs.column
        start, stop = np.searchsorted(keys, wanted), np.searchsorted(keys, wanted, side="right")
        count = before[stop] - before[start]
        had = np.flatnonzero(count)
        newest, oldest = order[stop[had] - 1], order[start[had]]
        recency, due = np.zeros((2, len(wanted)), dtype=np.float32)
        interval = usual[pairs.column]
        recency[had] = 1 / (first[pairs.row[had] + 1] - basket[newest])
        again = count[had] > 1
        own = (days[oldest] - days[newest])[again] / (count[had][again] - 1)
        interval[had[again]] = (own + interval[had[again]]) / 2  # a few of a user's own intervals say little alone
        due[had] = np.log1p(days[newest]) - np.log1p(interval[had])
        return {
            "baskets": np.log1p(n_baskets)[pairs.row],
            "item basket share": count / np.maximum(n_baskets, 1)[pairs.row],
            "item basket recency": recency,
            "item interval": np.log1p(interval),
            "item due": due,
        }

    def tag_share(self, pairs: Pairs, tags: sp.csr_array) -> np.ndarray:
        """Return the mean, over the item's tags, of the share of the history that has the tag."""
        counts = sp.csr_array(
            (np.ones(len(self.rows), np.float32), self.histories.codes, self.histories.indptr),
            shape=(len(self.length), tags.shape[0]),
        )
        profile = sp.csr_array(counts @ tags)
        common = profile[pairs.row].multiply(tags[pairs.column]).sum(axis=1)
        return common / self.length[pairs.row] / np.maximum(np.diff(tags.indptr), 1)[pairs.column]

    def difference(self, pairs: Pairs, values: np.ndarray, ratio: bool) -> np.ndarray:
        """Return how far the item's number is from the mean of the history's; the log of their ratio with `ratio`."""
        values = np.log(np.maximum(values, np.float32(1e-9))) if ratio else values
        total = np.bincount(self.rows, values[self.histories.codes], minlength=len(self.length))
        mean = np.where(self.histories.lengths > 0, total / self.length, values.mean())
        return values[pairs.column] - mean[pairs.row]


def usual_intervals(histories: Histories, n_items: int) -> np.ndarray:
    """Return the mean time between two baskets of a user with the item, float32 of shape (n_items,).

    Intervals shrink to the mean over all items, which counts as much as one interval of the item; items that nobody
    bought again have it alone.
    """
    times = required(histories.time, "time")
    basket, _ = number_baskets(histories.indptr, times)
    order = np.lexsort((basket, histories.codes, histories.rows))
    code, row, times = histories.codes[order], histories.rows[order], times[order]
    again = (code[1:] == code[:-1]) & (row[1:] == row[:-1]) & (basket[order][1:] != basket[order][:-1])
    item, gaps = code[1:][again], np.diff(times)[again]
    mean = gaps.mean() if len(gaps) else float(np.ptp(times)) if len(times) else 0.0
    total, count = np.bincount(item, gaps, minlength=n_items), np.bincount(item, minlength=n_items)
    return ((total + mean) / (count + 1)).astype(np.float32)
