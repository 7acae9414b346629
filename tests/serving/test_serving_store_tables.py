"""The store's whole tables: logs in, events out for the models, export and import."""

import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skrec.serving._imports import checked
from skrec.serving._store import Event, Impression, Kinds, open_store

LOG = pa.table({"user": [2, 1, 2, 10], "item": ["tea", "milk", "jam", "tea"], "time": [5, 7, 3, 4]})


def _full(store):
    """Fill every table."""
    store.add_log(
        LOG.append_column("id", pa.array(["a", None, "c", "d"])).append_column("value", pa.array([1, 2, 3, 4]))
    )
    store.put_items([{"item": "tea", "price": 2.5, "hidden": True, "properties": {"colour": "green"}}], partial=False)
    store.put_items([{"item": "jam", "added": 5}, {"item": "milk"}], partial=False)
    store.delete_items(["milk"])
    store.put_rules("home", {"pin": ["tea"]})
    store.show(
        [
            Impression("r", 0, 1, "tea", "home", 0.5, 0.25, 3, 9),
            Impression("r", 1, None, "jam", "home", None, None, None, 9),
        ]
    )
    store.submit([Event(None, 1, "jam", "buy", 11, 2.0, "s", "r")]).result(20)
    store.merge(10, 2)


def test_a_log_is_added(store):
    assert store.add_log(LOG) == (4, 0)
    assert store.kinds == Kinds("integer", "string")
    table = store.events()
    assert table.column_names == ["seq", "user", "original_user", "item", "event", "time", "value", "session"]
    assert table["user"].to_pylist() == [1, 2, 2, 10] == table["original_user"].to_pylist(), "in the order of integers"
    assert table["seq"].to_pylist() == [2, 3, 1, 4] and table["time"].to_pylist() == [7, 3, 5, 4]
    assert table.schema.metadata == {b"last_seq": b"4", b"last_merge": b"0"}
    assert store.read(2)[1] == [("jam", 3, None, None), ("tea", 5, None, None)]


def test_known_ids_of_a_log_are_left_out(store):
    log = LOG.append_column("id", pa.array(["a", "b", "a", None]))
    assert store.add_log(log) == (3, 1)
    assert store.add_log(log) == (1, 3)
    assert store.last_seq() == 8 and store.counts()["events"] == 4
    assert store.submit([Event("b", 5, "tea", None, 1)]).result(20) == [False]


@pytest.mark.parametrize("kind", [pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("us", tz="UTC"), pa.int32()])
def test_times_of_a_log(store, kind):
    moments = pa.array([3, 4], pa.int64())
    micros = 1 if pa.types.is_integer(kind) else {"s": 10**6, "ns": 10**-3, "us": 1}[kind.unit]
    values = moments.cast(pa.int32()) if pa.types.is_integer(kind) else pa.array([3000, 4000], pa.int64()).cast(kind)
    store.add_log(pa.table({"user": ["a", "a"], "item": ["x", "y"], "time": values}))
    factor = 1 if pa.types.is_integer(kind) else 1000 * micros
    assert [row[1] for row in store.read("a")[1]] == [3 * factor, 4 * factor]


def test_texts_of_any_arrow_type(store):
    texts = pa.array(["ada", "bob", "ada"])
    log = {
        "user": texts.dictionary_encode(),
        "item": texts.cast(pa.large_string()),
        "time": [1, 2, 3],
        "event": [None, "a", ""],
    }
    store.add_log(pa.table(log))
    assert store.read("ada")[1] == [("ada", 1, None, None), ("ada", 3, "", None)]


def test_events_of_users_who_were_merged_are_added_to_their_person(store):
    store.merge(1, 2)
    store.add_log(LOG)
    assert store.events()["user"].to_pylist() == [2, 2, 2, 10]
    assert store.events()["original_user"].to_pylist() == [2, 2, 1, 10]


@pytest.mark.parametrize(
    ("table", "error", "match"),
    [
        (LOG.drop_columns("time"), ValueError, "a log must have the column 'time'"),
        (LOG.append_column("colour", LOG["time"]), ValueError, r"no other columns than .*, got 'colour'"),
        (pa.table({"user": [1, None], "item": ["a", "b"], "time": [1, 2]}), ValueError, "no missing values in 'user'"),
        (pa.table({"user": [1.5], "item": ["a"], "time": [1]}), TypeError, "user must be a column of integers or str"),
        (
            pa.table({"user": ["x"], "item": ["a"], "time": [1]}),
            TypeError,
            "user must be a column of kind integer, .* string",
        ),
    ],
)
def test_logs_are_checked(store, table, error, match):
    store.fix_kinds("integer", "string")
    with pytest.raises(error, match=match):
        store.add_log(table)
    assert store.counts()["events"] == 0


def test_an_empty_log(store):
    assert store.add_log(LOG.slice(0, 0)) == (0, 0) and store.last_seq() == 0


def test_parts_of_the_events(store):
    store.add_log(LOG)
    assert sorted(store.events(after_seq=1, upto_seq=3)["seq"].to_pylist()) == [2, 3]
    assert store.events(users=[2, 10, 99])["seq"].to_pylist() == [3, 1, 4]
    assert len(store.events(users=[])) == 0 == len(store.events(after_seq=4))
    assert store.events(users=[]).schema.equals(store.events().schema)
    assert len(store.events(users=range(100_000))) == 4


@pytest.mark.parametrize("n_events", [1, 120_000])
def test_no_row_is_lost_between_parts(store, n_events):
    numbers = list(range(n_events))
    store.add_log(pa.table({"user": [0] * n_events, "item": numbers, "time": numbers}))
    assert store.events()["item"].to_pylist() == numbers == store.table("events")["item"].to_pylist()


