"""The store used by several processes, some of which are killed: nothing acknowledged is lost, nothing is doubled."""

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from skrec.serving._store import open_store

PROGRAM = Path(__file__).parent / "store_process.py"


class Child:
    """A process of store_process.py, and what it acknowledged so far."""

    def __init__(self, path, *arguments):
        self.path = path
        with path.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, PROGRAM, *arguments], stdout=output, stderr=subprocess.PIPE
            )

    def wait_for_answers(self, at_least=1):
        """Wait until some submits were answered."""
        end = time.monotonic() + 60
        while self.path.read_bytes().count(b";") < at_least:
            assert self.process.poll() is None, self.process.stderr.read().decode()
            assert time.monotonic() < end, "the process answers nothing"
            time.sleep(0.01)

    def kill(self):
        """Kill the process; return the acknowledged ids of each submit."""
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        lines = self.path.read_text().splitlines()
        return [line[:-1].split() for line in lines if line.endswith(";")]


def _ids(store):
    return Counter(store.table("events")["id"].to_pylist())


def _kill_at_random(database_url, folder, n_rounds):
    draw = random.Random(n_rounds)
    acknowledged = set()
    for number in range(n_rounds):
        child = Child(folder / f"{number}.txt", database_url, f"round{number}")
        child.wait_for_answers()
        time.sleep(draw.uniform(0, 0.5))
        answered = child.kill()
        assert all(answered), "each submit had ids of its own"
        acknowledged |= {one for line in answered for one in line}
        store = open_store(database_url)
        found = _ids(store)
        store.close()
        assert not acknowledged - found.keys(), "an acknowledged event is lost"
        assert set(found.values()) == {1}, "an event is there twice"
        submits = Counter((*one.split("-")[:2], one.split("-")[3]) for one in found)
        assert all(count == int(size) for (_, _, size), count in submits.items()), "a submit is there in part"
    assert len(acknowledged) > 20 * n_rounds


def test_nothing_acknowledged_is_lost(database_url, tmp_path):
    _kill_at_random(database_url, tmp_path, 5)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_in_many_rounds(database_url, tmp_path):
    _kill_at_random(database_url, tmp_path, 100)


def test_two_processes_write_the_same_ids(database_url, tmp_path):
    store = open_store(database_url)
    children = [Child(tmp_path / f"{name}.txt", database_url, name, "30000") for name in ("a", "b")]
    for child in children:
        child.wait_for_answers(500)
    accepted = Counter(one for child in children for line in child.kill() for one in line)
    found = _ids(store)
    sessions = set(store.table("events")["session"].to_pylist())
    store.close()
    assert set(accepted.values()) == {1}, "one event was accepted twice"
    assert accepted.keys() <= found.keys() and set(found.values()) == {1}
    assert sessions == {"a", "b"}, "both wrote"


def test_the_order_of_numbers_is_the_order_of_commits(database_url, tmp_path):
    store = open_store(database_url)
    children = [Child(tmp_path / f"{name}.txt", database_url, name) for name in ("a", "b")]
    for child in children:
        child.wait_for_answers()
    seen, last, end = [], 0, time.monotonic() + 2
    while time.monotonic() < end:
        table = store.events(after_seq=last)
        seen += table["seq"].to_pylist()
        last = max(seen)
        assert int(table.schema.metadata[b"last_seq"]) >= last
    for child in children:
        child.kill()
    assert len(seen) > 100
    assert sorted(seen) == sorted(store.events(upto_seq=last)["seq"].to_pylist()), "a smaller number came later"
    store.close()


def test_an_administrator_gets_through_under_load(database_url, tmp_path):
    store = open_store(database_url)
    child = Child(tmp_path / "a.txt", database_url, "a")
    child.wait_for_answers()
    start = time.monotonic()
    for number in range(20):
        store.put_items([{"item": "tea", "stock": number}], partial=True)
        store.merge(f"visitor {number}", "user 1")
    assert time.monotonic() - start < 20
    child.kill()
    assert store.items_since()[1][0]["stock"] == 19 and len(store.merges()) == 20
    store.close()


def test_many_open_a_new_database_at_once(new_url):
    url, failures, stores = new_url(), [], []

    def work():
        try:
            stores.append(open_store(url))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert not failures and len(stores) == 6
