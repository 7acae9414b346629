"""Group commit: one thread writes what many threads submit, as many at a time as came since the last commit."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any

from ._database import Database, EventRow, StoreUnavailable

MAX_GROUP = 2000  # events a commit; a larger submit is a group of its own
MAX_SHOWN = 100_000  # rows of impressions that wait; more are dropped
SHOWN_SECONDS = 0.25  # how long impressions wait for a commit that is made anyway
Answer = list[bool] | Exception
logger = logging.getLogger(__name__)


class Writer:
    """The thread that commits; `start` before the first submit, `close` commits what is queued.

    Parameters
    ----------
    database : Database
        Where to write.
    on_commit : callable
        Called in the thread once a group with a list of (token, answer) for submits that came with a token.
    """

    def __init__(self, database: Database, on_commit: Callable[[list[tuple[Any, Answer]]], object]):
        self._database = database
        self._on_commit = on_commit
        self._queue: SimpleQueue[tuple[list[EventRow], Any] | None] = SimpleQueue()  # None: look at the impressions
        self._shown: deque[list[tuple]] = deque()
        self._n_shown = 0
        self._lock = threading.Lock()  # of the two counters and of the state of the thread
        self._due: float | None = None  # when the impressions must be written
        self._thread: threading.Thread | None = None
        self._is_open = False
        self.n_dropped = 0

    def start(self) -> None:
        """Start the thread, unless it runs."""
        with self._lock:
            if self._thread is None:
                self._is_open = True
                self._thread = threading.Thread(target=self._run, name="skrec-writer", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Commit what is queued, and end the thread."""
        with self._lock:
            thread, self._thread, self._is_open = self._thread, None, False
        if thread is not None:
            self._queue.put(None)
            thread.join()

    def submit(self, rows: list[EventRow], token: Any) -> None:
        """Queue events; a token that is a Future is resolved, any other is handed to `on_commit`."""
        with self._lock:
            if not self._is_open:
                raise RuntimeError("the store must be started before events are submitted: call start()")
            self._queue.put((rows, token))

    def show(self, rows: list[tuple]) -> None:
        """Queue impressions, which nobody waits for."""
        with self._lock:
            if self._n_shown + len(rows) > MAX_SHOWN or not self._is_open:
                self.n_dropped += len(rows)
                return
            self._n_shown += len(rows)
            self._shown.append(rows)
            if self._due is None:
                self._due = time.monotonic() + SHOWN_SECONDS
                self._queue.put(None)

    def flush(self) -> None:
        """Wait until the impressions that are queued are written."""
        written: Future[list[bool]] = Future()
        with self._lock:
            if not self._is_open:
                return
            self._due = self._due and 0.0
            self._queue.put(([], written))
        written.result()

    def _run(self) -> None:
        while True:
            group = self._next_group()
            if group or self._is_due() or not self._is_open:
                self._write(group)
            if not self._is_open and self._queue.empty() and not self._shown:
                return

    def _is_due(self) -> bool:
        return self._due is not None and time.monotonic() >= self._due

    def _next_group(self) -> list[tuple[list[EventRow], Any]]:
        """Wait for a submit, or until impressions are due; take what else is there."""
        group: list[tuple[list[EventRow], Any]] = []
        n_events = 0
        due = self._due
        try:
            entry = self._queue.get(timeout=None if due is None else max(due - time.monotonic(), 0.001))
            while True:
                if entry is not None:
                    group.append(entry)
                    n_events += len(entry[0])
                if n_events >= MAX_GROUP:
                    return group
                entry = self._queue.get_nowait()
        except Empty:
            return group

    def _take_shown(self, group) -> list[tuple]:
        """Return the impressions to write with a group: those that are due, or that its events may answer to."""
        answered = any(row.rec_id is not None for rows, _ in group for row in rows)
        if not (answered or self._is_due() or not self._is_open):
            return []
        with self._lock:
            shown = [row for rows in self._shown for row in rows]
            self._shown.clear()
            self._n_shown, self._due = 0, None
        return shown

    def _write(self, group: Sequence[tuple[list[EventRow], Any]]) -> None:
        shown = self._take_shown(group)
        answers: Sequence[Answer]
        try:
            answers = self._database.write([rows for rows, _ in group], shown) if group or shown else []
        except StoreUnavailable as error:
            answers = [StoreUnavailable(str(error)) for _ in group]  # each is raised on its own
            self._drop(shown, error)
        except Exception:  # one submit may hold what the database refuses: each alone
            answers = [self._write_alone(rows) for rows, _ in group]
            self._show_alone(shown)
        self._resolve(group, answers)

    def _write_alone(self, rows: list[EventRow]) -> Answer:
        try:
            return self._database.write([rows], [])[0]
        except Exception as error:
            return error

    def _show_alone(self, shown: list[tuple]) -> None:
        try:
            self._database.write([], shown)
        except Exception as error:
            self._drop(shown, error)

    def _drop(self, shown: list[tuple], error: Exception) -> None:
        if shown:
            logger.warning("%d impressions were dropped: %s", len(shown), error)
            with self._lock:
                self.n_dropped += len(shown)

    def _resolve(self, group, answers: Sequence[Answer]) -> None:
        others = []
        for (_, token), answer in zip(group, answers, strict=True):
            if not isinstance(token, Future):
                others.append((token, answer))
            elif token.set_running_or_notify_cancel():
                if isinstance(answer, Exception):
                    token.set_exception(answer)
                else:
                    token.set_result(answer)
        if others:
            try:
                self._on_commit(others)
            except Exception:
                logger.exception("on_commit failed for %d submits that were answered", len(others))
