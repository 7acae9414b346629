"""The commands to go on with after a check, such that they run as printed."""

import re
from typing import Any

import numpy as np

from ..utils._commands import command_line, log_arguments
from ..utils._histories import Histories, read_histories, required
from ..utils._time import late_moment

REPEATS = 0.05  # share of repeats from which items that a user already has may be recommended again
_LARGE = 20_000  # items from which the item-item matrix of EASE is too large to begin with
_WORD = re.compile(r"[^\W\d]\w*")
_RESERVED = ("and", "or", "not", "in", "true", "false")


def column_in_where(name) -> str | None:
    """Return the name of a column as a condition writes it; None where it cannot."""
    if not isinstance(name, str) or "`" in name or not name:
        return None
    return name if _WORD.fullmatch(name) and name.lower() not in _RESERVED else f"`{name}`"


def not_among(name, texts: list[str]) -> str | None:
    """Return the condition that a column has none of some texts; None where it cannot be written."""
    column = column_in_where(name)
    quoted = [f"'{text}'" if "'" not in text else f'"{text}"' for text in texts if not ("'" in text and '"' in text)]
    if column is None or not quoted:
        return None
    return f"{column} not in ({', '.join(quoted)})"


def among(name, value) -> str | None:
    """Return the condition that a column has a value, a text or a number; None where it cannot be written."""
    column, text = column_in_where(name), str(value)
    if column is None or ("'" in text and '"' in text):
        return None
    if not isinstance(value, str):
        return f"{column} == {text}"
    return f"{column} == " + (f"'{text}'" if "'" not in text else f'"{text}"')


def joined(conditions: list[str]) -> str | None:
    """Join conditions with `and`."""
    if len(conditions) < 2:
        return conditions[0] if conditions else None
    return " and ".join(f"({one})" if re.search(r"\b(or|and)\b", one) else one for one in conditions)


def to_histories_call(source: str, columns: dict, reading: dict) -> str:
    """Return the call that makes the histories in Python."""
    words = [source, *(f"{role}={name!r}" for role, name in columns.items() if role != "name")]
    words += [f"{name}={value!r}" for name, value in reading.items() if value]
    return f"to_histories({', '.join(words)})"


def evaluate_split(
    histories, read: Histories, kind: str | None, sessions: bool, exclude_seen: bool
) -> list[str] | None:
    """Return the options with which a log can be split to evaluate models; None where it is too small."""
    from ..model_selection import split_last, split_time

    first = "last" if sessions else {"date": "time", "number": "time", "basket": "basket", None: "last"}[kind]
    options: dict[str, Any] = {"exclude_seen": exclude_seen, "verbose": 0}
    for split in dict.fromkeys([first, "last"]):
        try:
            if split == "time":
                times = required(read.time, "time")
                moment = late_moment(times, read.dated)
                if not times.min() < moment <= times.max():
                    continue
                at = np.datetime64(round(moment * 86_400_000_000), "us") if read.dated else moment
                X, y = split_time(histories, at, **options)
            elif (read.lengths > 1).sum() < 2:
                continue
            else:
                unit: dict[str, Any] = {"unit": "basket"} if split == "basket" else {}
                X, y = split_last(histories, **unit, **options)
        except ValueError:  # nothing is held out
            continue
        if len(read_histories(X).codes) and (read_histories(y).lengths > 0).sum() >= 2:
            return [] if split == first else ["--split", split]
    return None


def ready_commands(
    paths: list[str],
    columns: dict,
    reading: dict,
    *,
    sessions: bool,
    split: list[str] | None,
    n_items: int,
    exclude_seen: bool,
) -> list[tuple[str, str, str]]:
    """Return commands by name, with what they are for."""
    log = log_arguments(paths, columns, reading, sessions)
    seen = [] if exclude_seen else ["--include-seen"]
    model = "item-knn" if n_items > _LARGE else "ease"
    found = [("suggest", command_line(["skrec", "suggest", *log]), "which recipes suit this log, and what they cost")]
    if split is not None:
        words = ["skrec", "evaluate", *log, *split, *seen]
        found.append(("evaluate", command_line(words), "compares all models but the nets on the latest events"))
        words = ["skrec", "auto", *log, *seen, "-o", "model.skrec"]
        found.append(("auto", command_line(words), "chooses a model within a minute, fits and saves it"))
    words = ["skrec", "fit", *log, "--model", model, *seen, "-o", "model.skrec"]
    found.append(("fit", command_line(words), f"fits {model} to all events, until a comparison names a better model"))
    return found
