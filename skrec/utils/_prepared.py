"""What depends on the model alone, prepared at the first request and kept beside the model, never in it."""

import weakref
from bisect import bisect_left
from collections.abc import Callable

import numpy as np

from ._topk import popularity_order

_kept: dict[int, tuple[weakref.ref, dict]] = {}  # by the id of a model that is alive
_MOST_IDS = 2**20  # larger catalogues are searched in the sorted ids: a dict takes about 100 bytes an item


def prepared(model, name: str, make: Callable, *sources):
    """Return ``make(*sources)``, made once for a model and these very objects.

    Values are kept in a table of weak references to models: they are no attributes, so they are neither parameters nor
    saved, pickled or copied with the model, and they go with it. What a `snapshot` prepares is its model's. Each
    value is kept with the objects it was made from, so that a model whose attributes are replaced gets another.

    Parameters
    ----------
    model : object
        What the value belongs to.
    name : str
        Name of the value.
    make : callable
        Makes the value; threads that ask at the same time may each make one.
    *sources : object
        Attributes of the model that the value depends on, which nobody changes in place.

    Returns
    -------
    object
        The value, which the caller must not change.
    """
    values = _values_of(vars(model).get("_snapshot_of", model))
    if (found := values.get(name)) is not None:
        made_from, value = found
        if all(map(_is, made_from, sources)):
            return value
    value = make(*sources)
    values[name] = sources, value
    return value


def drop_prepared(model) -> None:
    """Forget what was prepared for a model, so that its former attributes can be freed."""
    _kept.pop(id(model), None)


def item_order(model) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of a model's items from most to least popular, and the place of each item in that order."""
    return prepared(model, "order", _order_and_rank, model.popularity_)


class SortedIds:
    """What `codes_of` reads of a dict of positions, for a large catalogue whose ids ascend: no memory beside them."""

    def __init__(self, items: np.ndarray):
        self.items = items

    def __iter__(self):
        return iter(self.items[:1].tolist())

    def get(self, one, default=None):
        """Return the position of an id of the type of the others."""
        place = bisect_left(self.items, one)
        return place if place < len(self.items) and self.items[place] == one else default


def id_table(model) -> dict | SortedIds | None:
    """Return the position of each id of a model, None where a dict cannot tell ids as `lookup` does."""
    return prepared(model, "ids", _id_table, model.items_)


def same_items(model, other) -> bool:
    """Tell whether a model and its vectorizer have the same `items_`."""
    if model.items_ is other.items_:
        return True
    return prepared(model, "same items", np.array_equal, model.items_, other.items_)


def _values_of(model) -> dict:
    """Return what is kept for a model: by its identity, since models need not be hashable."""
    key = id(model)
    held = _kept.get(key)
    if held is not None and held[0]() is not model:
        _remove(key, held[0])
        held = None
    if held is None:
        held = _kept.setdefault(key, (weakref.ref(model, lambda reference: _remove(key, reference)), {}))
    return held[1]


def _remove(key: int, reference: weakref.ref) -> None:
    held = _kept.get(key)
    if held is not None and held[0] is reference:
        del _kept[key]


def _is(one, other) -> bool:
    return one is other


def _order_and_rank(popularity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = popularity_order(popularity)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    order.flags.writeable = rank.flags.writeable = False
    return order, rank


def _id_table(items: np.ndarray) -> dict | SortedIds | None:
    if items.ndim != 1 or items.dtype.kind not in "iuO":
        return None
    if len(items) > _MOST_IDS:
        plain = items.dtype.kind == "i" or (items.dtype == object and all(type(one) is str for one in items))
        return SortedIds(items) if plain and (items[1:] > items[:-1]).all() else None
    ids = items.tolist()
    if items.dtype == object and any(type(one) is not str for one in ids):
        return None
    if items.dtype.kind == "u" and ids and max(ids) >= 2**63:  # `lookup` refuses some lists of these with others
        return None
    table = dict(zip(ids, range(len(ids)), strict=True))
    return table if len(table) == len(ids) else None