def test_everything_moves_to_another_store(store, new_url, tmp_path):
    _full(store)
    other = open_store(new_url())
    names = ("events", "items", "rules", "impressions", "attributions", "merges")
    for name in names:
        pq.write_table(store.table(name), tmp_path / f"{name}.parquet")
        table = pq.read_table(tmp_path / f"{name}.parquet")
        assert other.put_everything(name, table) == (len(table), 0)
        assert len(table) and other.table(name).equals(table), name
    assert other.kinds == store.kinds and other.counts() == store.counts() and other.last_seq() == store.last_seq()
    assert other.events().equals(store.events()) and other.merges() == store.merges()
    assert other.read(2) == (other.state(), store.read(2)[1]) and other.rules() == store.rules()
    assert other.put_everything("events", store.table("events")) == (0, 5), "once more changes nothing"
    other.start()
    assert other.submit([Event(None, 10, "tea", None, 20)]).result(20) == [True]
    assert other.events(after_seq=5)["user"].to_pylist() == [2]
    other.close()


def test_export_has_dates(store):
    _full(store)
    table = store.table("events")
    assert table.schema.field("time").type == pa.timestamp("us", tz="UTC")
    assert table["time"][0].as_py() == datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(
        microseconds=5
    )
    assert table["original_user"].to_pylist() == [2, 1, 2, 10, 1]


def test_an_import_into_another_history_is_refused(store, new_url):
    store.add_log(LOG)
    other = open_store(new_url())
    other.add_log(LOG.set_column(2, "time", pa.array([1, 2, 3, 4])))
    with pytest.raises(ValueError, match="must come from this store, or this store must be empty: number 1 is another"):
        other.put_everything("events", store.table("events"))
    assert other.counts()["events"] == 4
    other.close()


def test_import_is_checked(store):
    with pytest.raises(ValueError, match=r"the table must be one of events, items, .* got 'jobs'"):
        store.put_everything("jobs", LOG)
    with pytest.raises(ValueError, match="must be one of"):
        store.table("keys; --")
    with pytest.raises(ValueError, match="the table 'events' must have the column 'event'"):
        store.put_everything("events", LOG)


# ------------------------------------------------------------------------------------- imports beside what is there


def _merges(*rows):
    names = ("seq", "source", "target", "user")
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return pa.table(columns | {"time": pa.array([1] * len(rows), pa.timestamp("us", tz="UTC"))})


def test_imported_merges_move_the_events_that_are_here(store):
    store.add_log(LOG)
    store.merge(20, 10)
    assert store.put_everything("merges", _merges((7, 2, 1, 1), (8, 10, 1, 1))) == (2, 0)
    assert {merge.source: merge.user for merge in store.merges()} == {20: 1, 2: 1, 10: 1}
    table = store.events()
    assert set(table["user"].to_pylist()) == {1}
    assert sorted(table["original_user"].to_pylist()) == [1, 2, 2, 10]
    store.delete_user(1)
    assert store.counts()["events"] == 0 == store.counts()["merges"], "nobody is left behind"


def test_merges_that_go_round_are_refused(store):
    store.add_log(LOG)
    store.merge(2, 1)
    with pytest.raises(ValueError, match="must not go round in a circle"):
        store.put_everything("merges", _merges((7, 1, 2, 2)))
    assert len(store.merges()) == 1 and set(store.events()["user"].to_pylist()) == {1, 10}


def test_imported_events_go_to_their_person(store, new_url):
    store.add_log(LOG)
    other = open_store(new_url())
    other.merge(2, 1)
    other.put_everything("events", store.table("events"))
    assert other.events()["user"].to_pylist() == [1, 1, 1, 10]
    assert other.events()["original_user"].to_pylist() == [2, 2, 1, 10]
    other.close()


def test_versions_do_not_trust_numbers_that_come_back(store):
    store.add_log(LOG)
    exported = store.table("events")
    old, new = (store.add_version("x", learned_seq=seq, quality={"ndcg": 0.1}) for seq in (2, 4))
    store.delete_user(10)
    assert store.put_everything("events", exported.slice(0, 3)) == (0, 3)
    assert [store.version(number)["quality"] for number in (old, new)] == [{"ndcg": 0.1}] * 2
    assert store.put_everything("events", exported) == (1, 3)
    assert store.version(old)["quality"] == {"ndcg": 0.1}, "it never had number 4"
    assert store.version(new)["quality"] == {"ndcg": 0.1, "origin": "file", "of_store": False}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_no_numbers_are_not_imported(value):
    names = {"seq": [1, 2, 3], "user": ["a"] * 3, "item": ["x"] * 3, "time": [1, 2, 3]}
    with pytest.raises(ValueError, match="value must be finite numbers"):
        checked("events", pa.table(names | {"value": [1.0, None, value]}))
    for values in ([1.0, None, 2.5], pa.nulls(3), pa.array([None] * 3, pa.float64())):
        assert checked("events", pa.table(names | {"value": values})).num_rows == 3


def test_a_server_may_have_another_isolation(postgresql):
    import threading

    import psycopg

    url = postgresql.new_url()
    name = url.split("?")[0].rpartition("/")[2]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    stores = [open_store(url) for _ in range(3)]
    failures = []

    def write(number, store):
        try:
            for place in range(60):
                store.submit([Event(None, f"user {number}", "tea", None, place)]).result(20)
                if place % 20 == number:
                    store.merge(f"user {number} {place}", f"user {number}")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=one) for one in enumerate(stores)]
    for store, thread in zip(stores, threads, strict=True):
        store.start()
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(stores[0].events()["seq"].to_pylist()) == list(range(1, 181))
    for store in stores:
        store.close()
    postgresql.drop([url])
