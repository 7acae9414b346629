"""The store: events in and histories out, merges, deletion, the catalogue, rules, jobs, versions and keys."""

import math
import threading
from collections import Counter
from concurrent.futures import Future, wait

import numpy as np
import pytest

from skrec.serving._store import Event, Impression, Kinds, MergeRefused, State, open_store


def _event(user, item, time, *, id=None, **columns):
    return Event(id, user, item, columns.pop("event", "buy"), time, **columns)


def _put(store, *events):
    return store.submit(list(events)).result(20)


# ----------------------------------------------------------------------------------------------------------- events


def test_events_come_back_oldest_first(store):
    accepted = _put(
        store,
        _event("ada", "tea", 30, value=2.5),
        _event("ada", "milk", 10, event=None),
        _event("bob", "jam", 20),
        _event("ada", "jam", 30),
    )
    assert accepted == [True] * 4
    state, rows = store.read("ada")
    assert state == State(0, 0, 0, 0) == store.state()
    assert rows == [("milk", 10, None, None), ("tea", 30, "buy", 2.5), ("jam", 30, "buy", None)]
    assert store.read("ada", limit=2)[1] == rows[1:]
    assert store.read("ada", before=30)[1] == rows[:1]
    assert store.read("nobody")[1] == [] == store.read()[1]
    assert store.last_seq() == 4 and store.latest_time() == 30


def test_a_session_is_read_without_a_user(store):
    _put(store, _event("ada", "tea", 2, session="s"), _event("bob", "jam", 1, session="s"), _event("ada", "milk", 3))
    assert store.read(session="s")[1] == [("jam", 1, "buy", None), ("tea", 2, "buy", None)]
    assert len(store.read("ada", session="s")[1]) == 2, "the user comes before the session"


def test_the_same_id_is_one_event(store):
    first = [_event("ada", "tea", 1, id="a"), _event("ada", "milk", 2, id="a"), _event("ada", "jam", 3, id="b")]
    assert _put(store, *first) == [True, False, True]
    assert _put(store, _event("ada", "jam", 9, id="b"), _event("ada", "salt", 4, id="c")) == [False, True]
    assert [row[0] for row in store.read("ada")[1]] == ["tea", "jam", "salt"]
    assert _put(store, *[_event("ada", "tea", 5)] * 2) == [True, True], "events without an id are all new"


def test_many_submits_are_answered_each(store):
    numbers = [number % 700 for number in range(1500)]
    futures = [store.submit([_event("ada", "tea", number, id=str(number))]) for number in numbers]
    wait(futures, 30)
    accepted = Counter(number for number, future in zip(numbers, futures, strict=True) if future.result() == [True])
    assert accepted == Counter(range(700))
    assert store.submit([]).result(5) == []


@pytest.mark.parametrize("size", [1, 127, 128, 129, 2001, 5000])
def test_a_submit_of_any_size_is_one_commit(store, size):
    rows = [_event("ada", f"item {number}", number, id=str(number)) for number in range(size)]
    assert _put(store, *rows) == [True] * size
    assert _put(store, *rows, _event("ada", "new", size)) == [False] * size + [True]
    assert [row[0] for row in store.read("ada", limit=10**6)[1]] == [row.item for row in rows] + ["new"]


def test_answers_reach_a_callback_in_groups(store):
    groups, done = [], threading.Event()

    def on_commit(answers):
        groups.append(answers)
        if sum(map(len, groups)) == 300:
            done.set()

    store.on_commit = on_commit
    for number in range(300):
        store.submit_to([_event("ada", "tea", number)], number)
    assert done.wait(20)
    assert [token for group in groups for token, _ in group] == list(range(300))
    assert all(answer == [True] for group in groups for _, answer in group)


def test_a_callback_that_fails_stops_nothing(store, caplog):
    store.on_commit = lambda answers: 1 / 0
    store.submit_to([_event("ada", "tea", 1)], "token")
    assert [_put(store, _event("ada", "tea", time)) for time in (2, 3)] == [[True], [True]]
    assert "on_commit failed" in caplog.text


def test_one_bad_submit_fails_alone(store):
    bad = [_event("ada", "tea", 2**70), _event("ada", None, 1), _event("ada", "tea", 1, value="a lot")]
    futures = []
    for number in range(50):
        futures.append(store.submit([_event("ada", "tea", number, id=str(number))]))
        if number % 10 == 0:
            with pytest.raises(TypeError):
                store.submit([bad[1]])
            futures.append(store.submit([_event("ada", "milk", 7, id=f"good {number}"), bad[0]]))
    wait(futures, 30)
    failed = [future for future in futures if future.exception()]
    assert len(failed) == 5
    assert [future.result() for future in futures if future not in failed] == [[True]] * 50
    assert {row[0] for row in store.read("ada")[1]} == {"tea"}, "nothing of a submit that failed is kept"


