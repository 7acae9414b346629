"""Recommendations for all users of a log, written block by block."""

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..utils._arguments import check_path, check_verbose, check_whole
from ..utils._containers import count_rows, take_rows
from ..utils._files import replacing
from ..utils._histories import read_histories, row_blocks
from ..utils._time import logger

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
        One row per user; the ids of users are its index, or the numbers of the rows where it has none.
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
        The file, with the columns `user`, `item`, `rank` (from 1), `score` and, where given, `name`: a row per
        recommendation, best first, in the order of `X`.

    Raises
    ------
    ValueError
        If `path` ends in neither ``.parquet`` nor ``.csv``, or no item may be recommended.

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
    (['user', 'item', 'rank', 'score'], 300)
    """
    import pyarrow as pa

    check_path(path)
    check_verbose(verbose)
    block_events = check_whole(block_events, "block_events")
    path = Path(path)
    if path.suffix.lower() not in (".parquet", ".csv"):
        raise ValueError(f"path must end in .parquet or .csv, got {str(path)!r}")
    request = {"k": k, "candidates": candidates, "exclude": exclude, "exclude_seen": exclude_seen, "at": at}
    _check_exclude(exclude)
    names = None if names is None else dict(names.items())
    blocks = _blocks(X, block_events)
    parts = path.with_name(f"{path.name}.parts")
    done = _resume(parts, _fingerprint(model, X, {**request, "names": names}, block_events), len(blocks))
    report = _progress(blocks[-1].stop, blocks[done].start if done < len(blocks) else blocks[-1].stop, verbose)
    for number, rows in list(enumerate(blocks))[done:]:
        block = X[rows] if hasattr(X, "_keep_events") else take_rows(X, np.arange(rows.start, rows.stop))
        table = _answers(model, block, rows.start, request)
        if names is not None:
            found = [names.get(item) for item in table["item"].to_pylist()]
            table = table.append_column("name", pa.array(found, type=pa.string()))
        _write_block(table, parts / f"{number:06d}.parquet")
        report(rows.stop)
    _join([parts / f"{number:06d}.parquet" for number in range(len(blocks))], path)
    shutil.rmtree(parts)
    return path


def _check_exclude(exclude) -> None:
    from ..utils._validation import as_id_list

    if exclude is not None:
        as_id_list(exclude, "exclude")  # one list per user would be cut by blocks


def _blocks(X, block_events: int) -> list[slice]:
    """Return the rows of each block."""
    if count_rows(X) == 0:
        raise ValueError("X has no rows: pass the histories of at least one user")
    return list(row_blocks(read_histories(X).indptr, block_events))


def _answers(model, block, start: int, request: dict):
    """Return the recommendations to a block of users as an Arrow table."""
    import pyarrow as pa

    items, scores = model.recommend(block, return_scores=True, **request)
    n_users, width = items.shape
    users = block.index if _has_index(block) else np.arange(start, start + n_users)
    return pa.table(
        {
            "user": pa.array(users).take(pa.array(np.repeat(np.arange(n_users), width))),
            "item": pa.array(items.reshape(-1)),
            "rank": np.tile(np.arange(1, width + 1, dtype=np.int32), n_users),
            "score": scores.reshape(-1).astype(np.float32, copy=False),
        }
    )


def _has_index(X) -> bool:
    return hasattr(X, "index") and not callable(X.index)  # a list has a method of this name


def _write_block(table, path: Path) -> None:
    import pyarrow.parquet as pq

    with replacing(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def _join(parts: list[Path], path: Path) -> None:
    """Write the blocks behind each other into one file."""
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    schema = pq.read_schema(parts[0])
    with replacing(path) as partial:
        if path.suffix.lower() == ".csv":
            with pc.CSVWriter(partial, schema) as writer:
                for part in parts:
                    writer.write_table(pq.read_table(part))
        else:
            with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
                for part in parts:
                    writer.write_table(pq.read_table(part))


def _resume(folder: Path, fingerprint: str, n_blocks: int) -> int:
    """Make the folder of finished blocks, or return how many of it are finished already."""
    state = folder / "request.json"
    try:
        same = json.loads(state.read_text(encoding="utf-8")) == {"fingerprint": fingerprint, "n_blocks": n_blocks}
    except (OSError, ValueError):
        same = False
    if same:
        done = next((n for n in range(n_blocks) if not (folder / f"{n:06d}.parquet").is_file()), n_blocks)
        if done:
            logger.warning("going on behind %d of %d blocks that are finished in %s", done, n_blocks, folder)
        return done
    if folder.exists():
        if not state.is_file() and any(folder.iterdir()):
            raise FileExistsError(f"{folder} would hold unfinished work, and is there already: remove or rename it")
        shutil.rmtree(folder)
    folder.mkdir()
    with replacing(state) as partial:
        Path(partial).write_text(json.dumps({"fingerprint": fingerprint, "n_blocks": n_blocks}), encoding="utf-8")
    return 0


def _fingerprint(model, X, request: dict, block_events: int) -> str:
    """Return a hash of all that the answers depend on."""
    import joblib

    from .. import __version__

    read, found = read_histories(X), hashlib.blake2b(digest_size=20)
    for array in (read.indptr, read.codes, read.time, read.weight, read.event_codes):
        if array is None:
            continue
        for start in range(0, len(array), _BLOCK):
            found.update(np.ascontiguousarray(array[start : start + _BLOCK]).data)
    ids = [read.ids, read.event_ids, X.index.to_numpy() if _has_index(X) else None]
    asked = {name: np.asarray(value) if name in ("candidates", "exclude") else value for name, value in request.items()}
    found.update(joblib.hash([model, ids, asked, block_events, __version__]).encode())
    return found.hexdigest()


def _progress(n_users: int, done: int, verbose: int) -> Callable[[int], None]:
    """Return what prints how many users are done, and the time left."""
    started = time.perf_counter()

    def report(stop: int) -> None:
        if verbose:
            left = (time.perf_counter() - started) / (stop - done) * (n_users - stop)
            text = f"{left / 60:.0f} min" if left >= 120 else f"{left:.0f} s"
            print(f"Recommended to {stop:,} of {n_users:,} users, {text} left", file=sys.stderr, flush=True)

    return report
