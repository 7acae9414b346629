"""The end of a comparison: the conclusion in words, and the command that fits the model to use."""

from typing import Any

from ..utils._commands import command_line
from ._options import Log
from ._screen import Screen


def say_conclusion(screen: Screen, leaderboard, details, rows: str = "customers"):
    """Print the conclusion that the report begins with, and return it."""
    from ..inspection._conclusion import conclude

    conclusion = conclude(leaderboard, details, rows=rows)
    screen.say("Conclusion:")
    for sentence in conclusion.sentences:
        screen.say(sentence)
    return conclusion


def check_of(screen: Screen, log: Log):
    """Return the facts of a log as `skrec check` tells them; None where it cannot be read once more."""
    from ..advice import check_log
    from ._large_log import is_store

    if "-" in log.paths or is_store(log):
        return None
    given: dict[str, Any] = {**log.columns, **log.reading()}
    given.pop("drop_missing", None)
    try:
        return check_log(log.paths, **given)
    except (TypeError, ValueError) as error:  # the comparison is worth more than its check
        screen.say(f"The report has no check of the log: {error}")
        return None


def next_command(log: Log, model: str, settings: dict, k: int, exclude_seen: bool | None) -> str:
    """Return the command that fits a model as it was compared."""
    words = ["skrec", "fit", *log.arguments(), "--model", model]
    for name, value in settings.items():
        words += ["--set", f"{name}={value}"]
    words += [] if exclude_seen is None else ["--exclude-seen" if exclude_seen else "--include-seen"]
    return "  " + command_line([*words, *(["-k", str(k)] if k != 10 else []), "-o", "model.skrec"])