def test_odd_texts_come_back_as_they_came(store):
    texts = ["", " ", "'; DROP TABLE events; --", "naïve ☃ 🛒", "a\nb\t\\N", '{"a": [1]}', "%s ? :x", "x" * 5000]
    for number, text in enumerate(texts):
        row = _event(text, text, number, id=text, event=text, session=text, rec_id=text)
        assert _put(store, row) == [True]
    for number, text in enumerate(texts):
        assert store.read(text)[1] == [(text, number, text, None)] == store.read(session=text)[1]


def test_numbers_at_the_limits(store):
    ends = [-(2**63), -1, 0, 2**63 - 1]
    for number in ends:
        _put(store, _event(number, number, 10**15, value=math.pi))
        assert store.read(number)[1] == [(number, 10**15, "buy", math.pi)]
    assert sorted(store.events()["user"].to_pylist()) == ends


# ------------------------------------------------------------------------------------------------------------ kinds


def test_the_first_event_fixes_the_kinds(store, database_url):
    assert store.kinds == Kinds(None, None)
    _put(store, _event(7, "tea", 1), _event(np.int64(8), "milk", 2))
    assert store.kinds == Kinds("integer", "string")
    other = open_store(database_url)
    assert other.kinds == Kinds("integer", "string")
    assert other.fix_kinds("string", "integer") == Kinds("integer", "string"), "what is fixed stays"
    assert other.read(8)[1] == [("milk", 2, "buy", None)]
    other.close()


@pytest.mark.parametrize("user", ["7", True, 7.0, 2**63, None])
def test_an_id_of_another_kind_is_refused(store, user):
    store.fix_kinds("integer", "string")
    with pytest.raises(TypeError, match="user must be an integer of 64 bits"):
        store.submit([_event(user, "tea", 1)])
    with pytest.raises(TypeError, match="item must be a string, as all ids of items in this store, got 3"):
        store.submit([_event(7, 3, 1)])


def test_kinds_are_checked(store):
    with pytest.raises(ValueError, match="must be 'integer' or 'string', got 'text'"):
        store.fix_kinds(user="text")
    assert store.fix_kinds(item="string") == Kinds(None, "string")
    assert store.fix_kinds(user="integer") == Kinds("integer", "string")


# ------------------------------------------------------------------------------------------- impressions, attribution


def _shown(rec_id, *items, user="ada"):
    return [Impression(rec_id, n, user, item, "home", 0.5, None, 1, 1000) for n, item in enumerate(items)]


def test_a_click_is_attributed_to_what_was_shown(store):
    store.show(_shown("r", "tea", "milk"))
    _put(store, _event("ada", "milk", 1, rec_id="r"), _event("ada", "jam", 2, rec_id="r"), _event("ada", "tea", 3))
    assert store.table("attributions").to_pylist() == [{"event_seq": 1, "rec_id": "r", "position": 1}]
    assert store.table("impressions")["item"].to_pylist() == ["tea", "milk"]


def test_an_impression_that_comes_after_its_click_is_attributed(store):
    _put(store, _event("ada", "tea", 1, rec_id="r"))
    store.show(_shown("r", "milk", "tea"))
    assert store.export_user("ada")["attributions"] == [{"event_seq": 1, "rec_id": "r", "position": 1}]


def test_impressions_are_written_without_events(store):
    store.show(_shown("r", "tea"))
    store.show([])
    done = threading.Event()
    for _ in range(100):
        if store.counts()["impressions"]:
            break
        done.wait(0.1)
    assert store.counts()["impressions"] == 1


def test_impressions_that_cannot_wait_are_dropped_and_counted(store, monkeypatch):
    monkeypatch.setattr("skrec.serving._writer.MAX_SHOWN", 3)
    monkeypatch.setattr("skrec.serving._writer.SHOWN_SECONDS", 60)
    store.show(_shown("r", "tea", "milk"))
    store.show(_shown("s", "tea", "milk"))
    assert store.n_dropped == 2
    assert {row["rec_id"] for row in store.export_user("ada")["impressions"]} == {"r"}


# ------------------------------------------------------------------------------------------------------------ merges


