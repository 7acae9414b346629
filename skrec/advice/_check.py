"""Check of a log: its columns, what is suspicious, its character, and the commands to go on with."""

from collections.abc import Hashable
from typing import Any

import numpy as np

from ..feature_extraction._csv import typed
from ..feature_extraction._event_columns import DROP, drop_missing_events
from ..feature_extraction._grouping import group_events
from ..feature_extraction._history_frames import pandas_frame
from ..feature_extraction._json_lines import json_array
from ..feature_extraction._time_units import check_time_unit, read_times, with_unit
from ..feature_extraction._where import Where
from ..utils._arguments import check_whole
from ..utils._commands import command_line, printable
from ..utils._histories import read_histories, required
from ..utils._row_blocks import are_basket_numbers
from ._check_commands import (
    REPEATS,
    column_in_where,
    evaluate_split,
    joined,
    not_among,
    ready_commands,
    to_histories_call,
)
from ._check_facts import Facts, add_event_facts, add_id_facts, add_time_facts, add_user_facts, suspicious_numbers
from ._check_log import add_log_facts
from ._check_read import Source, open_source
from ._check_time import ISO, TimeForm, guess_time
from ._check_whole import Whole, count_whole
from ._columns import (
    ROLES,
    Column,
    are_orders,
    are_sessions,
    counts_something,
    guess_columns,
    is_sure,
    profile_column,
)

_HEAD_ROWS, _HEAD_CELLS = 50_000, 2_000_000  # of all columns, by which they are guessed
_CATALOGUE = 20  # rows from which a table in which each has another item is no log
_MOST_BAD = 5  # distinct times in no format that a condition leaves out
_LIKE_DATA = r"\s*(-?\d+([.,]\d+)?|\d{4}-\d\d-\d\d.*|\d\d?[./]\d\d?[./]\d{2,4}.*)\s*"


def check_log(
    events,
    *,
    user: Hashable | None = None,
    item: Hashable | None = None,
    time: Hashable | None = None,
    weight: Hashable | None = None,
    event: Hashable | None = None,
    name: Hashable | None = None,
    where: str | None = None,
    time_format: str | None = None,
    time_unit: str | None = None,
    encoding: str | None = None,
    max_rows: int = 1_000_000,
):
    """Check a log of events: guess its columns, count what is suspicious, and describe it.

    Parameters
    ----------
    events : pandas or polars DataFrame, polars LazyFrame, pyarrow Table, path, or list of paths
        One row per event, as :func:`~skrec.feature_extraction.to_histories` takes them; ``"-"`` is standard input.
    user, item, time, weight, event, name : str, default=None
        The columns that say who, what, when, how much and what kind, and the column with the name of the item. None
        guesses the column by its name, in several languages, and by its content.
    where, time_format, time_unit, encoding : str, default=None
        As in :func:`~skrec.feature_extraction.to_histories`. None guesses the format or the unit of the times and the
        encoding of text files.
    max_rows : int, default=1000000
        Number of rows that are read, the first ones; a larger log is checked by these.

    Returns
    -------
    pandas.DataFrame of shape (n_facts, 6)
        One row for each fact, with the columns

        - ``group``: "file", "columns", "time", "ids", "suspicious", "log", "character" or "commands";
        - ``fact``: what it is, such as "user" or "exact duplicates";
        - ``value``: a number or a text;
        - ``level``: "info", "warning" (look at it) or "error" (no model can be fitted before it is put right);
        - ``text``: the fact in words; ``action``: what to do, empty where nothing is.

        ``attrs`` holds "columns" (dict of the columns by role), "reading" (dict of the options with which the log is
        to be read), "sessions" (whether a user of the log is one visit) and "commands" (dict of the ready commands by
        name, empty for tables in memory and where a level is "error").

    Raises
    ------
    TypeError
        If `events` is none of the forms, or an option is no text.
    ValueError
        If a file does not exist, is empty or cannot be read, or a column that was named is not there.

    See Also
    --------
    skrec.feature_extraction.check_events : Counts what is suspicious in columns that are known.
    log_character : The numbers behind the group "character".
    suggest : Recipes that suit the log.

    Notes
    -----
    Every guess is said in a row of its own, in ``action`` with what else was possible. Names count more than content.
    An amount is not used as a weight of events by the commands, since the models of the recipes ignore it; negative
    amounts are left out, as cancelled orders.

    Cost: linear in the rows that are read, which are held in memory: seven columns at most.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.advice import check_log
    >>> events = pd.DataFrame({
    ...     "CustomerID": [7, 3, 7, 3], "StockCode": ["mug", "lamp", "bowl", "mug"],
    ...     "InvoiceDate": pd.to_datetime(["2011-01-05", "2011-01-05", "2011-01-06", "2011-01-07"]),
    ... })
    >>> facts = check_log(events)
    >>> facts.attrs["columns"]
    {'user': 'CustomerID', 'item': 'StockCode', 'time': 'InvoiceDate'}
    >>> facts.loc[facts["group"] == "log", ["fact", "value"]].head(3)  # doctest: +NORMALIZE_WHITESPACE
         fact value
    ...  events   4
    ...   users   2
    ...   items   3
    """
    check_time_unit(time_unit)
    max_rows = check_whole(max_rows, "max_rows")
    if time_unit is not None and time_format is not None:
        raise ValueError("time_unit is for times that are numbers and time_format for text: give one of them")
    given = {"user": user, "item": item, "time": time, "weight": weight, "event": event, "name": name}
    check = _Check(
        open_source(events, encoding),
        {role: column for role, column in given.items() if column is not None},
        {"where": where, "time_format": time_format, "time_unit": time_unit, "encoding": encoding},
        max_rows,
    )
    check.run()
    frame = check.facts.frame()
    frame.attrs |= {
        "columns": {role: column.name for role, column in check.used.items()},
        "reading": {name: value for name, value in check.reading.items() if value},
        "sessions": check.sessions,
        "commands": check.commands,
    }
    return frame


