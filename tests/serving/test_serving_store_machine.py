"""Random sequences of events, merges, deletions, items and imports against a model of dicts."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from skrec.serving import _tables
from skrec.serving._store import Event, Impression, MergeRefused, open_store

_ZERO = dict.fromkeys((column.name for column in _tables.state.c if column.name != "id"), 0)
USERS = st.integers(0, 5)
ITEMS = st.sampled_from(["tea", "milk", "jam"])
EVENTS = st.tuples(
    st.none() | st.integers(0, 12).map(str), USERS, ITEMS, st.integers(0, 9), st.none() | st.sampled_from("rs")
)


class StoreMachine(RuleBasedStateMachine):
    """Every step is done to the store and to dicts."""

    url = None

    def __init__(self):
        super().__init__()
        self.store = open_store(self.url)
        _empty(self.store)
        self.store.start()
        self.events = []  # seq, id, user, original user, item, time, rec_id
        self.merged = {}  # source -> user
        self.items = {}
        self.shown = {}  # rec_id -> user, items
        self.n_numbers = 0

    def teardown(self):
        self.store.close()

    def person(self, user):
        return self.merged.get(user, user)

    @rule(rows=st.lists(EVENTS, min_size=1, max_size=5))
    def submit(self, rows):
        answer = self.store.submit([Event(id, u, i, "buy", t, rec_id=rec) for id, u, i, t, rec in rows]).result(20)
        expected = []
        for id, user, item, time, rec in rows:
            self.n_numbers += 1
            is_new = id is None or id not in {row[1] for row in self.events}
            expected.append(is_new)
            if is_new:
                self.events.append((self.n_numbers, id, self.person(user), user, item, time, rec))
        assert answer == expected

    @rule(rec_id=st.sampled_from("rs"), user=USERS, items=st.lists(ITEMS, min_size=1, max_size=3, unique=True))
    def show(self, rec_id, user, items):
        if rec_id not in self.shown:
            rows = [Impression(rec_id, n, user, item, "home", None, None, None, 1) for n, item in enumerate(items)]
            self.store.show(rows)
            self.store.export_user(user)  # waits until they are written
            self.shown[rec_id] = (user, items)

    @rule(source=USERS, into=USERS)
    def merge(self, source, into):
        new = self.person(into)
        is_refused = source == into or (source in self.merged and self.person(source) != new)
        if is_refused:
            with pytest.raises(MergeRefused):
                self.store.merge(source, into)
            return
        moved = [row for row in self.events if row[2] == source and source != new]
        assert self.store.merge(source, into) == (0 if self.person(source) == new else len(moved))
        if self.person(source) != new:
            self.events = [(*row[:2], new, *row[3:]) if row[2] == source else row for row in self.events]
            self.merged = {one: new if user == source else user for one, user in self.merged.items()} | {source: new}

    @rule(user=USERS)
    def delete_user(self, user):
        person = self.person(user)
        job = self.store.job(self.store.delete_user(user))
        gone = [row for row in self.events if row[2] == person]
        assert sorted(row["seq"] for row in job["payload"]["events"]) == [row[0] for row in gone]
        users = {person} | {source for source, one in self.merged.items() if one == person}
        assert set(job["payload"]["users"]) == users
        self.store.report_job(job["id"], status="done", payload=None)
        self.events = [row for row in self.events if row not in gone]
        self.merged = {source: one for source, one in self.merged.items() if one != person}
        self.shown = {rec: (one, items) for rec, (one, items) in self.shown.items() if one not in users}

    @rule(item=ITEMS, stock=st.integers(0, 3), partial=st.booleans())
    def put_item(self, item, stock, partial):
        self.store.put_items([{"item": item, "stock": stock} | ({} if partial else {"name": "x"})], partial=partial)
        before = self.items.get(item, {"name": None}) if partial else {"name": "x"}
        self.items[item] = before | {"stock": stock}

    @rule(items=st.lists(ITEMS, max_size=3))
    def delete_items(self, items):
        assert self.store.delete_items(items) == len(self.items.keys() & set(items))
        self.items = {item: row for item, row in self.items.items() if item not in items}

    @precondition(lambda self: self.events)
    @rule(user=USERS, limit=st.integers(1, 5), before=st.none() | st.integers(0, 9))
    def read(self, user, limit, before):
        rows = sorted((t, seq, item) for seq, _, one, _, item, t, _ in self.events if one == user)
        rows = [(item, t, "buy", None) for t, _, item in rows if before is None or t < before]
        assert self.store.read(user, limit=limit, before=before)[1] == rows[-limit:]

    @invariant()
    def holds_the_same(self):
        table = self.store.events().to_pylist()
        found = [(row["seq"], row["user"], row["original_user"], row["item"], row["time"]) for row in table]
        expected = sorted(self.events, key=lambda row: (row[2], row[5], row[0]))
        assert found == [(seq, user, original, item, t) for seq, _, user, original, item, t, _ in expected]
        assert self.store.last_seq() == self.n_numbers
        rows = self.store.items_since()[1]
        assert {row["item"]: {"name": row["name"], "stock": row["stock"]} for row in rows} == self.items
        assert {merge.source: merge.user for merge in self.store.merges()} == self.merged
        clicks = {
            seq: self.shown[rec][1].index(item)
            for seq, _, _, _, item, _, rec in self.events
            if rec in self.shown and item in self.shown[rec][1]
        }
        found = {row["event_seq"]: row["position"] for row in self.store.table("attributions").to_pylist()}
        assert found == clicks


def _empty(store):
    """Delete what the run before wrote."""
    with store.database.begin(write=True) as connection:
        for table in _tables.metadata.sorted_tables:
            connection.execute(table.update().values(_ZERO) if table is _tables.state else table.delete())


def _run(url, n_examples):
    machine = type("Machine", (StoreMachine,), {"url": url})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=n_examples, stateful_step_count=20, deadline=None, suppress_health_check=checks),
    )


def test_the_store_holds_what_a_dict_holds(database_url):
    _run(database_url, 12)


@pytest.mark.slow
def test_the_store_holds_what_a_dict_holds_in_many_runs(database_url):
    _run(database_url, 300)
