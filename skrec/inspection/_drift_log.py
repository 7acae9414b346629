"""Events of a drift monitor: read, coded and cut into periods."""

import time
from dataclasses import dataclass

import numpy as np

from ..feature_extraction._event_columns import check_names, read_raw
from ..feature_extraction._time_units import with_unit
from ..utils._containers import is_stored
from ..utils._histories import is_frame, read_histories
from ..utils._list_columns import to_numpy
from ..utils._time import are_dates, as_days, as_duration, as_moment
from ..utils._validation import type_name

ROLES = ("user", "item", "time", "weight", "price", "category", "country", "event")
LABELS = ("category", "country", "event")
_MONDAY = 4.0  # 1970-01-05, in days since 1970: weeks begin on Mondays
_MOST = 20_000  # periods
AHEAD = 1.0  # days that a clock, or a zone that was left out, may be ahead
_WHOLE = 1 / 7  # share of a period that may lack events at its end, such as a Sunday


@dataclass(frozen=True)
class CodedLog:
    """Events of a log as codes, ordered by period.

    Attributes
    ----------
    first : int
        Number of the first period since the origin.
    indptr : ndarray of shape (n_periods + 1,)
        Boundaries of the periods.
    user, item : ndarray of shape (n_events,)
        Codes; -1 where the id is missing.
    user_ids, item_ids : ndarray of object
        The distinct ids.
    price : ndarray of shape (n_events,) or None
        Natural logarithm of the price; NaN where it is missing or not above 0.
    labels : dict of str to (codes, names)
        Columns of category, country and event.
    again : ndarray of shape (n_events,), dtype bool
        Whether an event equals an earlier one of the same period in every column.
    missing : ndarray of shape (n_events,), dtype bool
        Whether the event lacks its user, its item or a price above 0.
    """

    first: int
    indptr: np.ndarray
    user: np.ndarray
    item: np.ndarray
    user_ids: np.ndarray
    item_ids: np.ndarray
    price: np.ndarray | None
    labels: dict
    again: np.ndarray
    missing: np.ndarray

    @property
    def n_periods(self) -> int:
        """Number of periods, those without events included."""
        return len(self.indptr) - 1


@dataclass(frozen=True)
class Calendar:
    """Periods of one length: number n begins at ``origin + n * length``."""

    length: float
    origin: float
    dated: bool

    def number(self, times: np.ndarray) -> np.ndarray:
        """Return the number of the period of each time."""
        return np.floor((times - self.origin) / self.length).astype(np.int64)

    def start(self, number):
        """Return the first moment of a period: a Timestamp for dates, else a number."""
        moment = self.origin + number * self.length
        if not self.dated:
            return float(moment)
        import pandas as pd

        return pd.Timestamp(round(moment * 86_400_000), unit="ms")


def make_calendar(period, dated: bool) -> Calendar:
    """Return the calendar of a period such as "7D"; whole weeks begin on Mondays."""
    length = as_duration(period, "period", dated=dated)
    return Calendar(length, _MONDAY if dated and length % 7 == 0 else 0.0, dated)


def read_frame(events, columns: dict, name: str):
    """Return the columns of a log by role, as a pandas frame; `time` in days since 1970, or as the numbers it has.

    Returns
    -------
    frame : pandas.DataFrame
        One row per event, oldest first.
    dated : bool
        Whether the times are dates.
    """
    import pandas as pd

    if columns.get("user") is None and columns.get("item") is None:
        others = [role for role, column in columns.items() if column is not None]
        if others:
            raise ValueError(f"{', '.join(others)} name columns of events, and then user and item must be named too")
        return _from_histories(events, name)
    named = check_names(columns)
    if "time" not in named:
        raise ValueError("time must name the column that says when: drift is judged by periods")
    frame = pd.DataFrame(read_raw(events, named))
    if not len(frame):
        raise ValueError(f"{name} has no events: at least one is needed")
    label = f"time column {named['time']!r}"
    times = _times(frame["time"], label)
    dated = are_dates(times)
    frame["time"] = as_days(times, label)
    for role in ("price", "weight"):
        if role in frame:
            frame[role] = _numbers(frame[role], f"{role} column {named[role]!r}")
    return frame.sort_values("time", kind="stable", ignore_index=True), dated


def _users_of(X, n_users: int) -> np.ndarray:
    """Return the ids of the users: the index, or the first column of a polars frame; without one, row numbers."""
    if hasattr(X, "index"):
        return X.index.to_numpy()
    if X.columns[0] in ("item", "time", "weight", "event"):
        return np.arange(n_users)
    return X.to_series(0).to_numpy()


def in_future(times: np.ndarray, dated: bool) -> np.ndarray:
    """Mark the times (days since 1970) more than a day from now; never numbers, and none where all are."""
    far = times > time.time() / 86_400 + AHEAD
    return far & (dated and not far.all())


def without_future(frame, dated: bool) -> tuple:
    """Leave out the events dated more than a day from now, and note how many."""
    far = in_future(frame["time"].to_numpy(), dated)
    return (frame[~far], future_notes(int(far.sum()))) if far.any() else (frame, [])


def future_notes(count: int) -> list[str]:
    """Say how many events are dated more than a day from now; nothing where none is."""
    return [f"{count:,} events are dated after today and are left out"] if count else []


def complete_until(latest, now, days: float):
    """Return until when a log is complete whose last event is at `latest`, None where it ended there.

    It is the present moment where the last event is less than `days` old: its source is alive, or died so lately
    that the silence has to alarm. Where a clock or a zone is ahead, by a day at most, it is the last event.
    """
    age = (now - latest).total_seconds() / 86_400
    return max(latest, now) if -AHEAD <= age < days else None


