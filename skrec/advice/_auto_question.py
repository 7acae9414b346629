"""What the candidates of an automatic choice are asked: one holdout, with other users for the choice and the report."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ensemble._pairs import hold_out
from ..utils._containers import keep_items, take_rows
from ..utils._histories import Histories, ReadHistories, read_histories
from ..utils._statistics import history_keys

_HOLDOUT = {None: "last", "basket": "basket"}  # by what the times are; with others the last 10 % of the time
_LEAST_CHOOSING, _MOST_CHOOSING = 1000, 2000  # users who are asked at most, by the budget; half as many report
_CHOOSING = 40  # users for each second of the budget
_LEAST_SAMPLE = 1000  # users to whom a candidate is fitted at least, where there are as many
_GROWTH = 3


@dataclass(frozen=True)
class Asked:
    """Users who are asked: what is known of them, and what is held out."""

    X: Any
    y: Any
    n: int


@dataclass(frozen=True)
class Question:
    """A log cut into what may be learned and what is asked.

    Attributes
    ----------
    known : container of histories
        What may be learned.
    read : Histories of shape (n_users,)
        The same, read.
    order : int ndarray of shape (n_known,)
        Rows of `known` with an event, in the order in which growing samples take them.
    choosing, reporting : Asked
        Disjoint users: a candidate is chosen by the ones, and its quality is told by the others.
    growth : float
        Events of the whole log for each event that may be learned.
    how : str
        What is held out, in words.
    """

    known: Any
    read: Histories
    order: np.ndarray
    choosing: Asked
    reporting: Asked
    growth: float
    how: str

    def sample(self, n_users: int) -> tuple[ReadHistories, np.ndarray]:
        """Return the first users of the order, as a model is fitted on them, and the ids of their items."""
        if n_users == len(self.read):
            X, read = self.known, self.read
        else:
            rows = np.sort(self.order[:n_users])
            X, read = take_rows(self.known, rows), self.read.take_rows(rows)
        return ReadHistories(X, read), read.ids[np.unique(read.codes)]

    def sizes(self) -> list[int]:
        """Return the numbers of users of the growing samples, all users last."""
        sizes = [len(self.order)]
        while sizes[0] >= _GROWTH * _LEAST_SAMPLE:
            sizes.insert(0, -(-sizes[0] // _GROWTH))
        return sizes


def draw_question(
    X, read: Histories, *, time: str | None, rows: str, exclude_seen: bool, budget: float, seed: int
) -> Question:
    """Hold out what candidates are asked, and draw users for the choice and for the report.

    Users are drawn by a hash of their histories, so that neither the order of the rows matters nor who else is there.

    Raises
    ------
    ValueError
        If nothing can be held out.
    """
    holdout = "sessions" if rows == "sessions" else _HOLDOUT.get(time, "10%")
    known, asked, held, _ = hold_out(X, read, holdout)
    held = _without_seen(asked, held) if exclude_seen else held
    n_held = read_histories(held, "y").lengths
    if not n_held.any():
        raise ValueError("every item that was held out stands in the user's own history")
    past = read_histories(known)
    first, second = (history_keys(read, read.ids, rows=np.full(len(read), seed + step)) for step in (0, 1))
    users = np.flatnonzero(n_held)
    users = users[np.argsort(first[users], kind="stable")]
    n_choosing = int(np.clip(_CHOOSING * budget, _LEAST_CHOOSING, _MOST_CHOOSING))
    n_reporting = min(n_choosing // 2, len(users) // 3)
    groups = users[:n_reporting], users[n_reporting : n_reporting + n_choosing]
    reporting, choosing = (
        Asked(take_rows(asked, np.sort(group)), take_rows(held, np.sort(group)), len(group)) for group in groups
    )
    learned = np.flatnonzero(past.lengths)
    order = learned[np.argsort(second[learned], kind="stable")]
    how = {
        "last": "the last event of each user",
        "basket": "the last basket of each user",
        "sessions": "an event of the newest sessions",
        "10%": "what came in the last 10 % of the time",
    }[holdout]
    return Question(known, past, order, choosing, reporting, len(read.codes) / len(past.codes), how)


def _without_seen(asked, held):
    """Leave out of the held-out items those that stand in what is known of the same user."""
    past, future = read_histories(asked), read_histories(held, "y")
    width = len(past.ids) + 1
    codes = future.item_codes(past.ids).astype(np.int64)
    seen = np.isin(future.rows * width + codes, past.rows * width + past.codes) & (codes >= 0)
    return keep_items(held, future, ~seen)
