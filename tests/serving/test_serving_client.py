"""The client of the service, against a small shop with the same HTTP interface."""

import json
import os
import pickle
import select
import socket
import threading
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from page_server import Shop, ShopServer

from skrec.serving.client import Client, Recommendations, ServiceError


@pytest.fixture
def server():
    with ShopServer(Shop()) as running:
        yield running


@pytest.fixture
def client(server):
    with Client(server.url) as connected:
        yield connected


def last(server):
    return server.shop.requests[-1]


class Raw:
    """A server that sends what it is told, a text for each connection, and counts the requests."""

    def __init__(self, *answers):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.requests = 0
        self.thread = threading.Thread(target=self.run, args=(answers,), daemon=True)
        self.thread.start()

    def run(self, answers):
        for answer in answers:
            connection, _ = self.socket.accept()
            with connection:
                for part in answer:
                    if connection.recv(65536):
                        self.requests += 1
                        connection.sendall(part)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thread.join(5)
        self.socket.close()


def http(body, *, status="200 OK", length=None, more=""):
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{more}\r\n{body}".encode()


def test_events_are_stored_once_and_get_an_id(server, client):
    assert client.events({"user": 1, "item": "20003"}) == {"accepted": 1, "duplicates": 0, "rejected": []}
    (row,) = last(server)[3]
    assert len(row["id"]) == 32
    again = [{"id": "a", "user": 1, "item": "20004"}, {"id": "a", "user": 1, "item": "20004"}, {"user": 1, "item": 5}]
    answer = client.events(again)
    assert (answer["accepted"], answer["duplicates"]) == (1, 1)
    assert answer["rejected"] == [{"index": 2, "field": "item", "reason": "must be a text"}]
    assert client.events(iter([])) == {"accepted": 0, "duplicates": 0, "rejected": []}


@pytest.mark.parametrize(
    ("time", "sent"),
    [
        (datetime(2024, 5, 1, 12), "2024-05-01T12:00:00+00:00"),
        (datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))), "2024-05-01T12:00:00+02:00"),
        (1714564800.5, 1714564800.5),
        ("2024-05-01T12:00:00Z", "2024-05-01T12:00:00Z"),
    ],
)
def test_times_of_events(server, client, time, sent):
    client.events({"user": np.int64(7), "item": "20003", "time": time, "value": np.float32(2), "session": None})
    (row,) = last(server)[3]
    assert row["time"] == sent
    assert row["user"] == 7 and row["value"] == 2.0 and "session" not in row


def test_recommend(server, client):
    answer = client.recommend(17800, k=4, filter={"category": "Kitchen"}, explain=True, details=True)
    assert isinstance(answer, Recommendations)
    assert len(answer) == 4 and list(answer) == answer.items
    assert answer.scores == sorted(answer.scores, reverse=True)
    assert answer.version == 2 and not answer.fallback and answer.reason is None and answer.rec_id == "r1"
    assert answer.rows[0]["because"] and answer.rows[0]["details"]["category"] == "Kitchen"
    wanted = {"user": 17800, "k": 4, "filter": {"category": "Kitchen"}, "explain": True, "details": True}
    assert last(server)[3] == wanted
    with pytest.raises(AttributeError):
        answer.items = []


def test_recommend_sends_what_is_given(server, client):
    client.recommend(
        items=np.array(["20001", "20002"]),
        scenario="home page",
        candidates=("20010", "20011"),
        exclude={"20012"},
        repeats=False,
        diversity=0.2,
        at=datetime(2024, 1, 1, tzinfo=UTC),
    )
    assert last(server)[3] == {
        "items": ["20001", "20002"],
        "k": 10,
        "scenario": "home page",
        "candidates": ["20010", "20011"],
        "exclude": ["20012"],
        "repeats": False,
        "diversity": 0.2,
        "at": "2024-01-01T00:00:00+00:00",
    }


