"""The steps of `skrec suggest`."""

import re
import shlex
from dataclasses import replace
from typing import Any

from ..advice._suggest import NEEDS
from ._advice import next_command
from ._data import facts, say_facts
from ._dates import kind_of_time, say_baskets
from ._large_log import check_memory
from ._log import as_options, read_log
from ._options import Log, check_choice
from ._screen import Screen, UserError

_NEED = re.compile(r"need='(\w+)'")
_FLOOR = "popularity"  # what every comparison has


def run(
    screen: Screen,
    log: Log,
    *,
    need: str | None,
    budget_seconds: float | None,
    memory: float | None,
    latency_ms: float | None,
    exclude_seen: bool | None,
    number: int,
) -> None:
    """Print the models that suit a log, why and at what cost, and the commands that measure and fit them."""
    from ..advice import suggest

    check_choice(need, "--need", NEEDS)
    check_memory(memory)
    for option, value in (("--budget-seconds", budget_seconds), ("--latency-ms", latency_ms)):
        if value is not None and not value > 0:
            raise UserError(f"{option} must be above 0, got {value:g}")
    if number < 1:
        raise UserError(f"--number must be at least 1, got {number}")
    if exclude_seen is not None and need in ("repeats", "new", "cold") and exclude_seen == (need == "repeats"):
        option = "--exclude-seen" if exclude_seen else "--include-seen"
        raise UserError(f"{option} contradicts --need {need}: leave one of them out")
    if not {"user", "item"} <= log.columns.keys():
        log = _guessed(screen, log)
    histories, names = read_log(screen, log, check=True, memory=memory)
    say_facts(screen, facts(histories))
    for sentence in say_baskets(kind_of_time(histories)):
        screen.say(sentence)
    with screen.working("Comparing with the measured logs"):
        advice = suggest(
            histories,
            need=need,
            exclude_seen=exclude_seen,
            budget_seconds=budget_seconds,
            memory=memory,
            latency_ms=latency_ms,
            rows="sessions" if log.sessions else None,
            item_names=names,
            n=number,
        )
    for note in advice.attrs["notes"]:
        screen.say(_NEED.sub(r"--need \1", f"{note}."))
    _show(screen, advice)
    log = replace(log, sessions=advice.attrs["rows"] == "sessions")
    chosen = [*advice.index, *({_FLOOR} - set(advice.index))]
    seen = None if exclude_seen is None and advice.attrs["exclude_seen"] else advice.attrs["exclude_seen"]
    screen.say("To measure them on this log:")
    screen.say(_evaluate_command(log, chosen, seen))
    screen.say(f"To fit {advice.index[0]}:")
    screen.say(next_command(log, advice.index[0], {}, 10, seen))


def _guessed(screen: Screen, log: Log) -> Log:
    """Return the log with the columns and the options of reading that `skrec check` guesses, and print them."""
    from ..advice import check_log

    if "-" in log.paths:
        raise UserError("a pipe is read once, so its columns cannot be guessed: give --user and --item")
    how: dict[str, Any] = {name: getattr(log, name) for name in ("where", "time_format", "time_unit", "encoding")}
    with screen.working("Guessing the columns"), as_options(log):
        found = check_log(list(log.paths), **(log.columns | how))
    wrong = found.loc[found["level"] == "error", "text"]
    if len(wrong):
        raise UserError(f"{wrong.iloc[0].rstrip('.')}: see `skrec check {shlex.join(log.paths)}`")
    sessions = log.sessions or found.attrs["sessions"]
    guessed = replace(log, columns=dict(found.attrs["columns"]), **found.attrs["reading"], sessions=sessions)
    screen.say(f"Guessed: {shlex.join(guessed.arguments()[len(log.paths) :])}.")
    return guessed


def _show(screen: Screen, advice) -> None:
    """Print the table, and below it the reasons."""
    header = ["model", "expected NDCG,\nbest = 100 %", "fit\ns", "fit\nMiB", "request\nms"]
    rows = [
        [
            name,
            f"{100 * row['expected']:.0f} %",
            f"{row['fit_seconds']:.2g}",
            f"{1024 * row['memory_gib']:.2g}" if row["memory_gib"] < 0.1 else f"{1024 * row['memory_gib']:,.0f}",
            f"{row['latency_ms']:.2g}",
        ]
        for name, row in advice.iterrows()
    ]
    screen.table(header, rows, numbers=range(1, len(header)), bold=0)
    for name, row in advice.iterrows():
        screen.show(f"{name}: {row['reason']}. Change: {row['changes']}.")
    logs = ", ".join(f"{one['log']} ({one['best']})" for one in advice.attrs["neighbours"])
    screen.say(f"The nearest measured logs, with the best model there: {logs}.")


def _evaluate_command(log: Log, models: list[str], exclude_seen: bool | None) -> str:
    words = ["skrec", "evaluate", *log.arguments(), *(word for name in models for word in ("--model", name))]
    words += [] if exclude_seen is None else ["--exclude-seen" if exclude_seen else "--include-seen"]
    return "  " + shlex.join(words)
