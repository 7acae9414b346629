"""The files of stored histories: parts that are written once, and the list of those that count."""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..utils._files import replacing
from ..utils._histories import Histories
from ..utils._validation import as_ids
from ._stored import StoredHistories

_FORMAT = 1
_NAME = "histories.json"
_DTYPES = {role: np.dtype(name) for role, name in [("item", "i4"), ("time", "f8"), ("weight", "f4"), ("event", "i4")]}


class PartWriter:
    """A folder of arrays, written from the first event to the last.

    Parameters
    ----------
    folder : pathlib.Path
        Where to write; made here.
    n_events : int
        Number of events that will come.
    roles : iterable of str
        Of "item", "time", "weight" and "event".
    """

    def __init__(self, folder: Path, n_events: int, roles):
        self.folder, self.n_events = folder, n_events
        folder.mkdir(parents=True)
        self._files = {role: _new_array(folder / f"{role}.npy", _DTYPES[role], n_events) for role in roles}
        self._written = dict.fromkeys(self._files, 0)

    def add(self, columns: dict) -> None:
        """Write the next events: arrays of shape (n,) by role, items and event kinds as positions in their ids."""
        for role, file in self._files.items():
            values = np.ascontiguousarray(columns[role], dtype=_DTYPES[role])
            file.write(values.data if len(values) else b"")
            self._written[role] += len(values)

    def close(self, indptr: np.ndarray, ids: dict, facts: dict) -> None:
        """Write row boundaries, Arrow arrays of ids ("user", "item", "event") and facts; all is on disk at the end."""
        import pyarrow as pa

        if set(self._written.values()) != {self.n_events} or indptr[-1] != self.n_events:
            raise RuntimeError(f"{self.n_events} events were announced, and {self._written} were written")
        for file in self._files.values():
            _sync(file)
        with (self.folder / "indptr.npy").open("wb") as file:
            np.save(file, indptr.astype(np.int64), allow_pickle=False)
            _sync(file)
        for role, values in ids.items():
            with (self.folder / f"{role}_ids.arrow").open("wb") as file:
                table = pa.table({"id": values})
                with pa.ipc.new_file(file, table.schema) as writer:
                    writer.write_table(table)
                _sync(file)
        facts = {"format": _FORMAT, "n_events": self.n_events, "n_users": len(indptr) - 1, **facts}
        with (self.folder / "part.json").open("w", encoding="utf-8") as file:
            json.dump(facts | {"columns": list(self._files)}, file)
            _sync(file)

    def abandon(self) -> None:
        """Remove what has been written."""
        for file in self._files.values():
            file.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def part_writer(folder: Path, n_events: int, roles) -> Iterator[PartWriter]:
    """Give a `PartWriter` whose folder is removed where the block fails."""
    writer = PartWriter(folder, n_events, roles)
    try:
        yield writer
    except BaseException:
        writer.abandon()
        raise


def _new_array(path: Path, dtype: np.dtype, n: int):
    file = path.open("wb")
    np.lib.format.write_array_header_1_0(file, {"descr": dtype.str, "fortran_order": False, "shape": (n,)})
    return file


def _sync(file) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def check_store(path) -> Path:
    """Return the folder of a new store; raise where something is there."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"store must be the path of a folder, got {path!r}")
    folder = Path(path).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "holds stored histories already: open them with open_histories, or remove the folder"
        if not (folder / _NAME).is_file():
            what = "exists and is no empty folder"
        raise FileExistsError(f"store={str(path)!r} {what}; choose another path")
    if not folder.absolute().parent.is_dir():
        raise FileNotFoundError(f"store={str(path)!r}: there is no folder {folder.absolute().parent}: make it first")
    return folder


def new_part(folder: Path) -> Path:
    """Return the path of a part that does not exist."""
    return folder / f"part-{secrets.token_hex(6)}"


def list_parts(folder: Path) -> list[str]:
    """Return the names of the parts that count, oldest first; raise where the folder holds no stored histories."""
    try:
        found = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        parts, version = found["parts"], found["format"]
        sound = bool(parts) and all(isinstance(one, str) and Path(one).name == one for one in parts)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{folder} holds no stored histories (there is no {_NAME}): make them with to_histories(..., store=)"
        ) from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ValueError(f"{folder / _NAME} is damaged: write the histories again") from error
    if version != _FORMAT or not sound:
        raise ValueError(f"{folder} has the format {version!r}, and this version of skrec reads format {_FORMAT}")
    return parts


def set_parts(folder: Path, parts: list[str]) -> None:
    """Let these parts count from now on; what other parts there are is removed."""
    with replacing(folder / _NAME) as partial:
        Path(partial).write_text(json.dumps({"format": _FORMAT, "parts": parts}), encoding="utf-8")
    for other in folder.glob("part-*"):
        if other.name not in parts:
            shutil.rmtree(other, ignore_errors=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change the parts of a folder."""
    try:
        import fcntl
    except ImportError:  # Windows: the last change wins
        yield
        return
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_part(folder: Path, path: Path | None = None) -> StoredHistories:
    """Open one part; its arrays are memory-mapped.

    Parameters
    ----------
    folder : pathlib.Path
        The part.
    path : pathlib.Path, default=None
        The store to which it belongs.

    Raises
    ------
    ValueError
        If files are damaged or do not fit together.
    """
    try:
        facts = json.loads((folder / "part.json").read_text(encoding="utf-8"))
        roles, n_events, n_users = facts["columns"], int(facts["n_events"]), int(facts["n_users"])
        arrays = {role: np.load(folder / f"{role}.npy", mmap_mode="r", allow_pickle=False) for role in roles}
        indptr = np.load(folder / "indptr.npy", mmap_mode="r", allow_pickle=False)
        ids = {
            role: _read_ids(folder / f"{role}_ids.arrow")
            for role in ("user", "item", "event")
            if role in ("user", "item", *roles)
        }
        sound = "item" in arrays and all(a.shape == (n_events,) and a.dtype == _DTYPES[r] for r, a in arrays.items())
        sound &= indptr.dtype == np.int64 and indptr.shape == (n_users + 1,) == (len(ids["user"]) + 1,)
        sound &= indptr[0] == 0 and indptr[-1] == n_events
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ValueError(f"stored histories in {folder} are damaged ({error}): write them again") from error
    if not sound:
        raise ValueError(f"stored histories in {folder} are damaged, files do not fit together: write them again")
    names = {role: as_ids(array.to_numpy(zero_copy_only=False), role) for role, array in ids.items() if role != "user"}
    histories = Histories(
        names["item"],
        arrays["item"],
        indptr,
        time=arrays.get("time"),
        weight=arrays.get("weight"),
        event_ids=names.get("event"),
        event_codes=arrays.get("event"),
        dated=bool(facts["dated"]),
    )
    return StoredHistories(histories, ids["user"], user=facts["user"], time_type=facts["time_type"], path=path)


def _read_ids(path: Path):
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all().column("id").combine_chunks()
