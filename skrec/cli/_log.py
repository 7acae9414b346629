"""Reading a log once: its events, the names of its items, and one line that says what is wrong with it."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..utils._suggest import did_you_mean
from ._large_log import is_store, read_large_log, sorting_memory, usable_memory
from ._options import Log
from ._screen import Screen, UserError

_OPTIONS = re.compile(r"\b(user|item|time|weight|event|where|time_format|time_unit|encoding)=")


def read_log(screen: Screen, log: Log, *, check: bool = False, memory: float | None = None):
    """Read histories, and the names of the items where the log has a column of them.

    Parameters
    ----------
    screen : Screen
        Where to print what was left out, recognised or found.
    log : Log
        The files, their columns, and how to read them.
    check : bool, default=False
        Whether to print what is suspicious about the events.
    memory : float, default=None
        GiB that the command may take: a larger log is sorted on disk and read from there. None is half of what
        is free.

    Returns
    -------
    histories : pandas.DataFrame or StoredHistories
        As `to_histories` returns them.
    names : pandas.Series or None
        The most frequent name of each item.
    """
    from ..feature_extraction import to_histories

    log.check_times()
    with as_options(log):
        stored = read_large_log(screen, log, memory)
    if stored is not None:
        named = "name" in log.columns and not is_store(log)
        return stored, item_names_of_files(log, memory) if named else None
    with screen.working("Reading the log"), as_options(log):
        events = read_events(log)
        line = check_line(events, log) if check else ""
    if line:
        screen.say(line)
    events = complete_events(screen, events, log)
    with screen.working("Sorting the log"), as_options(log):
        names = None
        if "name" in log.columns:
            names = item_names(events[log.columns["item"]], events[log.columns["name"]])
        roles: dict[str, Any] = {role: name for role, name in log.columns.items() if role != "name"}
        histories = to_histories(events, **roles, time_unit=log.time_unit)
    return histories, names


def read_events(log: Log):
    """Read the columns of a log into an Arrow table, under their own names."""
    import pyarrow as pa

    from ..feature_extraction._event_columns import check_names
    from ..feature_extraction._event_files import read_columns_of_files
    from ..feature_extraction._where import Where

    roles = check_names({role: name for role, name in log.columns.items() if role != "name"})
    if "name" in log.columns and log.columns["name"] != log.columns["item"]:
        roles["name"] = log.columns["name"]
    where = None if log.where is None else Where(log.where)
    try:
        columns = read_columns_of_files(
            list(log.paths), roles, where=where, time_format=log.time_format, encoding=log.encoding
        )
        return pa.table({name: columns[role] for role, name in roles.items()})
    except pa.ArrowException as error:  # integers in one file, text in another
        raise UserError(f"the files of the log do not fit together ({error}): give each column one type") from error


@contextlib.contextmanager
def as_options(log: Log) -> Iterator[None]:
    """Word errors about parameters of `to_histories` as errors about options of the command."""
    try:
        yield
    except (ValueError, TypeError) as error:
        text = _OPTIONS.sub(lambda match: f"--{match[1].replace('_', '-')} ", str(error)).replace("events=", "the log ")
        text += _closest_file(log.paths) if "does not exist" in text else ""
        if "at least 0" in text and "weight" in log.columns:
            text += f'; --where "`{log.columns["weight"]}` > 0" leaves them out'
        raise UserError(text) from error


def _closest_file(paths: list[str]) -> str:
    lacking = next((Path(path) for path in paths if path != "-" and not Path(path).exists()), None)
    if lacking is None or not lacking.parent.is_dir():
        return ""
    meant = did_you_mean(lacking.name, [path.name for path in lacking.parent.iterdir() if path.is_file()])
    return meant if "did you mean" in meant else ""


def check_line(events, log: Log) -> str:
    """Say in one line what is suspicious about a log."""
    from ..feature_extraction._check_events import check_events

    roles = {role: name for role, name in log.columns.items() if role != "name"}
    found = check_events(events, **roles, time_unit=log.time_unit)
    found = found[found["count"] > 0]
    if not len(found):
        return f"Check of the log: nothing suspicious in {len(events):,} events."
    return f"Check of the log: {'; '.join(_in_words(row) for row in found.itertuples())}."


def _in_words(row) -> str:
    percent = f"{100 * row.share:.0f}" if row.share >= 0.1 else f"{100 * row.share:.2g}"
    return f"{row.check} {row.count:,} ({percent} %{f', such as {row.example}' if row.example else ''})"


def complete_events(screen: Screen, events, log: Log):
    """Leave out the events that lack a value where `--drop-missing` says so; else they are an error.

    Parameters
    ----------
    screen : Screen
        Where to print how many were left out.
    events : pyarrow.Table
        The columns of the log.
    log : Log
        How the log is read.

    Returns
    -------
    pyarrow.Table
        Events with a value in every column but the name.
    """
    names = {role: name for role, name in log.columns.items() if role != "name"}
    lacking = {name: events[name].is_null(nan_is_null=True).to_numpy() for name in names.values()}
    described = [f"{int(gone.sum()):,} without {name!r}" for name, gone in lacking.items() if gone.any()]
    if not described:
        return events
    n_events, gone = len(events), np.logical_or.reduce(list(lacking.values()))
    what = f"{int(gone.sum()):,} of {n_events:,} events have a missing value, {' and '.join(described)}"
    if not log.drop_missing:
        raise UserError(f"{what}: add --drop-missing to leave them out, or fill them")
    if gone.all():
        raise UserError(f"{what}, so none is left: check the columns")
    screen.say(f"Left out {int(gone.sum()):,} of {n_events:,} events: {', '.join(described)}.")
    return events.filter(~gone)


def item_names(items, names):
    """Return the most frequent name of each item, a Series indexed by item id.

    Parameters
    ----------
    items, names : pyarrow.Array of shape (n_events,)
        The columns of a log.
    """
    import pandas as pd

    frame = pd.DataFrame({"item": items.to_pandas(), "name": names.to_pandas()}).dropna()
    return _most_frequent(frame.value_counts(["item", "name"]).reset_index())


def item_names_of_files(log: Log, memory: float | None = None):
    """Return what `item_names` does, from files that do not fit into memory."""
    from ..feature_extraction._event_files import count_pairs

    with as_options(log):
        columns = {role: log.columns[role] for role in ("item", "name")}
        return _most_frequent(count_pairs(list(log.paths), columns, sorting_memory(usable_memory(memory))))


def _most_frequent(counts):
    import pandas as pd

    best = counts.sort_values(["count", "name"], ascending=[False, True]).drop_duplicates("item")
    return pd.Series([" ".join(str(text).split()) for text in best["name"]], index=best["item"].to_numpy())
