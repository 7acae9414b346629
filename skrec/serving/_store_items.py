"""The part of the store that keeps the catalogue."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from ._database import Id, Part, advance, id_of, now, text_of
from ._tables import items

_DEFAULTS: dict[str, Any] = {
    "name": None,
    "category": None,
    "price": None,
    "stock": None,
    "hidden": False,
    "image": None,
    "added": None,
    "properties": {},
}
_COLUMNS = items.c.keys()


class Catalogue(Part):
    """Items with a version each: the value of the counter `catalogue` at their last change."""

    def put_items(self, rows: Sequence[dict[str, Any]], *, partial: bool) -> int:
        """Write items.

        Parameters
        ----------
        rows : list of dict
            Each with ``item`` and any of name, category, price, stock, hidden, image, added (microseconds) and
            properties (a dict of further columns). Of rows for the same item the last one holds.
        partial : bool
            Whether keys that a row lacks keep their value, those of properties too; otherwise they are emptied. An
            item that is not there is made either way, and ``added`` is the time of its first writing if not given.

        Returns
        -------
        int
            Number of items written.

        Raises
        ------
        ValueError
            If a row lacks ``item`` or has another key.
        TypeError
            If an id is not of the kind of this store.
        """
        if not rows:
            return 0
        for row in rows:
            if "item" not in row or row.keys() - _DEFAULTS.keys() - {"item"}:
                came = ", ".join(map(repr, row))
                raise ValueError(f"an item must have 'item' and any of {', '.join(_DEFAULTS)}, got {came}")
        first = rows[0]["item"]
        kind = self.fix_kinds(item="string" if isinstance(first, str) else "integer").item
        with self.database.begin(write=True) as connection:
            version = advance(connection, "catalogue")
            texts = [text_of(row["item"], kind, "item") for row in rows]
            known = self._known_items(connection, set(texts))
            written: dict[str, dict[str, Any]] = {}
            for text, row in zip(texts, rows, strict=True):
                before = written.get(text) or known.get(text)
                written[text] = _merged(before, row, partial) | {"item": text, "version": version, "deleted": False}
            statement = self.database.insert(items)
            changed = {name: statement.excluded[name] for name in _COLUMNS if name != "item"}
            statement = statement.on_conflict_do_update(index_elements=["item"], set_=changed)
            stored = [row | {"properties": orjson.dumps(row["properties"]).decode()} for row in written.values()]
            connection.execute(statement, stored)
        return len(written)

    def _known_items(self, connection: sa.Connection, texts: Iterable[str]) -> dict[str, dict[str, Any]]:
        query = sa.select(items).where(self.database.among(items.c.item, list(texts)), ~items.c.deleted)
        return {row["item"]: _loaded(row) for row in connection.execute(query).mappings()}

    def delete_items(self, ids: Sequence[Id]) -> int:
        """Delete items, and return how many there were."""
        kind = self.kinds.item
        if not ids or kind is None:
            return 0
        texts = [text_of(item, kind, "item") for item in ids]
        with self.database.begin(write=True) as connection:
            version = advance(connection, "catalogue")
            emptied = _DEFAULTS | {"properties": "{}", "deleted": True, "version": version}
            query = sa.update(items).where(self.database.among(items.c.item, texts), ~items.c.deleted).values(emptied)
            return connection.execute(query).rowcount

    def items_since(self, version: int = 0) -> tuple[int, list[dict[str, Any]], list[Any]]:
        """Return what changed in the catalogue after a version.

        Parameters
        ----------
        version : int, default=0
            What an earlier call returned; 0 returns the whole catalogue.

        Returns
        -------
        tuple of (int, list of dict, list)
            The version now, the items written since (as `put_items` takes them), and the ids of items deleted since.
        """
        with self.database.begin() as connection:
            latest = connection.execute(sa.text("SELECT catalogue FROM state")).scalar_one()
            query = sa.select(items).where(items.c.version > version)
            rows = [_loaded(row) for row in connection.execute(query).mappings()] if latest > version else []
        kind = self.kinds.item
        for row in rows:
            row["item"] = id_of(row["item"], kind)
        deleted = [row["item"] for row in rows if row["deleted"]]
        kept = ("item", *_DEFAULTS)
        return latest, [{name: row[name] for name in kept} for row in rows if not row["deleted"]], deleted


def _merged(before: dict[str, Any] | None, row: dict[str, Any], partial: bool) -> dict[str, Any]:
    """Return the columns of an item after it is written."""
    after = _DEFAULTS | {"added": before["added"] if before else now()}
    if partial and before:
        after = {name: before[name] for name in _DEFAULTS}
    after |= row
    if partial and before and "properties" in row:
        after["properties"] = before["properties"] | row["properties"]
    return after


def _loaded(row: Any) -> dict[str, Any]:
    return dict(row) | {"properties": orjson.loads(row["properties"])}
