"""How the times of a log are written: ISO text, another format, numbers of a unit, or plain numbers."""

import datetime
import re
from dataclasses import dataclass, field

import numpy as np

from ..feature_extraction._time_units import recognise_unit

_DATES = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%y", "%d/%m/%y",
    "%m/%d/%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d-%b-%Y", "%d-%b-%y", "%Y%m%d",
)  # fmt: skip
_HOURS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", ", %H:%M", ", %H:%M:%S")
_WHOLE = (
    "%Y-%m-%d %H:%M:%S UTC",
    "%Y-%m-%d %H:%M UTC",
    "%Y-%m-%d, %H:%M",
    "%Y-%m-%d %I:%M:%S %p",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S GMT",
    "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S %z %Y",
    "%d/%b/%Y:%H:%M:%S %z",
)
FORMATS = (*_WHOLE, *(date + hours for date in _DATES for hours in _HOURS))
ISO = "ISO8601"
_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # by the number of digits
_DAYS = (7_305, 24_837)  # 1990 to 2037 in days since 1970
_EXCEL = (32_874, 50_406)  # the same in days since 1899-12-30
_MOSTLY = 0.95  # share of the values that a form must fit, where others are then named
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds", "D": "days"}
_SAMPLE = 500  # distinct texts by which formats are tried


@dataclass
class TimeForm:
    """How times are written.

    `kind` is "date" (a type of dates), "iso", "format", "unit", "excel", "number" or "none"; `others` are formats that
    fit as well, `bad` distinct values that do not fit, `warn` whether the guess needs a look.
    """

    kind: str
    text: str
    time_format: str | None = None
    time_unit: str | None = None
    others: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    warn: bool = False


