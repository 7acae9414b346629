"""Progress of long fits: lines with the time left, log records, and the callbacks of scikit-learn 1.9 and later."""

import functools
import logging
import threading
import time
from typing import Any

try:  # scikit-learn 1.9 and later
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """scikit-learn before 1.9 has no callbacks."""


logger = logging.getLogger("skrec")
_INTERVAL = 5.0  # seconds between two lines at least,
_SHARE = 0.05  # and this share of the time so far


class Progress:
    """Steps of a loop, as a context manager; `step` reports each of them, from any thread.

    Parameters
    ----------
    owner : estimator or str
        What works. An estimator's `verbose` counts, and the callbacks that were set in it see a task for each step.
    unit : str
        What a step is, in the singular, such as "epoch".
    n_steps : int
        The largest number of steps.
    n_tasks : int, default=None
        The number of calls of `step`, where each counts several steps; None is `n_steps`.
    verbose : int, default=None
        1 prints a line every 5 seconds at most, later less often, and the last one; 2 and more a line for each step.
        None takes the estimator's `verbose`. Lines that 1 prints are logged as well, for DEBUG.
    """

    def __init__(self, owner, unit: str, n_steps: int, *, n_tasks: int | None = None, verbose: int | None = None):
        self.name = owner if isinstance(owner, str) else type(owner).__name__
        self.unit, self.n_steps, self.n_done = unit, n_steps, 0
        self.verbose = int(getattr(owner, "verbose", 0) if verbose is None else verbose)
        self.tasks = None
        if getattr(owner, "_skl_callbacks", None):
            self.tasks = _Tasks(owner, unit, n_steps if n_tasks is None else n_tasks)
        self._lock = threading.Lock()

    def __enter__(self) -> "Progress":
        self.started = self.reported = time.perf_counter()
        return self

    def __exit__(self, *error) -> None:
        if error == (None, None, None) and 0 < self.n_done < self.n_steps:
            self._report(f"{self.unit} {self.n_done:,} of at most {self.n_steps:,}", 0.0)

    def begin(self) -> None:
        """Tell the callbacks that a step begins; `step` does it where this was not called."""
        if self.tasks is not None:
            with self._lock:
                self.tasks.begin()

    def step(self, size: int = 1, **metadata) -> None:
        """Count `size` steps that are finished; `metadata` goes to the callbacks."""
        with self._lock:
            self.n_done += size
            if self.tasks is not None:
                self.tasks.end(metadata)
            now = time.perf_counter()
            spent, wait = now - self.started, max(_INTERVAL, _SHARE * (now - self.started))
            is_last = self.n_done >= self.n_steps
            if is_last or self.verbose > 1 or now - self.reported >= wait:
                left = spent / self.n_done * (self.n_steps - self.n_done)
                self._report(f"{self.unit} {self.n_done:,} of {self.n_steps:,}", left)
                self.reported = now

    def _report(self, text: str, left: float) -> None:
        spent = time.perf_counter() - self.started
        ending = f"{duration(left)} left" if self.n_done < self.n_steps and left else f"{duration(spent)} in all"
        line = f"[{self.name}] {text}, {ending}"
        logger.debug(line)
        if self.verbose:
            print(line, flush=True)


def duration(seconds: float) -> str:
    """Return a time as text: seconds below 2 minutes, minutes below 2 hours, else hours."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def root_task(fit):
    """Decorate a method that fits: where callbacks are set, they see its beginning and its end.

    The task begins with the first `Progress` of the fit, which knows the number of steps. scikit-learn's `_fit_context`
    around the method tears the callbacks down.
    """

    @functools.wraps(fit)
    def method(self, *args, **kwargs):
        if not getattr(self, "_skl_callbacks", None):
            return fit(self, *args, **kwargs)
        data = {name: args[place] if place < len(args) else kwargs.get(name) for place, name in enumerate("Xy")}
        self._callback_data = data
        try:
            result = fit(self, *args, **kwargs)
            _begin_root(self, 0).call_on_fit_task_end(estimator=self, **data)
        finally:
            del self._callback_data
        return result

    return method


def _begin_root(estimator, n_steps: int) -> Any:
    """Return the context of the fit; it begins here, if it has not."""
    context = getattr(estimator, "_callback_fit_ctx", None)
    if context is None:
        context = estimator._init_callback_context(max_subtasks=n_steps)
        context.call_on_fit_task_begin(estimator=estimator, **getattr(estimator, "_callback_data", {}))
    return context


class _Tasks:
    """The tasks that callbacks see: those of the fit itself, or of a part of it where another loop came first."""

    def __init__(self, estimator, unit: str, n_steps: int):
        self.estimator, self.unit = estimator, unit
        first = not hasattr(estimator, "_callback_fit_ctx")
        root = _begin_root(estimator, n_steps)
        self.context = root if first else None  # the number of tasks of the root is that of the first loop
        self.current: Any = None

    def begin(self) -> None:
        if self.context is not None and self.current is None:
            self.current = self.context.subcontext(task_name=self.unit)
            self.current.call_on_fit_task_begin(estimator=self.estimator)

    def end(self, metadata: dict) -> None:
        self.begin()
        if self.current is not None:
            self.current.call_on_fit_task_end(estimator=self.estimator, metadata=metadata)
        self.current = None