class _Check:
    """The steps of `check_log` and what they have found so far."""

    def __init__(self, source: Source, given: dict, reading: dict, max_rows: int):
        self.source, self.max_rows = source, max_rows
        self.given = {role: source.position(column, role) for role, column in given.items()}
        self.reading: dict[str, Any] = reading | {"encoding": source.encoding, "drop_missing": False}
        self.facts = Facts()
        self.columns: list[Column] = []
        self.chosen: dict[str, Column] = {}
        self.used: dict[str, Column] = {}
        self.series: dict[str, Any] = {}
        self.sessions = False
        self.whole: Whole | None = None  # counts over all rows, where only the first are read
        self.commands: dict[str, str] = {}
        self.conditions = [reading["where"]] if reading["where"] else []  # that of the user first
        self.n_given = len(self.conditions)

    def run(self) -> None:
        """Take the steps; stop where no model can be fitted."""
        self._guess()
        if not {"user", "item"} <= set(self.chosen) or not self._read():
            return
        self._time()
        self._suspicious()
        self._used_columns()
        try:
            histories = self._histories()
        except (ValueError, TypeError) as error:
            self.facts.add(
                "log",
                "histories",
                "none",
                f"the log cannot be read as histories: {error}",
                "error",
                "put this right and check again",
            )
            return
        self._describe(histories)

    def _guess(self) -> None:
        """Choose the columns, and say how sure that is."""
        import re

        source, facts = self.source, self.facts
        n_rows = max(1_000, min(_HEAD_ROWS, _HEAD_CELLS // max(len(source.names), 1), self.max_rows))
        series, complete = source.read(n_rows)
        rows = f"{len(series[0]) if series else 0:,} rows" if complete else f"the first {n_rows:,} rows"
        columns = [profile_column(*one, values) for one, values in zip(enumerate(source.names), series, strict=True)]
        self.columns = columns
        facts.add("file", "form", source.kind, f"{source.described}; {len(columns)} columns, guessed by {rows}")
        twice = sorted({str(name) for name in source.names if source.names.count(name) > 1})
        odd = [str(name) for name in source.names if not str(name).isprintable() or str(name) == ""]
        for column in columns:
            column.usable = source.names.count(column.name) == 1 and str(column.name) not in ("", *odd)
        if twice:
            facts.add(
                "file",
                "columns of one name",
                len(twice),
                f"several columns have the name {twice[0]!r}: they are not used",
                "warning",
                "rename them apart",
            )
        if odd:
            facts.add(
                "file",
                "unprintable column names",
                len(odd),
                f"{len(odd)} names of columns are empty or have "
                f"characters that cannot be printed, such as {odd[0]!r}: they are not used",
                "warning",
                "rename them",
            )
        if source.kind == "csv" and source.names:
            like_data = sum(re.fullmatch(_LIKE_DATA, name) is not None for name in source.names)
            if like_data >= max(1, len(source.names) / 2):
                facts.add(
                    "file",
                    "no header",
                    like_data,
                    f"the first line looks like an event, not like names of columns: {', '.join(source.names[:5])}",
                    "error",
                    "put a line such as user,item,time before it",
                )
        self.chosen, others = guess_columns(columns, self.given)
        user, item = self.chosen.get("user"), self.chosen.get("item")
        guessed = user is not None and "user" not in self.given and not is_sure(user, "user")
        if guessed and item is not None and item.n_distinct == item.n_there > _CATALOGUE:
            text = f"each row has another {item.name!r}: this looks like a list of items, not like a log of events"
            facts.add("file", "no events", item.n_distinct, text, "error", "name the column of users, if it is a log")
        if not series or not len(series[0]):
            facts.add("file", "empty", 0, "the log has no rows", "error", "one event is needed at least")
        else:
            for role in ROLES:
                self._say_column(role, others[role])

    def _say_column(self, role: str, others: list[Column]) -> None:
        column = self.chosen.get(role)
        option = f"--{role}" if self.source.given else f"{role}="
        if self.source.given:
            other = " or ".join(command_line([option, str(one.name)]) for one in others)
        else:
            other = " or ".join(f"{option}{one.name!r}" for one in others)
        if column is None:
            if role in ("user", "item"):
                unusable = [one for one in self.columns if not one.usable and one.scores[role] >= 0.5]
                text, action = f"no column of {role}s was found", f"name it with {option}"
                if unusable:
                    text, action = f"{text} that can be used: not {str(unusable[0].name)!r}", "rename the column"
                self.facts.add("columns", role, "", text, "error", action)
            elif role == "time":
                self.facts.add(
                    "columns",
                    role,
                    "",
                    "no column of times was found: the order of the rows is taken for that of the events",
                    "warning",
                    f"name it with {option}",
                )
            return
        given, level, text = role in self.given, "info", f"{column.name!r}: {column.described}"
        if given:
            text += ", as asked"
        elif not is_sure(column, role) and not (role == "time" and column.kind == "time"):
            level, text = "warning", text + "; guessed by its content, since its name does not say so clearly"
        self.facts.add("columns", role, str(column.name), text, level, f"or {other}" if other and not given else "")

    def _read(self) -> bool:
        """Read the chosen columns of the first rows, and apply the condition of the user."""
        names = self.source.names
        where = None if not self.conditions else Where(self.conditions[0])
        extra = [] if where is None else [self.source.position(one, "where") for one in where.columns]
        positions = list(dict.fromkeys([*(one.position for one in self.chosen.values()), *extra]))
        series, complete = self.source.read(self.max_rows, positions)
        by_position = dict(zip(positions, series, strict=True))
        n_read = len(series[0])
        self._say_rows(n_read, complete)
        if where is not None:
            keep = where.mask(lambda one: by_position[names.index(one)].rename(one))
            self.facts.add("file", "where", int(keep.sum()), f"{int(keep.sum()):,} rows fulfil {where.text}")
            by_position = {at: values[keep].reset_index(drop=True) for at, values in by_position.items()}
        self.series = {role: by_position[column.position] for role, column in self.chosen.items()}
        for role in ("user", "item"):
            if not self.series[role].notna().any():
                self.facts.add(
                    "columns",
                    role,
                    str(self.chosen[role].name),
                    f"the column of {role}s has no value",
                    "error",
                    f"name another column of {role}s",
                )
        return bool(n_read) and all(self.series[role].notna().any() for role in ("user", "item"))

    def _say_rows(self, n_read: int, complete: bool) -> None:
        """Say how many rows there are; count over all of them where only the first are checked."""
        facts = self.facts
        if complete:
            facts.add("file", "rows", n_read, f"{n_read:,} rows")
            return
        columns = {role: str(one.name) for role, one in self.chosen.items() if role not in ("name", "event")}
        self.whole = whole = count_whole(self.source, columns)
        n_rows = self.source.n_total if whole is None else whole.n_rows
        text = f"more than {n_read:,} rows" if n_rows is None else f"{n_rows:,} rows"
        text = f"{text}: the first {n_read:,} are checked"
        action = "what comes later may hold other things: --rows, or max_rows= in Python, takes more"
        facts.add("file", "rows", n_read if n_rows is None else n_rows, text, "warning", action)
        if whole is not None:
            lacking = ", ".join(f"{n:,} without a {role}" for role, n in whole.missing.items() if n)
            text = f"over all rows about {whole.n_users:,} users and {whole.n_items:,} items, and {whole.n_negative:,} "
            text += f"negative weights; {lacking or 'no value is missing'}"
            facts.add("file", "all rows", whole.n_rows, text)

    def _time(self) -> None:
        """Find out how the times are written; a column whose times cannot be read is not used."""
        column = self.chosen.get("time")
        if column is None:
            return
        how, facts = self.reading, self.facts
        values = self.series["time"].dropna()
        if how["time_format"] or how["time_unit"]:
            text = how["time_format"] or f"numbers of the unit {how['time_unit']}"
            form = TimeForm("given", f"{text}, as asked", how["time_format"], how["time_unit"])
        else:
            form = guess_time(values, named=True)
        action = "or " + " or ".join(f"--time-format {one!r}" for one in form.others) if form.others else ""
        if form.kind == "none":
            facts.add(
                "time",
                "form",
                "none",
                f"{column.name!r} has {form.text}: no times, so that it is not used",
                "error" if "time" in self.given else "warning",
                "name another column of times, or the format of these with --time-format",
            )
            self._forget("time")
            return
        if form.kind == "excel":
            action = f"pandas.to_datetime(events[{column.name!r}], unit='D', origin='1899-12-30') makes dates of them"
        facts.add(
            "time",
            "form",
            form.time_format or form.time_unit or form.kind,
            f"{column.name!r}: {form.text}",
            "warning" if form.warn else "info",
            action,
        )
        if form.bad:
            n_bad = int(values.astype(str).isin(form.bad).sum())
            condition = not_among(column.name, form.bad) if len(form.bad) <= _MOST_BAD else None
            facts.add(
                "time",
                "not a time",
                n_bad,
                f"{n_bad:,} times cannot be read, such as {form.bad[0]!r}",
                "warning",
                "they are left out with --where" if condition else "correct them: the times are not used",
            )
            if condition is None:
                self._forget("time")
                return
            self.conditions.append(condition)
        how["time_format"], how["time_unit"] = form.time_format, form.time_unit
        if form.kind == "iso" and self.source.kind in ("table", "parquet"):
            how["time_format"] = ISO

    def _forget(self, role: str) -> None:
        self.chosen.pop(role, None)
        self.series.pop(role, None)
        self.reading |= {"time_format": None, "time_unit": None}

    def _suspicious(self) -> None:
        """Count what is suspicious, and take the conditions that leave it out."""
        columns = {role: values for role, values in self.series.items() if role != "name"}
        add_event_facts(self.facts, columns, self.reading["time_unit"], self.reading["time_format"])
        for role in ("user", "item"):
            column = self.chosen[role]
            words = add_id_facts(self.facts, role, self.series[role])
            condition = not_among(column.name, words) if words else None
            if condition is not None:
                self.conditions.append(condition)
            for one in suspicious_numbers(self.series[role]):
                count = int((self.series[role].dropna().astype(str).str.strip() == one).sum())
                self.facts.add(
                    "suspicious",
                    f"{role} {one}",
                    count,
                    f"{count:,} events have the {role} {one}, far more than any other",
                    "warning",
                    f'if it stands for a missing one: --where "{column_in_where(column.name)} != {one}"',
                )
        self._weights()

    def _weights(self) -> None:
        import pandas as pd

        column = self.chosen.get("weight")
        if column is None:
            return
        numbers = pd.to_numeric(self.series["weight"], errors="coerce").dropna()
        word = column_in_where(column.name)
        readable = len(numbers) == self.series["weight"].notna().sum()
        negative = (numbers < 0).any() or (self.whole is not None and self.whole.n_negative > 0)
        if readable and word and negative and (counts_something(column) or "weight" in self.given):
            self.conditions.append(f"{word} > 0")

    def _used_columns(self) -> None:
        """Choose the columns that the commands name: no weight and no kind of event, unless these were asked for."""
        self.used = {
            role: column
            for role, column in self.chosen.items()
            if role not in ("weight", "event") or role in self.given
        }
        for role in ("weight", "event"):
            if role in self.chosen and role not in self.used:
                kinds = self.series[role].dropna().value_counts()
                what = "amounts are counted here and not used by the commands"
                if role == "event":
                    shown = ", ".join(f"{kind} {count:,}" for kind, count in kinds.head(5).items())
                    what = f"all kinds of events count alike: {shown}"
                word = column_in_where(self.chosen[role].name)
                action = f"--{role} {self.chosen[role].name} uses them"
                if role == "event" and word and len(kinds):
                    action = f"--where \"{word} == '{kinds.index[-1]}'\" takes one kind alone"
                self.facts.add("columns", f"{role} in the commands", str(self.chosen[role].name), what, "info", action)
        user = self.chosen["user"]
        self.sessions = are_sessions(user) or are_orders(user)
        if self.sessions:
            self.facts.add(
                "columns",
                "rows",
                "sessions",
                f"{user.name!r} names visits or orders, not people: each counts as a session",
                "info" if are_sessions(user) else "warning",
                "name a column of customers with --user, if there is one",
            )

    def _histories(self):
        """Return histories as the commands will read them."""
        import pyarrow as pa

        self.reading["where"] = joined(self.conditions)
        series = {role: values for role, values in self.series.items() if role in self.used and role != "name"}
        names = {role: self.used[role].name for role in series}
        own = self.conditions[self.n_given :]
        if own:
            by_name = {column.name: self.series[role] for role, column in self.chosen.items()}
            where = Where(joined(own))
            keep = where.mask(lambda one: by_name[one].rename(one))
            series = {role: values[keep].reset_index(drop=True) for role, values in series.items()}
        later = {} if self.whole is None else self.whole.missing
        lacking = {role: bool(values.isna().any()) or later.get(role, 0) > 0 for role, values in series.items()}
        self.reading["drop_missing"] = any(lacking.values())
        time_format = self.reading["time_format"]
        columns = {}
        for role, values in series.items():
            if self.source.kind == "csv":
                array = pa.array(values, type=pa.string(), from_pandas=True)
                array = array if role == "time" and time_format else typed(array, role, names[role])
            elif self.source.kind == "json":
                cells = [None if missing else one for one, missing in zip(values, values.isna(), strict=True)]
                array = json_array([_plain(one) for one in cells], role, names[role])
            else:
                array = _arrow(values, role, names[role])
            columns[role] = array
        label = f"time column {names.get('time')!r}"
        if time_format:
            columns["time"] = read_times(columns["time"], time_format, label)
        if self.reading["drop_missing"]:
            columns = drop_missing_events(columns, names, [])
        users, indptr, flat = group_events(columns, names, DROP["files"])
        if "time" in flat:
            flat["time"], _ = with_unit(flat["time"], self.reading["time_unit"], label)
        return pandas_frame(users, indptr, flat, "user")

    def _describe(self, histories) -> None:
        """Describe the log, and make the commands."""
        read, facts = read_histories(histories), self.facts
        kind = None if read.time is None else "date" if read.dated else "number"
        if kind == "number" and are_basket_numbers(read.indptr, required(read.time, "time")):
            kind = "basket"
            facts.add(
                "time",
                "basket numbers",
                "basket",
                "the times are 1, 2, 3 and so on for each user: they are taken for the numbers of the user's baskets",
            )
        add_time_facts(facts, read, len(read.codes))
        users = histories.index.tolist()
        add_user_facts(facts, read, users, str(self.chosen["user"].name))
        character = add_log_facts(facts, histories, read)
        columns = {role: column.name for role, column in self.used.items()}
        exclude_seen = character["repeat_share"] < REPEATS
        split = evaluate_split(histories, read, kind, self.sessions, exclude_seen)
        if split is None:
            facts.add(
                "suspicious",
                "too small to evaluate",
                len(users),
                "too few users have events that can be held out: models cannot be compared on this log",
                "warning",
                "give a log in which users return",
            )
        call = to_histories_call(repr(self._path()) if self.source.given else "events", columns, self.reading)
        self._say_commands(columns, split, int(character["n_items"]), exclude_seen)
        facts.add("commands", "python", call, "the histories in Python")

    def _path(self):
        return self.source.given[0] if len(self.source.given) == 1 else self.source.given

    def _say_commands(self, columns: dict, split, n_items: int, exclude_seen: bool) -> None:
        names = [str(name) for name in columns.values()]
        clean = all(text.isprintable() for text in [*names, *self.source.given, str(self.reading["where"] or "")])
        errors = any(row[3] == "error" for row in self.facts.rows)
        if not self.source.given or errors or not clean:
            return
        for name, command, text in ready_commands(
            self.source.given,
            columns,
            self.reading,
            sessions=self.sessions,
            split=split,
            n_items=n_items,
            exclude_seen=exclude_seen,
        ):
            self.commands[name] = command
            self.facts.add("commands", name, command, text)


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def _arrow(values, role: str, name):
    """Return a column of a table as an Arrow array; values of several types are an error."""
    import pyarrow as pa

    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError) as error:
        raise TypeError(f"{role} column {name!r} has values of several types ({error}): bring them to one") from error
