"""Frames of Spark: what the functions of skrec.large.spark take, and what their workers read of it."""

import os
from collections.abc import Iterable, Iterator

import numpy as np

from ..utils._arguments import check_text
from ..utils._histories import COLUMNS
from ..utils._optional import import_optional
from ..utils._validation import type_name

_EVENTS = 2_000_000  # events that a worker reads in one go


def import_spark():
    """Import PySpark, or say how to get it."""
    return import_optional("pyspark", "skrec.large.spark")


def check_frame(frame, name: str) -> None:
    """Raise where something is no frame of Spark, classic or Connect."""
    if not (hasattr(frame, "mapInArrow") and hasattr(frame, "sparkSession")):
        raise TypeError(
            f"{name} must be a Spark DataFrame, got {type_name(frame)}: spark.read or spark.createDataFrame"
        )


def check_histories(frame, name: str = "frame") -> None:
    """Raise where a frame of Spark has no histories."""
    from pyspark.sql.types import ArrayType

    import_spark()
    check_frame(frame, name)
    if "item" not in frame.columns:
        raise ValueError(
            f"{name} is a frame without the list column 'item' (it has {frame.columns[:8]}): build it with "
            "skrec.large.spark.to_histories"
        )
    if split := [column for column in frame.columns if "." in column or "`" in column]:
        raise ValueError(
            f"the columns of {name} may have no dot or backtick in their names, which Spark reads as fields of a "
            f"column, got {split[0]!r}: rename it, {name}.withColumnRenamed"
        )
    for column in set(COLUMNS) & set(frame.columns):
        kind = frame.schema[column].dataType
        if not isinstance(kind, ArrayType):
            raise TypeError(
                f"{name}[{column!r}] has the type {kind.simpleString()}, but an array column is expected: build it "
                "with skrec.large.spark.to_histories"
            )


def user_column(frame, user: str | None) -> str:
    """Return the name of the column of users: the one named, or the first that is no list column of histories."""
    if user is not None:
        if check_text(user, "user") not in frame.columns:
            raise ValueError(f"user={user!r} is not a column of frame, which has {frame.columns[:8]}")
        return user
    for name in frame.columns:
        if name not in COLUMNS:
            return name
    raise ValueError(f"frame has no column of users beside {frame.columns}: keep that of to_histories")


def dated(frame) -> bool | None:
    """Tell whether the times of histories are dates; None where there are none."""
    if "time" not in frame.columns:
        return None
    from pyspark.sql.types import DateType, TimestampNTZType, TimestampType

    return isinstance(frame.schema["time"].dataType.elementType, (DateType, TimestampType, TimestampNTZType))


def read_tables(batches: Iterable, n_events: int = _EVENTS) -> Iterator:
    """Join or cut the batches of a partition so that tables have about a number of events.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        Histories.
    n_events : int
        Largest number of events of a table of more than one row.

    Yields
    ------
    pyarrow.Table
        Rows in their order, at least one.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    limit_threads()
    waiting: list = []
    held = 0
    for batch in batches:
        lengths = pc.fill_null(pc.list_value_length(batch.column("item")), 0).to_numpy(zero_copy_only=False)
        total = np.cumsum(lengths, dtype=np.int64)
        start = 0
        while start < len(lengths):
            before = int(total[start - 1]) if start else 0
            stop = int(np.searchsorted(total, before + n_events - held, side="right"))
            if stop == start and not waiting:
                stop = start + 1  # one long history
            if stop > start:
                waiting.append(batch.slice(start, stop - start))
                held += int(total[stop - 1]) - before
            if stop < len(lengths):
                yield pa.Table.from_batches(waiting)
                waiting, held = [], 0
            start = stop
    if waiting:
        yield pa.Table.from_batches(waiting)


def as_frame(table):
    """Return a pandas frame of Arrow columns, as the functions for one machine take it."""
    import pandas as pd

    return table.to_pandas(types_mapper=pd.ArrowDtype)


def limit_threads() -> None:
    """Let a worker of Spark use as many processors as its task was given: other tasks have the others."""
    from pyspark import TaskContext

    if (context := TaskContext.get()) is not None:
        os.environ["LOKY_MAX_CPU_COUNT"] = str(max(1, context.cpus()))
