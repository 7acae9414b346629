"""Time and memory of a piece of work."""

import contextlib
import gc
import os
import threading
import time
from pathlib import Path

_INTERVAL = 0.01  # seconds between two looks


class measure_resources:
    """Measure the time and the peak memory of the block that it wraps.

    Attributes
    ----------
    seconds : float
        Wall-clock time of the block.
    peak_mib : float
        The most resident memory of the process during the block, above what it was at the start, in MiB; NaN where
        the system does not tell (it is read from ``/proc``, so on Linux only).

    Notes
    -----
    A thread looks every 10 ms. Memory of native code counts, arrays of NumPy and BLAS for instance. What the block
    takes from memory that the process already holds does not, and neither do spikes between two looks, so the
    number is a lower bound. What other threads allocate at the same time counts as well.

    Examples
    --------
    >>> from skrec.utils._resources import measure_resources
    >>> with measure_resources() as used:
    ...     total = sum(range(1000))
    >>> used.seconds >= 0
    True
    """

    def __enter__(self) -> "measure_resources":
        gc.collect()
        self.seconds, self.peak_mib = float("nan"), float("nan")
        self._at_start = resident_bytes()
        self._peak = self._at_start or 0
        self._done = threading.Event()
        self._thread = None
        if self._at_start is not None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        self._started = time.perf_counter()
        return self

    def __exit__(self, kind, value, traceback) -> None:
        self.seconds = time.perf_counter() - self._started
        if self._thread is not None and self._at_start is not None:
            self._done.set()
            self._thread.join()
            self._look()
            self.peak_mib = (self._peak - self._at_start) / 2**20

    def _watch(self) -> None:
        while not self._done.wait(_INTERVAL):
            self._look()

    def _look(self) -> None:
        self._peak = max(self._peak, resident_bytes() or 0)


def resident_bytes() -> int | None:
    """Return the resident memory of this process in bytes, None where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def free_bytes() -> float:
    """Return the bytes that this process may still take, as far as the system tells; infinity where it does not."""
    limits = [float("inf")]
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
        facts = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        limits.append(1024.0 * int(facts["MemAvailable"].split()[0]))
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        used = int((group / "memory.current").read_text())
        limits.append(float(int((group / "memory.max").read_text()) - used))
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most != resource.RLIM_INFINITY:
            taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            limits.append(float(most - taken))
    return max(0.0, min(limits))


def check_room(n_entries: float, entry_bytes: int, what: str, advice: str) -> None:
    """Raise where entries of a sparse array would take more memory than is free.

    Parameters
    ----------
    n_entries : float
        How many there are.
    entry_bytes : int
        Bytes of one.
    what : str
        What they are; begins the error message.
    advice : str
        The next move; ends it.

    Raises
    ------
    MemoryError
        If they do not fit.
    """
    needed, free = n_entries * entry_bytes, free_bytes()
    if needed > free:
        raise MemoryError(
            f"{what} needs about {needed / 2**30:.1f} GiB for {n_entries:,.0f} entries, and {free / 2**30:.1f} GiB are "
            f"free: {advice}"
        )
