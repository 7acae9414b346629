"""Logs in, tables out."""

import os
from pathlib import Path

import numpy as np

from ..utils._files import replacing
from ..utils._histories import read_histories
from ..utils._time import late_moment
from ._dates import Moment, has_dates, span, times_of
from ._screen import Screen, UserError

TABLES = (".csv", ".parquet")


def cut_log(histories, since: Moment | None, until: Moment | None):
    """Keep the events from `since` on and before `until`, and the users who have any."""
    if since is None and until is None:
        return histories
    from ..utils._containers import keep_events

    read = read_histories(histories)
    low = -np.inf if since is None else since.on_scale_of(histories)
    high = np.inf if until is None else until.on_scale_of(histories)
    if low >= high:
        raise UserError(f"--until {until} must be after --since {since}: swap them or leave one out")
    times = times_of(histories)
    keep = (times >= low) & (times < high)
    if not keep.any():
        first, last = span(histories)
        raise UserError(f"no event lies between --since and --until: the log goes from {first} to {last}")
    return keep_events(histories, read, keep)[read.take_events(keep).lengths > 0]


def facts(histories) -> dict[str, str]:
    """Describe a log in words."""
    from ..inspection import profile_log

    log = profile_log(histories)
    described = {
        "users": f"{log.n_users:,}",
        "items": f"{log.n_items:,}",
        "events": f"{log.n_events:,}",
        "repeats": f"{100 * log.repeat_share:.0f} % of the events are of an item that the user already had",
    }
    if log.first is not None:
        described["time"] = " to ".join(span(histories))
        described["baskets"] = f"{log.n_baskets:,} with {log.basket_size:.1f} items each"
    return described


def say_facts(screen: Screen, described: dict[str, str]) -> None:
    """Print the facts of a log."""
    over = f", {described['time']}" if "time" in described else ""
    screen.say(f"{described['events']} events of {described['users']} users and {described['items']} items{over}.")
    screen.say(f"{described['repeats']}.")


def say_seen(screen: Screen, exclude_seen: bool | None) -> None:
    """Print what happens to items that a user already has."""
    if exclude_seen is None:
        screen.say("Items that a user already has come last: the default. Where people buy again, say --include-seen.")
    else:
        screen.say(f"Items that a user already has come {'last' if exclude_seen else 'like any other'}, as asked.")


def last_part(histories, share: float = 0.1) -> float:
    """Return the moment from which the last share of the events lies; the start of the day where that works."""
    return late_moment(times_of(histories), has_dates(histories), share)


def check_output(path: Path | None, option: str, suffixes: tuple[str, ...] = ()) -> None:
    """Raise before the work where its result could not be written."""
    if path is None:
        return
    if suffixes and path.suffix.lower() not in suffixes:
        raise UserError(f"{option} {path} must end in {' or '.join(suffixes)}")
    if path.is_dir():
        raise UserError(f"{option} {path} is a directory: name a file in it")
    if not path.parent.is_dir():
        raise UserError(f"{option} {path} cannot be written: there is no directory {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"{option} {path} cannot be written: no permission for {path.parent}")


def write_table(frame, path: Path) -> None:
    """Write a frame as CSV or parquet; the file appears when it is complete."""
    with replacing(path) as partial:
        if path.suffix.lower() == ".csv":
            frame.to_csv(partial, index=False)
        else:
            frame.to_parquet(partial, index=False)
