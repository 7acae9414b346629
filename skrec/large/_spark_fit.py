"""Models of additive statistics fitted on Spark: items counted, statistics summed, and solved on the driver."""

from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from ..base import BaseRecommender
from ..feature_extraction._bm25 import BM25Transformer
from ..feature_extraction._vectorizer import HistoryVectorizer
from ..feature_extraction._vectorizing import as_csr, default_vectorizer
from ..utils._cooccurrence import Cooccurrence
from ..utils._frame_parameter import shallow
from ..utils._histories import Histories, ReadHistories, read_histories
from ..utils._statistics import Statistics
from ..utils._users import Users
from ..utils._validation import as_ids, lookup
from ._spark_frames import as_frame, dated, read_tables
from ._spark_products import ClusterProduct, plan_blocks
from ._spark_sums import sum_partitions

_SUMMED = 10  # multiply-adds that an entry to be summed is worth


class _Count(NamedTuple):
    """What is counted of a part of the log besides `statistics`: the work of each product's rows, and its entries."""

    statistics: Statistics
    work: dict
    entries: dict

    def __add__(self, other):
        work = {name: value + other.work[name] for name, value in self.work.items()}
        entries = {name: value + other.entries[name] for name, value in self.entries.items()}
        return _Count(self.statistics + other.statistics, work, entries)


def has_statistics(model) -> bool:
    """Tell whether a model learns from additive statistics alone."""
    kind = type(model)
    return kind._count is not BaseRecommender._count and kind._fit is BaseRecommender._fit


def learn(model, frame) -> BaseRecommender:
    """Fit a model of additive statistics, as its `fit` does on one machine."""
    vars(model).pop("_statistics", None)
    set_items(model, frame)
    model._learn(count_statistics(model, frame))
    return model


# ---- items -----------------------------------------------------------------------------------------------------------


def set_items(model, frame) -> None:
    """Set the fitted vectorizer, the items and their numbers of users, which take one job (with BM25 weights two)."""
    vectorizer = check_vectorizer(model)
    first = vectorizer.steps[0][1] if isinstance(vectorizer, Pipeline) else vectorizer
    first._validate_params()
    ids, counts, n_users = count_items(frame, partial(_items_of, first))
    first.items_ = items = first._ids(_only_ids(ids))
    of_items = np.zeros(len(items), dtype=np.int64)
    of_items[lookup(ids, items)] = counts
    keep = first._keep(of_items, n_users)
    first.items_, first.item_counts_ = items[keep], of_items[keep]
    for number in range(1, len(getattr(vectorizer, "steps", ()))):
        _fit_weights(vectorizer, number, frame, n_users)
    model.vectorizer_, model.items_, model.n_items_ = vectorizer, first.items_, len(keep)
    model.popularity_, model._dated = first.item_counts_, dated(frame)


def check_vectorizer(model):
    """Return what turns histories into a matrix, not fitted; raise where it cannot be fitted by partitions."""
    vectorizer = getattr(model, "vectorizer", None)
    if isinstance(vectorizer, str):
        raise TypeError("vectorizer='passthrough' takes a matrix, and a Spark frame has histories: leave it at None")
    vectorizer = default_vectorizer() if vectorizer is None else clone(vectorizer)
    steps = [step for _, step in vectorizer.steps] if isinstance(vectorizer, Pipeline) else [vectorizer]
    kinds = [HistoryVectorizer] + [BM25Transformer] * (len(steps) - 1)
    if any(type(step) is not kind for step, kind in zip(steps, kinds, strict=True)):
        raise TypeError(
            f"vectorizer must be a HistoryVectorizer, or a pipeline of one and BM25Transformer, got {vectorizer!r}: "
            "others learn from the whole matrix; pass sample= to fit on some of the users"
        )
    if getattr(model, "by", None) is not None:
        raise TypeError("by= is not counted on Spark: fit one model for each segment, frame.filter(...)")
    return vectorizer


