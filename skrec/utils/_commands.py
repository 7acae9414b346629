"""Commands to print: the options of a log as words, quoted for a shell."""

import shlex
from collections.abc import Iterable

READING = ("where", "drop_missing", "time_format", "time_unit", "encoding")  # how the events of a log are read


def log_arguments(paths: Iterable[str], columns: dict[str, str], reading: dict, sessions: bool = False) -> list[str]:
    """Return the words that name a log on the command line.

    Parameters
    ----------
    paths : iterable of str
        Its files.
    columns : dict of str to str
        Its columns, by role.
    reading : dict
        Values of the options in `READING`; an option that is absent, None or False is left out.
    sessions : bool, default=False
        Whether a user of the log is one session.

    Returns
    -------
    list of str
        Such as ``["log.csv", "--user", "customer", "--item", "sku"]``.
    """
    words = [f"./{path}" if path.startswith("-") and path != "-" else path for path in paths]
    words += [word for role, name in columns.items() for word in (f"--{role}", name)]
    for name in READING:
        value = reading.get(name)
        option = "--" + name.replace("_", "-")
        words += [option] if value is True else [option, value] if value else []
    return words + (["--sessions"] if sessions else [])


def command_line(words: Iterable[str]) -> str:
    """Return a command as a line that a shell reads as these words."""
    return shlex.join(words)


def printable(text) -> str:
    """Return text that changes nothing on a terminal: what is not printable is written as an escape."""
    text = str(text)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)
