"""The features of BehaviorFeatures, group by group: each function yields names and one value per row."""

from functools import cached_property

import numpy as np

from ..utils._histories import Histories, required

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Past:
    """What each row did before its moment, with the sums that several groups share.

    Parameters
    ----------
    histories : Histories
        The events before the moment, and no others.
    at : ndarray of shape (n_rows,), or None
        The moment of each row, on the scale of the times; None where there are no times.
    windows : dict of float
        Durations by the suffix of their features.
    by_day : bool
        Whether the events of a day are one visit, or those of a time stamp.
    event_types : ndarray of shape (n_types,)
        The event names that count; others are ignored.
    longest : float
        What stands for durations of a row without events.
    fill : bool
        Whether values that are not defined are filled; otherwise they are NaN.
    """

    def __init__(self, histories: Histories, at, *, windows, by_day, event_types, longest, fill):
        self.histories, self.at, self.windows = histories, at, windows
        self.by_day, self.event_types, self.longest, self.fill = by_day, event_types, longest, fill
        self.n_events = histories.lengths
        self.known = self.n_events > 0

    def sums(self, rows: np.ndarray, values=None) -> np.ndarray:
        """Sum values, or count, by row."""
        return np.bincount(rows, values, minlength=len(self.histories))

    def where(self, defined: np.ndarray, values: np.ndarray, otherwise) -> np.ndarray:
        """Take `otherwise`, or NaN, where a value is not defined."""
        return np.where(defined, values, otherwise if self.fill else np.nan)

    def ratio(self, above, below: np.ndarray) -> np.ndarray:
        """Divide; not defined, and filled with 0, where the divisor is 0."""
        return self.where(below > 0, above / np.where(below > 0, below, 1), 0.0)

    @cached_property
    def rows(self) -> np.ndarray:
        """Row of each event."""
        return self.histories.rows

    @cached_property
    def age(self) -> np.ndarray:
        """Time from each event to the moment of its row."""
        return self.at[self.rows] - self.histories.time

    @cached_property
    def since_last(self) -> np.ndarray:
        """Time since the last event; `longest` where there is none."""
        values = np.full(len(self.known), self.longest)
        values[self.known] = self.age[self.histories.indptr[1:][self.known] - 1]
        return values

    @cached_property
    def since_first(self) -> np.ndarray:
        """Time since the first event; `longest` where there is none."""
        values = np.full(len(self.known), self.longest)
        values[self.known] = self.age[self.histories.indptr[:-1][self.known]]
        return values

    @cached_property
    def visit_starts(self) -> np.ndarray:
        """Position of the first event of each visit."""
        time = required(self.histories.time, "time")
        key = np.floor(time) if self.by_day else time
        new = np.ones(len(key), dtype=bool)
        new[1:] = key[1:] != key[:-1]
        new[self.histories.indptr[:-1][self.known]] = True
        return np.flatnonzero(new)

    @cached_property
    def visit_rows(self) -> np.ndarray:
        """Row of each visit."""
        return self.rows[self.visit_starts]

    @cached_property
    def visit_ages(self) -> np.ndarray:
        """Time from the beginning of each visit to the moment of its row."""
        return self.age[self.visit_starts]

    @cached_property
    def n_visits(self) -> np.ndarray:
        """Number of visits of each row."""
        return self.sums(self.visit_rows)

    @cached_property
    def last_visits(self) -> np.ndarray:
        """Number of the last visit of each row with events."""
        return np.cumsum(self.n_visits)[self.known] - 1

    def per_visit(self, values: np.ndarray) -> np.ndarray:
        """Sum the values of the events of each visit."""
        return np.add.reduceat(values, self.visit_starts, dtype=np.float64) if len(values) else np.zeros(0)

    def largest(self, values: np.ndarray) -> np.ndarray:
        """Return the largest value of the visits of each row; 0 where there is none."""
        first = np.cumsum(self.n_visits)[self.known] - self.n_visits[self.known]
        return self.of_known(np.maximum.reduceat(values, first) if len(first) else np.zeros(0))

    def of_known(self, values: np.ndarray) -> np.ndarray:
        """Put one value per row with events into an array over all rows; not defined, and 0, in the others."""
        full = np.full(len(self.known), 0.0 if self.fill else np.nan)
        full[self.known] = values
        return full

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row and number of events of each pair of row and item, and whether an event is the first of its pair."""
        key = self.rows * max(len(self.histories.ids), 1) + self.histories.codes
        order = np.argsort(key, kind="stable")
        key = key[order]
        new = np.ones(len(key), dtype=bool)
        new[1:] = key[1:] != key[:-1]
        starts = np.flatnonzero(new)
        first = np.zeros(len(key), dtype=bool)
        first[order[starts]] = True
        return self.rows[order[starts]], np.diff(np.append(starts, len(key))), first


def recency(past: Past):
    """Yield the time since the last and the first event."""
    yield "last", past.where(past.known, past.since_last, past.longest)
    yield "first", past.where(past.known, past.since_first, past.longest)


def frequency(past: Past):
    """Yield counts of events and visits, in all and in the windows, and a rate."""
    yield "events", past.n_events
    if past.at is None:
        return
    yield "visits", past.n_visits
    yield "rate", past.n_visits / np.maximum(past.since_first, 1.0)
    for suffix, window in past.windows.items():
        yield f"events_{suffix}", past.sums(past.rows[past.age <= window])
        yield f"visits_{suffix}", past.sums(past.visit_rows[past.visit_ages <= window])


def spend(past: Past):
    """Yield sums of the weights: in all, per event and visit, in the windows."""
    weight = required(past.histories.weight, "weight")
    total = past.sums(past.rows, weight)
    yield "sum", total
    yield "mean", past.ratio(total, past.n_events)
    if past.at is None:
        return
    by_visit = past.per_visit(weight)
    yield "per_visit", past.ratio(total, past.n_visits)
    yield "largest_visit", past.largest(by_visit)
    yield "last_visit", past.of_known(by_visit[past.last_visits])
    for suffix, window in past.windows.items():
        inside = past.age <= window
        recent = past.sums(past.rows[inside], weight[inside])
        yield suffix, recent
        yield f"share_{suffix}", past.ratio(recent, total)


def basket(past: Past):
    """Yield the number of events of a visit."""
    sizes = np.diff(np.append(past.visit_starts, len(past.rows))).astype(np.float64)
    yield "mean", past.ratio(past.n_events, past.n_visits)
    yield "largest", past.largest(sizes)
    yield "last", past.of_known(sizes[past.last_visits])


def interval(past: Past):
    """Yield what the times between visits are like, and how late the next one is."""
    rows, ages, n_visits = past.visit_rows, past.visit_ages, past.n_visits
    inside = rows[1:] == rows[:-1]
    gap_rows, gaps = rows[1:][inside], (ages[:-1] - ages[1:])[inside]
    n_gaps = np.maximum(n_visits - 1, 0)
    some = n_gaps > 0
    mean = past.sums(gap_rows, gaps) / np.maximum(n_gaps, 1)
    deviation = np.sqrt(past.sums(gap_rows, (gaps - mean[gap_rows]) ** 2) / np.maximum(n_gaps, 1))
    ends = np.cumsum(n_gaps)[some]
    sizes, order = n_gaps[some], np.lexsort((gaps, gap_rows))
    ordered = gaps[order]
    median, newest = np.zeros(len(some)), np.zeros(len(some))
    median[some] = (ordered[ends - sizes + (sizes - 1) // 2] + ordered[ends - sizes + sizes // 2]) / 2
    newest[some] = gaps[ends - 1]
    yield "mean", past.where(some, mean, past.since_last)  # of one visit: the gap that has not ended
    yield "std", past.where(some, deviation, 0.0)
    yield "median", past.where(some, median, past.since_last)
    yield "last", past.where(some, newest, past.since_last)
    yield "overdue", past.where(some, past.since_last / np.where(some, mean, 1), 1.0)
    yield "clumpiness", past.where(some, _clumpiness(past, gap_rows, gaps), 0.0)


def _clumpiness(past: Past, gap_rows: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Return 1 minus the entropy of the gaps, the open one included, over that of equal gaps."""
    open_gap = np.zeros(len(past.known))
    open_gap[past.known] = past.visit_ages[past.last_visits]
    span = np.maximum(open_gap + past.sums(gap_rows, gaps), np.finfo(float).tiny)
    total = past.sums(gap_rows, _x_log_x(gaps / span[gap_rows])) + _x_log_x(open_gap / span)
    return 1 + total / np.log(np.maximum(past.n_visits, 2))


