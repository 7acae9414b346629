"""What is left of deleted rows in the files of SQLite, and how it is removed without holding up those who write."""

import sqlite3
import threading
import time

import numpy as np
import pytest

from skrec.serving import _traces
from skrec.serving._store import Event, Impression, MergeRefused, StoreUnavailable, open_store
from skrec.serving._traces import holds_any, remains


@pytest.fixture
def file_store(tmp_path):
    """A started store on SQLite, and its file."""
    path = tmp_path / "shop" / "store.db"
    store = open_store(f"sqlite:///{path}")
    store.start()
    yield store, path
    store.close()


def name_of(user):
    return f"u{user:04}" + "-person" * (1 + user % 9) + f"-{user:04}"


def lives(store, seed, n_events):
    """Write events, lists and merges of many users in a random order."""
    rng = np.random.default_rng(seed)
    n_users, written = n_events // 20, 0
    while written < n_events:
        users = rng.integers(0, n_users, int(rng.integers(1, 200))).tolist()
        rows = [
            Event(
                f"{rng.integers(1 << 60):x}",
                name_of(user),
                f"item {rng.integers(300)} " + "x" * int(rng.integers(0, 60)),
                "view",
                int(rng.integers(1 << 50)),
                None,
                f"session {user} {rng.integers(1 << 40)}.",
                f"list {written + place}." if rng.random() < 0.5 else None,
            )
            for place, user in enumerate(users)
        ]
        for row in rows:
            if row.rec_id:
                shown = [Impression(row.rec_id, n, row.user, row.item, "home", 1.0, None, 1, 1) for n in range(3)]
                store.show(shown)
        store.submit(rows).result(30)
        written += len(rows)
        if rng.random() < 0.2:
            try:
                store.merge(*map(name_of, rng.integers(0, n_users, 2).tolist()))
            except MergeRefused:
                continue
    return n_users


def delete(store, users):
    """Delete users, and return what must not be left of them."""
    numbers = [store.delete_user(user) for user in users]
    texts = set()
    for number in numbers:
        payload = store.job(number)["payload"]
        texts |= {*payload["users"], *payload["texts"]}
    store.empty_jobs(numbers)
    store.finish_jobs(numbers, {})
    return texts


def left(path, texts):
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    return sorted(text for text in texts if text.encode() in content)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_left_of_who_is_deleted(file_store, seed):
    store, path = file_store
    n_users = lives(store, seed, 2500)
    rng = np.random.default_rng(seed)
    n_rewritten = 0
    for _ in range(8):
        texts = delete(store, map(name_of, rng.choice(n_users, 4, replace=False).tolist()))
        n_rewritten += store.scrub(texts)
        assert left(path, texts) == []
    assert n_rewritten < 8, "most deletions leave no copies"
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 23))
def test_nothing_is_left_of_who_is_deleted_in_many_lives(file_store, seed):
    store, path = file_store
    n_users = lives(store, seed, 8000)
    rng = np.random.default_rng(seed)
    for n_gone in (1, 2, 5, 20, 100):
        texts = delete(store, map(name_of, rng.choice(n_users, n_gone, replace=False).tolist()))
        store.scrub(texts)
        assert left(path, texts) == []


def test_copies_that_pages_keep_are_found_and_removed(file_store):
    store, path = file_store
    n_users = lives(store, 2, 2500)
    texts = delete(store, map(name_of, range(0, n_users, 3)))
    store.database.scrub({"nobody at all"})  # empties the log
    found = left(path, texts)
    assert found, "this life is one in which pages keep copies"
    room = b"\x00".join(remains(path))
    assert all(text.encode() in room for text in found), "they are nowhere else than looked for"
    assert holds_any(path, texts)
    assert store.scrub(texts)
    assert left(path, texts) == []
    assert not holds_any(path, found)


def test_a_part_of_a_text_counts_as_well(tmp_path):
    assert _traces._parts(b"visitor-4711") == [b"itor-4711", b"visitor-4"]
    assert _traces._parts(b"17850") == [b"17850", b"17850"]
    assert _traces._parts(b"x" * 500) == [b"x" * 64] * 2


def test_what_cannot_be_found_out_counts_as_left(tmp_path, monkeypatch):
    path = tmp_path / "store.db"
    assert not holds_any(path, [])
    assert holds_any(path, ["ada"]), "there is no file"
    path.write_bytes(b"no database")
    assert holds_any(path, ["ada"])
    sqlite3.connect(tmp_path / "empty.db").execute("CREATE TABLE one (x)").connection.close()
    assert not holds_any(tmp_path / "empty.db", ["ada"])
    assert holds_any(tmp_path / "empty.db", [f"user {n}" for n in range(5000)]), "rewriting is quicker"
    monkeypatch.setattr(_traces.sys, "executable", "")
    assert holds_any(tmp_path / "empty.db", ["ada"])


@pytest.mark.parametrize("size", [512, 4096, 65_536])
def test_pages_of_all_sizes_are_read(tmp_path, size):
    path = tmp_path / "store.db"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA page_size = {size}")
    connection.execute("CREATE TABLE people (name TEXT)")
    connection.executemany("INSERT INTO people VALUES (?)", [(f"person {n:05}",) for n in range(9000)])
    connection.commit()
    connection.close()
    assert not holds_any(path, ["person 00100", "TABLE people"]), "rows are no copies"
    content = bytearray(path.read_bytes())
    assert content[size] in (5, 13) and len(content) % size == 0
    for page in (0, len(content) - size):  # the first, whose header comes behind that of the file, and the last
        first = page + (100 if page == 0 else 0)
        begin = first + 12 + 2 * int.from_bytes(content[first + 3 : first + 5], "big")
        changed = content.copy()
        changed[begin + 4 : begin + 16] = b"person 77777"
        path.write_bytes(changed)
        assert holds_any(path, ["person 77777"])
        assert holds_any(path, ["a person 77777"]), "a part of it"
        assert not holds_any(path, ["person 88888"])


def test_writing_goes_on_while_copies_are_looked_for(file_store, monkeypatch):
    store, _ = file_store
    lives(store, 0, 500)
    entered, go_on = threading.Event(), threading.Event()

    def slow(*_):
        entered.set()
        assert go_on.wait(20)
        return False

    monkeypatch.setattr("skrec.serving._sqlite.holds_any", slow)
    thread = threading.Thread(target=store.scrub, args=({"ada"},))
    thread.start()
    assert entered.wait(20)
    assert store.submit([Event(None, "ada", "tea", None, 1)]).result(5) == [True]
    go_on.set()
    thread.join()


def test_writing_goes_on_while_somebody_reads_earlier_pages(file_store, monkeypatch):
    store, _ = file_store
    monkeypatch.setattr("skrec.serving._sqlite._LOG_SECONDS", 2)
    lives(store, 0, 500)
    reader = store.database.connect()
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchall()
    errors, longest = [], 0.0

    def scrub():
        try:
            store.scrub({"ada"})
        except StoreUnavailable as error:
            errors.append(str(error))

    thread = threading.Thread(target=scrub)
    thread.start()
    while thread.is_alive():
        start = time.monotonic()
        store.submit([Event(None, "ada", "tea", None, 1)]).result(20)
        longest = max(longest, time.monotonic() - start)
    thread.join()
    reader.execute("COMMIT")
    reader.close()
    assert "somebody has read earlier pages for 2 s" in errors[0]
    assert longest < 1.5, "nobody waits for the reader"
    assert store.scrub({"ada"}) in (True, False)
