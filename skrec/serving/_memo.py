"""Results that are kept."""

from collections.abc import Callable, Hashable
from typing import Any


class Memo:
    """The last results of a computation by key.

    A `functools.lru_cache` of a bound method refers to its object, so that object and the models that it has are freed
    by the garbage collector alone, which may come late; this refers to the results only.

    Parameters
    ----------
    size : int
        Number of results; where there are more, all are forgotten.
    """

    def __init__(self, size: int):
        self._size, self._results = size, {}  # type: ignore[var-annotated]

    def get(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return the result for a key, computed where it is not kept."""
        results = self._results
        try:
            return results[key]
        except KeyError:
            result = compute()
        self.put(key, result)
        return result

    def put(self, key: Hashable, result: Any) -> None:
        """Keep a result."""
        if len(self._results) >= self._size:
            self._results = {}
        self._results[key] = result

    def kept(self) -> list[tuple[Any, Any]]:
        """Return the keys and results that are kept, the newest last."""
        return list(self._results.items())