def test_a_merge_moves_past_and_future_events(store):
    _put(store, _event("visitor", "tea", 1), _event("ada", "milk", 2))
    assert store.merge("visitor", "ada") == 1
    assert store.merge("visitor", "ada") == 0 == store.merge("ada", "visitor"), "they are one person already"
    _put(store, _event("visitor", "jam", 3), _event("ada", "salt", 4))
    assert [row[0] for row in store.read("ada")[1]] == ["tea", "milk", "jam", "salt"]
    assert store.read("visitor")[1] == []
    assert store.events()["original_user"].to_pylist() == ["visitor", "ada", "visitor", "ada"]
    assert [tuple(merge)[:4] for merge in store.merges()] == [(1, "visitor", "ada", "ada")]
    assert store.merges(1) == [] and store.last_merge() == 1


def test_chains_of_merges_are_followed(store):
    _put(store, _event(1, "tea", 1), _event(2, "milk", 2), _event(3, "jam", 3))
    assert store.merge(1, 2) == 1
    assert store.merge(2, 3) == 2
    assert store.merge(4, 1) == 0, "the target's events are at 3"
    _put(store, *(_event(user, "salt", 4) for user in (1, 2, 3, 4)))
    assert len(store.read(3)[1]) == 7
    assert Counter(store.events()["original_user"].to_pylist()) == {1: 2, 2: 2, 3: 2, 4: 1}
    assert [tuple(merge)[:4] for merge in store.merges()] == [(1, 1, 2, 3), (2, 2, 3, 3), (3, 4, 3, 3)]


def test_a_user_is_not_merged_into_two(store):
    store.merge("visitor", "ada")
    with pytest.raises(MergeRefused, match="'visitor' must not have been merged before"):
        store.merge("visitor", "bob")
    with pytest.raises(MergeRefused, match="into another one"):
        store.merge("ada", "ada")


# ---------------------------------------------------------------------------------------------------------- deletion


def _everything_about(store, text):
    tables = ("events", "items", "rules", "impressions", "attributions", "merges")
    return [name for name in tables if text in str(store.table(name).to_pylist())]


def test_a_deleted_user_leaves_nothing(store, database_url, tmp_path):
    for number in range(400):
        _put(
            store,
            _event("SECRET-visitor", "tea", number, session="SECRET-session", rec_id="SECRET-r", id=f"SECRET{number}"),
        )
        _put(store, _event(f"user {number}", "tea", number), _event("SECRET-ada", "milk", number))
    store.show(_shown("SECRET-r", "tea", user="SECRET-ada"))
    store.expose("SECRET-r", "SECRET-ada", [("x", "new")], 5)
    _put(store, _event("SECRET-ada", "tea", 5, rec_id="SECRET-r"))
    store.merge("SECRET-visitor", "SECRET-ada")
    exported = store.export_user("SECRET-visitor")
    assert {name: len(rows) for name, rows in exported.items() if name != "user"} == {
        "users": 2, "events": 801, "impressions": 1, "attributions": 401, "merges": 1, "exposures": 1,
    }  # fmt: skip
    job_id = store.delete_user("SECRET-visitor")
    assert _everything_about(store, "SECRET") == []
    assert store.counts() == {
        "events": 400, "users": 400, "items": 0, "impressions": 0, "attributions": 0, "merges": 0,
    }  # fmt: skip
    job = store.take_job()
    assert (job["id"], job["kind"], job["status"]) == (job_id, "forget", "running")
    assert job["payload"]["users"] == ["SECRET-ada", "SECRET-visitor"]
    learned = job["payload"]["events"]
    assert len(learned) == 801 and {row["original_user"] for row in learned} == {"SECRET-ada", "SECRET-visitor"}
    assert [row["source"] for row in job["payload"]["merges"]] == ["SECRET-visitor"]
    store.empty_jobs([job_id])
    store.scrub({*job["payload"]["users"], *job["payload"]["texts"]})
    store.report_job(job_id, status="done", result={"versions": [1]})
    assert "SECRET" not in str(store.job(job_id))
    if database_url.startswith("sqlite"):
        files = list((tmp_path / "0").iterdir())
        assert {path.name for path in files} >= {"store.db"}
        assert not [path.name for path in files if b"SECRET" in path.read_bytes()]
    assert store.last_seq() == 1201, "numbers are not given again"
    _put(store, _event("new", "tea", 1))
    assert store.last_seq() == 1202


def test_deletion_of_a_user_without_events(store):
    assert store.job(store.delete_user("nobody"))["payload"] == {
        "user": "nobody", "users": ["nobody"], "events": [], "merges": [], "texts": [],
    }  # fmt: skip


# --------------------------------------------------------------------------------------------------------- catalogue