def count_items(frame, of_table) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the distinct ids, sorted, the number of users of each, and the number of all users.

    `of_table` returns the ids, the counts and the number of users of a table.
    """
    import pyarrow.compute as pc
    from pyspark.sql import functions as F

    kind = frame.schema["item"].dataType.elementType.simpleString()
    parts = frame.mapInArrow(partial(_count_items, of_table), f"id {kind}, n bigint")
    found = parts.groupBy("id").agg(F.sum("n").alias("n")).toArrow()
    if not found.num_rows:
        raise ValueError("frame has no row: pass the frame of to_histories")
    is_item = pc.is_valid(found.column("id"))
    n_users = pc.sum(found.filter(pc.invert(is_item)).column("n")).as_py()
    found = found.filter(is_item).sort_by("id")
    ids = found.column("id").to_numpy()
    return (as_ids(ids, "item") if len(ids) else ids), found.column("n").to_numpy().astype(np.int64), n_users


def _count_items(of_table, batches):
    import pyarrow as pa

    for table in read_tables(batches):
        kind = table.schema.field("item").type.value_type
        ids, counts, n_users = of_table(table)
        yield pa.RecordBatch.from_arrays(
            [pa.concat_arrays([pa.array(ids, type=kind), pa.nulls(1, kind)]), pa.array(np.append(counts, n_users))],
            names=["id", "n"],
        )


def _items_of(vectorizer: HistoryVectorizer, table) -> tuple:
    histories = read_histories(table)
    local = shallow(vectorizer)
    local.items_ = np.sort(histories.ids, kind="stable")
    return local.items_, np.bincount(local._matrix(histories).indices, minlength=len(local.items_)), len(histories)


def _only_ids(ids: np.ndarray) -> Histories:
    return Histories(ids, np.empty(0, dtype=np.int32), np.zeros(1, dtype=np.int64))


def _fit_weights(vectorizer: Pipeline, number: int, frame, n_users: int) -> None:
    """Fit the BM25 weights of a pipeline of which the steps before are fitted."""
    steps = [step for _, step in vectorizer.steps[:number]]
    step = vectorizer.steps[number][1]
    step._validate_params()
    step.n_features_in_ = len(steps[0].items_)
    total = sum_partitions(frame, partial(_total_of, steps))
    step._set_weights(steps[0].item_counts_, n_users, float(total), steps[0]._dtype())


def _total_of(steps: list, table) -> float:
    return float(_matrix_of(steps, read_histories(table)).sum(dtype=np.float64))


def _matrix_of(steps: list, histories):
    """Return the matrix that the vectorizer's `fit_transform` gives: without decay."""
    matrix = steps[0]._matrix(histories)
    for step in steps[1:]:
        matrix = step.transform(matrix)
    return matrix


# ---- statistics ------------------------------------------------------------------------------------------------------


def count_statistics(model, frame) -> Statistics:
    """Return the statistics of a model whose items are known; products stay on the cluster."""
    light = without_results(model)
    counted = sum_partitions(frame, partial(_count_table, light))
    most = int(frame.sparkSession.conf.get("spark.sql.shuffle.partitions"))
    products = {}
    for name, work in counted.work.items():
        blocks = plan_blocks(work, counted.entries[name], most)
        products[name] = ClusterProduct(frame, partial(_product, light, name), blocks, model.n_items_)
    return Statistics({**counted.statistics.sums, **products})


def without_results(model):
    """Return a model that has its parameters and items, and nothing else that it has learned: what counting needs."""
    light = clone(model)
    for name in ("vectorizer_", "items_", "n_items_", "popularity_", "_dated"):
        setattr(light, name, getattr(model, name))
    return light


def read_users(model, table) -> Users:
    """Return the users of a table as `fit` gives them to `_count`."""
    X = as_frame(table)
    histories = read_histories(X)
    vectorizer = model.vectorizer_
    steps = [step for _, step in vectorizer.steps] if isinstance(vectorizer, Pipeline) else [vectorizer]
    with config_context(transform_output="default"):
        matrix = as_csr(_matrix_of(steps, histories))
    return model._users(matrix, histories, ReadHistories(X, histories), fitting=True)


def _count_table(model, table) -> _Count:
    sums, work, entries = {}, {}, {}
    for name, value in model._count(read_users(model, table)).sums.items():
        if not isinstance(value, Cooccurrence):
            sums[name] = value
        elif (factors := value._lazy()) is None:
            stored = np.diff(value.exact().indptr).astype(np.int64)
            work[name], entries[name] = _SUMMED * stored, int(stored.sum())
        else:
            left, right = factors
            lengths = np.repeat(np.diff(right.indptr), np.diff(left.indptr))
            work[name] = np.bincount(left.indices, lengths, minlength=model.n_items_).astype(np.int64)
            entries[name] = int(right.nnz)
    return _Count(Statistics(sums), work, entries)


def _product(model, name: str, table) -> Cooccurrence:
    return model._count(read_users(model, table))[name]
