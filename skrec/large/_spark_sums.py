"""Statistics of users summed over the partitions of a Spark frame: partial sums, then sums of these, then the driver.

Sums travel between the processes of one job of Spark as its own functions do, by pickle.
"""

import pickle
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from ._spark_frames import read_tables

_GROUPS = 32  # partial sums that reach the driver


def sum_partitions(frame, count: Callable):
    """Return the sum of what `count` gives for each table of histories; None where the frame has no row.

    Parameters
    ----------
    frame : Spark DataFrame
        Histories.
    count : callable
        From a table to an object that adds, in the worker.

    Returns
    -------
    object
        The sum, in the order of the partitions: the same frame gives the same number.
    """
    parts = frame.mapInArrow(partial(_count_partition, count), "number int, sums binary")
    from pyspark.sql import functions as F

    groups = parts.groupBy((F.col("number") % _GROUPS).alias("group"))
    found = groups.applyInArrow(_sum_group, "number int, sums binary").toArrow()
    return _sum_rows(found) if found.num_rows else None


def _count_partition(count: Callable, batches: Iterable) -> Iterator:
    total = None
    for table in read_tables(batches):
        counted = count(table)
        total = counted if total is None else total + counted
    if total is not None:
        yield _row(partition(), total)


def partition() -> int:
    """Return the number of the partition that a worker reads."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return 0 if context is None else context.partitionId()


def _row(number: int, total):
    import pyarrow as pa

    names = pa.schema([("number", pa.int32()), ("sums", pa.binary())])
    return pa.RecordBatch.from_pylist([{"number": number, "sums": pickle.dumps(total, protocol=5)}], schema=names)


def _sum_group(table):
    import pyarrow as pa

    number = min(table.column("number").to_pylist())
    return pa.Table.from_batches([_row(number, _sum_rows(table))])


def _sum_rows(table):
    """Add the sums of a table in the order of their numbers, neighbours first: long sums are added few times."""
    rows = table.sort_by("number").column("sums")
    sums = [pickle.loads(value.as_buffer()) for value in rows]
    while len(sums) > 1:
        pairs = [first + second for first, second in zip(sums[::2], sums[1::2], strict=False)]
        sums = pairs + sums[2 * len(pairs) :]
    return sums[0]
