"""Which column of a log says who, what and when: guessed by names, in several languages, and by content."""

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from numbers import Real

import numpy as np

from ._check_time import TimeForm, guess_time
from ._column_names import ROLES, name_scores

_EVENT_TEXT = (
    "view click purchase buy cart addtocart add_to_cart add-to-cart transaction remove_from_cart wishlist pv fav "
    "order play like share kauf ansicht impression"
)
_EVENTS = set(_EVENT_TEXT.split())
_INTEGER, _WHOLE = re.compile(r"\s*[+-]?\d+\s*"), re.compile(r"-?\d+\.0+")
_NESTED = (list, tuple, dict, set, np.ndarray)
_SAMPLE = 5_000  # distinct values by which a type is judged
_NAMED = 0.6  # how much a name must say, so that the guess needs no second look


@dataclass
class Column:
    """A column of a log and what its first rows tell."""

    position: int
    name: Hashable
    kind: str  # "integer", "whole float", "float", "text", "bool", "list", "mixed", "time", "empty"
    n_rows: int
    n_missing: int
    n_distinct: int
    letters: float  # share of the texts that have a letter
    length: float  # mean length of the texts
    form: TimeForm | None
    values: list = field(default_factory=list)  # some distinct values
    usable: bool = True
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def n_there(self) -> int:
        """Number of values that are not missing."""
        return self.n_rows - self.n_missing

    @property
    def described(self) -> str:
        """What the column holds, in words."""
        kinds = {
            "integer": "integers",
            "whole float": "whole numbers written as floats",
            "float": "numbers",
            "text": "texts",
            "bool": "true and false",
            "list": "lists",
            "mixed": "values of several types",
            "time": "dates",
            "empty": "no values",
        }
        if self.kind in ("list", "empty"):
            return f"{kinds[self.kind]} in {self.n_rows:,} rows"
        return f"{kinds[self.kind]}, {self.n_distinct:,} distinct in {self.n_there:,} rows"


def profile_column(position: int, name, values) -> Column:
    """Describe a column by its first rows; `values` is a raw Series."""
    there = values.dropna()
    n_missing = len(values) - len(there)
    if not len(there):
        return Column(position, name, "empty", len(values), n_missing, 0, 0.0, 0.0, None)
    nested = there.dtype == object and there.iloc[:_SAMPLE].map(lambda one: isinstance(one, _NESTED)).any()
    distinct = there.iloc[:0] if nested else there.drop_duplicates()
    kind = "list" if nested else kind_of(there, distinct.iloc[:_SAMPLE])
    texts = distinct.iloc[:_SAMPLE].astype(str)
    letters = float(texts.str.contains(r"[^\W\d_]", regex=True).mean()) if len(texts) else 0.0
    length = float(texts.str.len().mean()) if len(texts) else 0.0
    named = name_scores(name)["time"] >= 0.5
    form = None
    if kind == "time" or (kind in ("integer", "whole float", "float", "text") and (named or length < 40)):
        form = guess_time(there.iloc[:20_000], named=named)
    return Column(
        position, name, kind, len(values), n_missing, len(distinct), letters, length, form, distinct.iloc[:50].tolist()
    )


def kind_of(values, distinct) -> str:
    """Return the kind of values: of a Series without missing values, and some distinct ones."""
    code = getattr(values.dtype, "kind", "O")
    if code in "iu":
        return "integer"
    if code == "b":
        return "bool"
    if code == "f":
        return "whole float" if bool((distinct == np.floor(distinct)).all()) else "float"
    if code == "M" or hasattr(values.dtype, "tz"):
        return "time"
    kinds = {type(one) for one in values.iloc[:_SAMPLE]}
    if kinds <= {str}:
        return _kind_of_text(distinct)
    if str in kinds:
        return "mixed"
    if kinds <= {bool, np.bool_}:
        return "bool"
    if all(issubclass(one, (int, np.integer)) and one is not bool for one in kinds):
        return "integer"
    if all(issubclass(one, Real) for one in kinds):
        return "float"
    return "time" if all(hasattr(one, "year") for one in values.iloc[:_SAMPLE]) else "mixed"


