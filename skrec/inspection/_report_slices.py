"""Quality for groups of users: by length of the history, by new and loyal, by category of the items."""

from dataclasses import dataclass

import numpy as np

from ..metrics import bootstrap_interval
from ..metrics._hits import read_lists
from ..utils._row_blocks import number_baskets, row_blocks
from ..utils._validation import lookup
from ._conclusion import FEW
from ._report_customers import cut
from ._report_question import Question

_LENGTHS = (0, 1, 2, 5, 10, 20, 50)
_VISITS = (0, 1, 2, 5)
_MOST_CATEGORIES = 12
_RESAMPLES = 500


@dataclass(frozen=True)
class Slices:
    """Quality of a few models by group.

    Attributes
    ----------
    title, meaning : str
        What the groups are, and what the numbers are.
    header : list of str
        Names of the columns: the group, its size, and one for each model.
    rows : list of list of str
        The cells.
    few : bool
        Whether a group is small.
    """

    title: str
    meaning: str
    header: list[str]
    rows: list[list[str]]
    few: bool


def by_history(question: Question, decimals: int, rows: str) -> list[Slices]:
    """Return quality by length of the history, and by new and loyal users."""
    past, scored = question.past, question.scored
    lengths = past.lengths[scored]
    metric = f"NDCG@{question.k}"
    about = f"{metric} with its 95 % interval over the {rows} of the group."
    found = [
        _by_group(
            question, "By length of the history", f"By the number of events in the history; {about}", "events",
            np.searchsorted(_LENGTHS, lengths, side="right") - 1, _range_names(_LENGTHS), decimals, rows,
        )
    ]  # fmt: skip
    visits, unit = _visits(past)
    names = ["new: no history", f"once: 1 {unit}", f"returning: 2 to 4 {unit}s", f"loyal: 5 {unit}s or more"]
    found.append(
        _by_group(
            question, "New and loyal", f"By the number of {unit}s in the history; {about}", "kind",
            np.searchsorted(_VISITS, visits[scored], side="right") - 1, names, decimals, rows,
        )
    )  # fmt: skip
    return found


def _range_names(edges) -> list[str]:
    ends = [high - 1 for high in edges[1:]]
    names = [str(low) if low == end else f"{low} to {end}" for low, end in zip(edges, ends, strict=False)]
    return ["none", *names[1:], f"{edges[-1]} or more"]


def _visits(past) -> tuple[np.ndarray, str]:
    """Count the days of each user for dates, the distinct times for numbers, and the events without times."""
    if past.time is None:
        return past.lengths, "event"
    counts = []
    for rows in row_blocks(past.indptr):
        block = past[rows]
        _, first = number_baskets(block.indptr, np.floor(block.time) if past.dated else block.time)
        counts.append(np.diff(first))
    return np.concatenate(counts), "day" if past.dated else "basket"


def _by_group(question, title, meaning, what, group, names, decimals, rows) -> Slices:
    """Average the NDCG of the compared models over the users of each group; `group` is that of each scored user."""
    models = [name for name in question.conclusion.compared if name in question.details]
    scores = {name: question.details[name].scores[f"ndcg@{question.k}"][question.scored] for name in models}
    cells, few = [], False
    for number, name in enumerate(names):
        inside = group == number
        size = int(np.count_nonzero(inside))
        if size:
            few |= size < FEW
            means = [_mean(values[inside], decimals) for values in scores.values()]
            cells.append([name, _size(size), *means])
    return Slices(title, meaning, [what, rows, *map(str, models)], cells, few)


def by_category(question: Question, categories: dict, decimals: int, rows: str) -> Slices:
    """Return the share of the held-out items of each category that a model found.

    `categories` maps item ids to text. The share is that of each user with a held-out item of the category, and its
    mean over these users.
    """
    truth = question.truth
    models = [name for name in question.conclusion.compared if name in question.details]
    pairs = np.unique(truth.rows * len(truth.ids) + truth.codes)
    users, codes = np.divmod(pairs, len(truth.ids))
    labels = np.array([str(categories.get(item, "no category")) for item in truth.ids.tolist()], dtype=str)
    names, group = np.unique(labels, return_inverse=True)
    found = {name: _found(question, name, pairs) for name in models}
    n_users = np.array([len(np.unique(users[group[codes] == number])) for number in range(len(names))])
    order = np.argsort(-n_users, kind="stable")
    head, tail = order[:_MOST_CATEGORIES], order[_MOST_CATEGORIES:]
    parts = [(cut(names[number]), np.array([number])) for number in head]
    parts += [(f"{len(tail)} others", tail)] if len(tail) else []
    cells, few = [], False
    for name, numbers in parts:
        inside = np.isin(group[codes], numbers)
        if not inside.any():
            continue
        _, row, size = np.unique(users[inside], return_inverse=True, return_counts=True)
        few |= len(size) < FEW
        shares = [np.bincount(row, weights=hit[inside]) / size for hit in found.values()]
        cells.append([name, _size(len(size)), *(_mean(share, decimals) for share in shares)])
    meaning = (
        f"Share of the held-out items of the category that are in the list, of each of the {rows} who have one, with "
        "its 95 % interval."
    )
    return Slices("By category", meaning, ["category", rows, *map(str, models)], cells, few)


def _found(question: Question, model: str, pairs: np.ndarray) -> np.ndarray:
    """Tell which pairs of user and held-out item a model recommended."""
    lists, n_ids = read_lists(question.details[model].recommendations, None), len(question.truth.ids)
    position = lookup(lists.ids, question.truth.ids)[lists.codes]
    keys = np.arange(len(position))[:, None] * n_ids + position
    return np.isin(pairs, keys[position >= 0])


def _size(size: int) -> str:
    return f"{size:,} (few)" if size < FEW else f"{size:,}"


def _mean(values: np.ndarray, decimals: int) -> str:
    """Write a mean with its interval, which for few users holds the mean far less often than 95 times of 100."""
    values = values[~np.isnan(values)]
    if not len(values):
        return ""
    mean = f"{values.mean():.{decimals}f}"
    if len(values) < FEW:
        return mean
    low, high = bootstrap_interval(values, n_resamples=_RESAMPLES, random_state=0)
    return f"{mean} ({low:.{decimals}f}-{high:.{decimals}f})"
