"""Products of users' matrices formed on executors, by blocks of item rows: the driver gets what a model keeps of them.

A block of item rows needs the users who have one of its items, each with the whole row. So every user's row is sent to
the blocks of its items, n_blocks times at most, which is less than the pairs of its items. The rows of an item that too
many users have are summed from several groups of users.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..utils._cooccurrence import Cooccurrence
from ..utils._csr import transposed, with_values
from ..utils._nearest import Below
from ._spark_frames import limit_threads, read_tables
from ._spark_sums import partition

_ENTRIES = 2**25  # that a task holds of users' rows, 8 bytes each
_WORK = 50_000_000  # multiply-adds worth a task of its own
_BATCH = 2**25  # bytes from which a batch is passed on
_MATRIX = ("indptr", "indices", "data")
_COLUMNS = [f"{side}_{name}" for side in ("left", "right") for name in _MATRIX]
_SCHEMA = "block int, part int, number bigint, " + ", ".join(f"{name} binary" for name in _COLUMNS)


class Blocks(NamedTuple):
    """Blocks of item rows: block b has the items ``bounds[b]:bounds[b + 1]`` and ``parts[b]`` groups of users."""

    bounds: np.ndarray
    parts: np.ndarray


def plan_blocks(work: np.ndarray, n_entries: int, most: int) -> Blocks:
    """Cut the items into blocks of about equal work.

    Parameters
    ----------
    work : ndarray of shape (n_items,)
        Multiply-adds of each item's row, which is also the number of entries of its users' rows.
    n_entries : int
        Entries of the rows of all users: no block holds more.
    most : int
        Number of blocks, unless more are needed for memory.
    """
    total = float(work.sum())
    n_blocks = int(np.clip(np.ceil(total / _WORK), 1, most))
    if n_entries > _ENTRIES:
        n_blocks = max(n_blocks, int(np.ceil(total / _ENTRIES)))
    ends = (
        np.searchsorted(np.cumsum(work, dtype=np.float64), total * np.arange(1, n_blocks) / n_blocks, side="left") + 1
    )
    bounds = np.unique(np.concatenate([[0], ends[ends < len(work)], [len(work)]]))
    held = np.minimum(np.add.reduceat(work.astype(np.float64), bounds[:-1]), n_entries)
    return Blocks(bounds, np.maximum(1, np.ceil(held / (2 * _ENTRIES))).astype(np.int64))


class ClusterProduct:
    """A product of users' matrices on a cluster, with the interface of `Cooccurrence` that models solve by.

    Parameters
    ----------
    frame : Spark DataFrame
        Histories.
    count : callable
        From a table to the `Cooccurrence` of its users, in the worker.
    blocks : Blocks
        How the rows are shared out.
    n_items : int
        Number of items.
    """

    def __init__(self, frame, count: Callable, blocks: Blocks, n_items: int):
        self.frame, self.count, self.blocks, self.n_items = frame, count, blocks, n_items

    def nearest(self, n: int, below: Below, rank: np.ndarray | None = None, *, transpose: bool = False) -> sp.csr_array:
        """Keep the n largest entries of each row once divided, without the diagonal; see `Cooccurrence.nearest`."""
        nearest = self._rows(partial(_nearest, n=n, below=below, rank=rank))
        return transposed(nearest) if transpose else nearest

    def map_rows(self, function: Callable[[int, sp.csr_array], sp.csr_array]) -> sp.csr_array:
        """Return the rows that a function makes of blocks of rows, on the executors; see `Cooccurrence.map_rows`."""
        return self._rows(partial(_mapped, function))

    def check_room(self, entry_bytes: int, what: str, advice: str) -> None:
        """Raise nothing: how many entries the partitions have in common is not known before they are summed."""

    def exact(self) -> sp.csr_array:
        """Return the product as it is summed; see `Cooccurrence.exact`."""
        return self._rows(_exact)

    def formed(self) -> Cooccurrence:
        """Return the product without the frame it is made of."""
        return Cooccurrence.of(self.exact())

    def tocsr(self) -> sp.csr_array:
        """Return the product, a float32 CSR array (n_items, n_items)."""
        return self.exact().astype(np.float32, copy=False)

    def toarray(self) -> np.ndarray:
        """Return the product as a new dense array (n_items, n_items) in Fortran order, dtype float32."""
        dense = np.zeros((self.n_items, self.n_items), dtype=np.float32, order="F")
        for start, rows in self._blocks_of_rows(_exact):
            dense[start : start + rows.shape[0]] = rows.toarray()
        return dense

    def _rows(self, finish: Callable) -> sp.csr_array:
        found = dict(self._blocks_of_rows(finish))
        for start, stop in pairwise(self.blocks.bounds.tolist()):
            if start not in found:
                found[start] = sp.csr_array((stop - start, self.n_items), dtype=np.float32)
        return sp.csr_array(sp.vstack([found[start] for start in sorted(found)], format="csr"))

    def _blocks_of_rows(self, finish: Callable) -> Iterator[tuple[int, sp.csr_array]]:
        """Yield the first item and the finished rows of each block that has any."""
        several = bool((self.blocks.parts > 1).any())
        rows = self.frame.mapInArrow(partial(_send, self.count, self.blocks), _SCHEMA)
        summed = partial(_sum_block, self.blocks, self.n_items)
        if several:  # sums of groups of users first
            rows = rows.groupBy("block", "part").applyInArrow(partial(summed, _exact), _SCHEMA)
        table = rows.groupBy("block").applyInArrow(partial(summed, finish), _SCHEMA).toArrow()
        for row in table.to_batches(max_chunksize=1):
            yield int(self.blocks.bounds[row.column("block")[0].as_py()]), _read(row, 0, "right", self.n_items)


def _send(count: Callable, blocks: Blocks, batches: Iterable) -> Iterator:
    """Send each user's row to the blocks of its items; rows of products that are formed to their own."""
    bounds = blocks.bounds
    for place, table in enumerate(read_tables(batches)):
        product = count(table)
        group, number = partition() + place, partition() * 2**32 + place
        if (factors := product._lazy()) is None:
            formed = product.exact()
            pairs: Iterable = ((None, formed[start:stop]) for start, stop in pairwise(bounds))
        else:
            pairs = _factors_of_blocks(with_values(factors[0]), with_values(factors[1]), bounds)
        yield from _batches(
            {"block": block, "part": group % int(blocks.parts[block]), "number": number}
            | _written("left", left)
            | _written("right", right)
            for block, (left, right) in enumerate(pairs)
            if right is not None and right.nnz
        )


