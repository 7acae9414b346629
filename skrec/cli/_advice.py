"""The end of a comparison: the conclusion in words, and the command that fits the model to use."""

import shlex

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


def next_command(log: Log, model: str, settings: dict, k: int, exclude_seen: bool | None) -> str:
    """Return the command that fits a model as it was compared."""
    words = ["skrec", "fit", *log.arguments(), "--model", model]
    for name, value in settings.items():
        words += ["--set", f"{name}={value}"]
    words += [] if exclude_seen is None else ["--exclude-seen" if exclude_seen else "--include-seen"]
    return "  " + shlex.join([*words, *(["-k", str(k)] if k != 10 else []), "-o", "model.skrec"])
