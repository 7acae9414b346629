"""The part of the store that takes and gives whole tables, as Arrow tables."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from ._database import Database, Id, Kinds, advance, text_of
from ._store_experiments import attribute_again
from ._store_items import _DEFAULTS, Catalogue
from ._tables import attributions, events, experiments, impressions, items, merges, metadata, models, rules, state

TABLES = ("events", "items", "rules", "impressions", "attributions", "merges", "experiments", "exposures")
_PART = 50_000  # rows at a time
_CHAIN = 100  # steps to the person in the end; each halves the way at least
_USER_COLUMNS = {"user", "original_user", "source", "target"}
_TIME_COLUMNS = {"time", "added"}
_TYPES = {sa.BigInteger: pa.int64(), sa.Integer: pa.int64(), sa.Double: pa.float64(), sa.Boolean: pa.bool_()}
_LOG = {"user", "item", "time", "event", "value", "session", "id"}


class Bulk(Catalogue):
    """Logs, export and import."""

    def add_log(self, table: pa.Table) -> tuple[int, int]:
        """Add a log of events in one transaction.

        Parameters
        ----------
        table : pyarrow.Table
            Columns user, item and time (timestamps, or integers: microseconds), and any of event, value, session and
            id. The first log fixes the kinds of the ids. Events are numbered in the order of the rows.

        Returns
        -------
        tuple of (int, int)
            Number of events added, and of those whose id was known.

        Raises
        ------
        ValueError
            If a column lacks, is unknown, or has missing users, items or times.
        TypeError
            If ids are not of the kind of this store.
        """
        _check_columns(table, {"user", "item", "time"}, _LOG, "a log")
        kinds = self._fix_kinds_of(table)
        if not len(table):
            return 0, 0
        table = _texts(table, kinds)
        columns = ["user", "item", "time", *sorted(_LOG & set(table.column_names) - {"user", "item", "time"})]
        with self.database.begin(ordered=True) as connection:
            last = advance(connection, "last_seq", len(table))
            aliases = dict(connection.execute(sa.select(merges.c.source, merges.c.user)).all())
            added = self.database.put(
                connection,
                "events",
                ["seq", "original_user", *columns],
                _numbered(table.select(columns), last - len(table) + 1, aliases),
            )
        return added, len(table) - added

    def events(self, *, after_seq: int = 0, upto_seq: int | None = None, users: Sequence[Id] | None = None) -> pa.Table:
        """Return events, in the order of user, time and seq.

        Parameters
        ----------
        after_seq, upto_seq : int, default=0, None
            Only events whose number is above the one and not above the other.
        users : list, default=None
            Only events of these users.

        Returns
        -------
        pyarrow.Table
            Columns seq, user, original_user, item, event, time (microseconds), value and session. The metadata of its
            schema holds ``last_seq`` and ``last_merge``: events and merges up to these numbers are what it shows.
        """
        kinds = self.kinds
        names = ("seq", "user", "original_user", "item", "event", "time", "value", "session")
        query = sa.select(*(events.c[name] for name in names)).where(events.c.seq > after_seq)
        if upto_seq is not None:
            query = query.where(events.c.seq <= upto_seq)
        if users is not None:
            texts = [text_of(user, kinds.user, "user") for user in users] if kinds.user else []
            query = query.where(self.database.among(events.c.user, texts))
        with self.database.begin() as connection:
            last = connection.execute(sa.select(state.c.last_seq, state.c.last_merge)).mappings().one()
            table = _fetched(self.database, connection, query, kinds)
        table = _with_original(table).sort_by([("user", "ascending"), ("time", "ascending"), ("seq", "ascending")])
        return table.replace_schema_metadata({name: str(value) for name, value in last.items()})

    def last_seq(self) -> int:
        """Return the number of the last event."""
        return self._scalar(sa.select(state.c.last_seq))

    def last_merge(self) -> int:
        """Return the number of the last merge."""
        return self._scalar(sa.select(state.c.last_merge))

    def counts(self) -> dict[str, int]:
        """Return the numbers of events, users, items, impressions, attributions and merges; all rows are read."""
        count = sa.func.count()
        queries = {
            "events": sa.select(count).select_from(events),
            "users": sa.select(sa.func.count(sa.distinct(events.c.user))),
            "items": sa.select(count).select_from(items).where(~items.c.deleted),
            **{table.name: sa.select(count).select_from(table) for table in (impressions, attributions, merges)},
        }
        with self.database.begin() as connection:
            return {name: connection.execute(query).scalar_one() for name, query in queries.items()}

    def _scalar(self, query: sa.Select) -> Any:
        with self.database.begin() as connection:
            return connection.execute(query).scalar_one()

    # ------------------------------------------------------------------------------------------- export and import

    def table(self, name: str) -> pa.Table:
        """Return all of a table: "events", "items", "rules", "impressions", "attributions" or "merges".

        Times are timestamps (UTC); the properties of items and the rules are JSON.
        """
        table = _named(name)
        query = sa.select(*(column for column in table.c if column.name not in ("version", "deleted")))
        if table is impressions:
            self._flush_impressions()
            query = sa.select(impressions)
        if table is items:
            query = query.where(~items.c.deleted)
        with self.database.begin() as connection:
            found = _fetched(self.database, connection, query.order_by(*table.primary_key.columns), self.kinds)
        if table is events:
            found = _with_original(found)
        for place, column in enumerate(found.column_names):
            if column in _TIME_COLUMNS:
                found = found.set_column(place, column, found[column].cast(pa.timestamp("us", tz="UTC")))
        return found

    def put_everything(self, name: str, table: pa.Table) -> tuple[int, int]:
        """Take in what `table` gave, in one transaction.

        Parameters
        ----------
        name : str
            Which table it was.
        table : pyarrow.Table
            Its rows.

        Returns
        -------
        tuple of (int, int)
            Number of rows added, and of those that were there. Items and rules replace what was there.

        Raises
        ------
        ValueError
            If the columns are not those of `table`, or other events or merges stand under the same numbers, or merges
            go round in a circle.

        Notes
        -----
        Events of users who were merged, before or by this import, go to their person. Versions of the model cannot
        tell whether they have learned rows with numbers below their own, such as those of a user who was deleted since
        the export: they are marked as not learned from this store, which the next refit heals.
        """
        target = _named(name)
        wanted = [column.name for column in target.c if column.name not in ("version", "deleted")]
        if target is impressions:
            wanted = impressions.c.keys()
        _check_columns(table, set(wanted), set(wanted), f"the table {name!r}")
        kinds = self._fix_kinds_of(table)
        if not len(table):
            return 0, 0
        if target is items:
            return self.put_items(_item_rows(table), partial=False), 0
        table = _texts(table.select(wanted), kinds)
        with self.database.begin(ordered=True) as connection:
            if target is experiments:
                advance(connection, "rules")  # other processes look again
            if target is rules:
                advance(connection, "rules")
                connection.execute(
                    sa.delete(rules).where(self.database.among(rules.c.scenario, table["scenario"].to_pylist()))
                )
            if target is events:
                same = pc.equal(table["user"], table["original_user"])
                original = pc.if_else(same, pa.scalar(None, table["user"].type), table["original_user"])
                table = table.set_column(wanted.index("original_user"), "original_user", original)
            late = self._check_numbers(connection, target, table)
            added = self.database.put(connection, name, wanted, _rows(table))
            if target in (events, merges):
                _settle(connection)
            if late is not None:
                _distrust(connection, models.c.learned_seq if target is events else models.c.learned_merge, late)
                if target is events:
                    attribute_again(connection, late)
            for numbered, counter in ((events, "last_seq"), (merges, "last_merge")):
                if target is numbered:
                    last = advance(connection, counter, 0)
                    advance(connection, counter, max(pc.max(table["seq"]).as_py() - last, 0))
        return added, len(table) - added

    def _check_numbers(self, connection: sa.Connection, target: sa.Table, table: pa.Table) -> int | None:
        """Raise an error if another event or merge stands under the number of one that is imported.

        Return the least number that was given here already and has no row, None if there is none.
        """
        if target not in (events, merges):
            return None
        last = connection.execute(sa.select(state.c.last_seq if target is events else state.c.last_merge)).scalar_one()
        late = []
        own = [name for name in ("seq", "source", "item", "event", "time") if name in target.c]
        for part in table.select(own).to_batches(_PART):
            query = sa.select(*(target.c[name] for name in own))
            there = connection.execute(query.where(self.database.among(target.c.seq, part["seq"].to_pylist())))
            known = {row[0]: tuple(row) for row in there}
            for row in _rows(part) if known else ():
                if known.get(row[0], row) != row:
                    raise ValueError(
                        f"the table {target.name!r} must come from this store, or this store must be empty: number "
                        f"{row[0]} is another row here. Import events of other stores as a log, without numbers"
                    )
            late += [number for number in part["seq"].to_pylist() if number <= last and number not in known]
        return min(late, default=None)

    def _fix_kinds_of(self, table: pa.Table) -> Kinds:
        kinds: dict[str, str] = {}
        for what in ("user", "item"):
            if what in table.column_names and table[what].null_count < len(table):
                kinds[what] = _kind(table[what].type, what)
        fixed = self.fix_kinds(**kinds)
        for what, kind in kinds.items():
            holds = getattr(fixed, what)
            if holds != kind:
                raise TypeError(
                    f"{what} must be a column of kind {holds}, as all ids of {what}s in this store, got {kind}"
                )
        return fixed


def _settle(connection: sa.Connection) -> None:
    """Let merges name the person in the end, and give the events of users who were merged to their person."""
    other = merges.alias()
    person = sa.select(other.c.user).where(other.c.source == merges.c.user).scalar_subquery()
    open_merges = sa.update(merges).where(merges.c.user.in_(sa.select(other.c.source))).values(user=person)
    for _ in range(_CHAIN):
        if not connection.execute(open_merges).rowcount:
            break
    else:
        raise ValueError("merges must not go round in a circle, together with those that are here")
    person = sa.select(merges.c.user).where(merges.c.source == events.c.user).scalar_subquery()
    original = sa.func.coalesce(events.c.original_user, events.c.user)
    moved = sa.update(events).where(events.c.user.in_(sa.select(merges.c.source)))
    connection.execute(moved.values(original_user=original, user=person))


def _distrust(connection: sa.Connection, learned: sa.ColumnElement, number: int) -> None:
    """Mark the versions that may or may not have learned rows from a number on."""
    rows = connection.execute(sa.select(models.c.version, models.c.quality).where(learned >= number)).all()
    for version, quality in rows:
        text = orjson.dumps(orjson.loads(quality) | {"origin": "file", "of_store": False}).decode()
        connection.execute(sa.update(models).where(models.c.version == version).values(quality=text))


def _kind(kind: pa.DataType, what: str) -> str:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    raise TypeError(f"{what} must be a column of integers or strings, got {kind}")


def _named(name: str) -> sa.Table:
    if name not in TABLES:
        raise ValueError(f"the table must be one of {', '.join(TABLES)}, got {name!r}")
    return metadata.tables[name]


def _check_columns(table: pa.Table, required: set[str], known: set[str], what: str) -> None:
    names = set(table.column_names)
    if missing := sorted(required - names):
        raise ValueError(f"{what} must have the column {missing[0]!r}, got {', '.join(table.column_names)}")
    if unknown := sorted(names - known):
        raise ValueError(f"{what} must have no other columns than {', '.join(sorted(known))}, got {unknown[0]!r}")
    for name in sorted(required & {"user", "item", "time", "seq"}):
        if table[name].null_count and what == "a log":
            raise ValueError(f"{what} must have no missing values in {name!r}, got {table[name].null_count}")


def _texts(table: pa.Table, kinds: Kinds) -> pa.Table:
    """Return the columns as the database holds them: ids as texts, times as integers."""
    for place, name in enumerate(table.column_names):
        column = table[name]
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False).cast(pa.int64())
        elif name in _TIME_COLUMNS:
            column = column.cast(pa.int64())
        elif name in _USER_COLUMNS | {"item", "id", "event", "session", "scenario"}:
            column = column.cast(pa.string())
        elif name in ("value", "score", "probability"):
            column = column.cast(pa.float64())
        table = table.set_column(place, name, column)
    return table


def _rows(table: Any) -> Iterator[tuple]:
    for part in table.to_batches(_PART) if isinstance(table, pa.Table) else [table]:
        yield from zip(*(column.to_pylist() for column in part.columns), strict=True)


def _numbered(table: pa.Table, first: int, aliases: dict[str, str]) -> Iterator[tuple]:
    for seq, (user, *row) in enumerate(_rows(table), first):
        person = aliases.get(user)
        yield (seq, None, user, *row) if person is None else (seq, user, person, *row)


def _item_rows(table: pa.Table) -> list[dict[str, Any]]:
    table = _texts(table.drop_columns("item"), Kinds(None, None)).append_column("item", table["item"])
    rows = table.select(["item", *_DEFAULTS]).to_pylist()
    return [row | {"properties": orjson.loads(row["properties"])} for row in rows]


def _fetched(database: Database, connection: sa.Connection, query: sa.Select, kinds: Kinds) -> pa.Table:
    """Run a query and return its rows with ids of their kinds."""
    schema = pa.schema([(column.name, _type(column, kinds)) for column in query.selected_columns])
    batches = []
    for rows in database.stream(connection, query, _PART):
        columns = zip(*rows, strict=True)
        arrays = [_array(column, field) for column, field in zip(columns, schema, strict=True)]
        batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return pa.Table.from_batches(batches, schema=schema)


def _array(column: tuple, field: pa.Field) -> pa.Array:
    if _is_id(field.name):
        return pa.array(column, pa.string()).cast(field.type)
    return pa.array(column).cast(field.type) if pa.types.is_boolean(field.type) else pa.array(column, field.type)


def _is_id(name: str) -> bool:
    return name == "item" or name in _USER_COLUMNS


def _type(column: sa.ColumnElement, kinds: Kinds) -> pa.DataType:
    if _is_id(column.name):
        kind = kinds.item if column.name == "item" else kinds.user
        return pa.int64() if kind == "integer" else pa.string()
    return next((arrow for kind, arrow in _TYPES.items() if isinstance(column.type, kind)), pa.string())


def _with_original(table: pa.Table) -> pa.Table:
    place = table.column_names.index("original_user")
    return table.set_column(place, "original_user", pc.coalesce(table["original_user"], table["user"]))
