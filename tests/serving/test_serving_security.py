"""Who may call the service, and what hostile requests come to."""

import contextlib
import hashlib
import hmac
import json
import logging
import socket
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from service_process import N_ITEMS, Api, Process, catalogue, serving, shop, with_model
from shop_log import folder_of

from skrec.cli import main
from skrec.serving import _app, _security
from skrec.serving._problems import Problem
from skrec.serving._security import Gate, digest_of, make_key
from skrec.serving._settings import Settings
from skrec.serving._store import open_store

SQL = [
    "'; DROP TABLE events; --",
    '" OR 1=1 --',
    "1; DELETE FROM keys",
    "\\'; SELECT pg_sleep(9)--",
    "%' OR '1'='1",
    "$1 ?",
]
ADMIN = [
    ("GET", "/v1/models"), ("POST", "/v1/models"), ("POST", "/v1/models/1/promote"), ("POST", "/v1/models/rollback"),
    ("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", "/v1/jobs/1"), ("GET", "/v1/export?table=events"),
    ("POST", "/v1/import?table=events"),
]  # fmt: skip
API = [
    ("POST", "/v1/events"), ("POST", "/v1/recommend"), ("POST", "/v1/similar"), ("POST", "/v1/basket"),
    ("GET", "/v1/popular"), ("GET", "/v1/latest"), ("GET", "/v1/items"), ("PUT", "/v1/items"), ("PATCH", "/v1/items"),
    ("DELETE", "/v1/items"), ("GET", "/v1/rules"), ("PUT", "/v1/rules/x"), ("DELETE", "/v1/rules/x"),
    ("GET", "/v1/users"), ("GET", "/v1/users/1/history"), ("POST", "/v1/users/merge"), ("DELETE", "/v1/users/1"),
    ("GET", "/v1/users/1/export"), ("GET", "/v1/status"), ("GET", "/metrics"), ("GET", "/v1/nothing"),
]  # fmt: skip


@pytest.fixture(scope="module")
def keys():
    return {"api": make_key(), "admin": make_key(), "gone": make_key()}


@pytest.fixture(scope="module")
def locked(tmp_path_factory, keys):
    """A shop with keys."""
    settings = with_model(tmp_path_factory.mktemp("locked"), shop())
    with serving(settings) as app:
        for name, key in keys.items():
            app.service.store.add_key(name, "admin" if name != "api" else "api", digest_of(key))
        app.service.store.revoke_key("gone")
        app.service.refresh()
        yield app


@pytest.fixture(scope="module")
def opened_shop(tmp_path_factory):
    with serving(with_model(tmp_path_factory.mktemp("open"), shop(text=True), deadline_ms=5000.0)) as app:
        api = Api(app.port)
        api.app = app
        api.ok("PUT", "/v1/items", catalogue([f"p{n:03}" for n in range(N_ITEMS)]))
        yield api


# ---- keys -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "", "wrong", "é", "gone", "\udc80".encode("utf-8", "surrogateescape")])
def test_no_wrong_or_revoked_key_opens_nothing(locked, keys, key):
    api = Api(locked.port)
    if key is not None:
        api.headers = {"x-api-key": keys["gone"] if key == "gone" else key}
    for method, path in API + ADMIN:
        status, problem = api(method, path, {})
        assert status == 401 and "Bearer" in problem["detail"], (method, path, problem)
        assert api.last["www-authenticate"] == "Bearer"


def test_a_key_of_the_shop_is_no_key_of_an_administrator(locked, keys):
    for headers in ({"x-api-key": keys["api"]}, {"authorization": f"Bearer {keys['api']}"}):
        api = Api(locked.port)
        api.headers = headers
        for method, path in ADMIN:
            assert api(method, path, {} if method == "POST" else None)[0] == 403, (method, path)
        api.ok("POST", "/v1/recommend", {"user": 1})
    api.headers = {"authorization": f"bearer  {keys['admin']} "}
    api.ok("GET", "/v1/models")
    api.headers = {"authorization": f"Basic {keys['admin']}"}
    assert api("GET", "/v1/models")[0] == 401


