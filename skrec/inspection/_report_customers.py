"""Users of a report by name: a few chosen by a fixed rule, and as many as fit for the search."""

import json
import re
from typing import Any

import numpy as np

from ..metrics._hits import read_lists
from ..utils._histories import read_histories
from ..utils._validation import lookup
from ._html import Items
from ._report_question import Question

MOST_BYTES = 2_000_000  # of the data for the search, of all questions of a report together
_LONGEST = 80  # characters of a name
_MOST_LISTED = 20  # recommendations of a user
_SHOWN = 8  # items of a history, and of what came later
_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


class Names:
    """The names of items, cut to a length; an item without one is called by its id."""

    def __init__(self, names: dict):
        self.names = names

    def __call__(self, item) -> str:
        return cut(self.names.get(item, item))


def cut(value) -> str:
    """Return a value as one line of at most 80 characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def singular(rows: str) -> str:
    """Return the name of one row."""
    return rows.removesuffix("s")


def choose(question: Question, model: str, n: int = 3) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Choose users with a hit and without: evenly spaced in the order of the rows, so that the answer picks none.

    Returns
    -------
    found, missed : ndarray
        Rows with a hit and without.
    sizes : tuple of two int
        How many there are of each.
    """
    scored = question.scored
    hit = question.hits(model)[scored].any(axis=1)
    with_hit, without = scored[hit], scored[~hit]
    return spaced(with_hit, n), spaced(without, n), (len(with_hit), len(without))


def spaced(rows: np.ndarray, n: int) -> np.ndarray:
    """Return n of the rows, evenly spaced; all where there are no more."""
    if len(rows) <= n:
        return rows
    return rows[((np.arange(n) + 0.5) * len(rows) / n).astype(np.int64)]


def user_rows(question: Question, model: str, row: int, names: Names) -> list[tuple[str, Items | str]]:
    """Return what one user had, was recommended, and took later."""
    lists = []
    recommended = question.details[model].recommendations[row].tolist()
    later = _distinct(question.truth[row : row + 1], newest_first=False)
    if question.past is not None:
        had = _distinct(question.past[row : row + 1], newest_first=True)
        lists.append(("had, the latest first", _items(had, set(), names) if had else "nothing"))
    right = set(later) & set(recommended)
    later = [item for item in later if item in right] + [item for item in later if item not in right]
    lists.append((f"{model} recommends", _items(recommended, right, names, shown=_MOST_LISTED, ordered=True)))
    lists.append(("took later", _items(later, right, names)))
    return lists


def _distinct(histories, newest_first: bool) -> list:
    codes = histories.codes[::-1] if newest_first else histories.codes
    return list(dict.fromkeys(histories.ids[codes].tolist()))


def _items(items: list, right: set, names: Names, *, shown: int = _SHOWN, ordered: bool = False) -> Items:
    texts = [(names(item), item in right) for item in items[:shown]]
    return Items(texts, max(len(items) - shown, 0), ordered)


