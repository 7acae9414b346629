"""Updates of ensembles: their parts learn and unlearn, and items and popularity follow."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils import get_tags

from .._updates import known_events
from ..base import BaseRecommender
from ..utils._frame_parameter import shallow
from ..utils._histories import ReadHistories, as_passed
from ..utils._users import Users
from ..utils._validation import join_ids, lookup


class PartUpdatesMixin:
    """`partial_fit` and `forget` of recommenders made of parts: copies of the parts change, and take their places."""

    fallback: Any
    fallback_: Any
    items_: np.ndarray
    n_items_: int
    _parts_name: str
    _names: list[str]
    _columns: list
    _parts: Any
    _join_items: Callable[..., None]
    _read: Callable[..., Any]

    def _read_update(self, X, since):
        """Update copies of the parts and of the fallback; return users as they are and as they were."""
        read = ReadHistories(as_passed(X), self._read(X))
        self._change_parts(lambda part: part.partial_fit(read, since=since))
        now = read.histories.on_items(self.items_)
        was = read.histories.take_events(known_events(read.histories, since)).on_items(self.items_)
        return Users(now.to_matrix(), now), Users(was.to_matrix(), was)

    def _update(self, after, before):
        """Nothing is left to learn."""

    def _read_forget(self, X):
        read = ReadHistories(as_passed(X), self._read(X))
        users = read.histories.on_items(self.items_)
        self._change_parts(lambda part: part.forget(read))
        return Users(users.to_matrix(), users)

    def _unlearn(self, users):
        """Nothing is left to unlearn."""

    def _drop_items(self):
        return None

    def _relearn(self, positions):
        """Nothing is left to learn."""

    def _change_parts(self, change) -> None:
        """Change copies of the parts and of the fallback, and bring items and popularity to what they know."""
        changed = [shallow(part) for part in (*self._parts, self.fallback_)]
        for name, part in zip((*self._names, "fallback"), changed, strict=True):
            with named_errors(self._parts_name, name):
                change(part)
        *parts, self.fallback_ = changed
        setattr(self, f"{self._parts_name}_", parts)
        items = self.items_
        stays = lookup(items, np.unique(join_ids([part.items_ for part in parts], self._parts_name))) >= 0
        self._join_items(parts, items[stays])
        self.popularity_ = self._part_popularity()

    def _part_popularity(self) -> np.ndarray:
        """Return the number of training users of each item, by the part that counts most."""
        popularity = np.zeros(self.n_items_, dtype=np.int64)
        for part, columns in zip(self._parts, self._columns, strict=True):
            place = slice(None) if columns is None else columns
            popularity[place] = np.maximum(popularity[place], part.popularity_)
        return popularity

    def _part_updates(self, parts) -> str | None:
        """Return the tag `updates`: no better than that of the parts and of the fallback."""
        fallback = [self.fallback] if isinstance(self.fallback, BaseRecommender) else []
        kinds = {get_tags(part).updates for part in [*parts, *fallback]}
        return "exact" if kinds == {"exact"} else None if None in kinds or not kinds else "approximate"


@contextmanager
def named_errors(label: str, name: str | None):
    """Let errors name the part that they come from."""
    try:
        yield
    except Exception as error:
        message = f"{label if name is None else f'{label} has {name!r}, which'} failed to fit: {error}"
        kind = next((kind for kind in (ValueError, TypeError, ImportError) if isinstance(error, kind)), None)
        if kind is None:
            error.add_note(message)
            raise
        raise kind(message) from error
