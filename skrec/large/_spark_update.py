"""Updates on Spark: what some users did since is counted by partition, and added on the driver."""

from functools import partial
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import get_tags

from .._updates import UpdatableMixin
from ..feature_extraction._vectorizing import check_updatable, with_items
from ..utils._arguments import shown
from ..utils._cooccurrence import Cooccurrence
from ..utils._histories import ReadHistories, check_same_times, read_histories
from ..utils._statistics import NOT_LEARNED, Statistics
from ..utils._validation import join_ids
from ._spark_fit import check_vectorizer, count_items, without_results
from ._spark_frames import as_frame, check_histories, dated
from ._spark_sums import sum_partitions


class _Change(NamedTuple):
    """What users have now and had before, with the difference of products in `now`, and of users of each item."""

    now: Statistics
    was: Statistics
    users: np.ndarray

    def __add__(self, other):
        return _Change(self.now + other.now, self.was + other.was, self.users + other.users)


def update_model(model, frame, since):
    """Learn what came since; see `skrec.large.spark.update`."""
    check_histories(frame)
    check_updatable_on_spark(model)
    if (dated(frame) is None) != (model._dated is None) and get_tags(model).needs_order:
        has, had = ("lacks", "had it") if dated(frame) is None else ("has", "did not")
        raise ValueError(f"frame {has} the list column 'time', and fit {had}: pass the same columns as in fit")
    known = isinstance(since, str) and since in frame.columns
    if not known and since is not None and np.ndim(since):
        raise TypeError(f"since must be a moment or the name of a column of integers, got {shown(since)}")
    if known:
        _check_numbers(frame, since)
    ids, _, _ = count_items(frame, partial(_new_items, without_results(model)))
    old = model.items_
    if len(ids):
        model.items_ = join_ids([old, ids], "frame and items_")
        model.n_items_ = len(model.items_)
        model.popularity_ = np.append(model.popularity_, np.zeros(len(ids), dtype=np.int64))
        model.vectorizer_ = with_items(model.vectorizer_, model.items_, model.popularity_)
    change = sum_partitions(frame, partial(_count_change, without_results(model), since, known))
    if change is None:
        return model
    popularity = model.popularity_ + change.users
    if (popularity < 0).any():
        raise ValueError(NOT_LEARNED)
    model.popularity_ = popularity
    model.vectorizer_ = with_items(model.vectorizer_, model.items_, popularity)
    statistics = model._statistics.moved(np.arange(len(old)), model.n_items_)
    model._statistics, _ = statistics.updated(change.now, change.was)
    if model._statistics.is_negative(products=False):
        raise ValueError(NOT_LEARNED)
    model._solve(model._statistics)
    return model


def check_updatable_on_spark(model) -> None:
    """Raise where a model has no statistics to add to."""
    name = type(model).__name__
    if type(model)._update is not UpdatableMixin._update or not hasattr(model, "_statistics"):
        raise ValueError(
            f"this {name} keeps no additive statistics: fit {name}(incremental=True) where it has this parameter, or "
            "refit"
        )
    model._check_updatable()
    check_vectorizer(model)
    check_updatable(model.vectorizer_, name)


def _check_numbers(frame, since: str) -> None:
    from pyspark.sql.types import IntegralType

    if not isinstance(kind := frame.schema[since].dataType, IntegralType):
        raise TypeError(
            f"since={since!r} must be a column of integers, the number of events that the model knows of each user, "
            f"got {kind.simpleString()}: cast it"
        )


def _new_items(model, table) -> tuple:
    histories = read_histories(table)
    if histories.time is not None:
        check_same_times(histories, model._dated)
    new = model._grown_items(histories)[len(model.items_) :]
    return new, np.ones(len(new), dtype=np.int64), len(histories)


def _count_change(model, since, known: bool, table) -> _Change:
    if known:
        numbers = table.column(since)
        if numbers.null_count:
            raise ValueError(f"since={since!r} has missing values: fill in 0 for users of whom the model knows nothing")
        since = numbers.to_numpy().astype(np.int64)
    X = as_frame(table)
    users = model.popularity_
    after, before = model._read_update(ReadHistories(X, read_histories(X)), since)
    now, was = (model._count(part) for part in model._changing(after, before))
    change = model.popularity_ - users
    model.popularity_ = users
    differences, nothing = {}, {}
    for name, value in now.sums.items():
        if isinstance(value, Cooccurrence):
            differences[name] = value - was[name]
            nothing[name] = Cooccurrence.of(sp.csr_array((model.n_items_, model.n_items_), dtype=np.float32))
    return _Change(Statistics({**now.sums, **differences}), Statistics({**was.sums, **nothing}), change)