class Search:
    """What a reader can search: users with their lists, and items with their counts.

    Parameters
    ----------
    question : Question
        With details and y.
    model : str
        Whose recommendations they are.
    names : Names
        Names of the items.
    rows : str
        What the users are called.
    most_bytes : int
        Bound of the size of `text`, in bytes.

    Attributes
    ----------
    text : str
        JSON that is safe in a page: it has no ``<``, ``>`` or ``&``.
    n_users, n_items : int
        How many are in it.
    of_users, of_items : int
        How many there are.
    """

    def __init__(self, question: Question, model: str, names: Names, rows: str, most_bytes: int):
        self.question, self.model, self.names, self.rows = question, model, names, rows
        self._count()
        scored = question.scored
        self.of_users, self.of_items = len(scored), len(self.ids)
        # none takes fewer bytes than this
        n_users, n_items = min(self.of_users, most_bytes // 40), min(self.of_items, most_bytes // 20)
        while True:
            data = self._data(spaced(scored, n_users), n_items)
            self.text = _UNSAFE.sub(_escaped, json.dumps(data, ensure_ascii=False, separators=(",", ":")))
            size = len(self.text.encode())
            self.n_users, self.n_items = len(data["users"]), len(data["items"])
            if size <= most_bytes or not (n_users or n_items):
                return
            share = min(0.9, most_bytes / size)
            n_users, n_items = int(n_users * share), int(n_items * share)

    def _count(self) -> None:
        """Number all items, the most recommended first; count the scored users who had, were recommended, took each."""
        question = self.question
        lists, truth, past = (
            read_lists(question.details[self.model].recommendations, None),
            question.truth,
            question.past,
        )
        parts = [lists.ids, truth.ids, *([] if past is None else [past.ids])]
        ids = read_histories([part.tolist() for part in parts]).ids
        self.listed = lookup(lists.ids, ids)[lists.codes]
        self.taken = lookup(truth.ids, ids)[truth.codes] if len(truth.codes) else np.empty(0, np.int64)
        self.had = None if past is None else lookup(past.ids, ids)[past.codes]
        scored = np.zeros(len(truth), dtype=bool)
        scored[question.scored] = True
        hit = question.hits(self.model)
        counts = [
            np.zeros(len(ids), np.int64)
            if self.had is None
            else _users_of(past.rows[scored[past.rows]], self.had[scored[past.rows]], len(ids)),
            np.bincount(self.listed[scored].ravel(), minlength=len(ids)),
            _users_of(truth.rows, self.taken, len(ids)),
            np.bincount(self.listed[hit], minlength=len(ids)),
        ]
        self.counts = np.column_stack(counts)
        self.order = np.lexsort((-self.counts[:, 0], -self.counts[:, 1]))
        self.ids = ids

    def top(self, n: int) -> list[list]:
        """Return name, id and counts of the items most often recommended."""
        return [self._item(number) for number in self.order[:n] if self.counts[number, 1]]

    def _item(self, number) -> list:
        item = self.ids.item(number)
        return [self.names(item), cut(item), *self.counts[number].tolist()]

    def _data(self, rows: np.ndarray, n_items: int) -> dict:
        """Collect users, and the items that they name or that are most often recommended."""
        items = dict.fromkeys(self.order[:n_items].tolist())
        users = []
        for row in rows.tolist():
            had = [] if self.had is None else list(dict.fromkeys(self._row(self.had, self.question.past, row)[::-1]))
            listed = self.listed[row].tolist()
            later = dict.fromkeys(self._row(self.taken, self.question.truth, row))
            found = [number for number in listed if number in later]
            rest = [number for number in later if number not in found][: max(_SHOWN - len(found), 0)]
            shown = [had[:_SHOWN], listed, found + rest]
            items |= dict.fromkeys(number for part in shown for number in part)
            user = cut(_plain(self.question.users[row]))
            users.append([user, *shown, len(had), len(later), len(found)])
        place = {number: position for position, number in enumerate(items)}
        for line in users:
            line[1:4] = [[place[number] for number in part] for part in line[1:4]]
        words: dict[str, Any] = {"model": str(self.model), "rows": self.rows, "row": singular(self.rows).capitalize()}
        words["histories"] = self.had is not None
        return {**words, "items": [self._item(number) for number in items], "users": users}

    @staticmethod
    def _row(codes: np.ndarray, histories, row: int) -> list:
        return codes[histories.indptr[row] : histories.indptr[row + 1]].tolist()


def _users_of(rows: np.ndarray, codes: np.ndarray, n_items: int) -> np.ndarray:
    """Count the users of each item, each once."""
    return np.bincount(np.unique(rows * n_items + codes) % n_items, minlength=n_items)


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def _escaped(match: re.Match) -> str:
    return f"\\u{ord(match[0]):04x}"