def guess_time(values, *, named: bool) -> TimeForm:
    """Guess how times are written.

    Parameters
    ----------
    values : pandas.Series of shape (n_events,)
        Raw values, in the order of the log, none missing.
    named : bool
        Whether the name of the column says that it holds times.
    """
    import pandas as pd

    if not len(values):
        return TimeForm("none", "no value")
    if getattr(values.dtype, "kind", "O") == "M" or isinstance(values.dtype, pd.DatetimeTZDtype):
        return TimeForm("date", "dates")
    if values.dtype == bool:
        return TimeForm("none", "true and false")
    if values.dtype == object and not isinstance(values.iloc[0], (str, int, float, np.number)):
        dates = isinstance(values.iloc[0], (datetime.date, np.datetime64))
        return TimeForm("date", "dates") if dates else TimeForm("none", f"values such as {values.iloc[0]!r}")
    try:
        numbers = pd.to_numeric(values).to_numpy(dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return _text_form(values.astype("string").astype(object))
    return _number_form(values, numbers, named)


def _number_form(values, numbers: np.ndarray, named: bool) -> TimeForm:
    if not np.isfinite(numbers).all():
        return TimeForm("none", "numbers that are not finite")
    low, high = numbers.min(), numbers.max()
    unit = recognise_unit(low, high)
    if unit is not None:
        return TimeForm("unit", f"{_UNITS[unit]} since 1970")
    whole = bool((numbers == np.floor(numbers)).all())
    digits = {len(str(int(value))) for value in (low, high)}
    if whole and low > 0 and len(digits) == 1 and min(digits) in _COMPACT:
        time_format = _COMPACT[min(digits)]
        text = values.astype("string").drop_duplicates()
        if all(_parses(one, time_format) for one in text) and 1990 <= int(str(int(low))[:4]) <= 2100:
            return TimeForm("format", f"dates as numbers, {time_format}", time_format=time_format)
    for one in ("s", "ms", "us", "ns"):
        inside = np.array([recognise_unit(value, value) == one for value in np.unique(numbers)])
        fits = inside[np.searchsorted(np.unique(numbers), numbers)]
        if fits.mean() >= _MOSTLY and (numbers >= 0).all():
            text = f"{_UNITS[one]} since 1970, but {int((~fits).sum()):,} are not within 1990 to 2100"
            return TimeForm("unit", text, time_unit=one, warn=True)
    if named and low >= _DAYS[0] and high < _DAYS[1]:
        text = "days since 1970; they could be plain numbers as well: then leave --time-unit out"
        return TimeForm("unit", text, time_unit="D", warn=True)
    if named and low >= _EXCEL[0] and high < _EXCEL[1]:
        first, last = (datetime.date(1899, 12, 30) + datetime.timedelta(days=int(day)) for day in (low, high))
        return TimeForm("excel", f"days as in Excel ({first} to {last}), taken for plain numbers", warn=True)
    return TimeForm("number", f"plain numbers, {low:.15g} to {high:.15g}, of unknown unit")


def _parses(text: str, time_format: str) -> bool:
    try:
        datetime.datetime.strptime(text, time_format)
    except ValueError:
        return False
    return True


def _text_form(texts) -> TimeForm:
    """Guess the format of text; pandas reads it as `to_histories` will."""
    distinct = texts.drop_duplicates()
    sample = distinct.iloc[:: max(1, len(distinct) // _SAMPLE)]
    if not sample.str.contains(r"\d", regex=True).mean() >= _MOSTLY:
        return TimeForm("none", f"text such as {texts.iloc[0]!r}")
    few = sample.iloc[:: max(1, len(sample) // 20)]
    shares = {}
    for time_format in FORMATS:
        if np.mean([_parses(one, time_format) for one in few]) >= 0.8:
            shares[time_format] = float(_read(sample, time_format).notna().mean())
    iso = float(_read(sample, ISO).notna().mean())
    if iso >= _MOSTLY and iso >= max(shares.values(), default=0):
        return _checked(distinct, ISO, [], texts)
    fitting = [one for one, share in shares.items() if share >= _MOSTLY and share == max(shares.values())]
    fitting = _distinct_readings(sample, fitting)
    if not fitting:
        return TimeForm("none", f"text such as {texts.iloc[0]!r}, and no known format fits all of it")
    fitting = sorted(fitting, key=lambda one: _disorder(texts, one))
    return _checked(distinct, fitting[0], fitting[1:], texts)


def _read(texts, time_format: str):
    import pandas as pd

    zoned = "%z" in time_format or time_format == ISO
    read = pd.to_datetime(texts, format=time_format, errors="coerce", utc=zoned)
    return read.dt.tz_localize(None) if zoned else read


def _distinct_readings(sample, formats: list[str]) -> list[str]:
    """Keep the first of formats that read all texts alike."""
    kept: list[str] = []
    for one in formats:
        if not any(_read(sample, one).equals(_read(sample, other)) for other in kept):
            kept.append(one)
    return kept


def _disorder(texts, time_format: str) -> tuple[float, float]:
    """Return how often times go back in the order of the log, and their span: less is more plausible."""
    read = _read(texts.iloc[:20_000], time_format).dropna()
    seconds = read.to_numpy().astype("datetime64[s]").astype(np.int64)
    return float((np.diff(seconds) < 0).mean()) if len(seconds) > 1 else 0.0, float(np.ptp(seconds))


def _checked(distinct, time_format: str, others: list[str], texts) -> TimeForm:
    read = _read(distinct, time_format)
    bad = [str(one) for one in distinct[read.isna()]]
    iso = time_format == ISO
    if iso and not bad and _mixed_zones(distinct):
        return TimeForm("none", "text that mixes times with a zone and without one")
    text = "ISO 8601" if iso else time_format
    if others:
        spans = " or ".join(
            f"{one} ({_read(distinct, one).min():%Y-%m-%d} to {_read(distinct, one).max():%Y-%m-%d})"
            for one in (time_format, *others)
        )
        text = f"{time_format}, by the order of the rows; both fit: {spans}"
    return TimeForm(
        "iso" if iso else "format", text, None if iso else time_format, None, others, bad, bool(others or bad)
    )


def _mixed_zones(texts) -> bool:
    from ..feature_extraction._event_columns import ZONE

    zoned = texts.map(lambda one: re.search(ZONE, one) is not None)
    return bool(zoned.any() and not zoned.all())
