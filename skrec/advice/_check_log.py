"""The size and the character of a log, in words."""

import math

import numpy as np

from ..utils._histories import Histories
from ._character import log_character
from ._check_facts import Facts

_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
# what a number of `log_character` says, and where 100 times it is a share
_TEXTS = {
    "repeat_share": "{:.0f} % of the events are of an item that the user already had",
    "repeat_user_share": "{:.0f} % of the users took an item again",
    "events_per_user_mean": "{:,.1f} events per user in the mean",
    "events_per_user_median": "{:,.0f} events per user in the median",
    "single_user_share": "{:.0f} % of the users have one event",
    "single_item_share": "{:.0f} % of the items were taken by one user alone",
    "head_share": "{:.0f} % of the events are of the most popular tenth of the items",
    "gini": "Gini coefficient of item popularity {:.2f}: 0 is equal, 1 is one item alone",
    "density": "{:.3g} % of the pairs of user and item occur",
    "basket_size": "{:.1f} different items in a basket, the events of a user at one time",
    "baskets_per_user": "{:,.0f} baskets per user in the median",
    "order_gain": "other users share pairs of successive items {:.1f} times as often as pairs half a history apart",
    "session_user_share": "{:.0f} % of the users with two events have all of them within a day, as in sessions",
    "median_gap_days": "{:.3g} days between two baskets of a user in the median",
    "new_items_a_week": "{:,.1f} new items a week",
    "new_item_share": "{:.0f} % of the events in the most recent tenth are of items that are new in it",
    "new_user_share": "{:.0f} % of the users in the most recent tenth are new in it",
    "popularity_shift": "popularity in the most recent tenth differs by {:.2f}: 0 stays, 1 has nothing in common",
    "weekday_variation": "events by day of the week vary by {:.2f} (standard deviation over mean)",
    "month_variation": "events by month vary by {:.2f} (standard deviation over mean)",
}


def add_log_facts(facts: Facts, histories, read: Histories) -> dict[str, float]:
    """Add size and character of a log; return what `log_character` returns."""
    character = log_character(histories)
    for name in ("events", "users", "items"):
        count = int(character[f"n_{name}"])
        facts.add("log", name, count, f"{count:,} {name}")
    if read.time is not None:
        first, last = float(read.time.min()), float(read.time.max())
        span = f"{moment(first, read.dated)} to {moment(last, read.dated)}"
        facts.add("log", "time", span, f"the times are {span}")
    longest = int(read.lengths.max())
    facts.add("log", "longest history", longest, f"the longest history has {longest:,} events")
    for name, text in _TEXTS.items():
        value = character.get(name, math.nan)
        if math.isfinite(value):
            facts.add(
                "character", name, value, text.format(100 * value if "{:.0f} %" in text or "g} %" in text else value)
            )
    if read.time is not None and read.dated:
        _add_calendar(facts, read.time, character)
    return character


def moment(value: float, dated: bool) -> str:
    """Write a time as a date, or a number."""
    if not dated:
        return f"{value:.15g}"
    return str(np.datetime64(round(value * 86_400), "s")).replace("T", " ").removesuffix(" 00:00:00")


def _add_calendar(facts: Facts, times: np.ndarray, character: dict[str, float]) -> None:
    """Name the day of the week and the month with most and with fewest events, where the log covers them all."""
    days = np.floor(times).astype(np.int64)
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    for name, kind, numbers, names in (
        ("weekday_variation", "weekdays", (days + 3) % 7, _WEEK),
        ("month_variation", "months", months, _MONTHS),
    ):
        if math.isfinite(character.get(name, math.nan)):
            counts = np.bincount(numbers, minlength=len(names))
            best, least = int(np.argmax(counts)), int(np.argmin(counts))
            text = f"most events on {names[best]} ({100 * counts[best] / len(times):.0f} %), fewest on {names[least]}"
            text = text.replace(" on ", " in ") if kind == "months" else text
            facts.add("character", kind, names[best], f"{text} ({100 * counts[least] / len(times):.0f} %)")