def test_a_pinned_item_has_no_score_and_a_fallback_no_version(client):
    assert client.recommend(17800, scenario="home page").scores[0] is None
    answer = client.recommend("nobody")
    assert answer.fallback and answer.version is None and answer.reason == "deadline"


def test_similar_basket_popular_latest(server, client):
    assert len(client.similar("20003", 3, details=True)) == 3
    assert last(server)[3] == {"item": "20003", "k": 3, "details": True}
    assert len(client.basket(["20003", "20004"], 2)) == 2
    assert len(client.popular(5, filter={"category": "Garden"})) == 5
    assert last(server)[2] == {"k": "5", "filter": json.dumps({"category": "Garden"}, separators=(",", ":"))}
    assert client.latest(2, details=True).rows[0]["details"]["name"]
    assert last(server)[1] == "/v1/latest"


def test_a_text_is_no_list_of_items(client):
    with pytest.raises(TypeError, match="items must be a list of ids, got the text '20003'"):
        client.basket("20003")


def test_catalogue(server, client):
    assert client.items("teapot", limit=2)["total"] == 6
    assert client.put_items([{"item": "1", "name": "new"}]) == {"written": 1}
    assert client.patch_items([{"item": "1", "stock": 3}]) == {"written": 1}
    assert server.shop.items["1"] == {"item": "1", "name": "new", "hidden": False, "stock": 3}
    assert client.delete_items(["1", "2"]) == {"deleted": 1}


def test_rules_have_names_with_any_character(client):
    client.put_rules("a/b ü?", {"pin": ["20001"]})
    assert client.rules()["a/b ü?"] == {"pin": ["20001"]}
    client.delete_rules("a/b ü?")
    assert "a/b ü?" not in client.rules()


def test_users(server, client):
    assert client.export_user(17801)["events"]
    assert client.merge_users(17801, 17800)["moved"] > 0
    assert client.delete_user("../17800") == {"job": 7}
    assert last(server)[:2] == ("DELETE", "/v1/users/..%2F17800")


def test_models_and_jobs(tmp_path, server, client):
    assert [row["version"] for row in client.models()] == [3, 2, 1, 0]
    file = tmp_path / "model.skrec"
    file.write_bytes(b"PK" + bytes(100_000))
    assert client.upload_model(file) == {"version": 4}
    assert last(server)[3] == file.read_bytes()
    with pytest.raises(ServiceError) as caught:
        client.promote(3)
    assert caught.value.status == 409 and caught.value.title == "Not promoted" and "NDCG" in caught.value.detail
    assert client.promote(3, force=True) == {"version": 3}
    assert client.roll_back() == {"version": 2}
    number = client.add_job("refit")
    assert client.job(number)["kind"] == "refit"
    assert client.jobs()[0]["id"] == number


def test_export_and_import(tmp_path, client):
    path = client.export_table("events", tmp_path / "events.parquet")
    assert path.read_bytes() == b"PAR1events"
    assert client.import_table("events", path)["added"] == len(b"PAR1events")
    assert [file.name for file in tmp_path.iterdir()] == ["events.parquet"]


def test_status_and_ready(server, client):
    assert client.status()["model"]["class"] == "EASE"
    assert client.ready()
    server.shop.down = True
    assert not client.ready()


def test_problems_name_the_field(client):
    with pytest.raises(
        ServiceError, match=r"422 Request is not valid: k must be from 1 to 1000\n  k: must be"
    ) as caught:
        client.recommend(17800, k=5000)
    error = caught.value
    assert error.errors == [{"field": "k", "reason": "must be from 1 to 1000"}]
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.status, copy.detail, str(copy)) == (error.status, error.detail, str(error))
    assert len(client.recommend(17800, k=5)) == 5, "the connection goes on"


def test_the_key_is_sent_and_shown_nowhere():
    with ShopServer(Shop(key="secret")) as server:
        with Client(server.url) as client, pytest.raises(ServiceError) as caught:
            client.models()
        assert caught.value.status == 401
        with Client(server.url, key="secret") as client:
            assert client.models()
            assert "secret" not in repr(client)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://shop", "http://", "http://user:word@shop"])
