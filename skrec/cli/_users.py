"""The users that `skrec recommend` is asked for."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..utils._suggest import did_you_mean
from ._ids import list_column, written
from ._screen import UserError

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_MOST_COMPARED = 20_000  # user ids among which a misspelt one is searched


class Wanted(NamedTuple):
    """Ids as text: of `--users`, which must be known, and of a file, where unknown users may stand."""

    named: list[str]
    listed: list[str]


def wanted_users(users: list[str] | None, users_file: Path | None, output: Path | None) -> Wanted | None:
    """Return the ids asked for, or None for all users of the log."""
    listed = [] if users_file is None else read_ids(users_file, "--users-file")
    if not users and not listed:
        if output is None:
            raise UserError("name users with --users, or write the recommendations of all with --output FILE")
        return None
    if users and "all" in users:
        if len(users) > 1 or listed:
            raise UserError("--users all stands alone: leave out the other users")
        return None
    return Wanted([user.strip() for user in users or []], listed)


def read_ids(path: Path, option: str) -> list[str]:
    """Return the ids of a text file, one a line, as text; an error names the option that names the file."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{option} {path} is not UTF-8 text: save it as such") from error
    except OSError as error:
        raise UserError(f"{option} {path} cannot be read: {error.strerror}") from error
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        raise UserError(f"{option} {path} is empty: write one id a line")
    return ids


def find_users(index, wanted: list[str]) -> np.ndarray:
    """Return the positions of users by their ids as text, -1 for unknown ones; 7, "7" and 7.0 are alike."""
    import pandas as pd

    as_they_stand = pd.Index([str(user) for user in index.tolist()])
    positions = as_they_stand.get_indexer(wanted)
    lacking = np.flatnonzero(positions < 0)
    if len(lacking):
        plain = pd.Series(range(len(index)), index=[written(user) for user in index.tolist()])
        plain = plain[~plain.index.duplicated(keep=False)]
        found = plain.index.get_indexer([written(wanted[place]) for place in lacking])
        positions[lacking] = np.where(found < 0, -1, plain.to_numpy()[found] if len(plain) else -1)
    return positions


def choose_users(histories, wanted: Wanted | None, *, force: bool = False) -> tuple:
    """Take the rows of the wanted users, with an empty history for those of a file who are not in the log.

    Parameters
    ----------
    histories : pandas.DataFrame
        All users of the log.
    wanted : Wanted or None
        None takes all.
    force : bool, default=False
        Whether to go on where the log has no user of the file.

    Returns
    -------
    histories : pandas.DataFrame
        A row per user, each once, in the order asked for.
    sentences : list of str
        What the user must know.
    """
    if wanted is None:
        return histories, []
    texts = [*wanted.named, *wanted.listed]
    positions = find_users(histories.index, texts)
    known = histories.index[:_MOST_COMPARED]
    unknown = [text for text, at in zip(wanted.named, positions[: len(wanted.named)], strict=True) if at < 0]
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        close = did_you_mean(unknown[0], map(str, known)) if len(histories) <= _MOST_COMPARED else ""
        meant = close if "did you mean" in close else f", who have ids such as {str(known[0])!r}"
        raise UserError(f"--users names {unknown[0]!r}{more}, not among the {len(histories):,} users of the log{meant}")
    keys = [(int(at), "" if at >= 0 else text) for text, at in zip(texts, positions, strict=True)]
    first = sorted({key: place for place, key in reversed(list(enumerate(keys)))}.values())
    sentences = []
    if len(first) < len(keys):
        twice = len(keys) - len(first)
        sentences.append(f"{twice:,} of the {len(keys):,} ids asked for stand there more than once: one list for each.")
    texts, positions = [texts[place] for place in first], positions[first]
    strangers = [text for text, at in zip(texts, positions, strict=True) if at < 0]
    if strangers and len(strangers) == len(texts) and not force:
        raise UserError(
            f"--users-file names {len(strangers):,} users such as {strangers[0]!r}, none of them among the "
            f"{len(histories):,} users of the log, who have ids such as {str(known[0])!r}: check the file, or add "
            "--force for best sellers alone"
        )
    if strangers:
        sentences.append(
            f"{len(strangers):,} of {len(texts):,} users are not in the log, such as {strangers[0]!r}: they get best "
            "sellers."
        )
    if hasattr(histories, "to_frame"):  # StoredHistories
        rows = np.unique(np.maximum(positions, 0))  # one at least, for the type of the ids
        histories, positions = histories[rows].to_frame(), np.where(positions < 0, -1, np.searchsorted(rows, positions))
    return _with_strangers(histories, texts, positions), sentences


def _with_strangers(histories, texts: list[str], positions: np.ndarray):
    """Take rows of histories, with an empty one where the position is -1."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    strange = positions < 0
    if not strange.any():
        return histories.iloc[positions]
    rows = pa.array(positions, mask=strange)
    columns = {}
    for name in histories.columns:
        taken = pa.array(histories[name]).take(rows)
        lengths = pc.fill_null(pc.list_value_length(taken), 0).to_numpy()
        columns[name] = list_column(taken.flatten(), np.append(0, np.cumsum(lengths, dtype=np.int64)))
    users = histories.index.tolist()
    ids = [text if at < 0 else users[at] for text, at in zip(texts, positions, strict=True)]
    if not isinstance(users[0], str):  # a column of ids is of one kind
        ids = [written(user) for user in ids]
        if all(_INTEGER.fullmatch(user) for user in ids):
            ids = [int(user) for user in ids]
    return pd.DataFrame(columns, index=pd.Index(ids, name=histories.index.name))