def test_health_page_and_description_need_no_key(locked):
    api = Api(locked.port)
    for path in ("/health/live", "/health/ready", "/openapi.json", "/", "/page/app.js"):
        api.ok("GET", path)
    for path in ("//v1/status", "/v1/status/", "/page/../v1/status", "/health/live/../../v1/status", "/V1/STATUS",
                 "/page/%2e%2e/v1/status", "/v1/models/", "/./v1/models"):  # fmt: skip
        assert api("GET", path)[0] in (307, 401, 404), path


def test_a_revoked_key_ends_within_a_second(locked):
    key = make_key()
    store = open_store(locked.settings.database)  # another process
    store.add_key("short", "api", digest_of(key))
    api = Api(locked.port, key)
    for wanted in (200, 401):
        until = time.monotonic() + 5
        while api("GET", "/v1/rules")[0] != wanted:
            assert time.monotonic() < until
            time.sleep(0.05)
        if wanted == 200:
            store.revoke_key("short")
    store.close()


def test_the_last_key_revoked_does_not_open_a_public_address():
    gate = Gate(open_without_key=False)
    for key in (None, "", "x"):
        with pytest.raises(Problem) as refused:
            gate.caller(key, "10.0.0.1")
        assert refused.value.status == 401


def test_keys_are_compared_in_constant_time_and_all_of_them(monkeypatch):
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(_security, "hmac", type("Spy", (), {"compare_digest": staticmethod(compare)}))
    gate = Gate(open_without_key=True)
    gate.load([{"name": str(n), "role": "api", "digest": digest_of(f"key {n}")} for n in range(5)])
    assert gate.caller("key 2", "a").name == "2"
    assert len(compared) == 5
    assert all(other == hashlib.sha256(b"key 2").hexdigest().encode() for _, other in compared)


def test_keys_are_long_random_and_kept_as_digests(locked, keys):
    assert len({make_key() for _ in range(100)}) == 100 and all(len(key) > 40 for key in keys.values())
    folder = locked.settings.database.removeprefix("sqlite:///")
    for suffix in ("", "-wal"):
        data = Path(folder + suffix).read_bytes()
        assert not any(key.encode() in data for key in keys.values())
    stored = locked.service.store.keys()
    assert digest_of(keys["admin"]) in {row["digest"] for row in stored}


def test_rate_limit(tmp_path):
    settings = folder_of(tmp_path, trainer=False, rate_limit=5.0)
    with serving(settings) as app:
        api = Api(app.port)
        statuses = [api("GET", "/v1/rules")[0] for _ in range(30)]
        assert 5 <= statuses.count(200) <= 12 and statuses.count(429) >= 18
        assert int(api.last["retry-after"]) >= 1
        assert api("GET", "/health/live")[0] == 200
        time.sleep(0.5)
        assert api("GET", "/v1/rules")[0] == 200
        key = make_key()
        app.service.store.add_key("one", "api", digest_of(key))
        app.service.refresh()
        wrong = Api(app.port, "wrong")
        statuses = [wrong("GET", "/v1/rules")[0] for _ in range(30)]
        assert 401 in statuses and statuses.count(429) >= 18  # guessing is limited, too
        assert Api(app.port, key)("GET", "/v1/rules")[0] == 200


# ---- other sites, other machines --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"host": "localhost:1234"}, True),
        ({"host": "[::1]:8000"}, True),
        ({"host": "127.0.0.2"}, True),
        ({"host": "evil.example"}, False),
        ({"host": "localhost.evil.example"}, False),
        ({"host": "127.0.0.1.evil.example:80"}, False),
        ({"host": "192.168.0.7"}, False),
        ({"host": ""}, False),
        ({"host": "user@evil.example"}, False),
        ({"origin": "http://localhost:3000"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://localhost.evil.example"}, False),
        ({"origin": "http://127.0.0.1@evil.example"}, False),
        ({"origin": ""}, False),
        ({"origin": "file://"}, False),
    ],
)
def test_pages_of_other_sites_are_refused_where_no_key_is_needed(opened_shop, headers, allowed):
    for method, path, body in (("POST", "/v1/recommend", {"user": 1}), ("GET", "/v1/rules", None)):
        status, problem = opened_shop(method, path, body, headers=headers)
        assert status == (200 if allowed else 403), problem


