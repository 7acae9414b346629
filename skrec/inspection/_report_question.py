"""One question of a report: what was asked, what the models answered, and what was right."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..metrics._hits import find_hits, read_truth
from ..utils._arguments import check_text, shown
from ..utils._containers import count_rows, row_ids
from ..utils._histories import read_histories
from ._conclusion import Conclusion, conclude, main_metric

_PARTS = ("leaderboard", "details", "y", "X", "note")


@dataclass(frozen=True)
class Question:
    """A leaderboard with what stands behind it.

    Attributes
    ----------
    heading, note : str
        Texts.
    leaderboard : pandas.DataFrame
        What `compare` returned.
    details : dict of str to Bunch
        Recommendations and scores by model; empty where they were not given.
    truth : Histories or None
        The held-out items of each row.
    past : Histories or None
        What was known of each row when it was asked.
    users : list or range
        The ids of the rows.
    conclusion : Conclusion
        What follows.
    """

    heading: str
    note: str | None
    leaderboard: Any
    details: dict
    truth: Any
    past: Any
    users: Any
    conclusion: Conclusion

    @property
    def k(self) -> int:
        """Number of recommendations."""
        return int(main_metric(self.leaderboard).partition("@")[2])

    def hits(self, model: str) -> np.ndarray:
        """Return which recommendations of a model were held out, shape (n_users, k)."""
        return find_hits(self.truth, self.details[model].recommendations, None).is_hit

    @property
    def scored(self) -> np.ndarray:
        """The rows that have a held-out item."""
        return np.flatnonzero(self.truth.lengths > 0)


def read_questions(questions, rows: str) -> list[Question]:
    """Check the questions of a report and conclude from each."""
    if hasattr(questions, "attrs") or isinstance(questions, tuple):
        questions = {"Result": questions}
    if not isinstance(questions, Mapping):
        raise TypeError(
            "questions must be what compare returned, or a dict of heading to dict with the 'leaderboard', got "
            f"{shown(questions)}"
        )
    if "leaderboard" in questions and hasattr(questions["leaderboard"], "attrs"):
        questions = {"Result": questions}
    return [_read(check_text(heading, "a heading of questions"), given, rows) for heading, given in questions.items()]


def _read(heading: str, given, rows: str) -> Question:
    if hasattr(given, "attrs"):
        given = {"leaderboard": given}
    elif isinstance(given, tuple) and len(given) == 2:
        given = dict(zip(("leaderboard", "details"), given, strict=True))
    where = f"questions[{heading!r}]"
    if not isinstance(given, Mapping) or not hasattr(given.get("leaderboard"), "attrs"):
        raise TypeError(f"{where} must be a dict with the 'leaderboard' that compare returned, got {shown(given)}")
    if unknown := [part for part in given if part not in _PARTS]:
        raise ValueError(f"{where} has the parts {unknown}, but takes {', '.join(_PARTS)}")
    leaderboard = given["leaderboard"]
    columns = list(getattr(leaderboard, "columns", []))
    if "error" not in columns or not any(str(name).startswith("ndcg@") for name in columns):
        raise ValueError(f"{where}['leaderboard'] must have the columns that compare returned, got {columns[:8]}")
    if leaderboard.index.has_duplicates:
        twice = leaderboard.index[leaderboard.index.duplicated()][0]
        raise ValueError(f"{where}['leaderboard'] must name each model once, but has {twice!r} twice: rename one")
    note = given.get("note")
    if note is not None:
        check_text(note, f"{where}['note']")
    details = given.get("details") or {}
    n_rows = {name: len(detail.recommendations) for name, detail in _checked(details, where).items()}
    truth = None if given.get("y") is None else read_truth(given["y"], f"{where}['y']")
    n_rows |= {} if truth is None else {"y": len(truth)}
    past, users = None, range(next(iter(n_rows.values()), 0))
    if (X := given.get("X")) is not None:
        n_rows["X"] = count_rows(X, f"{where}['X']")
        past, users = read_histories(X, f"{where}['X']"), row_ids(X)
        if users is None and hasattr(X, "iloc"):  # a Series
            users = X.index
    if len(set(n_rows.values())) > 1:
        raise ValueError(f"{where} must have one row per user in all of its parts, got {n_rows}")
    if users is None:
        users = range(len(past))
    return Question(heading, note, leaderboard, details, truth, past, users, conclude(leaderboard, details, rows=rows))


def _checked(details, where: str) -> dict:
    if not isinstance(details, Mapping) or not all(hasattr(part, "recommendations") for part in details.values()):
        raise TypeError(f"{where}['details'] must be the dict that compare returned, got {shown(details)}")
    return dict(details)
