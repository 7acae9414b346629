"""Recommendations for all users of a log, written block by block."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..utils._arguments import check_path, check_verbose, check_whole
from ..utils._containers import count_rows, is_stored, take_rows
from ..utils._files import replacing
from ..utils._histories import read_histories
from ..utils._progress import duration
from ..utils._requests import check_k
from ..utils._row_blocks import row_blocks
from ..utils._time import logger
from ..utils._validation import as_id_list, as_ids, is_missing, plain, type_name
from ._unfinished import fingerprint, unfinished

_BLOCK = 2**21  # events of a block


def write_recommendations(
    model,
    X,
    path: str | os.PathLike,
    *,
    k: int | None = None,
    candidates=None,
    exclude=None,
    exclude_seen: bool | None = None,
    at=None,
    names: Mapping | None = None,
    block_events: int = _BLOCK,
    verbose: int = 0,
) -> Path:
    """Recommend to every user and write the answers to a file, block by block, so that neither need fit in memory.

    Finished blocks are kept beside the file until all are done. When the work is interrupted, the same call goes on
    behind the last finished block.

    Parameters
    ----------
    model : recommender
        A fitted recommender.
    X : StoredHistories, or histories of shape (n_users,)
        One row per user; the ids of users are its index, or the numbers of the rows where it has none, as a polars
        frame.
    path : path-like
        The file: ``.parquet``, or ``.csv``. It appears when it is complete, and replaces a file that is there.
    k : int, default=None
        Number of items; None takes the model's `k`.
    candidates : array-like of shape (n_candidates,), default=None
        The only items that may be recommended.
    exclude : array-like of shape (n_excluded,), default=None
        Items that must not be recommended.
    exclude_seen : bool, default=None
        Whether the user's own items come last; None takes the model's.
    at : date or number, default=None
        The moment of asking, for models that know time; None is the latest time they have seen.
    names : mapping of item id to str, default=None
        Names of items, such as a dict or a Series: they become the column `name`, null where an item has none.
    block_events : int, default=2097152
        Events of a block: about 12 bytes of memory each beside what the model needs for one block.
    verbose : int, default=0
        1 prints users done and the time left to standard error after each block.

    Returns
    -------
    pathlib.Path
        The file, with the columns `user`, `rank` (from 1), `item`, `score` and, where given, `name`: a row per
        recommendation, best first, in the order of `X`.

    Raises
    ------
    ValueError
        If `path` ends in neither ``.parquet`` nor ``.csv``, or no item may be recommended.
    BlockingIOError
        If another process is writing the same file.

    See Also
    --------
    skrec.feature_extraction.to_histories : Stores a log that does not fit in memory.
    skrec.large.spark.recommend : The same on a cluster.

    Notes
    -----
    Each block is what ``model.recommend`` answers for these rows; since an answer does not depend on who else is
    asked, so is the file. What is kept of an interrupted work counts only for the same model, histories and request,
    told by a hash of their contents.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from skrec.datasets import make_histories
    >>> from skrec.large import write_recommendations
    >>> from skrec.neighbors import ItemKNN
    >>> histories = make_histories(100, 20, random_state=0)
    >>> model = ItemKNN(k=3).fit(histories)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_recommendations(model, histories, folder + "/lists.parquet")
    ...     table = pd.read_parquet(path)
    >>> table.columns.tolist(), len(table)
    (['user', 'rank', 'item', 'score'], 300)
    """
    import pyarrow as pa

    check_path(path)
    check_verbose(verbose)
    block_events = check_whole(block_events, "block_events")
    path = Path(path).expanduser()
    if path.suffix.lower() not in (".parquet", ".csv"):
        raise ValueError(f"path must end in .parquet or .csv, got {str(path)!r}")
    check_is_fitted(model)
    request = {
        "k": check_k(model.k if k is None else k),
        "candidates": None if candidates is None else as_id_list(candidates, "candidates"),
        "exclude": None if exclude is None else as_id_list(exclude, "exclude"),  # one for all users
        "exclude_seen": exclude_seen,
        "at": at,
    }
    names = _names_of(names)
    blocks = _blocks(X, block_events)
    users = _user_ids(X, blocks[-1].stop)
    mark = fingerprint(model, X, users, request, names, block_events)
    with unfinished(path, mark, len(blocks)) as (parts, done):
        report = _progress(blocks[-1].stop, blocks[done].start if done < len(blocks) else blocks[-1].stop, verbose)
        for number, rows in list(enumerate(blocks))[done:]:
            block = X[rows] if is_stored(X) else take_rows(X, np.arange(rows.start, rows.stop))
            table = _answers(model, block, users[rows.start : rows.stop], request)
            if names is not None:
                found = [names.get(item) for item in table["item"].to_pylist()]
                table = table.append_column("name", pa.array(found, type=pa.string()))
            _write_block(table, parts[number])
            report(rows.stop)
        n_full = _join(parts, path)
    if n_full:
        logger.warning(
            f"{n_full:,} of {len(users):,} users have fewer items left that they do not have: the end of their list is "
            "what they have, with the score -inf"
        )
    return path


def _names_of(names) -> dict | None:
    """Return the names of items as a dict of texts, None where an item has none."""
    if names is None:
        return None
    if not hasattr(names, "items"):
        raise TypeError(f"names must map item ids to texts, such as a dict or a Series, got {type_name(names)}")
    found = {item: None if is_missing(name) else name for item, name in names.items()}
    for item, name in found.items():
        if name is not None and not isinstance(name, str):
            raise TypeError(f"names must map item ids to texts, got {plain(name)!r} for the item {plain(item)!r}")
    return found


def _user_ids(X, n_users: int):
    """Return the ids of users as an Arrow array."""
    import pyarrow as pa

    ids = X.index if hasattr(X, "iloc") or is_stored(X) else None
    if ids is None:
        return pa.array(np.arange(n_users))
    if getattr(ids, "nlevels", 1) > 1:
        raise TypeError("the index of X must hold one id per user, got an index of several levels: name one of them")
    return pa.array(as_ids(ids.to_numpy(), "the index of X"))


def _blocks(X, block_events: int) -> list[slice]:
    """Return the rows of each block."""
    if count_rows(X) == 0:
        raise ValueError("X has no rows: pass the histories of at least one user")
    return list(row_blocks(read_histories(X).indptr, block_events))


def _answers(model, block, users, request: dict):
    """Return the recommendations to a block of users as an Arrow table."""
    import pyarrow as pa

    items, scores = model.recommend(block, return_scores=True, **request)
    n_users, width = items.shape
    return pa.table(
        {
            "user": users.take(pa.array(np.repeat(np.arange(n_users), width))),
            "rank": np.tile(np.arange(1, width + 1, dtype=np.int32), n_users),
            "item": pa.array(items.reshape(-1)),
            "score": scores.reshape(-1).astype(np.float32, copy=False),
        }
    )


def _write_block(table, path: Path) -> None:
    import pyarrow.parquet as pq

    with replacing(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def _join(parts: list[Path], path: Path) -> int:
    """Write the blocks behind each other into one file; return how many users have items with the score -inf."""
    import pyarrow.compute as pc
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    schema, n_full = pq.read_schema(parts[0]), 0
    as_csv = path.suffix.lower() == ".csv"
    with contextlib.ExitStack() as stack:
        partial = stack.enter_context(replacing(path))
        writer = csv.CSVWriter(partial, schema) if as_csv else pq.ParquetWriter(partial, schema, compression="zstd")
        stack.enter_context(writer)
        for part in parts:
            table = pq.read_table(part)
            writer.write_table(table)
            n_full += pc.count_distinct(table.filter(pc.is_inf(table["score"]))["user"]).as_py()
    return n_full


def _progress(n_users: int, done: int, verbose: int) -> Callable[[int], None]:
    """Return what prints how many users are done, and the time left."""
    started = time.perf_counter()

    def report(stop: int) -> None:
        if verbose:
            left = (time.perf_counter() - started) / (stop - done) * (n_users - stop)
            text = f"Recommended to {stop:,} of {n_users:,} users, {duration(left)} left"
            print(text, file=sys.stderr, flush=True)

    return report