def test_an_address_that_others_reach_needs_a_key(tmp_path, capsys):
    settings = folder_of(tmp_path, trainer=False)
    command = ["serve", "--database", settings.database, "--models", settings.models]
    for more in ([], ["--check"]):
        assert main([*command, "--host", "0.0.0.0", *more]) != 0
        assert "key" in "".join(capsys.readouterr())
    with serving(Settings(**{**vars(settings), "host": "0.0.0.0"})) as app:  # started past the command
        assert Api(app.port)("GET", "/v1/rules")[0] == 401


# ---- bodies -----------------------------------------------------------------------------------------------------


def chunks(n_bytes, size=65_536):
    for start in range(0, n_bytes, size):
        yield b" " * min(size, n_bytes - start)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/recommend"), ("POST", "/v1/events"), ("PUT", "/v1/items"), ("POST", "/v1/users/merge"),
     ("POST", "/v1/jobs"), ("GET", "/v1/popular"), ("POST", "/v1/nothing")],
)  # fmt: skip
@pytest.mark.parametrize("how", ["length", "chunked"])
def test_bodies_of_eleven_megabytes(opened_shop, method, path, how):
    connection = opened_shop.connect()
    size = 11 * 2**20
    if how == "chunked":
        connection.request(method, path, chunks(size), {"content-type": "application/json"}, encode_chunked=True)
    else:
        connection.putrequest(method, path)
        connection.putheader("content-length", str(size))
        connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413 and json.loads(response.read())["status"] == 413
    connection.close()
    opened_shop.ok("GET", "/health/ready")


def test_uploads_are_bounded_as_well(tmp_path):
    with serving(folder_of(tmp_path, trainer=False, max_model_bytes=100_000)) as app:
        for path in ("/v1/models", "/v1/import?table=events"):
            connection = Api(app.port).connect()
            connection.request("POST", path, chunks(500_000), encode_chunked=True)
            assert connection.getresponse().status == 413
            connection.close()


def test_bodies_of_nothing_but_errors_are_refused_soon(opened_shop):
    bodies = [
        ("PUT", "/v1/items", b"[" + b"0," * 4_000_000 + b"0]"),
        ("POST", "/v1/events", b"[" + b"0," * 4_000_000 + b"0]"),
        ("POST", "/v1/users/merge", b"{" + b",".join(b'"%d":0' % n for n in range(800_000)) + b"}"),
        ("POST", "/v1/recommend", b'{"items":[' + b"true," * 1_900_000 + b"true]}"),
    ]
    for method, path, body in bodies:
        started = time.monotonic()
        status, problem = opened_shop(method, path, body)
        assert status in (413, 422) and len(str(problem)) < 20_000
        assert time.monotonic() - started < 10


@pytest.mark.parametrize("path", ["/v1/recommend", "/v1/users/merge", "/v1/import?table=events"])
def test_a_body_that_does_not_arrive(opened_shop, monkeypatch, path):
    monkeypatch.setattr(_app, "_SLOWEST", 0.4)
    for part in (b"", b'{"user"'):
        with socket.create_connection(("127.0.0.1", opened_shop.port), 10) as raw:
            head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 20\r\n"
            raw.sendall(head.encode() + b"content-type: application/json\r\n\r\n" + part)
            started = time.monotonic()
            assert raw.recv(4096).startswith(b"HTTP/1.1 408")
            assert time.monotonic() - started < 3
    opened_shop.ok("GET", "/health/ready")


def test_a_body_that_drips(opened_shop, monkeypatch):
    monkeypatch.setattr(_app, "_SLOWEST", 0.6)
    with socket.create_connection(("127.0.0.1", opened_shop.port), 10) as raw:
        raw.sendall(b"POST /v1/recommend HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n")
        started = time.monotonic()
        raw.settimeout(0.1)
        answer = b""
        while not answer and time.monotonic() - started < 5:
            raw.sendall(b" ")
            try:
                answer = raw.recv(4096)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408") and time.monotonic() - started < 3


