"""Every route of the service over HTTP: what it answers, and what it refuses."""

import contextlib
import io
import json
import math
import threading
import time
from collections import Counter
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from service_process import N_ITEMS, Api, catalogue, serving, shop, with_model
from shop_log import fitted, folder_of, random_events

import skrec
from skrec.decomposition import ALS
from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN
from skrec.serving import _routes_admin
from skrec.serving._models import Models
from skrec.serving._service import Service
from skrec.serving._training import run_job
from skrec.serving._work import JobFailed, Work

DAY = 86_400_000_000


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A shop of integer ids with a model and a catalogue, for tests that leave it as it is."""
    with serving(with_model(tmp_path_factory.mktemp("shop"), shop())) as app:
        app.api_of_shop = Api(app.port)
        app.api_of_shop.ok("PUT", "/v1/items", catalogue(range(N_ITEMS)))
        yield app


@pytest.fixture
def api(running):
    return running.api_of_shop


@pytest.fixture
def own(tmp_path):
    """A shop of its own for each test that changes it; returns a function that starts it."""
    with_exit = []

    def start(events=None, estimator=None, **settings):
        events = shop() if events is None else events
        manager = serving(with_model(tmp_path, events, estimator, **settings))
        app = manager.__enter__()
        with_exit.append(manager)
        api = Api(app.port)
        api.app = app
        return api

    yield start
    for manager in with_exit:
        manager.__exit__(None, None, None)


@pytest.fixture
def empty(tmp_path):
    """A shop without events, items or a model."""
    with serving(folder_of(tmp_path / "empty", trainer=False, deadline_ms=5000.0)) as app:
        api = Api(app.port)
        api.app = app
        yield api


def ids(answer):
    return [row["item"] for row in answer["items"]]


def history(api, user):
    return [row["item"] for row in api.ok("GET", f"/v1/users/{user}/history")["events"]]


# ---- recommendations --------------------------------------------------------------------------------------------


def test_answer_is_that_of_the_model(running, api):
    model = running.service.models.current
    for user in range(0, 60, 7):
        _, rows = running.service.store.read(user=user)
        expected, scores = model.recommend(rows, 5, at=time.time_ns() // 1000)
        answer = api.ok("POST", "/v1/recommend", {"user": user, "k": 5})
        assert ids(answer) == expected
        assert [row["score"] for row in answer["items"]] == pytest.approx(scores)
        assert {row["source"] for row in answer["items"]} == {"ItemKNN"}
        assert answer["model"] == {"version": 1} and answer["fallback"] is False and answer["reason"] is None
        assert len(answer["rec_id"]) >= 16


def test_user_basket_and_session_of_the_same_items_have_the_same_answer(running, api):
    items = history(api, 5)
    of_user = api.ok("POST", "/v1/recommend", {"user": 5, "k": 6})
    assert ids(api.ok("POST", "/v1/recommend", {"items": items, "k": 6})) == ids(of_user)
    events = [{"user": 5, "item": item, "session": "s 5", "time": 1e9 + place} for place, item in enumerate(items)]
    moved = [one | {"user": 999} for one in events]
    api.ok("POST", "/v1/events", moved)
    assert ids(api.ok("POST", "/v1/recommend", {"session": "s 5", "k": 6})) == ids(of_user)
    assert ids(api.ok("POST", "/v1/basket", {"items": items, "k": 6})) == ids(of_user)
    api.ok("DELETE", "/v1/users/999")


def test_nobody_and_unknown_ids_get_popular_items(api):
    for body in ({}, {"user": 10**9}, {"items": [10**9]}, {"session": "unknown"}, {"items": []}):
        answer = api.ok("POST", "/v1/recommend", body | {"k": 4})
        assert len(answer["items"]) == 4 and {row["source"] for row in answer["items"]} == {"popularity"}


@pytest.mark.parametrize("name", ["filter", "candidates", "exclude", "repeats"])
def test_filter_equals_candidates_of_the_mask(api, name):
    wanted = [row["item"] for row in catalogue(range(N_ITEMS)) if row["category"] == "a" and row["price"] >= 6]
    seen = set(history(api, 3))
    bodies = {
        "filter": {"filter": {"category": "a", "price": {"min": 6}}},
        "candidates": {"candidates": wanted},
        "exclude": {"exclude": sorted(set(range(N_ITEMS)) - set(wanted))},
        "repeats": {"candidates": wanted, "repeats": True},
    }
    answer = api.items("/v1/recommend", {"user": 3, "k": 24, **bodies[name]})
    assert len(answer) == len(set(answer)) and set(answer) <= set(wanted)
    if name == "repeats":
        assert set(answer) == set(wanted)
    else:
        assert set(answer) == set(wanted) - seen
        assert answer == api.items("/v1/recommend", {"user": 3, "k": 24, **bodies["filter"]})


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"category": ["a", "c"]}, lambda row: row["category"] in "ac"),
        ({"price": {"max": 4}}, lambda row: row["price"] <= 4),
        ({"price": {"min": 4, "max": 4}}, lambda row: row["price"] == 4),
        ({"in_stock": True}, lambda row: row["stock"] > 0),
        ({"in_stock": False}, lambda row: row["stock"] == 0),
        ({"colour": "red", "category": "b"}, lambda row: row["colour"] == "red" and row["category"] == "b"),
        ({"stock": [1, 2]}, lambda row: row["stock"] in (1, 2)),
        ({"name": "Thing 7"}, lambda row: row["item"] == 7),
        ({"category": "none of them"}, lambda row: False),
        ({"price": {"min": 5, "max": 4}}, lambda row: False),
        ({}, lambda row: True),
    ],
)
@pytest.mark.parametrize("path", ["recommend", "similar", "basket", "popular", "latest"])
def test_filters(api, path, condition, holds):
    wanted = {row["item"] for row in catalogue(range(N_ITEMS)) if holds(row)}
    if path in ("popular", "latest"):
        answer = ids(api.ok("GET", f"/v1/{path}?k=100&filter={quote(json.dumps(condition))}"))
    else:
        asked = {"recommend": {"user": 2, "repeats": True}, "similar": {"item": 1}, "basket": {"items": [1]}}[path]
        answer = api.items(f"/v1/{path}", {**asked, "k": 100, "filter": condition})
        wanted -= {1} if path != "recommend" else set()
    assert len(answer) == len(set(answer))
    assert set(answer) == wanted


def test_repeats(api):
    seen = set(history(api, 4))
    again = api.items("/v1/recommend", {"user": 4, "k": 24, "repeats": True})
    assert set(again) == set(range(N_ITEMS))
    assert not set(api.items("/v1/recommend", {"user": 4, "k": 24, "repeats": False})) & seen


def test_explain_names_items_of_the_history(api):
    seen = set(history(api, 4))
    answer = api.ok("POST", "/v1/recommend", {"user": 4, "k": 5, "explain": True})
    for row in answer["items"]:
        assert row["because"] and sum(one["share"] for one in row["because"]) <= 1.001
        for one in row["because"]:
            assert one["item"] in seen and one["name"] == f"Thing {one['item']}"
    assert "because" not in api.ok("POST", "/v1/recommend", {"user": 4})["items"][0]


def test_details(api):
    row = api.ok("POST", "/v1/recommend", {"user": 4, "k": 1, "details": True})["items"][0]
    expected = {name: value for name, value in catalogue(range(N_ITEMS))[row["item"]].items() if name != "item"}
    assert expected.items() <= row["details"].items()
    assert "details" not in api.ok("GET", "/v1/popular")["items"][0]
    assert api.ok("GET", "/v1/popular?details=true")["items"][0]["details"]["name"]


def test_at_counts_earlier_events_only(running, api):
    events = api.ok("GET", "/v1/users/6/history")["events"]
    middle = events[len(events) // 2]["time"]
    before = [row["item"] for row in events if row["time"] < middle]
    assert 0 < len(before) < len(events)
    as_of = api.items("/v1/recommend", {"user": 6, "k": 5, "at": middle})
    assert as_of == api.items("/v1/recommend", {"items": before, "k": 5, "at": middle})
    nothing = api.ok("POST", "/v1/recommend", {"user": 6, "at": 0})
    assert {row["source"] for row in nothing["items"]} == {"popularity"}


def test_diversity_changes_order_and_keeps_the_filter(api):
    changed = 0
    for user in range(8):
        plain = api.items("/v1/recommend", {"user": user, "k": 8, "repeats": True})
        varied = api.items("/v1/recommend", {"user": user, "k": 8, "repeats": True, "diversity": 0.9})
        assert len(set(varied)) == 8 and len({item % 3 for item in varied[:3]}) == 3
        changed += varied != plain
    assert changed >= 2
    only = api.items("/v1/recommend", {"user": 8, "k": 8, "diversity": 0.9, "filter": {"category": "b"}})
    assert {item % 3 for item in only} == {1}


def test_similar_equals_the_model_and_leaves_the_item_out(running, api):
    model = running.service.models.current.estimator
    expected = model.similar_items([7], 6)[0].tolist()
    answer = api.ok("POST", "/v1/similar", {"item": 7, "k": 6})
    assert ids(answer) == expected and 7 not in expected
    assert expected[1] not in api.items("/v1/similar", {"item": 7, "k": 6, "exclude": [expected[1]]})
    assert 7 not in api.items("/v1/similar", {"item": 7, "k": 1000})
    unknown = api.ok("POST", "/v1/similar", {"item": 777})
    assert unknown["fallback"] and "does not know" in unknown["reason"]


def test_popular_counts_users_of_the_last_days(running, api):
    answer = api.ok("GET", "/v1/popular?k=5")
    latest = running.service.store.latest_time()
    users = {}
    for event in shop():
        if event.time >= latest - 30 * DAY:
            users.setdefault(event.item, set()).add(event.user)
    counts = Counter({item: len(them) for item, them in users.items()})
    assert [row["score"] for row in answer["items"]] == sorted(counts.values(), reverse=True)[:5]
    assert all(counts[row["item"]] == row["score"] for row in answer["items"])
    assert answer["fallback"] is False


@pytest.mark.parametrize(
    ("field", "path", "body"),
    [
        ("k", "recommend", {"user": 1, "k": 0}),
        ("k", "recommend", {"user": 1, "k": 1001}),
        ("k", "recommend", {"user": 1, "k": 2.5}),
        ("k", "recommend", {"user": 1, "k": "5"}),
        ("k", "similar", {"item": 1, "k": 10**30}),
        ("user", "recommend", {"user": "abc"}),
        ("user", "recommend", {"user": "007"}),
        ("user", "recommend", {"user": True}),
        ("user", "recommend", {"user": 1.0}),
        ("user", "recommend", {"user": 2**63}),
        ("user", "recommend", {"user": str(2**63)}),
        ("user", "recommend", {"user": ["1"]}),
        ("items", "recommend", {"user": 1, "items": [1]}),
        ("session", "recommend", {"user": 1, "session": "s"}),
        ("items.1", "recommend", {"items": [1, "x"]}),
        ("items", "recommend", {"items": [1] * 1001}),
        ("items", "basket", {"items": []}),
        ("candidates.0", "recommend", {"user": 1, "candidates": ["x"]}),
        ("candidates", "recommend", {"user": 1, "candidates": [1] * 10_001}),
        ("exclude.0", "recommend", {"user": 1, "exclude": ["x"]}),
        ("item", "similar", {}),
        ("item", "similar", {"item": "x"}),
        ("filter.nothing", "recommend", {"user": 1, "filter": {"nothing": 1}}),
        ("filter.nothing", "similar", {"item": 777, "filter": {"nothing": 1}}),
        ("filter", "recommend", {"user": 1, "filter": {"in_stock": "no"}}),
        ("filter.price.from", "recommend", {"user": 1, "filter": {"price": {"from": 1}}}),
        ("filter", "recommend", {"user": 1, "filter": {f"c{n}": 1 for n in range(33)}}),
        ("diversity", "recommend", {"user": 1, "diversity": 1.5}),
        ("repeats", "recommend", {"user": 1, "repeats": "yes"}),
        ("at", "recommend", {"user": 1, "at": "yesterday"}),
        ("at", "recommend", {"user": 1, "at": 1e18}),
        ("scenario", "recommend", {"user": 1, "scenario": ""}),
        ("usr", "recommend", {"usr": 1}),
        ("filter", "popular?filter=x", None),
        ("filter.nothing", "popular?filter=%7B%22nothing%22:1%7D", None),
        ("k", "popular?k=0", None),
        ("k", "latest?k=1001", None),
        ("k", "latest?k=x", None),
    ],
)
def test_requests_that_are_refused_name_the_field(api, field, path, body):
    api.refused(422, field, "GET" if body is None else "POST", f"/v1/{path}", body)


@pytest.mark.parametrize("body", [b"", b"{", b"[1", b"{'user': 1}", b"\xff\xfe", b"[" * 50_000, b'{"user":' * 50_000])
@pytest.mark.parametrize(("method", "path"), [("POST", "events"), ("POST", "recommend"), ("PUT", "items")])
def test_bodies_that_are_no_json(api, method, path, body):
    status, problem = api(method, f"/v1/{path}", body)
    assert status in (400, 422) and problem["status"] == status


def test_unknown_routes_and_methods(api):
    api.refused(404, None, "GET", "/v1/nothing")
    api.refused(405, None, "GET", "/v1/recommend")
    api.refused(405, None, "DELETE", "/v1/rules")


# ---- events and ids ---------------------------------------------------------------------------------------------


def test_integers_stay_integers(own):
    api = own()
    for user, item in ((1, 3), ("1", "3"), (-5, 2**62), ("-5", str(2**62))):
        assert api.ok("POST", "/v1/events", {"user": user, "item": item})["accepted"] == 1
    export = api.ok("GET", "/v1/users/-5/export")
    assert export["user"] == -5 and [row["item"] for row in export["events"]] == [2**62, 2**62]
    assert all(isinstance(row["user"], int) for row in api.ok("GET", "/v1/users")["users"])
    assert all(isinstance(item, int) for item in api.items("/v1/recommend", {"user": "1"}))
    table = pq.read_table(io.BytesIO(api.ok("GET", "/v1/export?table=events")))
    assert str(table["user"].type) == str(table["item"].type) == "int64"
    problem = api.refused(422, "item", "POST", "/v1/events", {"user": 1, "item": "p1"})
    assert "integer" in problem["detail"]


def test_texts_stay_texts(own):
    api = own(shop(text=True))
    assert set(api.items("/v1/recommend", {"user": 1, "k": 24, "repeats": True})) == {f"p{n:03}" for n in range(24)}
    api.ok("POST", "/v1/events", {"user": 7, "item": 12345678901234567890123 % 2**62})
    last = api.ok("GET", "/v1/users/7/history")["events"][-1]["item"]
    assert last == str(12345678901234567890123 % 2**62)
    for item in ("007", "1e3", "a/b", "é 漢字 🎈", "p001 ", "'; DROP TABLE events; --", "{}", "%", "_"):
        api.ok("POST", "/v1/events", {"user": 8, "item": item})
        api.ok("PUT", "/v1/items", [{"item": item, "name": item}])
        assert api.ok("GET", "/v1/users/8/history")["events"][-1]["item"] == item
        assert api.ok("POST", "/v1/recommend", {"items": [item], "k": 1})["items"]


def test_text_users_with_any_characters_can_be_read_and_deleted(empty):
    for user in (
        "a/b",
        "a/history",
        "merge",
        "é 漢字",
        "x?y#z",
        "%2F",
        "a b+c",
        "..",
        "../..",
        "'; DROP TABLE events; --",
    ):
        empty.ok("POST", "/v1/events", {"user": user, "item": "i"})
        path = f"/v1/users/{quote(user, safe='')}"
        assert empty.ok("GET", f"{path}/history")["user"] == user
        assert len(empty.ok("GET", f"{path}/history")["events"]) == 1
        assert empty.ok("GET", f"{path}/export")["user"] == user
        assert empty("DELETE", path)[0] == 202
        assert empty.ok("GET", f"{path}/history")["events"] == []
    empty.refused(422, "user", "GET", f"/v1/users/{'x' * 257}/history")
    empty.refused(422, "user", "DELETE", "/v1/users/%00")


def test_the_same_id_twice_is_one_event(own):
    api = own()
    one = {"id": "order 1", "user": 1, "item": 2}
    assert api.ok("POST", "/v1/events", one) == {"accepted": 1, "duplicates": 0, "rejected": []}
    assert api.ok("POST", "/v1/events", one) == {"accepted": 0, "duplicates": 1, "rejected": []}
    answer = api.ok("POST", "/v1/events", [one, one | {"id": "2"}, one | {"id": "2", "item": 3}, one | {"id": None}])
    assert (answer["accepted"], answer["duplicates"]) == (2, 2)


def test_a_batch_takes_what_is_valid_and_names_the_rest(own):
    api = own()
    batch = [
        {"user": 1, "item": 2, "time": "2026-01-31T12:00:00+01:00", "event": "view", "value": 2, "session": "s"},
        {"user": 1},
        {"user": 1, "item": 2, "value": -1},
        {"user": "x", "item": 2},
        5,
        {"user": 1, "item": 2, "time": 1_700_000_000.5},
        {"user": 1, "item": 2, "time": 1_700_000_000_000},
        {"user": 1, "item": 2, "what": 1},
        {"user": 1, "item": 2**70},
    ]
    answer = api.ok("POST", "/v1/events", batch)
    assert answer["accepted"] == 2
    rejected = {one["index"]: one["field"] for one in answer["rejected"]}
    assert rejected == {1: "item", 2: "value", 3: "user", 4: "body", 6: "time", 7: "what", 8: "item"}
    assert all(one["reason"] for one in answer["rejected"])
    times = [row["time"] for row in api.ok("GET", "/v1/users/1/history")["events"]][-2:]
    assert times == ["2023-11-14T22:13:20.500000+00:00", "2026-01-31T11:00:00+00:00"]
    api.refused(413, None, "POST", "/v1/events", [{"user": 1, "item": 2}] * 10_001)
    api.refused(422, "item", "POST", "/v1/events", {"user": 1})


def test_an_event_is_in_the_next_answer(own):
    api = own()
    for item in range(0, 24, 5):
        api.ok("POST", "/v1/events", {"user": 1234, "item": item})
        assert item not in api.items("/v1/recommend", {"user": 1234, "k": 24, "repeats": False})
    assert history(api, 1234) == list(range(0, 24, 5))


def test_events_of_an_answer_are_attributed_to_it(own):
    api = own()
    answer = api.ok("POST", "/v1/recommend", {"user": 3, "k": 4})
    chosen = ids(answer)[2]
    api.ok("POST", "/v1/events", {"user": 3, "item": chosen, "rec_id": answer["rec_id"]})
    export = api.ok("GET", "/v1/users/3/export")
    assert [(row["rec_id"], row["item"]) for row in export["impressions"]] == [
        (answer["rec_id"], i) for i in ids(answer)
    ]
    assert [(row["rec_id"], row["position"]) for row in export["attributions"]] == [(answer["rec_id"], 2)]


def test_requests_and_refused_events_do_not_fix_the_kind_of_the_ids(empty):
    empty.ok("PUT", "/v1/items", [{"item": 1}])
    empty.ok("POST", "/v1/recommend", {"user": "someone"})
    empty.refused(422, "item", "POST", "/v1/events", {"user": "someone", "item": "x"})
    empty.ok("POST", "/v1/events", {"user": 5, "item": 1})
    assert empty.app.service.store.kinds == ("integer", "integer")
    empty.refused(422, "user", "POST", "/v1/events", {"user": "someone", "item": 1})


# ---- catalogue and rules ----------------------------------------------------------------------------------------


def test_hide_stock_and_price_hold_at_once(own):
    api = own()
    api.ok("PUT", "/v1/items", catalogue(range(N_ITEMS)))
    lists = [("POST", "/v1/recommend", {"user": 2, "repeats": True}), ("POST", "/v1/similar", {"item": 1}),
             ("POST", "/v1/basket", {"items": [1]}), ("GET", "/v1/popular?k=30", None),
             ("GET", "/v1/latest?k=30", None)]  # fmt: skip
    for method, path, body in lists:
        body = body and body | {"k": 30}
        first = ids(api.ok(method, path, body))[0]
        api.ok("PATCH", "/v1/items", [{"item": first, "hidden": True}])
        assert first not in ids(api.ok(method, path, body))
        api.ok("PATCH", "/v1/items", [{"item": first, "hidden": False}])
        assert first in ids(api.ok(method, path, body))
    wanted = {"user": 2, "repeats": True, "k": 30, "filter": {"in_stock": True, "price": {"max": 3}}}
    assert set(api.items("/v1/recommend", wanted)) == {1, 2, 3}
    api.ok("PATCH", "/v1/items", [{"item": 2, "stock": 0}, {"item": 9, "price": 1.5}])
    assert set(api.items("/v1/recommend", wanted)) == {1, 3, 9}


def test_all_items_hidden(own):
    api = own()
    api.ok("PUT", "/v1/items", [{"item": item, "hidden": True} for item in range(N_ITEMS)])
    for more in ({}, {"exclude": list(range(1000, 1100))}, {"candidates": [1, 2]}, {"repeats": True}):
        answer = api.ok("POST", "/v1/recommend", {"user": 2, **more})
        assert answer["items"] == [] and answer["fallback"] is False
    assert api.items("/v1/similar", {"item": 1}) == []


def test_put_empties_patch_keeps_delete_removes(own):
    api = own()
    api.ok(
        "PUT", "/v1/items", [{"item": 1, "name": "Cake stand", "price": 12.75, "colour": "red", "added": "2026-01-01"}]
    )
    api.ok("PATCH", "/v1/items", [{"item": 1, "price": 10, "size": 3}, {"item": "100", "name": "New"}])
    found = api.ok("GET", "/v1/items?search=cake+stand")
    assert found["total"] == 1 and found["items"][0]["price"] == 10 and found["items"][0]["colour"] == "red"
    assert found["items"][0]["size"] == 3 and found["items"][0]["added"].startswith("2026-01-01")
    api.ok("PUT", "/v1/items", [{"item": 1, "name": "Other"}])
    row = api.ok("GET", "/v1/items?search=other")["items"][0]
    assert row["price"] is None and "colour" not in row
    assert api.ok("DELETE", "/v1/items", {"items": [1, 5555]}) == {"deleted": 1}
    assert [row["item"] for row in api.ok("GET", "/v1/items")["items"]] == [100]
    assert api.ok("GET", "/v1/items?limit=1&offset=1") == {"items": [], "total": 1, "categories": []}


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("0.item", [{"name": "x"}]),
        ("0.item", [{"item": "x"}]),
        ("1.price", [{"item": 1}, {"item": 2, "price": -1}]),
        ("0.price", [{"item": 1, "price": "12"}]),
        ("0.stock", [{"item": 1, "stock": 1.5}]),
        ("0.hidden", [{"item": 1, "hidden": "no"}]),
        ("0.name", [{"item": 1, "name": "x" * 4097}]),
        ("0.name", b'[{"item": 1, "name": "\\u0000"}]'),
        ("0.name", b'[{"item": 1, "name": "\\ud800"}]'),
        ("0.size", b'[{"item": 1, "size": 100000000000000000000}]'),
        ("0.size", b'[{"item": 1, "size": "\\ud800"}]'),
        ("0.size", b'[{"item": 1, "size": ' + b"[" * 300 + b"]" * 300 + b"}]"),
        ("0.size", [{"item": 1, "size": "x" * 20_000}]),
        ("body", []),
        ("body", {"item": 1}),
    ],
)
def test_items_that_are_refused_name_the_field(api, field, body):
    for method in ("PUT", "PATCH"):
        api.refused(422, field, method, "/v1/items", body)


def test_the_order_of_the_catalogue_does_not_matter(tmp_path):
    answers = []
    for place, order in enumerate((range(N_ITEMS), np.random.default_rng(0).permutation(N_ITEMS).tolist())):
        settings = with_model(tmp_path / str(place), shop()) if (tmp_path / str(place)).mkdir() is None else None
        with serving(settings) as app:
            api, rows = Api(app.port), catalogue(range(N_ITEMS))
            for item in order:
                api.ok("PUT", "/v1/items", [rows[item]])
            api.ok("PUT", "/v1/rules/default", {"max_per_category": 2, "boost": {"3": 5.0}})
            asked = [{"user": user, "k": 6, "filter": {"price": {"min": 3}}} for user in range(8)]
            answers.append([api.items("/v1/recommend", one) for one in asked])
            answers.append([api.items("/v1/recommend", one | {"diversity": 0.5}) for one in asked])
    assert answers[0] == answers[2] and answers[1] == answers[3]


def test_rules(own):
    api = own()
    api.ok("PUT", "/v1/items", catalogue(range(N_ITEMS)))
    plain = api.items("/v1/recommend", {"user": 2, "k": 6})
    low = api.items("/v1/recommend", {"user": 2, "k": 24})[-1]
    api.ok("PUT", "/v1/rules/pins", {"pin": [low, low, 7777]})
    answer = api.ok("POST", "/v1/recommend", {"user": 2, "k": 6, "scenario": "pins"})
    assert ids(answer) == [low, 7777, *plain[:4]]
    assert [row["source"] for row in answer["items"][:3]] == ["pinned", "pinned", "ItemKNN"]
    assert low not in api.items("/v1/recommend", {"user": 2, "scenario": "pins", "exclude": [low]})
    assert low not in api.items("/v1/recommend", {"user": 2, "scenario": "pins", "filter": {"name": "Thing 3"}})
    api.ok("PATCH", "/v1/items", [{"item": low, "hidden": True}])
    assert low not in api.items("/v1/recommend", {"user": 2, "scenario": "pins"})
    api.ok("PATCH", "/v1/items", [{"item": low, "hidden": False}])

    api.ok("PUT", "/v1/rules/order", {"boost": {str(plain[4]): 100.0}, "bury": [plain[0]]})
    order = api.items("/v1/recommend", {"user": 2, "k": 24, "scenario": "order"})
    assert order[0] == plain[4] and order.index(plain[0]) > 5

    api.ok("PUT", "/v1/rules/mixed", {"max_per_category": 1})
    mixed = api.ok("POST", "/v1/recommend", {"user": 2, "k": 3, "scenario": "mixed", "details": True})
    assert sorted(row["details"]["category"] for row in mixed["items"]) == ["a", "b", "c"]

    assert set(api.ok("GET", "/v1/rules")["rules"]) == {"pins", "order", "mixed"}
    assert api.items("/v1/recommend", {"user": 2, "k": 6, "scenario": "other"}) == plain
    api.ok("DELETE", "/v1/rules/pins")
    assert api.items("/v1/recommend", {"user": 2, "k": 6, "scenario": "pins"}) == plain
    api.refused(404, None, "DELETE", "/v1/rules/pins")


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("pin.0", {"pin": ["x"]}),
        ("bury.1", {"bury": [1, "x"]}),
        ("boost.x", {"boost": {"x": 2.0}}),
        ("boost.--5", {"boost": {"--5": 2.0}}),
        ("boost.1", {"boost": {"1": -2.0}}),
        ("max_per_category", {"max_per_category": 0}),
        ("explore", {"explore": 1.5}),
        ("pinned", {"pinned": [1]}),
    ],
)
def test_rules_that_are_refused_name_the_field(api, field, body):
    api.refused(422, field, "PUT", "/v1/rules/x", body)


def test_probabilities_of_exploration(own):
    api = own()
    api.ok("PUT", "/v1/rules/try", {"explore": 0.5})
    greedy = api.items("/v1/recommend", {"user": 2, "k": 4})
    n = len(api.items("/v1/recommend", {"user": 2, "k": 24}))
    shown, total = Counter(), 400
    connection = api.connect()
    for _ in range(total):
        answer = api.ok("POST", "/v1/recommend", {"user": 2, "k": 4, "scenario": "try"}, connection=connection)
        assert len(set(ids(answer))) == 4
        for place, row in enumerate(answer["items"]):
            expected = 0.5 / n + (0.5 if row["item"] == greedy[place] else 0)
            assert row["probability"] == pytest.approx(expected)
        shown[answer["items"][0]["item"]] += 1
    connection.close()
    chance = 0.5 + 0.5 / n
    assert sum([chance, *[0.5 / n] * (n - 1)]) == pytest.approx(1)  # over the items of a place
    assert abs(shown[greedy[0]] / total - chance) < 5 * math.sqrt(chance * (1 - chance) / total)
    assert "probability" not in api.ok("POST", "/v1/recommend", {"user": 2})["items"][0]


def test_lists_drawn_by_the_plackett_luce_model(own):
    api = own()
    api.ok("PUT", "/v1/rules/try", {"temperature": 1.0, "explore": 0.5, "bury": [3]})
    n = len(api.items("/v1/recommend", {"user": 2, "k": 24}))
    shown, stated, total = Counter(), {}, 400
    connection = api.connect()
    for _ in range(total):
        rows = api.ok("POST", "/v1/recommend", {"user": 2, "k": 4, "scenario": "try"}, connection=connection)["items"]
        assert len({row["item"] for row in rows}) == 4
        for place, row in enumerate(rows):
            shown[row["item"], place] += 1
            stated.setdefault((row["item"], place), set()).add(row["probability"])
    connection.close()
    assert all(max(given) - min(given) < 1e-9 for given in stated.values())  # the probability of a place is one number
    for key, count in shown.items():
        chance = max(stated[key])
        assert abs(count / total - chance) < 5 * math.sqrt(chance * (1 - chance) / total) + 0.01
    first = sum(max(given) for (_, place), given in stated.items() if place == 0)
    assert 0.85 < first <= 1 + 1e-9
    assert len({item for item, _ in shown}) > min(n, 8)


# ---- users ------------------------------------------------------------------------------------------------------


def test_merge_delete_and_export(own):
    api = own()
    api.ok("POST", "/v1/events", [{"user": 900, "item": 3, "session": "s"}, {"user": 900, "item": 5}])
    assert api.ok("POST", "/v1/users/merge", {"from": 900, "into": 901}) == {"moved": 2}
    api.ok("POST", "/v1/events", {"user": "900", "item": 7})
    assert history(api, 901) == [3, 5, 7]
    assert api.ok("POST", "/v1/users/merge", {"from": 900, "into": 901}) == {"moved": 0}
    api.refused(409, "from", "POST", "/v1/users/merge", {"from": 900, "into": 1})
    api.refused(409, "from", "POST", "/v1/users/merge", {"from": 1, "into": 1})
    api.refused(422, "into", "POST", "/v1/users/merge", {"from": 1, "into": "x"})
    assert [row["original_user"] for row in api.ok("GET", "/v1/users/901/export")["events"]] == [900, 900, 900]
    status, body = api("DELETE", "/v1/users/901")
    assert status == 202
    job = api.ok("GET", f"/v1/jobs/{body['job']}")
    assert job["kind"] == "forget" and job["status"] == "waiting"
    for user in (900, 901):
        assert api.ok("GET", f"/v1/users/{user}/export")["events"] == []
    assert api.ok("GET", "/v1/users?search=90")["users"] == []


def test_users_are_searched_by_prefix(own):
    api = own(shop(text=True))
    users = api.ok("GET", "/v1/users?limit=5")["users"]
    assert [row["events"] for row in users] == sorted((row["events"] for row in users), reverse=True)
    assert all(str(row["user"]).startswith("1") for row in api.ok("GET", "/v1/users?search=1")["users"])
    for wild in ("%25", "_", "1%25"):
        assert api.ok("GET", f"/v1/users?search={wild}")["users"] == []
    api.refused(422, "search", "GET", "/v1/users?search=%00")
    api.refused(422, "limit", "GET", "/v1/users?limit=0")


# ---- models, jobs, tables ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def trainer_of(app):
    """Do the jobs of a service in a thread, as the trainer does in its process."""
    work, over = Work(Models(app.settings, app.service.store)), threading.Event()

    def do_jobs():
        while not over.wait(0.05):
            if (job := work.store.take_job()) is not None:
                try:
                    work.store.report_job(job["id"], status="done", result=run_job(job, work))
                except JobFailed as error:
                    work.store.report_job(job["id"], status="failed", result={"reason": str(error)})

    thread = threading.Thread(target=do_jobs)
    thread.start()
    yield
    over.set()
    thread.join()


def test_with_a_trainer_the_comparison_is_its_job_and_the_answer_the_same(own, tmp_path, monkeypatch):
    api = own(trainer=True)
    worse = fitted(PopularityRecommender(), shop())
    same = fitted(ItemKNN(n_neighbors=N_ITEMS), shop())
    for number, (model, notes) in enumerate([worse, same]):
        path = skrec.save(model, tmp_path / f"{number}.skrec", metadata=notes)
        assert api.ok("POST", "/v1/models", path.read_bytes()) == {"version": number + 2}
    with trainer_of(api.app):
        assert "NDCG" in api.refused(409, None, "POST", "/v1/models/2/promote")["detail"]
        answer = api.ok("POST", "/v1/models/3/promote", {})
        assert answer["version"] == 3 and answer["passed"]
        assert api.ok("POST", "/v1/recommend", {"user": 1})["model"] == {"version": 3}
        api.refused(404, None, "POST", "/v1/models/99/promote")
    monkeypatch.setattr(_routes_admin, "_PATIENCE", 0.5)
    status, answer = api("POST", "/v1/models/3/promote")
    assert status == 202 and api.ok("GET", f"/v1/jobs/{answer['job']}")["status"] == "waiting"


def test_upload_promote_and_roll_back(own, tmp_path):
    api = own()
    events = shop()
    model, notes = fitted(PopularityRecommender(), events)
    body = skrec.save(model, tmp_path / "popular.skrec", metadata=notes).read_bytes()
    assert api("POST", "/v1/models", body)[0] == 201
    rows = {row["version"]: row for row in api.ok("GET", "/v1/models")["models"]}
    assert rows[2]["status"] == "candidate" and rows[1]["status"] == "current"
    api.refused(409, None, "POST", "/v1/models/2/promote", {})  # worse, and says so
    assert api.ok("POST", "/v1/recommend", {"user": 1})["model"] == {"version": 1}
    api.ok("POST", "/v1/models/2/promote", {"force": True})
    answer = api.ok("POST", "/v1/recommend", {"user": 1})
    assert answer["model"] == {"version": 2} and answer["items"][0]["source"] == "PopularityRecommender"
    assert api.ok("POST", "/v1/models/rollback") == {"version": 1}
    assert api.ok("POST", "/v1/recommend", {"user": 1})["model"] == {"version": 1}
    api.refused(404, None, "POST", "/v1/models/99/promote", {})
    api.refused(422, "version", "POST", "/v1/models/x/promote", {})
    api.refused(422, "body", "POST", "/v1/models", b"no model")
    api.refused(422, "body", "POST", "/v1/models", body[: len(body) // 2])
    assert len(api.ok("GET", "/v1/models")["models"]) == 2


def test_jobs(own):
    api = own()
    number = api.ok("POST", "/v1/jobs", {"kind": "refit"})["id"]
    assert api.ok("GET", f"/v1/jobs/{number}")["kind"] == "refit"
    assert [job["id"] for job in api.ok("GET", "/v1/jobs")["jobs"]] == [number]
    api.refused(422, "kind", "POST", "/v1/jobs", {"kind": "forget"})
    api.refused(404, None, "GET", "/v1/jobs/99")
    api.refused(422, "number", "GET", "/v1/jobs/x")


def test_all_data_goes_to_another_store(own, empty):
    api = own()
    api.ok("PUT", "/v1/items", catalogue(range(N_ITEMS)))
    api.ok("PUT", "/v1/rules/x", {"pin": [3]})
    answer = api.ok("POST", "/v1/recommend", {"user": 2})
    api.ok("POST", "/v1/events", {"user": 2, "item": ids(answer)[0], "rec_id": answer["rec_id"]})
    api.ok("POST", "/v1/users/merge", {"from": 2, "into": 4})
    tables = ("events", "items", "rules", "impressions", "attributions", "merges")
    for table in tables:
        body = api.ok("GET", f"/v1/export?table={table}")
        added = empty.ok("POST", f"/v1/import?table={table}", body)
        assert added["added"] == pq.read_table(io.BytesIO(body)).num_rows > 0
        assert pq.read_table(io.BytesIO(empty.ok("GET", f"/v1/export?table={table}"))) == pq.read_table(
            io.BytesIO(body)
        )
    assert history(empty, 4) == history(api, 4)
    api.refused(422, "table", "GET", "/v1/export?table=keys")
    api.refused(422, "table", "POST", "/v1/import?table=keys", b"")
    api.refused(422, "body", "POST", "/v1/import?table=events", b"no parquet")
    api.refused(422, "body", "POST", "/v1/import?table=events", api.ok("GET", "/v1/export?table=rules"))


@pytest.mark.parametrize("table", ["events", "items", "rules", "impressions", "merges"])
def test_imports_that_would_break_the_service_are_refused(own, table):
    api = own()
    api.ok("PUT", "/v1/items", catalogue(range(N_ITEMS)))
    api.ok("PUT", "/v1/rules/x", {"pin": [3]})
    api.ok("POST", "/v1/recommend", {"user": 1})
    api.ok("POST", "/v1/users/merge", {"from": 2, "into": 4})
    api.ok("GET", "/v1/users/1/export")  # writes the impressions that wait
    whole = pq.read_table(io.BytesIO(api.ok("GET", f"/v1/export?table={table}"))).slice(0, 2)
    n_refused = 0
    for place, field in enumerate(whole.schema):
        for value in (None, "x\x00", 2**63 - 1, [1], float("nan"), b"\xff", {}):
            kind = field.type if value is None else pa.struct([("x", pa.int64())]) if value == {} else None
            bad = whole.set_column(place, field.name, pa.array([value] * len(whole), kind))
            status, problem = api("POST", f"/v1/import?table={table}", _parquet(bad))
            assert status in (200, 422), (field.name, value, problem)
            n_refused += status == 422
    assert n_refused > 3 * len(whole.schema)
    assert api.ok("POST", "/v1/recommend", {"user": 1})["fallback"] is False
    assert api.ok("POST", "/v1/events", {"user": 1, "item": 1})["accepted"] == 1
    assert api.ok("GET", "/v1/items")["items"] and api.ok("GET", "/v1/rules")["rules"] == {"x": {"pin": [3]}}


def _parquet(table):
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


# ---- fallbacks and health ---------------------------------------------------------------------------------------


def test_without_a_model_popular_items_of_the_log(empty):
    assert empty.ok("POST", "/v1/recommend", {"user": 1})["items"] == []
    empty.ok("POST", "/v1/events", [{"user": user, "item": item} for user in range(5) for item in range(user + 1)])
    empty.app.service.answers.refresh_popular()
    answer = empty.ok("POST", "/v1/recommend", {"user": 9, "k": 3})
    assert (
        ids(answer) == [0, 1, 2] and answer["fallback"] and answer["reason"] == "no model" and answer["model"] is None
    )
    assert empty.items("/v1/recommend", {"user": 1, "repeats": False}) == [2, 3, 4]
    assert empty.items("/v1/basket", {"items": [0, 3]}) == [1, 2, 4]
    assert empty.items("/v1/similar", {"item": 0}) == [1, 2, 3, 4]
    assert empty.items("/v1/recommend", {"user": 9, "candidates": [3, 4], "exclude": [4]}) == [3]
    assert ids(empty.ok("GET", "/v1/latest?k=2")) and empty.ok("GET", "/health/ready")["model"] is False


@pytest.mark.parametrize(("reason", "seconds"), [("deadline", 0.4), ("error", None)])
def test_a_slow_or_failing_model_is_popularity_under_the_same_filters(own, monkeypatch, reason, seconds, caplog):
    api = own(deadline_ms=50.0)
    api.ok("PUT", "/v1/items", catalogue(range(N_ITEMS)))
    model = api.app.service.models.current

    def fail(*_, **__):
        if seconds is None:
            raise KeyError("broken")
        time.sleep(seconds)
        return [], []

    monkeypatch.setattr(model, "recommend", fail)
    started = time.monotonic()
    answer = api.ok("POST", "/v1/recommend", {"user": 1, "k": 5, "filter": {"category": "a"}, "exclude": [0]})
    assert time.monotonic() - started < 0.35
    assert answer["fallback"] and answer["reason"] == reason
    assert len(answer["items"]) == 5 and all(item % 3 == 0 and item for item in ids(answer))
    monkeypatch.undo()
    if seconds:
        time.sleep(seconds)
    assert api.ok("POST", "/v1/recommend", {"user": 1})["fallback"] is False
    assert f'skrec_fallbacks_total{{reason="{reason}"}} 1.0' in api.ok("GET", "/metrics").decode()


def test_an_error_of_the_service_is_a_problem(own, monkeypatch, caplog):
    api = own()

    async def fail(*_):
        raise KeyError("broken")

    monkeypatch.setattr(Service, "events", fail)
    problem = api.refused(500, None, "POST", "/v1/events", {"user": 1, "item": 1})
    assert "broken" not in str(problem)


@pytest.mark.parametrize(
    "estimator",
    [EASE(), ALS(n_components=4, max_iter=2, random_state=0), PopularityRecommender(),
     BlendRecommender([("knn", ItemKNN()), ("popular", PopularityRecommender())])],
    ids=lambda one: type(one).__name__,
)  # fmt: skip
def test_other_models_answer_all_that_can_be_asked(own, estimator):
    api = own(random_events(n_items=N_ITEMS, n_events=300), estimator)
    api.ok("PUT", "/v1/items", catalogue(range(N_ITEMS)))
    api.ok(
        "PUT", "/v1/rules/x", {"bury": [1], "boost": {"2": 3}, "max_per_category": 2, "diversity": 0.3, "explore": 0.2}
    )
    for who in ({"user": 1}, {"items": [1, 2, 2]}, {"user": 10**6}, {}):
        for how in (
            {"explain": True},
            {"diversity": 0.5},
            {"filter": {"category": "a"}, "repeats": True},
            {"scenario": "x"},
            {"at": 0},
            {"k": 1000},
            {"candidates": [1, 2, 999], "exclude": [2, 998]},
            {"scenario": "x", "explain": True, "filter": {"price": {"max": 7}}, "diversity": 0.9, "k": 50},
        ):
            answer = api.ok("POST", "/v1/recommend", {**who, **how})
            assert answer["fallback"] is False, (who, how, answer)
            assert len(ids(answer)) == len(set(ids(answer)))
    for how in ({}, {"k": 1000}, {"filter": {"category": "a"}}):
        api.ok("POST", "/v1/similar", {"item": 1, **how})
        assert not {1, 2} & set(api.items("/v1/basket", {"items": [1, 2], **how}))


def test_events_of_the_future_do_no_harm(own):
    api = own()
    api.ok("POST", "/v1/events", {"user": 1, "item": 3, "time": "9999-12-31T23:59:59Z"})
    assert api.ok("POST", "/v1/recommend", {"user": 1})["fallback"] is False
    assert api.ok("POST", "/v1/recommend", {"user": 1, "at": "0001-01-01"})["fallback"] is False
    assert api.ok("GET", "/v1/status")["store"]["events"] == 601
    assert api.ok("GET", "/v1/users/1/history")["events"][-1]["time"].startswith("9999")
    assert api.ok("GET", "/v1/latest")["items"]


def test_health_status_and_metrics(running, api):
    assert api.ok("GET", "/health/live") == {"status": "live"}
    assert api.ok("GET", "/health/ready") == {"status": "ready", "model": True}
    before = api.ok("GET", "/v1/status")
    for _ in range(5):
        api.ok("POST", "/v1/recommend", {"user": 1})
    after = api.ok("GET", "/v1/status")
    assert after["requests"] >= before["requests"] + 5 and after["latency_ms"]["p50"] > 0
    assert after["model"]["class"] == "ItemKNN" and after["model"]["items"] == N_ITEMS
    metrics = api.ok("GET", "/metrics").decode()
    assert 'skrec_requests_total{route="/v1/recommend",status="200"}' in metrics
    for path in ("/v1/users/{user}/history", "/x" * 10):
        api("GET", path)
    assert "/x/x" not in api.ok("GET", "/metrics").decode()  # labels are bounded


def test_openapi_describes_every_route(running, api):
    paths = api.ok("GET", "/openapi.json")["paths"]
    assert {"/v1/events", "/v1/recommend", "/v1/users/{user}/history", "/v1/models/{version}/promote"} <= set(paths)
    for path in ("/v1/events", "/v1/recommend", "/v1/similar", "/v1/basket"):
        assert "example" in str(api.ok("GET", "/openapi.json"))
        assert paths[path]["post"]["requestBody"]


def test_the_page_and_its_files(running, api):
    assert b"<html" in api.ok("GET", "/").lower()
    assert "script-src" in api.last["content-security-policy"] or "default-src" in api.last["content-security-policy"]
    assert api.ok("GET", "/page/app.js") != b""
    for name in ("..%2F_app.py", "%2e%2e%2f_app.py", "_app.py", "%00", "x" * 5000):
        assert api("GET", f"/page/{name}")[0] == 404


@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded", "text/plain"])
def test_a_body_is_json_whatever_its_content_type_says(api, kind):
    status, _ = api("PATCH", "/v1/items", [{"item": 1, "stock": 3}], headers={"content-type": kind})
    assert status == 200


def test_a_history_before_a_moment_has_the_newest_of_the_earlier_events(own):
    api = own()
    events = [{"user": 7001, "item": n, "time": f"2026-01-0{1 + n}T00:00:00Z"} for n in range(6)]
    api.ok("POST", "/v1/events", events)
    found = api.ok("GET", f"/v1/users/7001/history?limit=2&before={quote('2026-01-05T00:00:00Z')}")["events"]
    assert [row["item"] for row in found] == [2, 3]
    assert [row["item"] for row in api.ok("GET", "/v1/users/7001/history?limit=2")["events"]] == [4, 5]
    api.refused(422, "before", "GET", "/v1/users/7001/history?before=yesterday")


def test_a_basket_of_the_first_moment_of_1970_is_asked_at_that_moment(own, monkeypatch):
    api, seen = own(), []
    answer = api.app.service.answers.answer
    monkeypatch.setattr(api.app.service.answers, "answer", lambda rows, asked: seen.append(rows) or answer(rows, asked))
    api.ok("POST", "/v1/recommend", {"items": [1, 2], "at": 0})
    assert [row[1] for row in seen[0]] == [0, 0]