def test_items_are_written_and_followed(store):
    tea = {"item": "tea", "name": "Tea", "price": 3.5, "stock": 4, "properties": {"colour": "green", "leaf": True}}
    assert store.put_items([tea, {"item": "milk", "added": 5}], partial=False) == 2
    version, rows, deleted = store.items_since(0)
    assert (version, deleted) == (1, []) and store.state().catalogue == 1
    found = {row["item"]: row for row in rows}
    assert found["tea"].keys() == found["milk"].keys() and found["milk"]["added"] == 5
    assert found["tea"]["properties"] == tea["properties"] and found["tea"]["hidden"] is False
    added = found["tea"]["added"]

    change = {"item": "tea", "hidden": True, "stock": None, "properties": {"colour": "black"}}
    assert store.put_items([change], partial=True) == 1
    version, rows, _ = store.items_since(version)
    assert [row["item"] for row in rows] == ["tea"] and version == 2
    assert (rows[0]["name"], rows[0]["price"], rows[0]["stock"], rows[0]["hidden"]) == ("Tea", 3.5, None, True)
    assert rows[0]["properties"] == {"colour": "black", "leaf": True}

    store.put_items([{"item": "tea", "name": "Black tea"}], partial=False)
    row = store.items_since(version)[1][0]
    assert (row["price"], row["properties"], row["hidden"], row["added"]) == (None, {}, False, added)

    assert store.delete_items(["tea", "salt"]) == 1 and store.delete_items(["tea"]) == 0
    version, rows, deleted = store.items_since(3)
    assert (rows, deleted) == ([], ["tea"]) and store.counts()["items"] == 1
    store.put_items([{"item": "tea"}], partial=True)
    assert store.items_since(version)[1][0]["name"] is None, "an item that was deleted begins anew"


def test_many_items_in_one_call(store):
    rows = [{"item": number, "stock": number} for number in range(3000)]
    assert store.put_items([*rows, {"item": 7, "stock": 0}], partial=True) == 3000
    _, found, _ = store.items_since()
    assert {row["item"]: row["stock"] for row in found} == {number: number for number in range(3000)} | {7: 0}


def test_items_are_checked(store):
    with pytest.raises(ValueError, match=r"an item must have 'item' and any of name, category, .* got 'name'"):
        store.put_items([{"name": "Tea"}], partial=True)
    with pytest.raises(ValueError, match="got 'item', 'colour'"):
        store.put_items([{"item": "tea", "colour": "green"}], partial=True)
    assert store.put_items([], partial=True) == 0 == store.delete_items(["tea"])


def test_rules(store):
    assert store.rules() == {}
    store.put_rules("home", {"pin": ["tea"]})
    store.put_rules("home", {"pin": [7], "boost": {"milk": 2.0}})
    assert store.rules() == {"home": {"pin": [7], "boost": {"milk": 2.0}}}
    assert store.state().rules == 2
    assert store.delete_rules("home") and not store.delete_rules("home")
    assert store.rules() == {} and store.state().rules == 3


# ------------------------------------------------------------------------------------------------------- what is known


def test_popular_and_first_seen(store):
    rows = [
        ("ada", "tea", 1),
        ("ada", "tea", 2),
        ("ada", "tea", 3),
        ("bob", "milk", 2),
        ("ada", "milk", 4),
        ("eve", "jam", 1),
    ]
    _put(store, *(_event(*row) for row in rows))
    assert store.popular(0, 2) == [("milk", 2), ("jam", 1)]
    assert store.popular(2, 9) == [("milk", 2), ("tea", 1)]
    assert store.first_seen(2) == [("milk", 2), ("jam", 1)]


def test_users_are_searched_by_the_beginning_of_their_id(store):
    assert store.search_users() == []
    _put(store, _event(12, "tea", 1), _event(12, "tea", 5), _event(125, "tea", 2), _event(7, "tea", 3))
    assert store.search_users("", 2) == [(12, 2, 5), (125, 1, 2)]
    assert store.search_users("12") == [(12, 2, 5), (125, 1, 2)]
    assert store.search_users("7") == [(7, 1, 3)] and store.search_users("'; --") == []


@pytest.mark.parametrize("text", ["a\ud7ff", "\U0010ffff", "a%", "ä"])
def test_search_takes_any_text(store, text):
    _put(store, _event(text + "x", "tea", 1), _event("other", "tea", 1))
    assert store.search_users(text) == [(text + "x", 1, 1)]


# ------------------------------------------------------------------------------------------------- jobs, versions, keys