def test_clients_that_leave(opened_shop):
    for part in (b"", b'{"us'):
        for path in ("/v1/recommend", "/v1/items", "/v1/models"):
            with socket.create_connection(("127.0.0.1", opened_shop.port), 10) as raw:
                method = "PUT" if path == "/v1/items" else "POST"
                raw.sendall(
                    f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 20\r\n\r\n".encode() + part
                )
    assert opened_shop.ok("GET", "/health/ready")
    assert len(opened_shop.ok("GET", "/v1/models")["models"]) == 1


# ---- texts and numbers ------------------------------------------------------------------------------------------


def test_sql_in_every_text(tmp_path):
    with serving(folder_of(tmp_path, trainer=False, deadline_ms=5000.0)) as app:
        api = Api(app.port)
        api.ok("POST", "/v1/events", {"user": "1", "item": "p001"})
        api.ok("PUT", "/v1/items", catalogue(["p001"]))
        counts = app.service.store.counts()
        for n, text in enumerate(SQL):
            _with_text(api, text, f"x{n} {text}")
        after = app.service.store.counts()
        assert [after[name] for name in ("events", "items", "users")] == [1, 1, 1]
        assert counts["events"] == 1


def _with_text(api, text, column):
    """Send a text in every field, and take all of it away again."""
    path = quote(text, safe="")
    event = dict.fromkeys(("id", "user", "item", "event", "session", "rec_id"), text)
    assert api.ok("POST", "/v1/events", event)["accepted"] == 1
    assert api.ok("POST", "/v1/events", [event])["duplicates"] == 1
    more = [{"user": text}, {"items": [text]}, {"session": text}, {"user": "1", "scenario": text}]
    more += [{"filter": {"name": text}}, {"candidates": [text]}, {"exclude": [text]}]
    for body in more:
        api.ok("POST", "/v1/recommend", body)
    api.refused(422, f"filter.{text}", "POST", "/v1/recommend", {"user": "1", "filter": {text: text}})
    api.ok("PUT", "/v1/items", [{"item": text, "name": text, "category": text, "image": text, column: text}])
    api.ok("POST", "/v1/recommend", {"user": "1", "filter": {column: text}})
    found = api.ok("GET", f"/v1/items?search={path}")["items"]
    assert any(row["item"] == row["name"] == row["category"] == row[column] == text for row in found)
    api.ok("PUT", f"/v1/rules/{path}", {"pin": [text], "boost": {text: 2.0}})
    assert text in api.ok("GET", "/v1/rules")["rules"]
    api.ok("DELETE", f"/v1/rules/{path}")
    assert [row["user"] for row in api.ok("GET", f"/v1/users?search={path}")["users"]] == [text]
    assert len(api.ok("GET", f"/v1/users/{path}/history")["events"]) == 1
    api.ok("POST", "/v1/users/merge", {"from": text, "into": f"{text} 2"})
    assert api("DELETE", f"/v1/users/{path}")[0] == 202
    assert api.ok("DELETE", "/v1/items", {"items": [text]}) == {"deleted": 1}
    api.refused(422, "table", "GET", f"/v1/export?table={path}")


@pytest.mark.parametrize("field", ["id", "user", "item", "event", "session", "rec_id"])
@pytest.mark.parametrize("text", [b'"\\u0000"', b'"a\\u0000b"', b'"\\ud800"', b'"\xff"', b'""', b'"%s"' % (b"x" * 257)])
def test_nul_surrogates_and_lengths(opened_shop, field, text):
    event = {"user": b'"1"', "item": b'"p001"', field: text}
    body = b"{" + b",".join(b'"%s":%s' % (name.encode(), value) for name, value in event.items()) + b"}"
    status, problem = opened_shop("POST", "/v1/events", body)
    assert status in (400, 422) and problem["status"] == status
    status, answer = opened_shop("POST", "/v1/events", b"[" + body + b"]")
    assert status == 400 or (answer["accepted"] == 0 and answer["rejected"][0]["field"] == field)


@pytest.mark.parametrize(
    "number", [b"1e400", b"-1e400", b"NaN", b"Infinity", b"1e308", b"9" * 400, b"9" * 5000, b"-1", b"0x10"]
)
@pytest.mark.parametrize("field", ["value", "time"])
def test_huge_numbers(opened_shop, field, number):
    body = b'{"user": "1", "item": "p001", "%s": %s}' % (field.encode(), number)
    status, _ = opened_shop("POST", "/v1/events", body)
    assert status in (400, 422) or (field, number) == ("time", b"-1")


