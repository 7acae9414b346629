"""Processes of the service: several workers, crashes, new models under load, and the graceful stop."""

import contextlib
import http.client
import os
import random
import signal
import threading
import time

import pytest
from service_process import Api, Process, alive, serving, shop, with_model
from shop_log import fitted

import skrec
from skrec.linear_model import EASE
from skrec.serving._models import Models
from skrec.serving._store import open_store

QUIET = {"SKREC_SERVE_TRAINER": "false", "SKREC_SERVE_DEADLINE_MS": "20000", "SKREC_SERVE_LOG_LEVEL": "warning"}


def process(settings, *arguments, environment=QUIET):
    """Start a server on the database and the models of the settings."""
    where = ["--database", settings.database, "--models", settings.models]
    return Process(*where, *arguments, environment=environment)


def add_model(settings, tmp_path, events):
    """Add a second version, and return its number."""
    store = open_store(settings.database)
    model, notes = fitted(EASE(), events)
    version = Models(settings, store).add_file(skrec.save(model, tmp_path / "second.skrec", metadata=notes))
    store.close()
    return version


# ---- several workers --------------------------------------------------------------------------------------------


def check_workers(tmp_path, n_users):
    draw = random.Random(0)
    settings = with_model(tmp_path, shop())
    version = add_model(settings, tmp_path, shop())
    with process(settings, "--workers", "2") as running, contextlib.ExitStack() as closing:
        api = running.wait_ready().api
        by_worker = _connections(running, closing)
        connections = [connection for held in by_worker.values() for connection in held]
        seen = 0
        for user in range(1000, 1000 + n_users):
            items = draw.sample(range(24), 2)
            for item in items:
                writer, *readers = draw.sample(connections, 4)
                api.ok("POST", "/v1/events", {"user": user, "item": item}, connection=writer)
                for reader in readers:
                    asked = {"user": user, "k": 24, "repeats": False}
                    answer = api.ok("POST", "/v1/recommend", asked, connection=reader)
                    assert not answer["fallback"]
                    seen += item not in [row["item"] for row in answer["items"]]
        assert seen == 6 * n_users  # 100 %

        writer, reader = (held[0] for held in by_worker.values())
        for path, body in (("recommend", {"user": 1, "repeats": True, "k": 24}), ("similar", {"item": 0, "k": 23})):
            for hidden in (True, False):
                for item in (3, 5):
                    api.ok("PATCH", "/v1/items", [{"item": item, "hidden": hidden}], connection=writer)
                    answer = api.ok("POST", f"/v1/{path}", body, connection=reader)
                    assert (item in [row["item"] for row in answer["items"]]) is not hidden
        new = [{"item": 4, f"column {n}": "x"} for n in range(3)]
        for row in new:  # a column that the other worker has not heard of
            api.ok("PATCH", "/v1/items", [row], connection=writer)
            condition = {name: "x" for name in row if name != "item"}
            found = api.ok("POST", "/v1/recommend", {"k": 9, "filter": condition}, connection=reader)
            assert [one["item"] for one in found["items"]] == [4]

        api.ok("POST", f"/v1/models/{version}/promote", {"force": True}, connection=writer)
        time.sleep(2)
        for connection in connections:
            answer = api.ok("POST", "/v1/recommend", {"user": 1}, connection=connection)
            assert answer["model"] == {"version": version}
        total = 6 * n_users + 2 * 4 + 3 + len(connections)
        assert api.ok("GET", "/v1/status")["requests"] >= total - 8  # those of all workers
        closing.close()
        assert running.stop() == 0


def _connections(running, closing, n_each=5):
    """Return connections to each of two workers; while one is stopped, the other one must accept."""
    by_worker = {}
    for _ in range(40):  # the kernel chooses who accepts: find both workers by stopping the one that did
        connection = running.api.connect()
        closing.callback(connection.close)
        worker = _worker_of(running, connection)
        by_worker.setdefault(worker, []).append(connection)
        if len(by_worker) == 2:
            break
        os.kill(worker, signal.SIGSTOP)
        try:
            other = running.api.connect()
            closing.callback(other.close)
            by_worker.setdefault(_worker_of(running, other), []).append(other)
        finally:
            os.kill(worker, signal.SIGCONT)
    assert len(by_worker) == 2
    for stopped, asked in zip(by_worker, reversed(by_worker), strict=True):
        os.kill(stopped, signal.SIGSTOP)
        try:
            while len(by_worker[asked]) < n_each:
                connection = running.api.connect()
                closing.callback(connection.close)
                assert _worker_of(running, connection) == asked
                by_worker[asked].append(connection)
        finally:
            os.kill(stopped, signal.SIGCONT)
    return by_worker


def _worker_of(running, connection):
    """Return the process that holds the other end of a connection."""
    connection.request("GET", "/health/live")
    connection.getresponse().read()
    here = connection.sock.getsockname()[1]
    wanted = f"0100007F:{running.port:04X} 0100007F:{here:04X}"
    with open("/proc/net/tcp") as file:
        socket = next(line.split()[9] for line in file if wanted in line)
    for pid in running.children():
        with contextlib.suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{name}") == f"socket:[{socket}]":
                        return pid
    raise AssertionError("no process has the connection")


def test_every_worker_knows_an_event_in_its_next_answer(tmp_path):
    check_workers(tmp_path, 100)


@pytest.mark.slow
def test_every_worker_knows_the_events_of_many_users(tmp_path):
    check_workers(tmp_path, 2000)


# ---- crashes ----------------------------------------------------------------------------------------------------