def _x_log_x(values: np.ndarray) -> np.ndarray:
    return values * np.log(np.where(values > 0, values, 1))


def diversity(past: Past):
    """Yield how many different items, and how evenly spread."""
    rows, counts, _ = past.pairs
    share = counts / past.n_events[rows]
    yield "items", past.sums(rows)
    yield "entropy", -past.sums(rows, _x_log_x(share))
    top = np.zeros(len(past.known))
    np.maximum.at(top, rows, share)
    yield "top_share", past.where(past.known, top, 0.0)


def repeats(past: Past):
    """Yield how much is bought again."""
    rows, counts, first = past.pairs
    yield "items", past.sums(rows[counts > 1])
    yield "share", past.ratio(past.n_events - past.sums(rows), past.n_events)
    if past.at is None:
        return
    opening = past.visit_starts[past.last_visits]
    newest = np.arange(len(past.rows)) >= np.repeat(opening, past.n_events[past.known])
    fresh = past.sums(past.rows[newest & first])  # items of the last visit that no earlier one has
    items = past.sums(_distinct(past, newest))
    yield "last_visit_share", past.ratio(items - fresh, items)


def _distinct(past: Past, events: np.ndarray) -> np.ndarray:
    """Return the row of each distinct pair of row and item among some events."""
    n_ids = max(len(past.histories.ids), 1)
    return np.unique(past.rows[events] * n_ids + past.histories.codes[events]) // n_ids


