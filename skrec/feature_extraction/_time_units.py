"""Times of events: read from text in a given form, and numbers brought to dates where their unit is known."""

import datetime

import numpy as np

from ..utils._list_columns import to_numpy
from ..utils._time import are_dates, as_days, far_future

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # how many in a second
_FIRST, _LAST = 631_152_000, 4_102_444_800  # 1990 and 2100 in seconds since 1970
_DAY = 86_400
_BEFORE, _AFTER = -62_135_596_800, 253_402_300_800  # the years 1 to 9999


def check_time_unit(time_unit) -> None:
    """Raise where a unit of time is none of those known."""
    if time_unit is not None and not (isinstance(time_unit, str) and time_unit in (*UNITS, "D")):
        raise ValueError(f"time_unit must be 's', 'ms', 'us', 'ns', 'D' or None, got {time_unit!r}")


def read_times(array, time_format: str, label: str):
    """Read times from a column of text, or of integers such as 20111109, in a form such as "%d.%m.%Y"."""
    import pandas as pd
    import pyarrow as pa

    if not isinstance(time_format, str):
        raise TypeError(f"time_format must be a str such as '%d.%m.%Y %H:%M', got {time_format!r}")
    series = array.to_pandas()
    if pa.types.is_temporal(array.type) or pa.types.is_floating(array.type):
        raise ValueError(
            f"time_format={time_format!r} is for times in text, but {label} has {array.type}: leave it out"
        )
    try:
        zoned = "%z" in time_format
        times = pd.to_datetime(series.astype("string"), format=time_format, utc=zoned)
    except (ValueError, TypeError) as error:
        reason = str(error).partition("\n")[0].partition(". You might")[0].rstrip(".")
        raise ValueError(f"{label} is not in time_format={time_format!r} ({reason}): give the form it is in") from error
    times = times.dt.tz_localize(None) if zoned else times
    return pa.array(times.dt.as_unit("us"), from_pandas=True)


def with_unit(array, time_unit: str | None, label: str) -> tuple:
    """Bring times that are numbers to timestamps where their unit is given, or recognised.

    Parameters
    ----------
    array : Arrow array
        Times: numbers or dates.
    time_unit : {"s", "ms", "us", "ns", "D"}, default=None
        The unit since 1970. None recognises seconds to nanoseconds where all numbers lie within 1990 to 2100.
    label : str
        What the times are, for messages.

    Returns
    -------
    array : Arrow array
        Timestamps, or the numbers where the unit is not known.
    unit : str or None
        The unit that was recognised; None where none was, or it was given.
    """
    import pyarrow as pa

    number = pa.types.is_integer(array.type) or pa.types.is_floating(array.type)
    if not number:
        if time_unit is not None:
            raise ValueError(
                f"time_unit={time_unit!r} is for times that are numbers, but {label} has {array.type}: leave it out"
            )
        return array, None
    values = array.to_numpy(zero_copy_only=False)
    if not len(values):
        return array, None
    low, high = values.min(), values.max()
    unit = time_unit or recognise_unit(low, high)
    if unit is None:
        return array, None
    per_second = UNITS.get(unit, 1)
    factor = _DAY if unit == "D" else 1
    if not (int(low) * factor / per_second >= _BEFORE and int(high) * factor / per_second < _AFTER):
        fits = recognise_unit(low, high)
        meant = f"; did you mean time_unit={fits!r}?" if fits else ": check the unit"
        far = low if int(low) * factor / per_second < _BEFORE else high
        raise ValueError(f"{label} has {far}, which with time_unit={unit!r} is no date in the years 1 to 9999{meant}")
    return _timestamps(values, unit), None if time_unit else unit


def _timestamps(values: np.ndarray, unit: str):
    import pyarrow as pa

    resolution = "s" if unit == "D" else unit
    if values.dtype.kind == "f" and (values != np.floor(values)).any():
        whole = np.floor(values)  # parts of a unit: to microseconds
        micro = {"s": 10**6, "ms": 10**3, "us": 1, "D": _DAY * 10**6}.get(unit)
        if micro is None:
            return pa.array(np.rint(values).astype(np.int64), type=pa.int64()).cast(pa.timestamp("ns"))
        exact = whole.astype(np.int64) * micro + np.rint((values - whole) * micro).astype(np.int64)
        return pa.array(exact).cast(pa.timestamp("us"))
    exact = values.astype(np.int64) * (_DAY if unit == "D" else 1)
    return pa.array(exact).cast(pa.timestamp(resolution))


def recognise_unit(low, high) -> str | None:
    """Return the unit in which all numbers from `low` to `high` lie within 1990 to 2100, None where none does."""
    return next((u for u, n in UNITS.items() if _FIRST * n <= float(low) and float(high) < _LAST * n), None)


def time_notes(array, unit: str | None, label: str) -> list[str]:
    """Say which unit was recognised, and how many times lie in the far future."""
    times = to_numpy(array)
    if not len(times) or not are_dates(times):
        return []
    days = as_days(times, label)
    return range_notes((days.min(), days.max()), int(far_future(days, True).sum()), len(days), unit, label)


def range_notes(bounds: tuple, n_far: int, n_events: int, unit: str | None, label: str) -> list[str]:
    """Say what `time_notes` does, from the first and last day and the number of times in the far future."""
    notes: list[str] = []
    if unit is not None:
        first, last = (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(day // 1)) for day in bounds)
        words = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}[unit]
        notes.append(f"{label}: numbers read as {words} since 1970 ({first} to {last}); time_unit= names another unit")
    if n_far:
        notes.append(
            f"{label}: {n_far} of {n_events} events are dated more than a year from now; they count in no window"
        )
    return notes
