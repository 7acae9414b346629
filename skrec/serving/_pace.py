"""Whether answers are so fast that they need no thread of their own."""

import time

_SHARE = 0.2  # of the deadline: slower answers are computed in a thread, where the deadline can end the waiting
_FIRST = 20  # answers of a new model that are computed in the thread
_DECAY = 0.99  # of the largest duration, each answer


class Pace:
    """Durations of the last answers: a decaying maximum.

    A change of threads costs as much processor time as an answer of ItemKNN, so fast answers are computed in the event
    loop. An answer there cannot be ended by the deadline; so the first answers of a model, and all while one of the
    last few hundred took over a fifth of the deadline, go to a thread.

    Parameters
    ----------
    deadline : float
        Seconds.
    local : bool
        Whether the store is read without a network, on which one could wait.
    """

    def __init__(self, deadline: float, *, local: bool):
        self._limit, self._local = _SHARE * deadline, local
        self._model: object = None
        self._n, self._largest = 0, 0.0

    def is_fast(self, model) -> bool:
        """Tell whether the answers of a model may be computed in the event loop."""
        if model is not self._model:
            self._model, self._n, self._largest = model, 0, 0.0
        return self._local and self._n >= _FIRST and self._largest < self._limit

    def timed(self, method, asked):
        """Call a method, and remember how long it took."""
        started = time.perf_counter()
        answer = method(asked)
        self._largest = max(time.perf_counter() - started, _DECAY * self._largest)
        self._n += 1
        return answer