def _kind_of_text(distinct) -> str:
    import pandas as pd

    texts = [str(one) for one in distinct]
    if all(one.strip().lower() in ("true", "false") for one in texts):
        return "bool"
    if all(_INTEGER.fullmatch(one) for one in texts):
        return "integer"
    if all(_WHOLE.fullmatch(one) for one in texts):
        return "whole float"
    return "float" if pd.to_numeric(pd.Series(texts), errors="coerce").notna().all() else "text"


def _id_score(column: Column, said: float, role: str) -> float:
    if column.kind in ("time", "float", "bool", "empty"):
        return -1.0
    if column.kind == "text" and column.form is not None and column.form.kind in ("iso", "format") and said < _NAMED:
        return -1.0
    score, n = said, column.n_there
    if column.form is not None and column.form.kind == "unit" and said < _NAMED:
        score -= 0.4
    if column.n_distinct <= 1:
        score -= 0.5 if n > 1 else 0
    elif column.n_distinct == n and n > 20:
        score -= 0.4 if said else 0.7
    elif column.n_distinct <= 2 and n > 20:
        score -= 0.3
    else:
        score += 0.15
    if column.length > (60 if role == "item" else 40):
        score -= 0.4
    return score - (0.2 if column.kind in ("list", "mixed") and said < _NAMED else 0)


def content_scores(column: Column) -> dict[str, float]:
    """Return how well a column fits each role, by its name and its content; below 0 not at all."""
    said, form = name_scores(column.name), column.form
    number = column.kind in ("integer", "whole float", "float")
    scores = {role: _id_score(column, said[role], role) for role in ("user", "item")}
    kind = "none" if form is None else form.kind
    if kind == "none":
        scores["time"] = -1.0
    elif kind in ("number", "excel"):
        scores["time"] = said["time"] - 0.1 if said["time"] >= 0.5 and max(said["user"], said["item"]) < 0.7 else -1.0
    else:
        scores["time"] = said["time"] + (0.7 if kind == "date" else 0.6)
    if column.n_distinct == 1 and column.n_there > 1:
        scores["time"] -= 0.3
    scores["weight"] = said["weight"] if number and said["weight"] >= 0.5 else -1.0
    events = {str(one).strip().lower() for one in column.values}
    known = len(events & _EVENTS) / max(len(events), 1)
    few = 1 <= column.n_distinct <= 30 and column.kind in ("text", "integer") and column.length < 40
    scores["event"] = said["event"] + 0.5 * known if few and (said["event"] >= 0.5 or known >= 0.5) else -1.0
    is_name = column.kind == "text" and column.letters > 0.5 and said["name"] >= 0.5 and kind in ("none", "number")
    scores["name"] = said["name"] if is_name else -1.0
    return scores


def guess_columns(columns: list[Column], given: dict[str, int]) -> tuple[dict[str, Column], dict[str, list[Column]]]:
    """Choose a column for each role.

    Parameters
    ----------
    columns : list of Column
        All columns.
    given : dict of str to int
        Positions of the columns that the user named.

    Returns
    -------
    chosen : dict of str to Column
        By role; a role without a column that fits is absent.
    others : dict of str to list of Column
        What else was possible, the most likely first.
    """
    for column in columns:
        column.scores = content_scores(column)
    chosen = {role: columns[position] for role, position in given.items()}
    least = {"user": -0.25, "item": -0.25, "time": 0.39, "weight": 0.5, "event": 0.5, "name": 0.5}

    def free(column: Column) -> bool:
        return column.usable and all(column is not other for other in chosen.values())

    for group in (("user", "item", "time"), ("weight", "event", "name")):
        ranked = sorted(
            (-column.scores[role], ROLES.index(role), column.position, role, column)
            for role in group
            for column in columns
            if column.scores[role] > least[role]
        )
        for _, _, _, role, column in ranked:
            if role not in chosen and free(column):
                chosen[role] = column
    others = {}
    for role in ROLES:
        likely = [one for one in columns if one.scores[role] > max(least[role], 0.2) and one.usable]
        likely = [one for one in likely if one is not chosen.get(role)]
        taken = {chosen[other].position for other in ("user", "item", "time") if other in chosen}
        likely.sort(key=lambda one: (one.position in taken, -one.scores[role], one.position))
        others[role] = [one for one in likely if one.position not in taken][:3]
    return {role: chosen[role] for role in ROLES if role in chosen}, others


def is_sure(column: Column, role: str) -> bool:
    """Tell whether the name of a column says its role clearly."""
    return name_scores(column.name)[role] >= _NAMED
