"""The store when the database is away, full, damaged or newer: clear errors, nothing lost, recovery by itself."""

import shutil
import sqlite3
import threading
import time

import pytest
import sqlalchemy as sa

from skrec.serving import _tables
from skrec.serving._store import Event, Impression, StoreUnavailable, open_store
from skrec.serving.migrations import NewerDatabase


def _event(time, id=None):
    return Event(id, "ada", "tea", "buy", time)


def _until_it_works(function, seconds=20):
    end = time.monotonic() + seconds
    while True:
        try:
            return function()
        except StoreUnavailable:
            assert time.monotonic() < end, "the store does not recover"
            time.sleep(0.05)


class Load:
    """Threads that submit events with ids, and submit them again where the store was unavailable."""

    def __init__(self, store, n_threads=4):
        self.store, self.accepted, self.n_failures, self.ends = store, [], 0, False
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(n_threads)]
        for thread in self.threads:
            thread.start()

    def _run(self, thread):
        number = 0
        while not self.ends:
            id = f"{thread}-{number}"
            try:
                self.store.submit([_event(number, id)]).result(30)
            except StoreUnavailable:
                self.n_failures += 1
                time.sleep(0.01)
            else:
                self.accepted.append(id)
                number += 1

    def wait_for(self, n_more):
        target, end = len(self.accepted) + n_more, time.monotonic() + 30
        while len(self.accepted) < target:
            assert time.monotonic() < end, "the store accepts nothing"
            time.sleep(0.01)

    def end(self):
        self.ends = True
        for thread in self.threads:
            thread.join()


def test_a_server_that_crashes_and_comes_back(own_postgresql):
    server = own_postgresql
    store = open_store(server.new_url())
    store.start()
    load = Load(store)
    try:
        for _ in range(2):
            load.wait_for(50)
            server.stop()
            failed = load.n_failures
            for call in (lambda: store.read("ada"), store.state, store.counts, lambda: store.merge("x", "y")):
                with pytest.raises(StoreUnavailable, match="database must be reachable"):
                    call()
            start = time.monotonic()
            with pytest.raises(StoreUnavailable):
                store.read("ada")
            assert time.monotonic() - start < 1, "answers fall back at once"
            while load.n_failures == failed:
                time.sleep(0.01)
            server.start()
            load.wait_for(50)
        load.end()
        assert len(_until_it_works(lambda: store.read("ada", limit=10**6))[1]) == len(load.accepted)
        assert sorted(store.table("events")["id"].to_pylist()) == sorted(load.accepted), "each once"
    finally:
        load.end()
        store.close()


def test_a_server_that_is_not_there(tmp_path):
    with pytest.raises(StoreUnavailable, match="database must be reachable") as error:
        open_store(f"postgresql://shop:secret-word@/shop?host={tmp_path}")
    assert "secret-word" not in str(error.value)


@pytest.fixture
def file_store(tmp_path):
    """A started store on SQLite, and its file."""
    path = tmp_path / "shop" / "store.db"
    store = open_store(f"sqlite:///{path}")
    store.start()
    yield store, path
    store.close()


def test_a_file_that_is_moved_away_and_back(file_store):
    store, path = file_store
    load = Load(store)
    load.wait_for(20)
    path.parent.rename(path.parent.with_name("elsewhere"))
    failed = load.n_failures
    while load.n_failures < failed + 10:
        time.sleep(0.01)
    for call in (lambda: store.read("ada"), store.counts, lambda: store.add_job("refit")):
        with pytest.raises(StoreUnavailable, match=r"the database .*store.db must be there"):
            call()
    assert not path.parent.exists(), "no new database is made"
    path.parent.with_name("elsewhere").rename(path.parent)
    load.wait_for(20)
    load.end()
    assert sorted(store.table("events")["id"].to_pylist()) == sorted(load.accepted)


def test_a_backup_that_takes_the_place_of_the_file(file_store):
    store, path = file_store
    store.submit([_event(1, "before")]).result(20)
    store.scrub()
    backup = shutil.copytree(path.parent, path.parent.with_name("backup"))
    store.submit([_event(2, "after the backup")]).result(20)
    assert len(store.read("ada")[1]) == 2 == store.counts()["events"]
    path.parent.rename(path.parent.with_name("old"))
    backup.rename(path.parent)
    assert len(store.read("ada")[1]) == 1 == store.counts()["events"]
    assert store.submit([_event(3, "after the backup")]).result(20) == [True]
    assert sorted(store.table("events")["id"].to_pylist()) == ["after the backup", "before"]


