"""Times, moments and durations: checked and brought to one scale, days since 1970 in UTC."""

import datetime
import logging
import numbers
import re

import numpy as np

from ._validation import is_missing, plain

logger = logging.getLogger("skrec")

_PER_DAY = {"h": 24, "m": 1440, "s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_ISO = re.compile(
    r"\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?\s?(Z|[+-]\d{2}(:?\d{2})?)?)?)?",
    re.ASCII | re.IGNORECASE,
)
_DURATION = re.compile(
    r"P.*\d.*|([+-]?\s*\d+(\.\d*)?\s*[a-zA-Zµμ]+[\s,]*)*(\d+:\d{2}:\d{2}(\.\d+)?)?", re.ASCII | re.IGNORECASE
)
_LAST_DAY = 2_932_897  # 10000-01-01, the first day that no date has
_MARGIN = 366  # days after today from which a date is in the far future
_BLOCK = 2**20  # times that are compared at once


def are_dates(values) -> bool:
    """Tell whether times are dates rather than numbers; false where there is none."""
    array = values if isinstance(values, np.ndarray) else np.asarray(values)
    if array.dtype.kind == "O":
        return len(array) > 0 and isinstance(array.reshape(-1)[0], (np.datetime64, datetime.date))
    return array.dtype.kind == "M"


def as_days(values, name: str = "time") -> np.ndarray:
    """Bring times to float64: days since 1970 for dates, the number itself for numbers.

    Parameters
    ----------
    values : array-like of shape (n,)
        Numbers, ``datetime64``, ``datetime`` or ``Timestamp`` objects. Times with a zone count in UTC.
    name : str, default="time"
        What they are, for the error message.

    Returns
    -------
    ndarray of shape (n,), dtype float64
        Times that can be compared and subtracted: equal moments give equal numbers in every unit.

    Raises
    ------
    TypeError
        If the values are not times, or mix numbers with dates.
    ValueError
        If a time is missing, or times with and without a zone are mixed.
    """
    array = values if isinstance(values, np.ndarray) else np.asarray(values)
    if array.dtype.kind == "O":
        array = _object_times(array.reshape(-1) if array.ndim == 0 else array, name)
    if array.ndim > 1:
        raise TypeError(f"{name} must hold one time per event, got values of the shape {array.shape}")
    if array.dtype.kind == "M":
        missing = np.isnat(array)
        days = _days_of_dates(array)
    elif array.dtype.kind in "iuf":
        days = array.astype(np.float64)
        missing = ~np.isfinite(days)
    else:
        raise _no_time(array.reshape(-1)[0], name)
    if missing.any():
        raise ValueError(
            f"{name} lacks {int(missing.sum())} of {len(days)} times: drop these events or fill their time first"
        )
    return days


def _days_of_dates(array: np.ndarray) -> np.ndarray:
    """Divide into whole days and the rest, so that one moment has one value whatever its unit."""
    unit, step = np.datetime_data(array.dtype)
    if unit not in _PER_DAY or step != 1:
        unit = "s" if unit in ("D", "W", "M", "Y", "h", "m", "s", "generic") else "ns"
        array = array.astype(f"datetime64[{unit}]")
    whole, rest = np.divmod(array.astype(np.int64), _PER_DAY[unit])
    return whole + rest / _PER_DAY[unit]


def as_float(value, name: str) -> float:
    """Return a number as a float; raise a ValueError where it is beyond what floats hold."""
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"{name} has a number beyond 1.8e308, which no time reaches: correct it") from error


def _no_time(value, name: str) -> TypeError:
    return TypeError(
        f"{name} has {plain(value)!r}, which is not a time: give datetimes or numbers, "
        "for instance through pandas.to_datetime"
    )


