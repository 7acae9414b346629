"""Recommendations and metrics on Spark: a saved model is sent once to each executor, and loaded once in each worker."""

import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..metrics import ranking_scores
from ..persistence import load, save
from ..utils._arguments import check_flags, check_path, check_text
from ..utils._requests import Request
from ._spark_frames import as_frame, check_histories, read_tables, user_column

_OPTIONS = ("k", "candidates", "exclude", "exclude_seen", "at")  # of a request, in the order of Request.read
_loaded: dict = {}  # in a worker: the model of the latest file


class Sent(NamedTuple):
    """A model file on its way to the workers: its name, and its bytes as a broadcast where the session has any."""

    name: str
    content: Any
    trusted: tuple


def send_model(model, session, trusted: Sequence[str]) -> tuple[Sent, object]:
    """Send a model to the executors of a session; return how a worker finds it, and the model itself.

    It goes by a broadcast, which executors pass on to each other, or with Spark Connect, which has none, as a file of
    the session.
    """
    trusted, name = tuple(trusted), f"skrec-{uuid.uuid4().hex}.model"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        if isinstance(model, (str, Path)):
            check_path(model, "model")
            shutil.copyfile(model, file)
            model = load(model, trusted=trusted)
        else:
            check_is_fitted(model, "items_")
            save(model, file)
        if hasattr(session, "sparkContext"):
            return Sent(name, session.sparkContext.broadcast(file.read_bytes()), trusted), model
        session.addArtifacts(str(file), file=True)
    return Sent(name, None, trusted), model


def load_model(sent: Sent):
    """Return the model that was sent; in a worker that has it, without reading it again."""
    if sent.name not in _loaded:
        if sent.content is None:
            from pyspark import SparkFiles

            model = load(SparkFiles.get(sent.name), trusted=sent.trusted)
        else:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / sent.name
                file.write_bytes(sent.content.value)
                model = load(file, trusted=sent.trusted)
        _loaded.clear()
        _loaded[sent.name] = model
    return _loaded[sent.name]


def recommend_frame(model, frame, options: dict, return_scores: bool, user: str | None, trusted):
    """Return the frame of recommendations; see `skrec.large.spark.recommend`."""
    from pyspark.sql import types as T

    check_histories(frame)
    check_flags(return_scores=return_scores)
    name = user_column(frame, user)
    sent, model = send_model(model, frame.sparkSession, trusted)
    options = _check_options(model, frame, options)
    numbers = {"i": T.LongType(), "u": T.LongType(), "f": T.DoubleType()}
    kind = numbers.get(model.items_.dtype.kind, T.StringType())
    fields = [frame.schema[name], T.StructField("items", T.ArrayType(kind))]
    if return_scores:
        fields.append(T.StructField("scores", T.ArrayType(T.FloatType())))
    if name in [field.name for field in fields[1:]]:
        raise ValueError(f"user={name!r} is also the name of a column of the answer: rename it")
    answer = partial(_recommend, sent, name, options, return_scores)
    return frame.mapInArrow(answer, T.StructType(fields))


def evaluate_frame(model, frame, y: str, cuts: list[int] | None, metrics: list[str], options: dict, trusted) -> dict:
    """Return means of metrics; see `skrec.large.spark.evaluate`."""
    from pyspark.sql import functions as F
    from pyspark.sql.types import ArrayType

    check_histories(frame)
    if check_text(y, "y") not in frame.columns:
        raise ValueError(f"y={y!r} is not a column of frame, which has {frame.columns[:8]}: name the held-out items")
    if not isinstance(frame.schema[y].dataType, ArrayType):
        raise TypeError(f"frame[{y!r}] must hold arrays of item ids, got {frame.schema[y].dataType.simpleString()}")
    sent, model = send_model(model, frame.sparkSession, trusted)
    cuts = [min(model.k, model.n_items_)] if cuts is None else cuts
    options = _check_options(model, frame, options | {"k": max(cuts)})
    if max(cuts) > model.n_items_:
        raise ValueError(f"k={max(cuts)} is above the number of items, {model.n_items_}: pass a smaller k")
    asked = frame.filter(F.size(F.col(f"`{y}`")) > 0)
    parts = asked.mapInArrow(partial(_evaluate, sent, y, cuts, metrics, options), "name string, total double, n bigint")
    sums = parts.groupBy("name").agg(F.sum("total").alias("total"), F.sum("n").alias("n")).toArrow().to_pylist()
    if not sums:
        raise ValueError(f"no user has a held-out item in {y!r}: at least one is needed")
    by_name = {row["name"]: row for row in sums}
    found = {f"{metric}@{cut}": by_name[f"{metric}@{cut}"] for cut in cuts for metric in metrics}
    return {name: row["total"] / row["n"] for name, row in found.items()} | {"n_users": sums[0]["n"]}


def _check_options(model, frame, options: dict) -> dict:
    """Check the options of a request before a job starts; return them without those that are left out."""
    from pyspark.sql.types import StringType

    request = Request.read(model, [[]], *(options.get(name) for name in _OPTIONS))
    if request.exclude_by_user is not None:
        raise TypeError("exclude must hold ids that nobody gets, got one list per user: filter the answer by a join")
    if not len(request.columns(model.items_)):
        raise ValueError("exclude leaves no item to recommend: pass fewer exclusions or more candidates")
    text = isinstance(frame.schema["item"].dataType.elementType, StringType)
    if text != (model.items_.dtype == object):
        here, there = ("strings", "numbers") if text else ("numbers", "strings")
        raise TypeError(f"frame['item'] has {here}, but the model has learned {there} as ids: cast the column")
    options = options | {"candidates": request.candidates, "exclude": request.exclude}  # an iterator is read once
    return {name: value for name, value in options.items() if value is not None}


def _recommend(sent: Sent, user: str, options: dict, return_scores: bool, batches: Iterable) -> Iterator:
    import pyarrow as pa

    for table in read_tables(batches):
        model = load_model(sent)
        items, scores = model.recommend(as_frame(table), return_scores=True, **options)
        columns = {user: table.column(user).combine_chunks(), "items": _lists(items)}
        if return_scores:
            columns["scores"] = _lists(scores.astype(np.float32, copy=False))
        yield pa.RecordBatch.from_arrays([*columns.values()], names=[*columns])


def _lists(values: np.ndarray):
    """Return the rows of an array as Arrow lists."""
    import pyarrow as pa

    kinds = {"i": pa.int64(), "u": pa.int64(), "O": pa.string()}
    kind = kinds.get(values.dtype.kind, pa.float32() if values.dtype == np.float32 else pa.float64())
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values.ravel(), kind))


def _evaluate(sent: Sent, y: str, cuts, metrics, options: dict, batches: Iterable) -> Iterator:
    import pyarrow as pa

    for table in read_tables(batches):
        model = load_model(sent)
        found = model.recommend(as_frame(table), **options)
        held_out = table.column(y).to_pylist()
        scores = ranking_scores(held_out, found, k=cuts, metrics=metrics, n_items=model.n_items_)
        names, values = list(scores), list(scores.values())
        totals = [float(np.nansum(one)) for one in values]
        counts = [int(np.count_nonzero(~np.isnan(one))) for one in values]
        yield pa.RecordBatch.from_pydict({"name": names, "total": totals, "n": counts})
