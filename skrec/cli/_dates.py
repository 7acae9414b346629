"""Moments in options and in text: dates are ISO 8601, or follow `--time-format`."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from ..utils._histories import read_histories
from ..utils._row_blocks import are_basket_numbers
from ._screen import UserError

_ISO = re.compile(r"\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?)?")
_MONTHS = ["January", "February", "March", "April", "May", "June"]
_MONTHS += ["July", "August", "September", "October", "November", "December"]


class Moment(NamedTuple):
    """A moment that an option gives: a date, UTC and without a zone, or a number."""

    option: str
    given: str
    value: datetime | float

    def on_scale_of(self, histories) -> float:
        """Return the moment as a number that compares with the times of `histories`."""
        if has_dates(histories) and not isinstance(self.value, datetime):
            raise UserError(
                f"{self.option} {self.given} is a number, but the times of the log are dates: give a date such as "
                "2011-11-10"
            )
        if not has_dates(histories) and isinstance(self.value, datetime):
            raise UserError(
                f"{self.option} {self.given} is a date, but the times of the log are numbers: give a number, or say "
                "what they count since 1970 with --time-unit"
            )
        if not isinstance(self.value, datetime):
            return self.value
        whole, rest = divmod(self.value - datetime(1970, 1, 1), timedelta(days=1))
        return whole + rest / timedelta(days=1)

    def __str__(self) -> str:
        return str(self.value.isoformat(" ")) if isinstance(self.value, datetime) else f"{self.value:g}"


def parse_moment(text: str | None, option: str, time_format: str | None = None) -> Moment | None:
    """Read a moment given as an option.

    Parameters
    ----------
    text : str or None
        What was given.
    option : str
        The option, for messages.
    time_format : str, default=None
        The format of dates in the log, which is tried first.

    Returns
    -------
    Moment or None
        None where nothing was given.
    """
    if text is None:
        return None
    moment = _formatted(text.strip(), time_format) or _iso(text.strip(), option)
    if moment is None and time_format is None:
        try:
            number = float(text)
        except ValueError:
            number = np.nan
        if np.isfinite(number):
            return Moment(option, text, number)
    if moment is None:
        known = "in ISO 8601, such as 2011-11-10 or 2011-11-10T14:30"
        also = f", or written as --time-format {time_format!r}" if time_format else ", or say --time-format '%d.%m.%Y'"
        raise UserError(f"{option} must be a date {known}{also}, got {text!r}")
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return Moment(option, text, moment)


def _formatted(text: str, time_format: str | None) -> datetime | None:
    try:
        return None if time_format is None else datetime.strptime(text, time_format)
    except ValueError:
        return None


def _iso(text: str, option: str) -> datetime | None:
    if not _ISO.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(f"{text}-01" if len(text) == 7 else text)
    except ValueError as error:
        raise UserError(f"{option} must be a date, got {text!r}: {error}") from error


def echo(*moments: Moment | None) -> list[str]:
    """Say how dates were read, with the month in letters; nothing where there are none."""
    read = [f"{one.option} as {_in_words(one.value)}" for one in moments if one is not None]
    return [f"Read {' and '.join(read)}."] if read else []


def _in_words(value: datetime | float) -> str:
    if not isinstance(value, datetime):
        return f"the number {value:g}"
    day = f"{value.day} {_MONTHS[value.month - 1]} {value.year}"
    return f"{day}, {value:%H:%M}" + (f":{value:%S}" if value.second or value.microsecond else "")


def times_of(histories) -> np.ndarray:
    """Return the times of all events as numbers; days since 1970 for dates."""
    times = read_histories(histories).time
    if times is None:
        raise UserError("the log has no times: name their column with --time")
    return times


def span(histories) -> tuple[str, str]:
    """Return the first and the last time as text."""
    times = times_of(histories)
    return moment_text(histories, times.min()), moment_text(histories, times.max())


def moment_text(histories, moment: float) -> str:
    """Write a moment as a date where the log has dates, else as a number."""
    if not has_dates(histories):
        return f"{moment:.15g}"
    stamp = str(np.datetime64(round(moment * 86_400), "s")).replace("T", " ")
    return stamp.removesuffix(" 00:00:00").removesuffix(":00")


def as_argument(histories, moment: float):
    """Return a moment on the scale of histories as `split_time` takes it."""
    return np.datetime64(round(moment * 86_400_000_000), "us") if has_dates(histories) else moment


def has_dates(histories) -> bool:
    """Tell whether the times are dates rather than numbers."""
    import pyarrow as pa

    if hasattr(histories, "histories"):  # StoredHistories
        return histories.histories.dated
    return "time" in histories.columns and pa.types.is_temporal(histories["time"].dtype.pyarrow_dtype.value_type)


def kind_of_time(histories) -> str | None:
    """Return what `make_recommender` must know: "date", "number", "basket", or None without times.

    Numbers count the baskets of each user where every user has 1, 2, 3 and so on, or 0, 1, 2.
    """
    if "time" not in histories.columns:
        return None
    if has_dates(histories):
        return "date"
    read, times = read_histories(histories), times_of(histories)
    return "basket" if are_basket_numbers(read.indptr, times) else "number"


def say_baskets(kind: str | None) -> list[str]:
    """Say that times are taken for numbers of baskets."""
    if kind != "basket":
        return []
    return ["The times are 1, 2, 3 and so on for each user: they are taken for the numbers of the user's baskets."]
