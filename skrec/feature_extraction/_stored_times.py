"""Times of stored histories: float64 days and numbers on disk, and the Arrow types they came in."""

import re

import numpy as np

from ._event_columns import mixed_zones

_DAY = 86_400
_PER_DAY = {"s": _DAY, "ms": _DAY * 10**3, "us": _DAY * 10**6}
_UNITS = ("s", "ms", "us", "ns")
_NANOSECONDS = 106_751  # days since 1970 that nanoseconds reach
_EXACT = 2**53  # whole numbers up to here are exact as floats
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=([\w/+:-]+))?\]")


def time_type(name: str):
    """Return the Arrow type of times that is written as `name`; ValueError where there is none."""
    import pyarrow as pa

    if found := _TIMESTAMP.fullmatch(name):
        return pa.timestamp(found[1], tz=found[2])
    kind = pa.type_for_alias(name)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_date(kind)):
        raise ValueError(f"{name} is no type of times")
    return kind


def is_dated(name: str) -> bool:
    """Tell whether times of the type that is written as `name` are dates."""
    import pyarrow as pa

    return pa.types.is_temporal(time_type(name))


def finest_type(names: list[str]) -> str:
    """Return the type that holds the times of all types, of which all are dates or none is.

    Raises
    ------
    ValueError
        If times with and without a zone are mixed.
    """
    import pyarrow as pa

    kinds = [time_type(name) for name in dict.fromkeys(names)]
    if len(kinds) == 1:
        return names[0]
    if not pa.types.is_temporal(kinds[0]):
        return str(pa.from_numpy_dtype(np.result_type(*(kind.to_pandas_dtype() for kind in kinds))))
    stamps = [kind for kind in kinds if pa.types.is_timestamp(kind)]
    if len({kind.tz is None for kind in stamps}) > 1:
        raise ValueError(mixed_zones("the time column of the store and of the events to append"))
    if not stamps:
        return "timestamp[s]"
    unit = _UNITS[max(_UNITS.index(kind.unit) for kind in stamps)]
    return str(pa.timestamp(unit, tz=stamps[0].tz))


def as_time_type(time: np.ndarray, name: str):
    """Return times, shape (n_events,) as they are stored, in an Arrow type; dates to the microsecond."""
    import pyarrow as pa

    kind = time_type(name)
    if pa.types.is_integer(kind):
        exact = not len(time) or np.abs(time).max() <= _EXACT
        return pa.array(time.astype(kind.to_pandas_dtype())) if exact else pa.array(np.array(time))
    if pa.types.is_floating(kind):
        return pa.array(np.array(time), type=kind)
    if pa.types.is_date(kind):
        return pa.array(np.floor(time).astype(np.int32)).cast(pa.date32()).cast(kind)
    unit = "us" if kind.unit == "ns" else kind.unit
    whole = np.floor(time)
    ticks = whole.astype(np.int64) * _PER_DAY[unit] + np.rint((time - whole) * _PER_DAY[unit]).astype(np.int64)
    reached = kind.unit != "ns" or not len(time) or np.abs(time).max() < _NANOSECONDS
    kind = kind if reached else pa.timestamp("us", tz=kind.tz)
    return pa.array(ticks).cast(pa.timestamp(unit, tz=kind.tz)).cast(kind)