def trend(past: Past):
    """Yield the logarithm of the visits of a window over those of the window before it, each plus one."""
    for suffix, window in past.windows.items():
        now = past.sums(past.visit_rows[past.visit_ages <= window])
        twice = past.sums(past.visit_rows[past.visit_ages <= 2 * window])
        yield suffix, np.log((now + 1) / (twice - now + 1))


def calendar(past: Past):
    """Yield the share of visits on each day of the week, and the mean direction of the hour."""
    time = required(past.histories.time, "time")[past.visit_starts]
    day = np.floor(time)
    weekday = (day.astype(np.int64) + 3) % 7  # 1970 began on a Thursday
    counts = np.bincount(past.visit_rows * 7 + weekday, minlength=7 * len(past.known)).reshape(-1, 7)
    for number, name in enumerate(_WEEKDAYS):
        yield name, past.ratio(counts[:, number], past.n_visits)
    angle = 2 * np.pi * (time - day)
    yield "hour_sin", past.ratio(past.sums(past.visit_rows, np.sin(angle)), past.n_visits)
    yield "hour_cos", past.ratio(past.sums(past.visit_rows, np.cos(angle)), past.n_visits)


def event(past: Past):
    """Yield the number and share of the events of each type, and the time since the last."""
    histories, names = past.histories, past.event_types.tolist()
    position = {name: number for number, name in enumerate(names)}
    known = np.array(
        [position.get(name, -1) for name in required(histories.event_ids, "event").tolist()], dtype=np.int64
    )
    codes = known[histories.event_codes] if len(known) else np.zeros(0, dtype=np.int64)
    chosen = codes >= 0
    key = past.rows[chosen] * len(names) + codes[chosen]
    counts = np.bincount(key, minlength=len(past.known) * len(names)).reshape(-1, max(len(names), 1))
    since = np.full(counts.shape, past.longest)
    if past.at is not None:
        since.reshape(-1)[key] = past.age[chosen]  # the last assignment stays: ages fall within a row
    for number, name in enumerate(names):
        yield f"{name}_count", counts[:, number]
        yield f"{name}_share", past.ratio(counts[:, number], past.n_events)
        if past.at is not None:
            yield f"{name}_last", past.where(counts[:, number] > 0, since[:, number], past.longest)


# the function of each group and the column without which it has no feature
GROUPS = {
    "recency": (recency, "time"),
    "frequency": (frequency, "item"),
    "spend": (spend, "weight"),
    "basket": (basket, "time"),
    "interval": (interval, "time"),
    "diversity": (diversity, "item"),
    "repeats": (repeats, "item"),
    "trend": (trend, "time"),
    "calendar": (calendar, "time"),
    "event": (event, "event"),
}
