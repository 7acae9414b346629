"""What models are asked in a comparison: a log split into what they learn from and what comes after."""

from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ..utils._histories import read_histories
from ._data import last_part
from ._dates import Moment, as_argument, moment_text, span, times_of
from ._screen import UserError

_FEW_USERS = 30  # below, chance decides which model is best
_TOO_FEW = "too few users to evaluate"


def hold_out(histories, split: str, at: Moment | None, exclude_seen: bool, known_only: bool) -> Bunch:
    """Split a log by "time", or the "last" event or "basket"; return X, y and sentences that say what was done."""
    from ..model_selection import split_last, split_time

    options: dict[str, Any] = {"exclude_seen": exclude_seen, "exclude_unknown": known_only, "verbose": 0}
    lengths = read_histories(histories).lengths
    if split == "last" and (lengths > 1).sum() < 2:
        raise UserError(
            f"{_TOO_FEW}: {int((lengths > 1).sum()):,} of {len(lengths):,} have two events or more, so that the last "
            "can be held out: give a log in which users return, and check that --user names the column of users"
        )
    try:
        if split == "time":
            start = last_part(histories) if at is None else at.on_scale_of(histories)
            _check_inside(histories, start, at)
            X, y = split_time(histories, as_argument(histories, start), **options)
            text = moment_text(histories, start)
            how = f"events before {text}", f"from {text} on"
        elif split == "basket":
            X, y = split_last(histories, unit="basket", **options)
            how = "events that are not of the last basket of their user", "in that basket"
        else:
            X, y = split_last(histories, **options)
            how = "events that are not the last of their user", "last"
    except ValueError as error:
        if not any(words in str(error) for words in ("were left out", "min_history")):
            raise
        raise UserError(f"{_TOO_FEW}: {error}; {_instead(split, exclude_seen, known_only)}") from error
    if known_only:
        known = read_histories(X).lengths > 0
        X, y = X[known], y[known]
    past, held = read_histories(X), read_histories(y)
    asked = int((held.lengths > 0).sum())
    if asked < 2:
        raise UserError(
            f"{_TOO_FEW}: {asked} of {len(past):,} have a held-out item; {_instead(split, exclude_seen, known_only)}"
        )
    kind = "new items" if exclude_seen else "items"
    which = "left out" if exclude_seen else "included"
    sentences = [
        f"The models learned from the {len(past.codes):,} {how[0]} ({int((past.lengths > 0).sum()):,} users, "
        f"{len(past.ids):,} items) and from nothing else.",
        f"They were asked which {kind} came {how[1]}, those that the user had before {which}: "
        f"{len(held.codes):,} items of {asked:,} users.",
    ]
    if known_only:
        sentences.append("Users and items that are not in the learned part are left out of the question.")
    else:
        new_users = int(((past.lengths == 0) & (held.lengths > 0)).sum())
        new_items = int((held.item_codes(np.sort(past.ids)) < 0).sum())
        sentences.append(
            f"Of these, {new_users:,} users and {new_items:,} items are not in the learned part: such items count as "
            "misses (--known-only leaves both out)."
            if new_users or new_items
            else "All of these users and items are in the learned part."
        )
    if split == "last":
        sentences.append("The last events of users lie at different times: a split in time is closer to real use.")
    if asked < _FEW_USERS:
        sentences.append(f"Only {asked} users could be asked: chance alone may decide which model is best.")
    return Bunch(X=X, y=y, sentences=sentences, split=split)


def _check_inside(histories, start: float, at: Moment | None) -> None:
    """Raise unless events lie before a moment and from it on."""
    times = times_of(histories)
    first, last = span(histories)
    if times.min() == times.max():
        raise UserError(f"all events have the time {first}, so none comes after: --split last needs no times")
    if not times.min() < start <= times.max():
        what = "nothing is held out, no event follows" if start > times.max() else "no event comes before"
        raise UserError(f"{what} --at {at}: the log goes from {first} to {last}, choose a moment inside")


def _instead(split: str, exclude_seen: bool, known_only: bool) -> str:
    """Say which options would ask more users."""
    ways = ["--include-seen"] if exclude_seen else []
    ways += ["no --known-only"] if known_only else []
    ways += ["an earlier --at"] if split == "time" else ["a larger log"]
    return f"try {' or '.join(ways)}"


def known_names(names, X):
    """Keep the names of the items that a model learns from: what is sold later is not known yet."""
    return None if names is None else names[names.index.isin(read_histories(X).ids)]
