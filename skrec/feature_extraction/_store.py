"""The files of stored histories: parts that are written once, and the list of those that count."""

import contextlib
import json
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..utils._files import is_at, replacing
from ..utils._histories import Histories
from ..utils._row_blocks import BLOCK
from ..utils._validation import as_ids
from ._duckdb import SPILLED
from ._stored import StoredHistories
from ._stored_times import is_dated

_FORMAT = 1
_NAME = "histories.json"
_PART = re.compile(r"part-[0-9a-f]{12}")
_UNFINISHED = re.compile(  # parts, DuckDB's files, a list of parts
    rf"{_PART.pattern}|{re.escape(SPILLED)}\w+|\.{_NAME}\..+\.part"
)
_DAMAGES = (KeyError, TypeError, ValueError, AttributeError, NotImplementedError, OSError, EOFError, OverflowError)
_MOST_IDS = 2**31 - 1
_HEADER = 128  # bytes before the numbers of an array, whatever its length
_DTYPES = {role: np.dtype(name) for role, name in [("item", "i4"), ("time", "f8"), ("weight", "f4"), ("event", "i4")]}


class PartWriter:
    """A folder of arrays, written from the first event to the last.

    Parameters
    ----------
    folder : pathlib.Path
        Where to write; made here.
    n_events : int or None
        Number of events that will come; None where only the end tells.
    roles : iterable of str
        Of "item", "time", "weight" and "event".
    """

    def __init__(self, folder: Path, n_events: int | None, roles):
        self.folder, self.n_events = folder, n_events
        folder.mkdir(parents=True)
        self._files = {role: (folder / f"{role}.npy").open("wb+") for role in roles}
        for role, file in self._files.items():
            _write_header(file, _DTYPES[role], n_events or 0)
        self._written = dict.fromkeys(self._files, 0)

    def add(self, columns: dict) -> None:
        """Write the next events: arrays of shape (n,) by role, items and event kinds as positions in their ids."""
        for role, file in self._files.items():
            values = np.ascontiguousarray(columns[role], dtype=_DTYPES[role])
            file.write(values.data if len(values) else b"")
            self._written[role] += len(values)

    def recode(self, role: str, positions: np.ndarray) -> None:
        """Replace the items or event kinds that were written, as positions in ids, by other positions."""
        file = self._files[role]
        file.flush()
        codes = np.memmap(file.name, _DTYPES[role], "r+", offset=_HEADER, shape=(self._written[role],))
        for start in range(0, len(codes), BLOCK):
            codes[start : start + BLOCK] = positions[codes[start : start + BLOCK]]

    def close(self, indptr: np.ndarray, ids: dict, facts: dict) -> None:
        """Write row boundaries, Arrow arrays of ids ("user", "item", "event") and facts; all is on disk at the end."""
        import pyarrow as pa

        n_events = int(indptr[-1])
        if set(self._written.values()) != {n_events} or self.n_events not in (n_events, None):
            raise RuntimeError(f"{self.n_events} events were announced, and {self._written} were written")
        if most := [role for role in ids if role in _DTYPES and len(ids[role]) > _MOST_IDS]:
            raise ValueError(f"the {most[0]} column has over {_MOST_IDS:,} distinct values: stored histories hold less")
        for role, array in self._files.items():
            _write_header(array, _DTYPES[role], n_events)
            _sync(array)
        with (self.folder / "indptr.npy").open("wb") as file:
            np.save(file, indptr.astype(np.int64), allow_pickle=False)
            _sync(file)
        for role, values in ids.items():
            with (self.folder / f"{role}_ids.arrow").open("wb") as file:
                table = pa.table({"id": values})
                with pa.ipc.new_file(file, table.schema) as writer:
                    writer.write_table(table)
                _sync(file)
        facts["user"] = _user_name(facts["user"])
        facts = {"format": _FORMAT, "n_events": n_events, "n_users": len(indptr) - 1, **facts}
        with (self.folder / "part.json").open("w", encoding="utf-8") as text:
            json.dump(facts | {"columns": list(self._files)}, text)
            _sync(text)
        _sync_folder(self.folder)  # the names of the files too, before the part counts

    def abandon(self) -> None:
        """Remove what has been written."""
        for file in self._files.values():
            file.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def part_writer(folder: Path, n_events: int | None, roles) -> Iterator[PartWriter]:
    """Give a `PartWriter` whose folder is removed where the block fails."""
    writer = PartWriter(folder, n_events, roles)
    try:
        yield writer
    except BaseException:
        writer.abandon()
        raise


def _write_header(file, dtype: np.dtype, n: int) -> None:
    file.seek(0)
    np.lib.format.write_array_header_1_0(file, {"descr": dtype.str, "fortran_order": False, "shape": (n,)})
    if file.tell() != _HEADER:
        raise RuntimeError(f"the header of an array takes {file.tell()} bytes, not {_HEADER}")


