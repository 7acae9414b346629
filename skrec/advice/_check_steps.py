"""The steps of the check of a log: guess columns and times, count what is suspicious, describe, and name commands."""

from typing import Any

from ..feature_extraction._where import Where
from ..utils._commands import command_line
from ..utils._histories import read_histories, required
from ..utils._row_blocks import are_basket_numbers
from ._check_commands import (
    REPEATS,
    among,
    column_in_where,
    evaluate_split,
    joined,
    not_among,
    ready_commands,
    to_histories_call,
)
from ._check_facts import Facts, add_event_facts, add_time_facts, add_user_facts
from ._check_guess import guess, say_time
from ._check_histories import make_histories
from ._check_ids import add_id_facts, suspicious_numbers
from ._check_log import add_log_facts
from ._check_read import Source
from ._check_time import ISO, TimeForm, guess_time
from ._check_whole import Whole, count_whole
from ._column_names import are_orders, are_sessions, counts_something
from ._columns import Column

_OF_EACH = 3  # events for each item from which equal times of all of them are no chance
_MOST_BAD = 5  # distinct times in no format that a condition leaves out


class Check:
    """The steps of `check_log` and what they have found so far."""

    def __init__(self, source: Source, given: dict, reading: dict, max_rows: int):
        self.source, self.max_rows = source, max_rows
        self.given = {role: source.position(column, role) for role, column in given.items()}
        self.reading: dict[str, Any] = reading | {"encoding": source.encoding, "drop_missing": False}
        self.facts = Facts()
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
        self.chosen = guess(self.source, self.given, self.facts, self.max_rows)
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
            facts.add("file", "all rows", whole.n_rows, whole.text())

    def _time(self) -> None:
        """Find out how the times are written; a column whose times cannot be read is not used."""
        column = self.chosen.get("time")
        if column is None:
            return
        values, how = self.series["time"].dropna(), self.reading
        if how["time_format"] or how["time_unit"]:
            text = how["time_format"] or f"numbers of the unit {how['time_unit']}"
            form = TimeForm("given", f"{text}, as asked", how["time_format"], how["time_unit"])
        else:
            form = guess_time(values, named=True)
        self._time_of_items(column)
        condition = not_among(column.name, form.bad) if 0 < len(form.bad) <= _MOST_BAD else None
        say_time(self.facts, column, form, values, given="time" in self.given, left_out=condition is not None)
        if form.kind == "none" or (form.bad and condition is None):
            self._forget("time")
            return
        self.conditions += [] if condition is None else [condition]
        how["time_format"], how["time_unit"] = form.time_format, form.time_unit
        if form.kind == "iso" and self.source.kind in ("table", "parquet"):
            how["time_format"] = ISO

    def _time_of_items(self, column: Column) -> None:
        """Warn where a guessed column of times has one value for each item, as a date of release has."""
        import pandas as pd

        if "time" in self.given:
            return
        pairs = pd.DataFrame({"item": self.series["item"], "time": self.series["time"]}).dropna()
        n_items, n_times = pairs["item"].nunique(), pairs["time"].nunique()
        if n_times > 1 and len(pairs) >= _OF_EACH * n_items and len(pairs.drop_duplicates()) == n_items:
            self.facts.add(
                "time",
                "one time for each item",
                n_items,
                f"all events of an item have the same {column.name!r}: it seems to be a date of the items, such as "
                "that of their release, and not of the events",
                "warning",
                f"if so, name the column of times with {'--time' if self.source.given else 'time='}, or leave it out",
            )

    def _option(self, name: str, value) -> str:
        """Return an option of the command as a shell takes it, or of the function for a table in memory."""
        return command_line([f"--{name}", str(value)]) if self.source.given else f"{name}={value!r}"

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
            name = column_in_where(column.name)
            for one in suspicious_numbers(self.series[role]):
                count = int((self.series[role].dropna().astype(str).str.strip() == one).sum())
                self.facts.add(
                    "suspicious",
                    f"{role} {one}",
                    count,
                    f"{count:,} events have the {role} {one}, far more than any other",
                    "warning",
                    "if it stands for a missing one: "
                    + ("leave it out" if name is None else self._option("where", f"{name} != {one}")),
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
        if readable and word and negative and (counts_something(column.name) or "weight" in self.given):
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
                action = f"{self._option(role, self.chosen[role].name)} uses them"
                if role == "event" and len(kinds) and (condition := among(self.chosen[role].name, kinds.index[-1])):
                    action = f"{self._option('where', condition)} takes one kind alone"
                self.facts.add("columns", f"{role} in the commands", str(self.chosen[role].name), what, "info", action)
        user = self.chosen["user"]
        self.sessions = are_sessions(user.name) or are_orders(user.name)
        if self.sessions:
            self.facts.add(
                "columns",
                "rows",
                "sessions",
                f"{user.name!r} names visits or orders, not people: each counts as a session",
                "info" if are_sessions(user.name) else "warning",
                "name a column of customers with --user, if there is one",
            )

    def _histories(self):
        """Return histories as the commands will read them."""
        self.reading["where"] = joined(self.conditions)
        series = {role: values for role, values in self.series.items() if role in self.used and role != "name"}
        if own := joined(self.conditions[self.n_given :]):
            by_name = {column.name: self.series[role] for role, column in self.chosen.items()}
            keep = Where(own).mask(lambda one: by_name[one].rename(one))
            series = {role: values[keep].reset_index(drop=True) for role, values in series.items()}
        later = {} if self.whole is None else self.whole.missing
        lacking = {role: bool(values.isna().any()) or later.get(role, 0) > 0 for role, values in series.items()}
        self.reading["drop_missing"] = any(lacking.values())
        return make_histories(self.source.kind, series, {role: self.used[role].name for role in series}, self.reading)

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