def test_the_url_is_checked(url):
    with pytest.raises(ValueError, match="url must be http://host:port") as caught:
        Client(url)
    assert "word" not in str(caught.value)


def test_key_and_timeout_are_checked():
    with pytest.raises(ValueError, match="key must be printable ASCII without spaces"):
        Client("http://shop", key="a\r\nb")
    with pytest.raises(ValueError, match="timeout must be > 0, got 0"):
        Client("http://shop", timeout=0)


def test_a_path_before_the_service_is_kept():
    with Raw([http("{}", status="404 Not Found")]) as raw, Client(raw.url + "/skrec/") as client:
        assert client.url.endswith("/skrec")
        with pytest.raises(ServiceError) as caught:
            client.status()
        assert caught.value.status == 404 and caught.value.title == "Not Found"


def test_nothing_answers():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", timeout=1) as client:
        assert not client.ready()
        with pytest.raises(ServiceError, match="The service does not answer") as caught:
            client.status()
        assert caught.value.status is None and isinstance(caught.value.__cause__, OSError)


def test_one_connection_per_thread_is_kept(server, client):
    ports, seen = [], threading.Barrier(4)
    handler = server.RequestHandlerClass
    original = handler.handle_any
    for method in ("do_GET", "do_POST"):
        setattr(handler, method, lambda self: (ports.append(self.client_address[1]), original(self))[1])

    def ask():
        seen.wait()
        for _ in range(10):
            assert len(client.recommend(17800, k=3)) == 3

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ports) == 40 and len(set(ports)) == 4


def test_a_connection_that_was_closed_meanwhile_is_opened_again():
    stored = http(json.dumps({"accepted": 1, "duplicates": 0, "rejected": []}))
    with Raw([stored], [stored]) as raw, Client(raw.url) as client:
        client.events({"user": 1, "item": 2})
        assert client.events({"user": 1, "item": 3})["accepted"] == 1
        assert raw.requests == 2


def test_what_is_not_safe_to_repeat_is_not_repeated():
    with Raw([http('{"version": 1}')]) as raw, Client(raw.url) as client:
        client.roll_back()
        with pytest.raises(ServiceError, match="does not answer"):
            client.roll_back()
        assert raw.requests == 1


def test_a_connection_that_is_seen_to_be_closed_is_replaced_for_every_request():
    done = http('{"version": 1}')
    with Raw([done], [done]) as raw, Client(raw.url) as client:
        client.roll_back()
        sock = client._connections._local.held.connection.sock
        select.select([sock], [], [], 5)  # the service has closed it
        client.roll_back()
        assert raw.requests == 2


def test_an_answer_that_breaks_off(tmp_path):
    with Raw([http("PAR1", length=100)], [http("{", length=100)]) as raw, Client(raw.url) as client:
        with pytest.raises(ServiceError, match="The answer broke off"):
            client.export_table("events", tmp_path / "events.parquet")
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(ServiceError, match="The answer broke off"):
            client.status()


def test_an_answer_that_is_no_json():
    foreign = pytest.raises(ServiceError, match="is this the address of skrec serve")
    with Raw([http("<html>", more="Connection: close\r\n")]) as raw, Client(raw.url) as client, foreign:
        client.status()


def test_a_slow_service_runs_into_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.1)
        with client, pytest.raises(ServiceError, match="timed out"):
            client.status()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_opens_a_connection_of_its_own(server, client):
    client.status()
    mine = client._connections._connection(None)[0]
    client._connections._local.held.process = -1  # as after a fork
    theirs, used = client._connections._connection(None)
    assert theirs is not mine and not used


def test_nan_and_foreign_objects_are_refused_before_they_are_sent(client):
    with pytest.raises(ValueError, match="JSON compliant"):
        client.events({"user": 1, "item": "2", "value": float("nan")})
    with pytest.raises(TypeError, match="values must be what JSON has, a datetime or a number, got object"):
        client.events({"user": object(), "item": "2"})