class Load:
    """Clients that send events until the server is gone, and remember what was acknowledged."""

    def __init__(self, port, name, n_clients=8):
        self.api, self.name = Api(port), name
        self.acknowledged, self.sent, self.statuses = [], [], []
        self.stopping = False
        self.threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(n_clients)]
        for thread in self.threads:
            thread.start()

    def _run(self, client):
        connection = self.api.connect()
        for number in range(10**9):
            if self.stopping:
                break
            ids = [f"{self.name}-{client}-{number}-{place}" for place in range(1 + number % 3)]
            events = [{"id": one, "user": f"user {client}", "item": "item"} for one in ids]
            self.sent += ids
            try:
                status, answer = self.api("POST", "/v1/events", events, connection=connection)
            except (OSError, http.client.HTTPException, ValueError):
                break
            self.statuses.append(status)
            if status == 200 and answer["accepted"] == len(ids):
                self.acknowledged += ids
        connection.close()

    def wait(self):
        for thread in self.threads:
            thread.join(60)


def check_crashes(url, tmp_path, n_rounds):
    draw, acknowledged, sent = random.Random(1), [], []
    arguments = ["--database", url, "--models", tmp_path / "models"]
    for number in range(n_rounds):
        with Process(*arguments, environment=QUIET) as running:
            running.wait_ready()
            load = Load(running.port, f"round {number}")
            time.sleep(draw.uniform(0.2, 0.8))
            running.kill()
            load.wait()
        acknowledged += load.acknowledged
        sent += load.sent
    store = open_store(url)
    stored = store.table("events")["id"].to_pylist()
    store.close()
    assert len(acknowledged) > 20 * n_rounds
    lost, doubled = set(acknowledged) - set(stored), len(stored) - len(set(stored))
    print(f"{len(acknowledged):,} acknowledged in {n_rounds} rounds, {len(lost)} lost, {doubled} doubled")
    assert not lost and doubled == 0
    assert set(stored) <= set(sent)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_killed_server_loses_nothing_that_it_acknowledged(database, request, tmp_path):
    check_crashes(_url(database, request, tmp_path), tmp_path, 3)


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_hundred_killed_servers_lose_nothing(database, request, tmp_path):
    check_crashes(_url(database, request, tmp_path), tmp_path, 100)


def _url(database, request, tmp_path):
    if database == "postgresql":
        return request.getfixturevalue("postgresql").new_url()
    return f"sqlite:///{tmp_path / 'shop.db'}"


# ---- new models under load --------------------------------------------------------------------------------------


def check_promotions(tmp_path, n_promotions):
    events = shop()
    settings = with_model(tmp_path, events, deadline_ms=20_000.0)
    version = add_model(settings, tmp_path, events)
    with serving(settings) as app:
        api, answers, failed, done = Api(app.port), [], [], threading.Event()

        def ask(first):
            connection = api.connect()
            for user in range(first, 10**9):
                if done.is_set():
                    break
                try:
                    status, answer = api("POST", "/v1/recommend", {"user": user % 60, "k": 5}, connection=connection)
                except (OSError, http.client.HTTPException) as error:
                    failed.append(error)
                    break
                if status != 200 or answer["fallback"] or len(answer["items"]) != 5:
                    failed.append((status, answer))
                answers.append(answer["model"]["version"])
            connection.close()

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for number in range(n_promotions):
            wanted = (version, 1)[number % 2]
            api.ok("POST", f"/v1/models/{wanted}/promote", {"force": True})
            assert api.ok("POST", "/v1/recommend", {"user": 1})["model"]["version"] == wanted
            time.sleep(0.1)
        done.set()
        for thread in threads:
            thread.join(30)
    print(f"{len(answers):,} answers during {n_promotions} promotions, {len(failed)} failed")
    assert not failed, failed[:3]
    assert set(answers) == {1, version} and len(answers) > 20 * n_promotions


def test_no_request_fails_while_models_are_promoted(tmp_path):
    check_promotions(tmp_path, 4)


@pytest.mark.slow
def test_no_request_fails_while_twenty_models_are_promoted(tmp_path):
    check_promotions(tmp_path, 20)


# ---- the end ----------------------------------------------------------------------------------------------------


def test_a_graceful_stop_answers_what_came_and_ends_all_processes(tmp_path):
    settings = with_model(tmp_path, shop(text=True))
    store = open_store(settings.database)
    before = len(store.table("events"))
    with process(settings, environment={**QUIET, "SKREC_SERVE_TRAINER": "true"}) as running:
        running.wait_ready()
        until = time.monotonic() + 10
        while len(running.children()) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        processes = running.children()
        assert len(processes) >= 2  # the trainer is one
        running.api.ok("POST", "/v1/events", {"id": "first", "user": "1", "item": "p001"})
        load = Load(running.port, "load")
        load.api.ok = None
        time.sleep(0.4)
        assert running.stop() == 0
        assert not [pid for pid in processes if alive(pid)]
        load.wait()
    stored = store.table("events")["id"].to_pylist()
    store.close()
    assert set(load.statuses) <= {200, 422} and len(stored) >= before + 1
    assert set(load.acknowledged) <= set(stored) and "first" in stored


@pytest.mark.slow
def test_a_killed_parent_takes_its_trainer_with_it(tmp_path):
    settings = with_model(tmp_path, shop())
    with process(settings, environment={**QUIET, "SKREC_SERVE_TRAINER": "true"}) as running:
        running.wait_ready()
        until = time.monotonic() + 10
        while len(running.children()) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        processes = running.children()
        running.process.kill()
        until = time.monotonic() + 20
        while any(alive(pid) for pid in processes):
            assert time.monotonic() < until
            time.sleep(0.1)