def _limit(store, pages):
    """Let the connection that writes use only so many pages, as a full disk does."""
    connection = store.database._writer
    (used,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {used + pages}")


def test_a_full_disk(file_store, monkeypatch):
    store, _ = file_store
    store.submit([_event(0, "first")]).result(20)
    connect = store.database.connect

    def connect_to_full_disk():
        connection = connect()
        (used,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {used}")
        return connection

    _limit(store, 3)
    monkeypatch.setattr(store.database, "connect", connect_to_full_disk)
    accepted, failed = ["first"], 0
    for number in range(40):
        ids = [f"{number}-{place}" for place in range(20)]
        try:
            store.submit([_event(1, id) for id in ids]).result(20)
            accepted += ids
        except StoreUnavailable as error:
            assert "disk is full" in str(error)
            failed += 1
    assert failed > 10
    assert len(store.read("ada")[1]) == len(accepted), "reading goes on"
    with pytest.raises(StoreUnavailable, match="disk is full"):
        store.submit([_event(1)] * 1000).result(20)
    monkeypatch.undo()
    store.database._end_writer()
    assert store.submit([_event(2, "last")]).result(20) == [True]
    assert sorted(store.table("events")["id"].to_pylist()) == sorted([*accepted, "last"])


def test_impressions_are_dropped_and_counted_while_the_database_is_away(file_store, caplog):
    store, path = file_store
    store.fix_kinds("string", "string")
    path.parent.rename(path.parent.with_name("elsewhere"))
    store.show([Impression("r", 0, "ada", "tea", "home", 1.0, None, 1, 5)])
    end = time.monotonic() + 20
    while not store.n_dropped and time.monotonic() < end:
        time.sleep(0.05)
    assert store.n_dropped == 1 and "1 impressions were dropped" in caplog.text
    path.parent.with_name("elsewhere").rename(path.parent)


def test_one_bad_impression_is_dropped_alone(store):
    shown = Impression("r", 0, "ada", "tea", "home", 1.0, None, 1, 5)
    store.show([shown._replace(position=2**80)])
    assert store.submit([Event(None, "ada", "tea", "buy", 1, rec_id="r")]).result(20) == [True]
    assert store.n_dropped == 1
    store.show([shown])
    assert len(store.export_user("ada")["attributions"]) == 1


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "store.db"
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(StoreUnavailable, match="not a database"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes() == b"no database " * 1000


def test_a_database_that_is_locked(file_store, monkeypatch):
    store, path = file_store
    store.submit([_event(0)]).result(20)
    store.database._writer.execute("PRAGMA busy_timeout = 100")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        store.submit([_event(1)]).result(20)
    assert len(store.read("ada")[1]) == 1, "reading goes on"
    future = store.submit([_event(2)])
    other.execute("ROLLBACK")
    other.close()
    assert future.result(20) == [True]


def test_a_database_of_a_newer_version(database_url):
    store = open_store(database_url)
    with store.database.begin(write=True) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    with pytest.raises(NewerDatabase, match=r"must be of this version of skrec or of an earlier one.*9999"):
        open_store(database_url)


def test_the_migrations_make_the_tables(store):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with store.database.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, _tables.metadata) == []
        indexes = {
            index["name"]
            for table in _tables.metadata.tables
            for index in sa.inspect(connection).get_indexes(table)
            if not index.get("duplicates_constraint")
        }
    assert indexes == {index.name for table in _tables.metadata.tables.values() for index in table.indexes}


def test_histories_are_read_from_the_index_alone(file_store):
    store, _ = file_store
    from skrec.serving._sqlite import _READS

    with store.database.begin() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {_READS['user', True]}", ("7", 1, 10)).all()
        by_session = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {_READS['session', True]}", ("7", 1, 10)).all()
    assert "COVERING INDEX events_by_user (user=? AND time<?)" in str(plan) and len(plan) == 1
    assert "INDEX events_by_session (session=? AND time<?)" in str(by_session) and len(by_session) == 1
