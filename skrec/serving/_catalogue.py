"""The catalogue in memory: columns over items, filters as boolean masks."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from ._memo import Memo

FIELDS = ("name", "category", "price", "stock", "hidden", "image", "added")
_N_FILTERS = 256
_FEW = 1000  # items that change at a time, up to which columns and masks are changed instead of made anew
_N_PATCHED = 64  # masks that are; the newest


class UnknownColumn(ValueError):
    """A filter that names a column which the catalogue does not have."""

    def __init__(self, column: str, known: list[str]):
        super().__init__(f"filter names {column!r}, which is no column of the catalogue: it has {', '.join(known)}")
        self.column = column


class Catalogue:
    """The items at one version of the catalogue; it is never changed, an update makes another.

    Parameters
    ----------
    version : int
        The counter of the store.
    rows : dict of id to dict
        The items, in the order of their first writing.
    """

    def __init__(self, version: int = 0, rows: dict | None = None):
        self.version, self.rows = version, {} if rows is None else rows
        self._masks, self._columns, self._as_numbers = Memo(_N_FILTERS), Memo(64), Memo(64)

    def updated(self, version: int, written: list[dict], deleted: list) -> "Catalogue":
        """Return the catalogue with the items that were written and without those deleted since.

        Where the items are the same, as after a change of stock, it takes over what does not depend on the change.
        """
        rows = dict(self.rows)
        for item in deleted:
            rows.pop(item, None)
        for row in written:
            rows[row["item"]] = row
        after = Catalogue(version, rows)
        if len(rows) == len(self.rows) and not any(item in self.rows for item in deleted):
            after._take_over(self, [row["item"] for row in written])
        return after

    def _take_over(self, before: "Catalogue", changed: list) -> None:
        known = vars(before)
        for name in ("ids", "position"):
            if name in known:
                vars(self)[name] = known[name]
        if "visible" in known:
            visible, position = known["visible"].copy(), self.position
            for item in changed:
                visible[position[item]] = not self.rows[item]["hidden"]
            vars(self)["visible"] = visible
        if len(changed) <= _FEW and "position" in known:
            self._patch(before, dict.fromkeys(changed))

    def _patch(self, before: "Catalogue", changed: dict) -> None:
        """Take over columns and masks, with the items that changed computed anew."""
        rows = [self.rows[item] for item in changed]
        places = np.array([self.position[item] for item in changed], dtype=np.int64)
        for name, column in before._columns.kept():
            fresh = column.copy()
            fresh[places] = _objects([_value(row, name) for row in rows])
            if name in FIELDS or any(value is not None for value in fresh):  # or it may be no column any more
                self._columns.put(name, fresh)
        columns = {name for name, _ in self._columns.kept()}
        for name, column in before._as_numbers.kept():
            if name in columns:
                fresh = column.copy()
                fresh[places] = _numbers_of([_value(row, name) for row in rows])
                self._as_numbers.put(name, fresh)
        columns.add("in_stock")
        for conditions, mask in before._masks.kept()[-_N_PATCHED:]:
            if not columns.issuperset(name for name, _ in conditions):
                continue
            fresh = mask.copy()
            fresh[places] = self._compute(conditions, places)
            fresh.flags.writeable = False
            self._masks.put(conditions, fresh)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def ids(self) -> list:
        """The ids in the order of the masks."""
        return list(self.rows)

    @cached_property
    def position(self) -> dict:
        """Place of each id."""
        return {item: place for place, item in enumerate(self.rows)}

    @cached_property
    def visible(self) -> np.ndarray:
        """Which items are not hidden, shape (n,)."""
        return np.array([not row["hidden"] for row in self.rows.values()], dtype=bool)

    @cached_property
    def categories(self) -> list[str]:
        """The names of the categories, sorted."""
        return sorted({row["category"] for row in self.rows.values() if row["category"] is not None})

    @cached_property
    def _properties(self) -> set[str]:
        return {name for row in self.rows.values() for name in row["properties"]}

    def _column(self, name: str) -> np.ndarray:
        return self._columns.get(name, lambda: self._read(name))

    def _read(self, name: str) -> np.ndarray:
        if name not in FIELDS and name not in self._properties:
            raise UnknownColumn(name, [*FIELDS, *sorted(self._properties)])
        return _objects([_value(row, name) for row in self.rows.values()])

    def _numbers(self, name: str) -> np.ndarray:
        """Return a column as numbers, NaN where it has none."""
        return self._as_numbers.get(name, lambda: _numbers_of(self._column(name)))

    def allowed(self, conditions: Mapping[str, Any] | None) -> np.ndarray:
        """Return which items are visible and meet all conditions, shape (n,); not to be written to.

        Parameters
        ----------
        conditions : mapping, or None
            By column: a value, a list of values, or ``{"min": number, "max": number}``; ``in_stock`` true leaves out
            items with a stock of 0 (an item without a stock number is in stock), false leaves those alone.

        Returns
        -------
        ndarray of shape (n_items,), dtype bool
            The mask.

        Raises
        ------
        UnknownColumn
            If a condition names no column.
        """
        if not conditions:
            return self.visible
        return self.mask(_frozen(conditions))

    def mask(self, conditions: tuple) -> np.ndarray:
        """Return the mask of conditions that are tuples; see `allowed`."""
        return self._masks.get(conditions, lambda: self._compute(conditions))

    def _compute(self, conditions: tuple, places: Any = slice(None)) -> np.ndarray:
        """Return the mask of conditions, at some places of the items alone."""
        mask = self.visible[places].copy()
        for name, wanted in conditions:
            if name == "in_stock":
                empty = self._numbers("stock")[places] <= 0
                mask &= ~empty if wanted else empty
            elif isinstance(wanted, frozenset):
                bounds = dict(wanted)
                numbers = self._numbers(name)[places]
                mask &= (numbers >= bounds.get("min", -math.inf)) & (numbers <= bounds.get("max", math.inf))
            else:
                values = set(wanted) if isinstance(wanted, tuple) else {wanted}
                mask &= np.array([_holds(value, values) for value in self._column(name)[places]], dtype=bool)
        mask.flags.writeable = False
        return mask

    def details(self, item) -> dict[str, Any] | None:
        """Return what the catalogue says of an item, its further columns among the others; None if it has none."""
        row = self.rows.get(item)
        if row is None:
            return None
        return row["properties"] | {name: row[name] for name in FIELDS}

    def search(self, text: str, limit: int, offset: int) -> tuple[list[dict[str, Any]], int]:
        """Return items whose id, name or category holds all words of a text, and how many there are."""
        words = text.casefold().split()
        found = [row for row in self.rows.values() if _matches(row, words)] if words else list(self.rows.values())
        return [row["properties"] | {"item": row["item"]} | {n: row[n] for n in FIELDS}
                for row in found[offset : offset + limit]], len(found)  # fmt: skip


def _matches(row: dict, words: list[str]) -> bool:
    text = f"{row['item']} {row['name'] or ''} {row['category'] or ''}".casefold()
    return all(word in text for word in words)


def _holds(value, wanted: set) -> bool:
    """Tell whether a value, or one of a list of values, is wanted."""
    if isinstance(value, list):
        return any(_holds(one, wanted) for one in value)
    return not isinstance(value, dict) and value in wanted


def _frozen(conditions: Mapping[str, Any]) -> tuple:
    parts = []
    for name in sorted(conditions):
        value = conditions[name]
        if isinstance(value, Mapping):
            value = frozenset((bound, number) for bound, number in value.items() if number is not None)
        elif isinstance(value, list):
            value = tuple(value)
        parts.append((name, value))
    return tuple(parts)


def _value(row: dict, name: str):
    return row[name] if name in FIELDS else row["properties"].get(name)


def _objects(values: list) -> np.ndarray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _numbers_of(values) -> np.ndarray:
    return np.array([float(v) if isinstance(v, int | float) else math.nan for v in values], dtype=np.float64)


class View:
    """What of a catalogue concerns one model: masks in the order of the model's items.

    Parameters
    ----------
    catalogue : Catalogue
        The catalogue.
    model : ServedModel
        The model.
    before : View, default=None
        The view until now, which lends the places of the items where model and items are the same.
    """

    def __init__(self, catalogue: Catalogue, model, before: "View | None" = None):
        self.catalogue, self.model = catalogue, model
        if before is not None and before.model is model and before.catalogue.position is catalogue.position:
            self._rows: np.ndarray = before._rows
        else:
            find = catalogue.position.get
            self._rows = np.array([find(item, -1) for item in model.ids], dtype=np.int64)
        self._memo = Memo(_N_FILTERS)

    def allowed(self, conditions: Mapping[str, Any] | None) -> "Allowed":
        """Return which items of the model may be recommended; what the catalogue lacks only without conditions."""
        key = _frozen(conditions) if conditions else ()
        return self._memo.get(key, lambda: self._compute(key))

    def _compute(self, conditions: tuple) -> "Allowed":
        of_catalogue = self.catalogue.mask(conditions) if conditions else self.catalogue.visible
        mask = np.full(len(self._rows), not conditions)
        known = self._rows >= 0
        mask[known] = of_catalogue[self._rows[known]]
        return Allowed(self.model, mask)


class Allowed:
    """Items of a model that may be recommended.

    Parameters
    ----------
    model : ServedModel
        The model.
    mask : ndarray of shape (n_items,), dtype bool
        The items, in its order.
    """

    def __init__(self, model, mask: np.ndarray):
        self.mask, self._model = mask, model
        self.n = int(np.count_nonzero(mask))
        self.n_hidden = len(mask) - self.n

    @cached_property
    def ids(self) -> list:
        """Their ids."""
        return [self._model.ids[place] for place in np.flatnonzero(self.mask).tolist()]

    @cached_property
    def hidden(self) -> list:
        """The ids of the others."""
        return [self._model.ids[place] for place in np.flatnonzero(~self.mask).tolist()]

    def __contains__(self, item) -> bool:
        place = self._model.position.get(item)
        return place is not None and bool(self.mask[place])
