"""The options of one request: which items may be recommended, how many of a kind, and as of when."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..utils._containers import keep_events
from ..utils._histories import read_histories
from ..utils._suggest import did_you_mean
from ..utils._validation import plain
from ._dates import echo, moment_text, parse_moment, times_of
from ._ids import match_ids
from ._item_columns import column_of_log, column_of_table, on_items, saved_names, say_lacking, with_saved
from ._large_log import is_store
from ._options import Log
from ._screen import Screen, UserError
from ._users import read_ids

_LEAST_CANDIDATES = 500  # of a Reranker that keeps --max-per: it takes the best of them


@dataclass(frozen=True)
class Asked:
    """The options of `skrec recommend` that say what may be recommended, and as of when, as they were given."""

    candidates: str | None = None
    exclude: str | None = None
    max_per: str | None = None
    items: Path | None = None
    name: str | None = None
    at: str | None = None

    def __post_init__(self):
        if self.items is not None and self.max_per is None and self.name is None:
            raise UserError("--items has the columns that --max-per and --name name: add one of them, or leave it out")
        self.cap()

    def lists(self) -> dict[str, list[str]]:
        """Return the ids of `--candidates` and `--exclude` as they were written, by the parameter of `recommend`."""
        given = {"candidates": self.candidates, "exclude": self.exclude}
        return {name: id_texts(value, f"--{name}") for name, value in given.items() if value is not None}

    def cap(self) -> tuple[str, int] | None:
        """Return the column of `--max-per` and the number of items with one value of it."""
        if self.max_per is None:
            return None
        column, equals, number = self.max_per.rpartition("=")
        if not equals:
            column, number = number, "1"
        if not column or not number.strip().isdecimal() or int(number) < 1:
            raise UserError(
                "--max-per takes a column, or a column and a number of at least 1, such as brand=2, got "
                f"{self.max_per!r}"
            )
        return column, int(number)


def id_texts(value: str, option: str) -> list[str]:
    """Return the ids that an option names: those of a file, one a line, or a list with commas.

    Raises
    ------
    UserError
        If there is none.
    """
    if _is_file(value):
        return read_ids(Path(value).expanduser(), option)
    ids = [text.strip() for text in value.split(",") if text.strip()]
    if not ids:
        raise UserError(f"{option} names no item: give ids with commas between them, or a file with one id a line")
    return ids


def _is_file(value: str) -> bool:
    return os.path.isfile(os.path.expanduser(value))  # Path.is_file raises for a list that is too long for a path


def known_ids(screen: Screen, texts: list[str], items: np.ndarray, option: str, given: str, force: bool) -> np.ndarray:
    """Bring ids given as text to the ids of a model, and say how many it does not know.

    Parameters
    ----------
    screen : Screen
        Where to say so.
    texts : list of str
        The ids as they were written.
    items : ndarray of shape (n_items,)
        The ids of the model.
    option, given : str
        The option and its value, for messages.
    force : bool
        Whether to go on where the model knows none of them.

    Returns
    -------
    ndarray of shape (n,)
        Ids of the model.
    """
    distinct = list(dict.fromkeys(texts))
    positions, _ = match_ids(np.array(distinct, dtype=object), items)
    unknown = [text for text, position in zip(distinct, positions.tolist(), strict=True) if position < 0]
    if len(unknown) == len(distinct) and not (force and option == "--exclude"):
        source = f"{option} {given}" if _is_file(given) else option
        if len(distinct) == 1 and not _is_file(given) and ("." in given or "/" in given):
            raise UserError(f"{option} {given!r} is neither a file nor an item that the model knows: check the path")
        hint = ", or add --force" if option == "--exclude" else ""
        raise UserError(
            f"{source} names {len(distinct):,} items such as {distinct[0]!r}, none of them among the {len(items):,} "
            f"items of the model, which has ids such as {plain(items[0])!r}: check the ids{hint}"
        )
    if unknown:
        close = did_you_mean(unknown[0], map(str, items.tolist())) if len(items) <= 20_000 else ""
        end = close if "did you mean" in close else "."
        screen.say(
            f"{option}: {len(unknown):,} of {len(distinct):,} ids are unknown to the model, such as {unknown[0]!r}, "
            f"and passed over{end}"
        )
    return items[positions[positions >= 0]]


def items_asked(screen: Screen, asked: Asked, lists: dict[str, list[str]], items: np.ndarray, force: bool) -> tuple:
    """Bring `--candidates` and `--exclude` to the ids of a model.

    Returns
    -------
    options : dict
        `candidates` and `exclude` as `recommend` takes them, where they were given.
    n_allowed : int
        How many items may be recommended.
    """
    options, allowed = {}, np.ones(len(items), dtype=bool)
    for name, texts in lists.items():
        options[name] = known_ids(screen, texts, items, f"--{name}", str(getattr(asked, name)), force)
        allowed &= np.isin(items, options[name], invert=name == "exclude")
    if not allowed.any():
        which = " and ".join(f"--{name}" for name in options)
        raise UserError(f"{which} leave{'' if len(options) > 1 else 's'} no item to recommend: exclude fewer items")
    if options:
        screen.say(f"{int(allowed.sum()):,} of the {len(items):,} items of the model may be recommended.")
    return options, int(allowed.sum())


def read_moment(screen: Screen, asked: Asked, histories, notes: dict, time_format: str | None) -> float | None:
    """Return the moment that `--at` gives on the scale of histories, None without it, and say how it was read.

    Raises
    ------
    UserError
        If the log has no times, times of another kind, or begins later.
    """
    moment = parse_moment(asked.at, "--at", time_format)
    if moment is None:
        return None
    if "time" not in histories.columns:
        raise UserError(
            "--at needs the times of the events, and the model was fitted without --time: fit it with --time"
        )
    at, times = moment.on_scale_of(histories), times_of(histories)
    first = float(times.min())
    if at <= first:
        raise UserError(
            f"--at {moment} must be after the first event of the log, {moment_text(histories, first)}: before it there "
            "are no histories"
        )
    for sentence in echo(moment):
        screen.say(sentence)
    if notes.get("learned_until", -np.inf) >= at:
        screen.say(
            f"The model has learned events until {moment_text(histories, notes['learned_until'])}, after --at, so that "
            "these recommendations are no test of it: skrec evaluate --at is one."
        )
    return at


def before(screen: Screen, histories, at: float | None):
    """Leave out the events from a moment on; every user stays."""
    if at is None:
        return histories
    times = times_of(histories)
    if not (later := int(np.count_nonzero(times >= at))):
        return histories
    if hasattr(histories, "blocks"):  # StoredHistories: a part of their events is copied to memory
        raise UserError(
            f"--at lies before the last event, {moment_text(histories, times.max())}, which needs histories that fit "
            "in memory: name some users with --users, or raise --memory"
        )
    screen.say(f"{later:,} of {len(times):,} events of these users lie at or after --at and are left out.")
    return keep_events(histories, read_histories(histories), times < at)


def read_names(screen: Screen, asked: Asked, log: Log, names, estimator, notes: dict):
    """Return the names of items by the ids of a model, of `--name` before those of its file; None without any."""
    saved = saved_names(estimator, notes)
    if asked.name is None:
        return saved
    if asked.items is not None:
        names = column_of_table(asked.items, log.columns["item"], asked.name, "--name", log.encoding)
    found = on_items(names, estimator.items_)
    if not len(found):
        where = f"--items {asked.items}" if asked.items else "the log"
        raise UserError(f"--name {asked.name} names none of the items of the model: check the ids in {where}")
    return with_saved(found, saved)


def capped(screen: Screen, asked: Asked, log: Log, estimator, memory: float | None, *, k: int, large: bool):
    """Wrap a model so that its lists keep `--max-per`; return it and the category of each item, a Series.

    The model itself, and None, without `--max-per`.
    """
    from ..ensemble import Reranker

    if (cap := asked.cap()) is None:
        return estimator, None
    column, number = cap
    if asked.items is not None:
        values = column_of_table(asked.items, log.columns["item"], column, "--max-per", log.encoding)
    elif is_store(log):
        raise UserError("--max-per needs --items FILE: stored histories have no other columns of items")
    elif "-" in log.paths:
        raise UserError("--max-per reads the log once more, which standard input does not allow: give --items FILE")
    else:
        values = column_of_log(log, column, "--max-per", memory, large=large)
    kinds = on_items(values, estimator.items_)
    if not len(kinds):
        where = f"--items {asked.items}" if asked.items else "the log"
        raise UserError(f"--max-per {column} has a value for none of the items of the model: check the ids in {where}")
    say_lacking(screen, kinds, estimator.items_, f"have no {column!r}: they are not limited")
    rules = Reranker(
        estimator,
        categories=kinds,
        max_per_category=number,
        n_candidates=min(estimator.n_items_, max(_LEAST_CANDIDATES, 20 * k)),
        k=estimator.k,
        exclude_seen=bool(estimator.exclude_seen),
        prefit=True,
    )
    return rules.fit([]), kinds


def beyond_cap(rows, kinds, asked: Asked) -> list[str]:
    """Say how many lists have more items of one kind than `--max-per` asks for."""
    if (cap := asked.cap()) is None:
        return []
    column, number = cap
    rows = rows[np.isfinite(rows["score"])]
    counts = rows[["user"]].assign(kind=kinds.reindex(rows["item"].to_numpy()).to_numpy()).value_counts()
    n_users = counts[counts > number].index.get_level_values("user").nunique()
    if not n_users:
        return []
    return [
        f"{n_users:,} of {rows['user'].nunique():,} users have more than {number:,} of one {column!r}, since too few "
        "others are among their best."
    ]