def _sync(file) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every system lets a folder be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def check_store(path, append: bool = False) -> Path:
    """Return the folder of a store; raise where there is something else, or (not `append`) stored histories."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"store must be the path of a folder, got {path!r}")
    folder = Path(path).expanduser()
    if is_store(folder):
        if not append:
            raise FileExistsError(
                f"store={str(path)!r} holds stored histories already: open them with open_histories, add to them with "
                "append=True, or choose another path"
            )
    elif folder.exists() and (not folder.is_dir() or any(not _is_unfinished(one) for one in folder.iterdir())):
        raise FileExistsError(f"store={str(path)!r} exists and is no empty folder; choose another path")
    elif not folder.absolute().parent.is_dir():
        raise FileNotFoundError(f"store={str(path)!r}: there is no folder {folder.absolute().parent}: make it first")
    return folder


def check_user_name(name) -> None:
    """Raise where the name of the column of users cannot be stored."""
    try:
        sound = _read_name(json.loads(json.dumps(_user_name(name)))) == name
    except (TypeError, ValueError):
        sound = False
    if not sound:
        raise TypeError(f"user={name!r}: with store= a column's name is text, a number or a tuple of these: rename it")


def _user_name(name):
    if isinstance(name, tuple):
        return [_user_name(one) for one in name]
    return name.item() if isinstance(name, np.generic) else name


def _read_name(name):
    return tuple(map(_read_name, name)) if isinstance(name, list) else name


def _is_unfinished(path: Path) -> bool:
    return path.name == ".lock" or _UNFINISHED.fullmatch(path.name) is not None


def new_part(folder: Path) -> Path:
    """Return the path of a part that does not exist."""
    return folder / f"part-{secrets.token_hex(6)}"


def list_parts(folder: Path) -> list[str]:
    """Return the names of the parts that count, oldest first; raise where the folder holds no stored histories."""
    try:
        found = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        version = found["format"]
        parts = found["parts"] if version == _FORMAT else [""]
        sound = isinstance(parts, list) and bool(parts)
        sound = sound and (version != _FORMAT or all(_PART.fullmatch(one) for one in parts))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"{folder} holds no stored histories (there is no {_NAME}): make them with to_histories(..., store=)"
        ) from None
    except (*_DAMAGES, RecursionError) as error:
        raise ValueError(f"{folder / _NAME} is damaged: write the histories again") from error
    if not sound:
        raise ValueError(f"{folder / _NAME} is damaged: write the histories again")
    if version != _FORMAT:
        raise ValueError(f"{folder} has the format {version!r}, and this version of skrec reads format {_FORMAT}")
    return parts


def set_parts(folder: Path, parts: list[str]) -> None:
    """Let these parts count from now on; what other parts there are is removed."""
    with replacing(folder / _NAME) as partial:
        Path(partial).write_text(json.dumps({"format": _FORMAT, "parts": parts}), encoding="utf-8")
    remove_unfinished(folder)


def remove_unfinished(folder: Path) -> None:
    """Remove what does not count: parts that were replaced, or whose process ended early. Needs the lock."""
    parts = list_parts(folder) if is_store(folder) else []
    for one in folder.iterdir():
        if one.name not in parts and _UNFINISHED.fullmatch(one.name):
            if one.is_dir() and not one.is_symlink():
                shutil.rmtree(one, ignore_errors=True)
            else:
                one.unlink(missing_ok=True)


def is_store(folder: Path) -> bool:
    """Tell whether a folder holds stored histories."""
    return (folder / _NAME).is_file()


def remove_empty(folder: Path, *, keep: bool) -> None:
    """Remove what is left of a store in which nothing was written, and its folder unless `keep`. Needs the lock."""
    if not is_store(folder):
        with contextlib.suppress(OSError):
            (folder / ".lock").unlink(missing_ok=True)
            if not keep:
                folder.rmdir()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change the parts of a folder."""
    path = folder / ".lock"
    while True:
        with path.open("a") as file:
            _lock(file.fileno())
            if is_at(file, path):  # else one who waited less has removed it
                yield
                return


def _lock(file: int) -> None:
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
        return
    import msvcrt

    while True:
        with contextlib.suppress(OSError):  # raised after ten seconds
            msvcrt.locking(file, msvcrt.LK_LOCK, 1)
            return
        time.sleep(0.1)


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
        sound = isinstance(roles, list) and "item" in roles and set(roles) <= set(_DTYPES)
        if not sound:
            raise ValueError("columns")
        arrays = {role: _mapped(folder / f"{role}.npy") for role in roles}
        indptr = _mapped(folder / "indptr.npy")
        ids = {
            role: _read_ids(folder / f"{role}_ids.arrow")
            for role in ("user", "item", "event")
            if role in ("user", "item", *roles)
        }
        sound &= all(a.shape == (n_events,) and a.dtype == _DTYPES[r] for r, a in arrays.items())
        sound &= indptr.dtype == np.int64 and indptr.shape == (n_users + 1,) == (len(ids["user"]) + 1,)
        sound &= bool(indptr[0] == 0 and indptr[-1] == n_events)
        names = {role: as_ids(one.to_numpy(zero_copy_only=False), role) for role, one in ids.items() if role != "user"}
        user, dated, kind = _read_name(facts["user"]), facts["dated"], facts["time_type"]
        sound &= isinstance(dated, bool) and user == user and hash(user) is not None
        if "time" in arrays:
            sound &= dated == is_dated(kind)
    except (*_DAMAGES, RecursionError) as error:
        raise ValueError(f"stored histories in {folder} are damaged ({error}): write them again") from error
    if not sound:
        raise ValueError(f"stored histories in {folder} are damaged, files do not fit together: write them again")
    histories = Histories(
        names["item"],
        arrays["item"],
        indptr,
        time=arrays.get("time"),
        weight=arrays.get("weight"),
        event_ids=names.get("event"),
        event_codes=arrays.get("event"),
        dated=dated,
    )
    return StoredHistories(histories, ids["user"], user=user, time_type=kind, path=path)


def _mapped(path: Path) -> np.ndarray:
    with path.open("rb") as file:  # np.load would take archives and pickles too
        np.lib.format.read_magic(file)
    return np.asarray(np.lib.format.open_memmap(path, mode="r"))


def _read_ids(path: Path):
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    table.validate(full=True)  # offsets of texts may not lead out of the file
    ids = table.column("id").combine_chunks()
    kinds = pa.types
    if ids.null_count or not any(
        test(ids.type) for test in (kinds.is_integer, kinds.is_floating, kinds.is_string, kinds.is_large_string)
    ):
        raise ValueError(f"{path.name} has {ids.type}")
    return ids