def _times(times, label: str) -> np.ndarray:
    """Return times as dates, or as numbers where nothing says what they count."""
    import pyarrow as pa

    values = times.to_numpy()
    if len(values) and isinstance(values[0], str):
        raise TypeError(f"{label} has {values[0]!r}, which is text: convert it with pandas.to_datetime")
    if values.dtype.kind not in "iuf" or np.isnan(values.astype(np.float64)).any():
        return values
    return to_numpy(with_unit(pa.array(values), None, label)[0])


def _numbers(values, label: str):
    import pandas as pd

    try:
        return pd.to_numeric(values).astype(np.float64).replace([np.inf, -np.inf], np.nan)
    except (ValueError, TypeError) as error:
        raise TypeError(f"{label} must hold numbers ({error}): convert it with pandas.to_numeric") from error


def _from_histories(X, name: str):
    import pandas as pd

    if not is_frame(X) and not is_stored(X):
        raise TypeError(
            f"{name} must be events, with user=, item= and time= named, or the frame that to_histories returns, got "
            f"{type_name(X)}"
        )
    read = read_histories(X, name)
    if read.time is None:
        raise ValueError(f"{name} has histories without times: pass time= to to_histories")
    if not len(read.codes):
        raise ValueError(f"{name} has no events: at least one is needed")
    users = _users_of(X, len(read))
    frame = pd.DataFrame({"user": users[read.rows], "item": read.ids[read.codes], "time": read.time})
    if read.weight is not None:
        frame["weight"] = read.weight
    if read.event_codes is not None and read.event_ids is not None:
        frame["event"] = read.event_ids[read.event_codes]
    return frame.sort_values("time", kind="stable", ignore_index=True), read.dated


def whole_periods(times: np.ndarray, calendar: Calendar, until=None) -> tuple[int, int, list[str]]:
    """Return the first and last whole period of ascending times, and a note on each that is left out.

    The first is whole where events begin within a seventh of it, the last where they reach its last seventh, or where
    it ends by `until`, the moment until when they are complete.
    """
    at = (times[[0, -1]] - calendar.origin) / calendar.length
    first, last = int(np.floor(at[0])), int(np.floor(at[-1]))
    if last - first >= _MOST:
        raise ValueError(
            f"the times span {last - first + 1:,} periods of {calendar.length:g} each: check the times, or give a "
            "longer period"
        )
    notes = []
    if at[0] - first > _WHOLE:
        notes.append(f"the first period, from {text(calendar, first)}, begins before the log and is left out")
        first += 1
    if until is not None:
        end = as_moment(until, "until", dated=calendar.dated)
        if end < times[-1]:
            raise ValueError(f"until={until!r} lies before the last event: leave out later events, or until")
        last = int(np.floor((end - calendar.origin) / calendar.length)) - 1
        if last - first >= _MOST:
            raise ValueError(f"until={until!r} lies {last - first + 1:,} periods after the first event: correct it")
    elif at[-1] - last < 1 - _WHOLE - 1e-9:
        notes.append(f"the last period, from {text(calendar, last)}, is not over in the log and is left out")
        last -= 1
    return first, last, notes


def text(calendar: Calendar, number: int) -> str:
    """Write the start of a period."""
    start = calendar.start(number)
    if isinstance(start, float):
        return f"{start:g}"
    return str(start.date() if start == start.normalize() else start)


def code_log(frame, calendar: Calendar, first: int, last: int) -> CodedLog:
    """Code the events of the periods from `first` to `last`; the others are not read."""
    import pandas as pd

    number = calendar.number(frame["time"].to_numpy())
    frame = frame[(number >= first) & (number <= last)]
    number = calendar.number(frame["time"].to_numpy())
    codes, ids = {}, {}
    for role in ("user", "item", *(label for label in LABELS if label in frame)):
        try:
            codes[role], ids[role] = pd.factorize(frame[role].to_numpy(dtype=object))
        except TypeError as error:
            raise TypeError(
                f"the {role} column must hold numbers or text, one in a row ({error}): convert it"
            ) from error
    columns = {**codes, **{role: frame[role].to_numpy() for role in ("time", "weight", "price") if role in frame}}
    price, missing = None, (codes["user"] < 0) | (codes["item"] < 0)
    if "price" in frame:
        paid = frame["price"].to_numpy()
        price = np.log(np.where(paid > 0, paid, np.nan))
        missing = missing | ~(paid > 0)
    return CodedLog(
        first=first,
        indptr=np.searchsorted(number, np.arange(first, last + 2)),
        user=codes["user"],
        item=codes["item"],
        user_ids=np.asarray(ids["user"], dtype=object),
        item_ids=np.asarray(ids["item"], dtype=object),
        price=price,
        labels={role: (codes[role], np.asarray(ids[role], dtype=object)) for role in LABELS if role in codes},
        again=pd.DataFrame(columns).duplicated().to_numpy(),
        missing=missing,
    )


def frame_state(frame) -> dict:
    """Return a frame as arrays of numbers and lists of ids, which a model file can hold."""
    state = {}
    for name in frame:
        values = frame[name].to_numpy()
        if values.dtype.kind not in "iufb":
            lacking = frame[name].isna().to_numpy()
            values = [None if gone else value for value, gone in zip(values.tolist(), lacking, strict=True)]
        state[name] = values
    return state


def frame_of_state(state: dict):
    """Build the frame that `frame_state` took apart; ids are objects."""
    import pandas as pd

    return pd.DataFrame(
        {
            name: pd.Series(values, dtype=object) if isinstance(values, list) else values
            for name, values in state.items()
        }
    )
