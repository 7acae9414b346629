"""Threads: how many, and how they share the processors with BLAS."""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, lru_cache

import joblib
from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users = 0
_controller = None
_limit = None


def n_threads() -> int:
    """Number of threads for block work: the processors this process may use."""
    return _n_processors(os.getpid(), os.environ.get("LOKY_MAX_CPU_COUNT"))


@lru_cache(maxsize=1)
def _n_processors(process: int, limit: str | None) -> int:
    """Ask joblib, which looks into the system's files, once for each process and limit."""
    return max(1, joblib.cpu_count())


def drain(tasks: Iterable, work: Callable, threads: int) -> None:
    """Do every task of an iterable in threads, each taking the next as soon as it is free; order does not matter."""
    if threads == 1:
        for task in tasks:
            work(*task)
        return
    pending = iter(list(tasks))  # a list iterator hands out each task once, whichever thread asks

    def take():
        for task in pending:
            work(*task)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(take) for _ in range(threads)]:
            done.result()


@contextmanager
def single_threaded_blas():
    """Let BLAS use one thread while blocks run in threads of their own.

    The limit is a property of the whole process, so entries are counted: the first sets it and the last lifts it,
    whatever threads they come from.
    """
    global _users, _controller, _limit
    with _lock:
        if _users == 0:
            if _controller is None:
                import scipy.linalg  # noqa: F401 - its BLAS must be loaded to be seen

                _controller = ThreadpoolController()
            _limit = _controller.limit(limits=1, user_api="blas")
            _limit.__enter__()
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limit.__exit__(None, None, None)


def single_threaded_openmp():
    """Return a context in which loops of OpenMP, begun by the calling thread, stay in it."""
    return _openmp().limit(limits=1)


@cache
def _openmp() -> ThreadpoolController:
    """Look for the OpenMP runtimes, those that scikit-learn has loaded among them; it takes milliseconds."""
    import sklearn.utils.parallel  # noqa: F401

    return ThreadpoolController().select(user_api="openmp")