def _object_times(array: np.ndarray, name: str) -> np.ndarray:
    import pandas as pd

    there = [value for value in array if not is_missing(value)]
    for value in there:
        if isinstance(value, (bool, np.bool_, np.timedelta64)) or not isinstance(
            value, (numbers.Real, np.datetime64, datetime.date)
        ):
            raise _no_time(value, name)
    kinds = {isinstance(value, numbers.Real) for value in there}
    if len(kinds) > 1:
        raise TypeError(f"{name} mixes numbers and datetimes: convert it, for instance with pandas.to_datetime")
    if kinds != {False}:
        return np.array([np.nan if is_missing(value) else as_float(value, name) for value in array])
    if len({getattr(value, "tzinfo", None) is None for value in there}) > 1:
        raise ValueError(
            f"{name} mixes times with a zone and without one: give all of them a zone, or none (then they count as UTC)"
        )
    try:
        return pd.to_datetime(pd.Series(array), utc=True).dt.tz_localize(None).to_numpy()
    except pd.errors.OutOfBoundsDatetime:  # beyond what nanoseconds reach
        return np.array([_microseconds(value) for value in array], dtype="datetime64[us]")


def _microseconds(value):
    if is_missing(value):
        return np.datetime64("NaT")
    if getattr(value, "tzinfo", None) is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return np.datetime64(value, "us")


def as_moment(value, name: str, *, dated: bool | None = None) -> float:
    """Bring one moment (number, date, or text such as "2011-11-01") to the scale of `as_days`.

    Parameters
    ----------
    value : number, date, datetime, Timestamp, datetime64 or str
        The moment. Text must be ISO 8601, since 10.11.2011 is two dates. A moment without a zone counts as UTC.
    name : str
        What it is, for the error message.
    dated : bool, default=None
        Whether the times it is compared with are dates; None: not known, or not compared.

    Returns
    -------
    float
        Days since 1970 for dates, the number itself for numbers.

    Raises
    ------
    TypeError
        If the value is no moment.
    ValueError
        If text is no date in ISO 8601, or a date meets times that are numbers of unknown unit.
    """
    if isinstance(value, (bool, np.bool_, np.timedelta64)) or is_missing(value):
        raise TypeError(f"{name} must be a date or a number, got {value!r}")
    if isinstance(value, numbers.Real):
        moment = float(as_days(np.array([as_float(value, name)]), name)[0])
        if dated and not abs(moment) < _LAST_DAY:
            raise ValueError(
                f"{name}={plain(value)!r} is no day in the years to 9999, but the times are dates, with which a number "
                "counts as days since 1970: give a date such as '2011-11-01'"
            )
        return moment
    if isinstance(value, str) and any(sign.isdigit() for sign in value):
        moment = _iso_moment(value, name)
    elif isinstance(value, (datetime.date, np.datetime64)):
        moment = float(as_days(np.array([value], dtype=object), name)[0])
    else:
        raise TypeError(f"{name} must be a date or a number, got {value!r}")
    if dated is False:
        raise ValueError(
            f"{name}={str(value)!r} is a date, but the times are numbers of unknown unit: pass time_unit= to "
            "to_histories ('s', 'ms', 'us', 'ns' or 'D'), or give a number"
        )
    return moment


def _iso_moment(text: str, name: str) -> float:
    import pandas as pd

    written = text.strip()
    if not _ISO.fullmatch(written):
        raise ValueError(
            f"{name} must be a date in ISO 8601, such as '2011-11-10' or '2011-11-10 08:26' (year, month, day), or a "
            f"number, got {text!r}"
        )
    try:
        stamp = pd.Timestamp(written.replace(",", "."))
    except ValueError as error:
        raise ValueError(f"{name}={text!r} is no date of the calendar ({error}): correct it") from error
    return float(as_days(np.array([stamp], dtype=object), name)[0])