def test_jobs_run_one_at_a_time(store, monkeypatch):
    assert store.take_job() is None and store.job(1) is None
    first, second = store.add_job("refit"), store.add_job("update", {"since": 5})
    assert store.take_job()["id"] == first
    assert store.take_job() is None
    store.report_job(first, progress=0.5)
    assert store.job(first)["progress"] == 0.5
    store.report_job(first, status="done", result={"ndcg": 0.1})
    job = store.take_job()
    assert (job["id"], job["payload"]) == (second, {"since": 5})
    later = store.job(second)["heartbeat"] + 61_000_000
    monkeypatch.setattr("skrec.serving._store_admin.now", lambda: later)
    assert store.take_job()["id"] == second, "its process ended"
    assert [(row["id"], row["status"]) for row in store.jobs(5)] == [(2, "running"), (1, "done")]
    assert store.jobs(5)[1]["result"] == {"ndcg": 0.1} and store.jobs(5)[1]["finished"]


def test_two_threads_never_take_the_same_job(store):
    for _ in range(10):
        store.add_job("refit")
    taken, lock = [], threading.Lock()

    def take():
        while job := store.take_job():
            with lock:
                taken.append(job["id"])
            store.report_job(job["id"], status="done")

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    take()
    assert sorted(taken) == list(range(1, 11))


def test_versions_are_promoted(store):
    assert store.current() is None and store.versions() == [] and store.version(1) is None
    numbers = [store.add_version(f"v{n}.skrec", learned_seq=n, note=f"n{n}", quality={"ndcg": 0.1}) for n in range(3)]
    assert numbers == [1, 2, 3]
    for number in numbers:
        store.promote(number)
    assert [row["status"] for row in store.versions()] == ["current", "previous", "retired"]
    store.promote(2)
    store.promote(2)
    assert store.current()["version"] == 2
    assert [row["status"] for row in store.versions()] == ["previous", "current", "retired"]
    assert store.state().models == 5
    store.set_version(1, status="rejected", quality={"ndcg": 0.2}, learned_until=7)
    assert store.version(1) | {"created": 0} == {
        "version": 1, "file": "v0.skrec", "status": "rejected", "created": 0, "learned_seq": 0, "learned_merge": None,
        "learned_until": 7, "note": "n0", "quality": {"ndcg": 0.2},
    }  # fmt: skip
    with pytest.raises(LookupError, match="got 9"):
        store.promote(9)
    assert store.current()["version"] == 2 and store.state().models == 5, "nothing changed"
    with pytest.raises(ValueError, match=r"columns of a version .* got 'colour'"):
        store.set_version(1, colour="green")


def test_quality_by_day(store):
    for day, ndcg in (("2011-12-01", 0.1), ("2011-12-02", None), ("2011-12-01", 0.3)):
        store.add_quality(day, 1, 20, ndcg, 0.5, 0.05)
    rows = store.quality(5)
    assert [(row["day"], row["ndcg"]) for row in rows] == [("2011-12-01", 0.3), ("2011-12-02", None)]
    assert [row["day"] for row in store.quality(1)] == ["2011-12-02"]


def test_keys(store):
    store.add_key("shop", "user", "digest 1")
    with pytest.raises(ValueError, match="name of a key must be new, got 'shop'"):
        store.add_key("shop", "admin", "digest 2")
    assert [row | {"created": 0} for row in store.keys()] == [  # noqa: SIM118 - no dict
        {"name": "shop", "role": "user", "digest": "digest 1", "created": 0}
    ]
    assert store.revoke_key("shop") and not store.revoke_key("shop") and store.keys() == []


# -------------------------------------------------------------------------------------------------- opening and closing


def test_a_store_is_started_before_events(database_url):
    store = open_store(database_url)
    with pytest.raises(RuntimeError, match="must be started"):
        store.submit([_event("ada", "tea", 1)])
    store.start()
    store.start()
    futures = [store.submit([_event("ada", "tea", number)]) for number in range(500)]
    store.show(_shown("r", "tea"))
    store.close()
    assert all(future.result(0) == [True] for future in futures), "what is queued is committed"
    with pytest.raises(RuntimeError, match="must be started"):
        store.submit([_event("ada", "tea", 1)])
    again = open_store(database_url)
    assert again.counts()["events"] == 500 and again.counts()["impressions"] == 1
    again.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///", "sqlite:///:memory:", "shop.db"])
def test_the_url_is_checked(url):
    with pytest.raises(ValueError, match=r"must be (a file|sqlite:///path)"):
        open_store(url)


def test_a_cancelled_submit_stops_nothing(store):
    futures = [store.submit([_event("ada", "tea", number)]) for number in range(100)]
    for future in futures[::2]:
        future.cancel()
    assert isinstance(futures[0], Future) and _put(store, _event("ada", "milk", 1)) == [True]
