"""The trainer: a process of low priority that queues updates and refits by the clock, and does all jobs one by one."""

import argparse
import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from typing import Any

from ._attribution import EVERY
from ._attribution import is_due as is_attribution_due
from ._logs import configure
from ._models import Models
from ._settings import Settings, hour_and_minute
from ._store import StoreUnavailable, open_store
from ._training import is_due, queue, run_job
from ._work import JobFailed, Work

logger = logging.getLogger("skrec.serving.trainer")
_BEAT = 10.0  # seconds between reports that a job is alive
_POLL = 1.0  # seconds between looks for a job
_AGAIN = 30.0  # seconds after which what failed by outer causes is tried again
_LIBRARIES = ["OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "TF_NUM_INTRAOP", "TF_NUM_INTEROP"]
_THREADS = [f"{name}_THREADS" for name in _LIBRARIES] + ["LOKY_MAX_CPU_COUNT"]


class Stopped(BaseException):
    """The trainer must end, and gives up a step that may be repeated."""


@dataclass(eq=False)
class Trainer:
    """Does the jobs of a store until it is stopped.

    Parameters
    ----------
    work : Work
        Models, store and settings.
    parent : int, default=None
        Id of the process that it must not outlive.
    """

    work: Work
    parent: int | None = None

    def __post_init__(self):
        self.store = self.work.store
        self.stopping = threading.Event()
        self._may_interrupt = False
        self._job: int | None = None
        self.work = replace(self.work, say=self._say, long=self._long, pause=self.stopping.wait)

    def stop(self, *_) -> None:
        """Stop after the present step; from a signal, also within a step that may be repeated."""
        self.stopping.set()
        if self._may_interrupt and threading.current_thread() is threading.main_thread():
            self._may_interrupt = False
            raise Stopped

    def run(self) -> None:
        """Do jobs until `stop` is called, or the parent is gone."""
        scheduler = self._schedule()
        try:
            while not self._is_over():
                try:
                    job = self.store.take_job()
                except StoreUnavailable as error:
                    logger.warning("the store is unavailable, trying again: %s", error)
                    self.stopping.wait(_POLL * 5)
                    continue
                if job is None:
                    self.stopping.wait(_POLL)
                else:
                    self.do(job)
        finally:
            scheduler.shutdown(wait=False)

    def do(self, job: dict[str, Any]) -> None:
        """Do one job and report what came of it."""
        logger.info("job %s (%s) begins", job["id"], job["kind"])
        self._job = job["id"]
        try:
            with self._beating(job["id"]):
                result = run_job(job, self.work)
            self._report(job, "done", result)
        except Stopped:
            self._report(job, "waiting", {"step": "stopped before its end; it will be done again"})
        except StoreUnavailable as error:
            logger.warning("job %s is done again when the store is back: %s", job["id"], error)
        except JobFailed as error:
            self._report(job, "failed", self._reason(job, str(error)))
        except Exception as error:
            logger.exception("job %s (%s) failed", job["id"], job["kind"])
            reason = f"{type(error).__name__}: {error}"
            if job["kind"] == "forget":  # must not be given up
                self._report(job, "waiting", {"step": f"failed and will be tried again: {reason}"})
                self.stopping.wait(_AGAIN)
            else:
                self._report(job, "failed", self._reason(job, reason))
        finally:
            self._job = None

    # ---- the clock ---------------------------------------------------------------------------------------------

    def _schedule(self):
        from apscheduler.schedulers.background import BackgroundScheduler

        settings = self.work.settings
        scheduler = BackgroundScheduler(timezone=UTC, daemon=True)
        each = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
        if settings.update_minutes:
            scheduler.add_job(self._offer_update, "interval", minutes=settings.update_minutes, **each)
        if settings.refit_at:
            hour, minute = hour_and_minute(settings.refit_at)
            scheduler.add_job(self._offer_refit, "cron", hour=hour, minute=minute, **each)
        if settings.drift_at:
            hour, minute = hour_and_minute(settings.drift_at)
            scheduler.add_job(self._offer_drift, "cron", hour=hour, minute=minute, **each)
        scheduler.add_job(self._offer_attribution, "interval", minutes=EVERY, **each)
        scheduler.start()
        return scheduler

    def _offer_update(self) -> None:
        with self._outages():
            if is_due(self.store):
                queue(self.store, "update")

    def _offer_refit(self) -> None:
        with self._outages():
            if self.store.current() is not None:
                queue(self.store, "refit")

    def _offer_drift(self) -> None:
        with self._outages():
            queue(self.store, "drift")

    def _offer_attribution(self) -> None:
        with self._outages():
            if is_attribution_due(self.store):
                queue(self.store, "attribute")

    @contextmanager
    def _outages(self) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable as error:
            logger.warning("no job could be queued: %s", error)

    # ---- reports -----------------------------------------------------------------------------------------------

    def _report(self, job: dict, status: str, result: dict) -> None:
        logger.log(logging.WARNING if status == "failed" else logging.INFO, "job %s: %s", job["id"], status)
        with self._outages():
            self.store.report_job(job["id"], status=status, result=result)

    def _reason(self, job: dict, reason: str) -> dict[str, Any]:
        """Return the result of a job that failed; an update names what it was tried with, so as not to be repeated."""
        result: dict[str, Any] = {"reason": reason}
        with self._outages():
            if job["kind"] == "update" and (row := self.store.current()) is not None:
                tried = {"learned_seq": self.store.last_seq(), "learned_merge": self.store.last_merge()}
                result |= {"base": row["version"], **tried}
        return result

    def _say(self, text: str) -> None:
        if self.stopping.is_set():
            raise Stopped
        if self._job is not None:
            self.store.report_job(self._job, result={"step": text})

    @contextmanager
    def _long(self) -> Iterator[None]:
        """Let a signal interrupt the block."""
        if self.stopping.is_set():
            raise Stopped
        self._may_interrupt = True
        try:
            yield
        finally:
            self._may_interrupt = False

    @contextmanager
    def _beating(self, job_id: int) -> Iterator[None]:
        done = threading.Event()

        def beat():
            while not done.wait(_BEAT):
                with suppress(StoreUnavailable):
                    self.store.report_job(job_id)

        thread = threading.Thread(target=beat, name="skrec-heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _is_over(self) -> bool:
        if self.parent is not None and os.getppid() != self.parent:
            logger.warning("the service is gone, so the trainer ends")
            self.stopping.set()
        return self.stopping.is_set()


def run(settings: Settings, *, parent: int | None = None) -> None:
    """Be the trainer: do jobs until SIGTERM, SIGINT, or the end of the parent.

    Parameters
    ----------
    settings : Settings
        The settings of the service.
    parent : int, default=None
        Id of the process that the trainer must not outlive; None takes the parent if this is a process of
        `multiprocessing`.
    """
    from threadpoolctl import threadpool_limits

    for name in _THREADS:
        os.environ.setdefault(name, "1")
    with suppress(AttributeError, OSError):
        os.nice(10)
    if parent is None and (process := multiprocessing.parent_process()) is not None:
        parent = process.pid
    over = threading.Event()
    in_main = threading.current_thread() is threading.main_thread()
    for number in (signal.SIGTERM, signal.SIGINT) if in_main else ():
        signal.signal(number, lambda *_: over.set())
    store = None
    while store is None and not over.is_set():
        try:
            store = open_store(settings.database)
        except StoreUnavailable as error:
            logger.warning("the store is unavailable, trying again: %s", error)
            over.wait(_POLL * 5)
    if store is None:
        return
    trainer = Trainer(Work(Models(settings, store)), parent)
    for number in (signal.SIGTERM, signal.SIGINT) if in_main else ():
        signal.signal(number, trainer.stop)
    try:
        with threadpool_limits(1):
            if not over.is_set():
                trainer.run()
    finally:
        store.close()


def start(settings: Settings) -> subprocess.Popen:
    """Start the trainer as a process of its own; it ends by SIGTERM, or when this process does.

    Parameters
    ----------
    settings : Settings
        The settings of the service. They go through a pipe, since a command line shows passwords to all users.

    Returns
    -------
    subprocess.Popen
        The process; ``terminate()`` stops it gracefully. Keep it: its standard input is the sign of life.
    """
    environment = os.environ | dict.fromkeys(_THREADS, "1")
    process = subprocess.Popen([sys.executable, "-m", "skrec.serving._trainer"], stdin=subprocess.PIPE, env=environment)
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(asdict(settings)).encode() + b"\n")
        process.stdin.flush()
    return process


def _settings_from_parent() -> Settings:
    """Read the settings from standard input, and stop when it ends: the parent is gone."""
    text = b""
    while not text.endswith(b"\n"):
        if not (part := os.read(0, 65_536)):
            raise SystemExit("the trainer must get its settings as a line of JSON, or by --settings-json")
        text += part

    def wait_for_end():
        while os.read(0, 65_536):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_for_end, name="skrec-parent", daemon=True).start()
    return Settings(**json.loads(text))


def main() -> None:
    """Read the settings and be the trainer."""
    parser = argparse.ArgumentParser(prog="python -m skrec.serving._trainer", description=__doc__)
    parser.add_argument("--settings-json", help="settings as JSON, for a trainer that is started by hand")
    given = parser.parse_args().settings_json
    settings = _settings_from_parent() if given is None else Settings(**json.loads(given))
    configure(settings)
    run(settings, parent=os.getppid() if given is None else None)


if __name__ == "__main__":
    main()