def _factors_of_blocks(left: sp.csr_array, right: sp.csr_array, bounds: np.ndarray) -> Iterator[tuple]:
    """Yield for each block its columns of `left` and all of `right`, of the users who have one of its items."""
    columns = left.tocsc()
    for start, stop in pairwise(bounds):
        own = sp.csr_array(columns[:, start:stop])
        users = np.flatnonzero(np.diff(own.indptr))
        yield (own[users], right[users]) if len(users) else (None, None)


def _sum_block(blocks: Blocks, n_items: int, finish: Callable, table):
    """Form the rows of a block, or sum rows that are formed, and finish them."""
    import pyarrow as pa

    limit_threads()
    table = table.sort_by("number")  # sums of floats depend on their order
    block = table.column("block")[0].as_py()
    start, stop = int(blocks.bounds[block]), int(blocks.bounds[block + 1])
    rights = [_read(table, row, "right", n_items) for row in range(table.num_rows)]
    if table.column("left_indptr").null_count:
        while len(rights) > 1:
            added = [_added(one, other) for one, other in zip(rights[::2], rights[1::2], strict=False)]
            rights = added + rights[2 * len(added) :]
        rows = finish((None, rights[0]), start, n_items)
    else:
        lefts = [_read(table, row, "left", stop - start) for row in range(table.num_rows)]
        rows = finish((sp.vstack(lefts, format="csr"), sp.vstack(rights, format="csr")), start, n_items)
    number = table.column("number")[0].as_py()
    found = {"block": block, "part": 0, "number": number} | _written("left", None) | _written("right", rows)
    return pa.Table.from_batches(list(_batches([found])))


def _exact(product: tuple, start: int, n_items: int) -> sp.csr_array:
    left, right = product
    return right if left is None else Cooccurrence(left, right).exact()


def _mapped(function: Callable, product: tuple, start: int, n_items: int) -> sp.csr_array:
    return function(start, _exact(product, start, n_items))


def _nearest(product: tuple, start: int, n_items: int, *, n: int, below: Below, rank) -> sp.csr_array:
    left, right = product
    if left is None:  # rows of a square product
        n_rows = right.shape[0]
        ends = np.full(n_items - start - n_rows, right.indptr[-1])
        indptr = np.concatenate([np.zeros(start, right.indptr.dtype), right.indptr, ends])
        whole = Cooccurrence.of(sp.csr_array((right.data, right.indices, indptr), shape=(n_items, n_items)))
    else:
        n_rows = left.shape[1]
        shape = (left.shape[0], n_items)
        whole = Cooccurrence(sp.csr_array((left.data, left.indices + start, left.indptr), shape=shape), right)
    return whole.nearest(n, below, rank)[start : start + n_rows]


def _added(one: sp.csr_array, other: sp.csr_array) -> sp.csr_array:
    return (Cooccurrence.of(one) + Cooccurrence.of(other)).exact()


def _written(side: str, matrix: sp.csr_array | None) -> dict:
    """Return the arrays of a matrix as bytes; values that are all 1 are left out."""
    if matrix is None:
        return {f"{side}_{name}": None for name in _MATRIX}
    ones = matrix.dtype == np.float32 and bool((matrix.data == 1).all())
    arrays = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data[:0] if ones else matrix.data
    return {f"{side}_{name}": array.tobytes() for name, array in zip(_MATRIX, arrays, strict=True)}


def _read(table, row: int, side: str, n_columns: int) -> sp.csr_array:
    indptr, indices, data = (table.column(f"{side}_{name}")[row].as_buffer() for name in _MATRIX)
    indptr, indices = np.frombuffer(indptr, np.int64), np.frombuffer(indices, np.int32)
    if data.size:
        values = np.frombuffer(data, np.float32 if data.size == 4 * len(indices) else np.float64)
    else:
        values = np.ones(len(indices), dtype=np.float32)
    return sp.csr_array((values, indices, indptr), shape=(len(indptr) - 1, n_columns))


def _batches(rows: Iterable[dict]) -> Iterator:
    import pyarrow as pa

    fields = [("block", pa.int32()), ("part", pa.int32()), ("number", pa.int64())]
    schema = pa.schema([*fields, *((name, pa.binary()) for name in _COLUMNS)])
    waiting, size = [], 0
    for row in rows:
        waiting.append(row)
        size += sum(len(value) for value in row.values() if isinstance(value, bytes))
        if size > _BATCH:
            yield pa.RecordBatch.from_pylist(waiting, schema=schema)
            waiting, size = [], 0
    if waiting:
        yield pa.RecordBatch.from_pylist(waiting, schema=schema)
