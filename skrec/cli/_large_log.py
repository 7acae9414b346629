"""Logs larger than memory: stored on disk by themselves, and read from there."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from ..utils._resources import free_bytes
from ._options import Log
from ._screen import Screen, UserError

_SHARE = 0.5  # of the free memory that a command takes without --memory
_BYTES = {"parquet": 90, "csv": 150}  # memory of an event that is read as a whole, with its time
_CSV_EVENT = 40  # bytes of an event in a CSV file
_SORTING = 0.15  # share of the memory for sorting; models need the rest
_GIB = 2**30


def check_memory(memory: float | None) -> None:
    """Raise unless `--memory` is an amount."""
    if memory is not None and not memory > 0:
        raise UserError(f"--memory must be a number of GiB above 0, got {memory:g}")


def usable_memory(memory: float | None) -> float:
    """Return the GiB that a command may take: `--memory`, or half of what is free for this process."""
    if memory is not None:
        return memory
    return _SHARE * free_bytes() / _GIB


def sorting_memory(limit: float) -> float:
    """Return the GiB for sorting, of those that a command may take; half a GiB at least."""
    return max(0.5, _SORTING * limit) if limit != float("inf") else 1.0


def needed_memory(log: Log) -> tuple[float, int]:
    """Estimate the GiB that reading a log as a whole takes, and its number of events; 0 where nothing tells."""
    from ..feature_extraction._event_files import file_kind, find_files

    if "-" in log.paths:
        return 0.0, 0
    paths = find_files(list(log.paths))
    kind = file_kind(paths, log.encoding)
    if kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            n_events = sum(pq.read_metadata(path).num_rows for path in paths)
        except (OSError, pa.ArrowException):  # reading says what is wrong with the file
            return 0.0, 0
    elif kind == "csv":
        n_bytes = sum(os.path.getsize(path) * (5 if path.endswith(".gz") else 1) for path in paths)
        n_events = n_bytes // _CSV_EVENT
    else:
        return 0.0, 0
    return n_events * _BYTES[kind] / _GIB, n_events


def is_store(log: Log) -> bool:
    """Tell whether the log is a folder of stored histories."""
    from ..feature_extraction._store import is_store as holds_histories

    return len(log.paths) == 1 and holds_histories(Path(log.paths[0]).expanduser())


def read_large_log(screen: Screen, log: Log, memory: float | None):
    """Read a log through the disk where it is larger than the memory that it may take.

    Parameters
    ----------
    screen : Screen
        Where to say so.
    log : Log
        The files, their columns, and how to read them.
    memory : float or None
        GiB that the command may take.

    Returns
    -------
    StoredHistories or None
        None where the log fits in memory.
    """
    from ..feature_extraction import open_histories, to_histories
    from ..feature_extraction._event_files import has_duckdb

    if is_store(log):
        histories = open_histories(log.paths[0])
        _check_options_of_store(log, histories)
        screen.say(f"Opened stored histories, {histories!r}; the columns are those that they were stored with.")
        return histories
    limit = usable_memory(memory)
    needed, n_events = needed_memory(log)
    if needed <= limit:
        if memory is not None and not needed:
            screen.say("--memory has no effect on standard input and JSON lines, which are read as a whole.")
        return None
    about = f"The log has about {n_events:,} events, which take {needed:.1f} GiB to read as a whole"
    slow = [name for name in ("where", "drop_missing", "time_format", "encoding") if getattr(log, name)]
    if slow:
        options = ", ".join("--" + name.replace("_", "-") for name in slow)
        screen.say(
            f"{about}, more than --memory {limit:.1f}, but {options} is applied in memory: it is read as a whole."
        )
        return None
    if not has_duckdb():
        screen.say(
            f"{about}, more than --memory {limit:.1f}, and is read as a whole, since sorting it on disk needs DuckDB: "
            "pip install 'skrec-hybrid[large]'."
        )
        return None
    folder = _temporary_folder()
    screen.say(f"{about}, more than --memory {limit:.1f}: it is sorted on disk, in {folder}, and read from there.")
    roles: dict[str, Any] = {role: name for role, name in log.columns.items() if role != "name"}
    with screen.working("Sorting the log on disk"):
        histories = to_histories(
            list(log.paths),
            **roles,
            time_unit=log.time_unit,
            store=Path(folder, "log"),
            max_memory=sorting_memory(limit),
        )
    screen.say("A log of this size is not checked for what is suspicious: see skrec.feature_extraction.check_events.")
    return histories


def _check_options_of_store(log: Log, histories) -> None:
    """Raise where an option asks for what stored histories no longer tell."""
    ignored = [name for name in ("where", "drop_missing", "time_format", "time_unit", "encoding") if getattr(log, name)]
    ignored += ["name"] if "name" in log.columns else []
    if ignored:
        option = "--" + ignored[0].replace("_", "-")
        raise UserError(f"{option} is for logs of events, and {log.paths[0]} holds stored histories: leave it out")
    lacking = [role for role in ("time", "weight", "event") if role in log.columns and role not in histories.columns]
    if lacking:
        raise UserError(f"--{lacking[0]} names a column that the stored histories in {log.paths[0]} lack: leave it out")


def _temporary_folder() -> str:
    """Make a folder that is removed when the process ends, by a signal to terminate as well."""
    folder = tempfile.mkdtemp(prefix="skrec-log-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    return folder
