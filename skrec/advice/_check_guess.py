"""The columns of a log and how its times are written, guessed and said."""

import re

from ..utils._commands import command_line
from ._check_facts import Facts
from ._check_read import Source
from ._check_time import TimeForm
from ._column_names import ROLES
from ._columns import Column, guess_columns, is_sure, profile_column

_HEAD_ROWS, _HEAD_CELLS = 50_000, 2_000_000  # of all columns, by which they are guessed
_CATALOGUE = 20  # rows from which a table in which each has another item is no log
_LIKE_DATA = r"\s*(-?\d+([.,]\d+)?|\d{4}-\d\d-\d\d.*|\d\d?[./]\d\d?[./]\d{2,4}.*)\s*"


def guess(source: Source, given: dict[str, int], facts: Facts, max_rows: int) -> dict[str, Column]:
    """Choose the columns by the first rows, and say how sure that is.

    Parameters
    ----------
    source : Source
        The log.
    given : dict of str to int
        Positions of the columns that the user named, by role.
    facts : Facts
        Where to say it.
    max_rows : int
        Number of rows to read at most.

    Returns
    -------
    dict of str to Column
        By role; without those that no column fits.
    """
    n_rows = max(1_000, min(_HEAD_ROWS, _HEAD_CELLS // max(len(source.names), 1), max_rows))
    series, complete = source.read(n_rows)
    rows = f"{len(series[0]) if series else 0:,} rows" if complete else f"the first {n_rows:,} rows"
    columns = [profile_column(*one, values) for one, values in zip(enumerate(source.names), series, strict=True)]
    facts.add("file", "form", source.kind, f"{source.described}; {len(columns)} columns, guessed by {rows}")
    _say_names(source, facts, columns)
    chosen, others = guess_columns(columns, given)
    user, item = chosen.get("user"), chosen.get("item")
    guessed = user is not None and "user" not in given and not is_sure(user, "user")
    if guessed and item is not None and item.n_distinct == item.n_there > _CATALOGUE:
        text = f"each row has another {item.name!r}: this looks like a list of items, not like a log of events"
        facts.add("file", "no events", item.n_distinct, text, "error", "name the column of users, if it is a log")
    if not series or not len(series[0]):
        facts.add("file", "empty", 0, "the log has no rows", "error", "one event is needed at least")
    else:
        for role in ROLES:
            if role in chosen:
                _say_column(source, facts, role, chosen[role], others[role], role in given)
            else:
                _say_none(source, facts, role, columns)
    return chosen


def _say_names(source: Source, facts: Facts, columns: list[Column]) -> None:
    """Say which names of columns cannot be used, and whether they are names at all."""
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


def _say_column(source: Source, facts: Facts, role: str, column: Column, others: list[Column], given: bool) -> None:
    option = f"--{role}" if source.given else f"{role}="
    if source.given:
        other = " or ".join(command_line([option, str(one.name)]) for one in others)
    else:
        other = " or ".join(f"{option}{one.name!r}" for one in others)
    level, text = "info", f"{column.name!r}: {column.described}"
    if given:
        text += ", as asked"
    elif not is_sure(column, role) and not (role == "time" and column.kind == "time"):
        level, text = "warning", text + "; guessed by its content, since its name does not say so clearly"
    facts.add("columns", role, str(column.name), text, level, f"or {other}" if other and not given else "")


def _say_none(source: Source, facts: Facts, role: str, columns: list[Column]) -> None:
    option = f"--{role}" if source.given else f"{role}="
    if role in ("user", "item"):
        unusable = [one for one in columns if not one.usable and one.scores[role] >= 0.5]
        text, action = f"no column of {role}s was found", f"name it with {option}"
        if unusable:
            text, action = f"{text} that can be used: not {str(unusable[0].name)!r}", "rename the column"
        facts.add("columns", role, "", text, "error", action)
    elif role == "time":
        text, action = "no column of times was found", f"name it with {option}"
        unread = [one for one in columns if one.usable and is_sure(one, "time") and one.kind in ("text", "mixed")]
        if unread and unread[0].form is not None:
            text += f" that can be read: {unread[0].name!r} has {unread[0].form.text}"
            action = "bring its times to one format, or name another column"
        text += ": the order of the rows is taken for that of the events"
        facts.add("columns", role, "", text, "warning", action)


def say_time(facts: Facts, column: Column, form: TimeForm, values, *, given: bool, left_out: bool) -> None:
    """Say how the times are written, and how many of the raw `values` cannot be read."""
    name = column.name
    if form.kind == "none":
        text, level = f"{name!r} has {form.text}: no times, so that it is not used", "error" if given else "warning"
        action = "name another column of times, or the format of these with --time-format"
        facts.add("time", "form", "none", text, level, action)
        return
    action = "or " + " or ".join(f"--time-format {one!r}" for one in form.others) if form.others else ""
    if form.kind == "excel":
        action = f"pandas.to_datetime(events[{name!r}], unit='D', origin='1899-12-30') makes dates of them"
    value, level = form.time_format or form.time_unit or form.kind, "warning" if form.warn else "info"
    facts.add("time", "form", value, f"{name!r}: {form.text}", level, action)
    if form.bad:
        n_bad = int(values.astype(str).isin(form.bad).sum())
        text = f"{n_bad:,} times cannot be read, such as {form.bad[0]!r}"
        action = "the commands leave them out" if left_out else "correct them: the times are not used"
        facts.add("time", "not a time", n_bad, text, "warning", action)