def as_duration(value, name: str, *, dated: bool | None = None) -> float:
    """Bring a duration to days: "30D", a timedelta, or a plain number (days, or the unit of numeric times).

    Parameters
    ----------
    value : number, str, timedelta or timedelta64
        The duration, above 0. Text has a unit.
    name : str
        What it is, for the error message.
    dated : bool, default=None
        Whether the times it is compared with are dates; None: not known, or not compared.

    Returns
    -------
    float
        Days, or the number itself.

    Raises
    ------
    TypeError
        If the value is no duration.
    ValueError
        If it is not above 0, lacks a unit, or has one where the unit of the times is unknown.
    """
    if isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_, np.timedelta64)):
        days = as_float(value, name)
    else:
        days = _exact_days(value, name)
        if dated is False:
            raise ValueError(
                f"{name}={str(value)!r} has a unit, but the times are numbers of unknown unit: pass time_unit= to "
                "to_histories ('s', 'ms', 'us', 'ns' or 'D'), or give a number in the unit of the times"
            )
    if not days > 0:
        raise ValueError(f"{name} must be above 0, got {value!r}")
    return days


def _exact_days(value, name: str) -> float:
    import pandas as pd

    if isinstance(value, np.timedelta64):
        unit, step = np.datetime_data(value.dtype)
        if np.isnat(value) or unit in ("generic", "M", "Y"):
            raise ValueError(f"{name} must have a unit of fixed length, such as '30D', got {value!r}")
        if unit in ("D", "W"):
            return float(int(value.astype(np.int64)) * step * (7 if unit == "W" else 1))
        fine = _PER_DAY.get(unit)
        if fine is None:  # finer than nanoseconds
            fine, value = _PER_DAY["ns"], value.astype("timedelta64[ns]")
            step = 1
        return int(value.astype(np.int64)) * step / fine
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", value, re.IGNORECASE):
        raise ValueError(
            f"{name}={value!r} lacks a unit: write '{value.strip()}D' for days, or give a number instead of text"
        )
    if isinstance(value, datetime.timedelta):
        return value / datetime.timedelta(days=1)
    try:
        if not isinstance(value, str) or not value.strip() or not _DURATION.fullmatch(value.strip()):
            raise ValueError("unknown form")
        return pd.Timedelta(re.sub(r"(?<=\d)\s*d\b", "D", value)) / pd.Timedelta(days=1)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} must be a number of days or a duration such as '30D', got {value!r}") from error


def far_limit(days: np.ndarray, dated: bool) -> float:
    """Return the moment after which times are in the far future, a year from now; infinite where none counts as far:
    times that are numbers, and times that are all after it.
    """
    if not dated:
        return np.inf
    limit = datetime.datetime.now(datetime.UTC).timestamp() / _PER_DAY["s"] + _MARGIN
    near = any((days[start : start + _BLOCK] <= limit).any() for start in range(0, len(days), _BLOCK))
    return limit if near else np.inf


def latest_until(times: np.ndarray, limit: float, default: float = -np.inf) -> float:
    """Return the latest of times, (n,), that is not after a limit; `default` where there is none."""
    latest = -np.inf
    for start in range(0, len(times), _BLOCK):
        part = times[start : start + _BLOCK]
        latest = max(latest, part[part <= limit].max(initial=-np.inf))
    return latest if np.isfinite(latest) else default


def far_future(days: np.ndarray, dated: bool) -> np.ndarray:
    """Mark the times more than a year from now; never numbers, and none where all would be."""
    return days > far_limit(days, dated)


def latest_time(days: np.ndarray, dated: bool, *, tell: bool = True) -> float:
    """Return the latest time that is not in the far future, and say how many are.

    Parameters
    ----------
    days : ndarray of shape (n,)
        Times as `as_days` returns them, at least one.
    dated : bool
        Whether they are dates.
    tell : bool, default=True
        Whether to log the number of events in the far future.

    Returns
    -------
    float
        The moment that stands for now where none is given.
    """
    far = far_future(days, dated)
    if not far.any():
        return float(days.max())
    if tell:
        logger.warning(
            "%d of %d events are dated more than a year from now: they do not count in windows and half-lives",
            int(far.sum()),
            len(far),
        )
    return float(days[~far].max())


def late_moment(times: np.ndarray, dated: bool, share: float = 0.1) -> float:
    """Return the moment from which the last share of times, (n,), lies; the start of the day where that works."""
    moment = float(np.quantile(times, 1 - share, method="higher"))
    start = float(np.floor(moment))
    return start if dated and start > times.min() else moment