@pytest.mark.parametrize("body", [b'[{"item": "p001", "price": %s}]', b'[{"item": "p001", "stock": %s}]'])
@pytest.mark.parametrize("number", [b"1e400", b"NaN", b"-Infinity", b"1e308", b"9" * 400, b"9" * 5000, b"-1"])
def test_huge_numbers_of_items(opened_shop, body, number):
    assert opened_shop("PATCH", "/v1/items", body % number)[0] in (400, 422)


@pytest.mark.parametrize("path", ["/v1/models/{}/promote", "/v1/jobs/{}"])
@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..%2F..%2Fetc%2Fpasswd", "-1", "99999999999999999999", "1.skrec", "%00"]
)
def test_names_of_versions_are_numbers(opened_shop, path, name):
    method = "POST" if "promote" in path else "GET"
    assert opened_shop(method, path.format(name))[0] in (404, 405, 422)


# ---- secrets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://127.0.0.1:1/shop?user=skrec&password={}",
        "postgresql://skrec:{}@127.0.0.1:port/shop",
        "postgresql://skrec:{}@[127.0.0.1/shop",
        "mysql://skrec:{}@127.0.0.1/shop",
    ],
)
def test_no_password_in_what_is_printed(url, tmp_path, monkeypatch, capsys):
    secret = "hunter2-s3cret"
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "--database", url.format(secret), "--check"]) != 0
    printed = "".join(capsys.readouterr())
    assert printed and secret not in printed and "Traceback" not in printed


def test_no_key_in_the_logs(tmp_path):
    settings = with_model(tmp_path, shop())
    key = make_key()
    store = open_store(settings.database)
    store.add_key("one", "admin", digest_of(key))
    store.close()
    where = {"SKREC_SERVE_LOG_LEVEL": "debug", "SKREC_SERVE_LOG_FORMAT": "json", "SKREC_SERVE_TRAINER": "false"}
    with Process("--database", settings.database, "--models", settings.models, environment=where) as running:
        running.wait_ready()
        api = Api(running.port, key)
        api.ok("POST", "/v1/recommend", {"user": 1})
        api("POST", "/v1/recommend", {"user": key})
        api("POST", "/v1/models", b"broken")
        Api(running.port, "wrong " + key)("GET", "/v1/models")
        assert running.stop() == 0
        running.kill()
        lines = "".join(running.output)
    assert key not in lines and digest_of(key) not in lines
    assert any(json.loads(line)["message"] for line in lines.splitlines() if line.startswith("{"))


def test_settings_hide_passwords_of_every_form():
    for url in ("postgresql://a:secret@h/d", "postgresql://h/d?password=secret", "postgresql://h/d?user=a&password=secret&x=1",
                "postgresql://a:sec@ret@h/d", "postgresql://h/d?sslpassword=secret"):  # fmt: skip
        shown = Settings(database=url).shown()["database"]
        assert "sec" not in shown and "ret" not in shown, shown
    assert logging.getLogger("skrec.serving").level == logging.NOTSET


def test_a_key_is_made_once_shown_once_and_revoked_by_the_command(tmp_path, capsys):
    where = ["--database", f"sqlite:///{tmp_path}/skrec.db", "--models", str(tmp_path / "models")]
    assert main(["serve", *where, "--add-key", "shop", "--role", "admin"]) == 0
    key = capsys.readouterr().out.strip().splitlines()[-1]
    assert key.startswith("skrec_")
    assert main(["serve", *where, "--add-key", "shop"]) == 2
    assert "a key with the name 'shop'" in capsys.readouterr().err
    with contextlib.closing(open_store(where[1])) as store:
        known = store.keys()
        assert [(row["name"], row["role"]) for row in known] == [("shop", "admin")]
        assert key not in repr(known)
    assert main(["serve", *where, "--revoke-key", "shop"]) == 0
    assert main(["serve", *where, "--revoke-key", "shop"]) == 2
    assert "no key with the name 'shop'" in capsys.readouterr().err
    assert main(["serve", *where, "--add-key", "other", "--role", "owner"]) == 2
