"""A model as the service uses it: rows of events in, item ids out."""

import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..feature_extraction import HistoryVectorizer
from ..utils._histories import Histories
from ..utils._search import warm_up
from ..utils._validation import plain

_DAY = 86_400_000_000  # microseconds
_EMPTY = np.empty(0, dtype=np.int64)
Row = tuple[Any, int, str | None, float | None]  # item, time in microseconds since 1970, event, value


class UnservableModel(ValueError):
    """A model that the service cannot pass histories to; the message says why."""


class ServedModel:
    """A version of a fitted recommender, and how events of the store become its histories.

    Parameters
    ----------
    version : int
        Number of the version.
    estimator : recommender
        The fitted recommender.
    notes : dict
        Metadata of its file: which columns it learned, until when.

    Raises
    ------
    UnservableModel
        If the model learned from matrices, from times that are numbers of unknown unit, or from user features.
    """

    def __init__(self, version: int, estimator, notes: dict):
        self.version, self.estimator, self.notes = version, estimator, notes
        if not hasattr(estimator, "recommend") or not hasattr(estimator, "items_"):
            raise UnservableModel(f"a model must be a fitted recommender, got {type(estimator).__name__}")
        self.dated = _dated(estimator)
        columns = notes.get("columns") or {}
        self.numbered = notes.get("time") == "basket"
        if self.dated is False and not self.numbered:
            raise UnservableModel(
                f"{type(estimator).__name__} learned times that are numbers of unknown unit, which the times of events "
                "cannot be compared with: fit it with dates, or with time_unit= of to_histories (--time-unit)"
            )
        self.weighted, self.named = bool(columns.get("weight")), bool(columns.get("event"))
        kind = estimator.items_.dtype.kind
        if kind not in "iuOU" or (kind == "O" and not all(isinstance(item, str) for item in estimator.items_)):
            raise UnservableModel(
                f"item ids must be integers or texts, and the model has such as {plain(estimator.items_[0])!r}"
            )
        self.kind = "integer" if kind in "iu" else "string"

    @property
    def name(self) -> str:
        """Name of the class."""
        return type(self.estimator).__name__

    @cached_property
    def ids(self) -> list:
        """The item ids as Python objects, in the order of the model."""
        return self.estimator.items_.tolist()

    @cached_property
    def position(self) -> dict:
        """Position of each item id."""
        return {item: place for place, item in enumerate(self.ids)}

    def warm_up(self) -> None:
        """Prepare what depends on the model alone before its first request, which would wait for it."""
        if self.ids:
            self.recommend([(self.ids[0], 0, None, None)], 1)
        warm_up(self.estimator)
        _ = self.position, self.name

    @property
    def learned_until(self) -> int | None:
        """Time of the last event that was learned, in microseconds since 1970; None where the file does not say."""
        days = self.notes.get("learned_until")
        return round(days * _DAY) if isinstance(days, int | float) and self.dated else None

    def histories(self, rows: Sequence[Row]) -> Histories:
        """Return one user's events, oldest first, as histories of one row with the columns that the model learned."""
        places: dict = {}
        codes = [places.setdefault(row[0], len(places)) for row in rows]
        ids = np.array(list(places), dtype=np.int64) if self.kind == "integer" else _objects(list(places))
        extra: dict[str, Any] = {}
        if self.dated is not None:
            times = np.array([row[1] for row in rows], dtype=np.int64)
            if self.numbered:
                extra["time"] = np.unique(times, return_inverse=True)[1].astype(np.float64)
            else:
                whole, rest = np.divmod(times, _DAY)
                extra |= {"time": whole + rest / _DAY, "dated": True}
        if self.weighted:
            extra["weight"] = np.array([1.0 if row[3] is None else row[3] for row in rows], dtype=np.float32)
        if self.named:
            names: dict = {}
            event_codes = [names.setdefault(row[2] or "", len(names)) for row in rows]
            extra |= {"event_ids": _objects(list(names)), "event_codes": np.array(event_codes, dtype=np.int32)}
        return Histories(ids, np.array(codes, dtype=np.int32), np.array([0, len(codes)], dtype=np.int64), **extra)

    def recommend(
        self,
        rows: Sequence[Row],
        k: int,
        *,
        exclude_seen: bool | None = None,
        candidates: list | None = None,
        exclude: list | None = None,
        at: int | None = None,
        estimator=None,
    ) -> tuple[list, list[float]]:
        """Recommend to one user.

        Parameters
        ----------
        rows : sequence of (item, time, event, value)
            The events, oldest first.
        k : int
            Number of items.
        exclude_seen : bool, default=None
            Whether the user's own items are left out; None takes the model's `exclude_seen`.
        candidates, exclude : list of ids, default=None
            The only items, and items that must not be recommended.
        at : int, default=None
            The moment of asking, in microseconds since 1970, for models that know time. None is the later one of the
            last event that the model has learned and the last one of the user, but never in the future: with the time
            of the clock a model of an old log would find nothing recent.
        estimator : recommender, default=None
            What is asked in place of the model: a `Reranker` of it.

        Returns
        -------
        items : list of ids
            Best first; without the user's own items where they are left out, so perhaps fewer than `k`.
        scores : list of float
            Their scores.
        """
        untimed = (self.dated is None or self._ignores_times()) and not self.weighted and not self.named
        X: Any = [[row[0] for row in rows]] if untimed else self.histories(rows)
        moment = self._moment(rows, at) if self.dated else None
        asked = self.estimator if estimator is None else estimator
        items, scores = asked.recommend(
            X, k, candidates=candidates, exclude=exclude, exclude_seen=exclude_seen, at=moment, return_scores=True
        )
        found, values = items[0].tolist(), scores[0].tolist()
        last = float("-inf")
        if last in values:
            kept = [place for place, value in enumerate(values) if value != last]
            found, values = [found[place] for place in kept], [values[place] for place in kept]
        return found, values

    def _ignores_times(self) -> bool:
        """Tell whether a history is nothing but counted: its times need not be passed, which takes time."""
        vectorizer = getattr(self.estimator, "vectorizer_", None)
        counted = type(vectorizer) is HistoryVectorizer and vectorizer.half_life is None
        return counted and not getattr(self.estimator, "_ordered", True)

    def _moment(self, rows: Sequence[Row], at: int | None) -> float | None:
        """Return the moment of asking in days; None is the latest that the model knows."""
        if at is None and rows and self.learned_until is not None:
            at = max(self.learned_until, min(rows[-1][1], time.time_ns() // 1000))
        return None if at is None else at / _DAY

    def frame(self, table):
        """Return a table of events of the store as the frame of histories that the model is fitted on.

        Parameters
        ----------
        table : pyarrow.Table
            Columns `user`, `item`, `time` (microseconds since 1970), `event`, `value`.

        Returns
        -------
        pandas.DataFrame
            As `to_histories` returns them, a row per user.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        from ..feature_extraction import to_histories

        names = {"user": "user", "item": "item"}
        columns = {"user": table["user"], "item": table["item"]}
        times = table["time"].cast(pa.int64())
        columns["time"] = times.cast(pa.timestamp("us"))
        names["time"] = "time"
        if self.weighted:
            columns["value"] = pc.fill_null(table["value"], 1.0)
            names["weight"] = "value"
        if self.named:
            columns["event"] = pc.fill_null(table["event"], "")
            names["event"] = "event"
        histories = to_histories(pa.table(columns), **names)
        if self.dated is None:
            return histories.drop(columns="time")
        return _with_baskets(histories) if self.numbered else histories


def _dated(estimator) -> bool | None:
    """Tell whether a model, or a part of it, learned times that are dates; None where none learned times."""
    from ..base import BaseRecommender

    if getattr(estimator, "_dated", None) is not None:
        return estimator._dated
    for value in vars(estimator).values():
        for one in value if isinstance(value, list | tuple) else [value]:
            part = one[1] if isinstance(one, tuple) and len(one) == 2 else one
            if isinstance(part, BaseRecommender) and hasattr(part, "items_") and (found := _dated(part)) is not None:
                return found
    return None


def _with_baskets(histories):
    import pandas as pd

    def numbers(times):
        return np.unique(np.asarray(times), return_inverse=True)[1].astype(np.float64).tolist()

    numbered = pd.Series([numbers(times) for times in histories["time"]], index=histories.index)
    return histories.assign(time=numbered)


def _objects(values: list) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
