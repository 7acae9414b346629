"""Helpers of the tests over HTTP: a shop with a model, servers in a thread or a process, and requests."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from shop_log import fitted, folder_of, opened, random_events

import skrec
from skrec.neighbors import ItemKNN
from skrec.serving._app import App
from skrec.serving._models import Models

N_ITEMS = 24


class Api:
    """Requests to a server; each gives (status, body), the body read where it is JSON."""

    def __init__(self, port, key=None, host="127.0.0.1"):
        self.port, self.host, self.key = port, host, key
        self.headers = {} if key is None else {"x-api-key": key}
        self.last = {}

    def connect(self):
        return http.client.HTTPConnection(self.host, self.port, timeout=60)

    def __call__(self, method, path, body=None, headers=None, connection=None):
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        own = connection is None
        connection = self.connect() if own else connection
        headers = {**self.headers, "content-type": "application/json", **(headers or {})}
        connection.request(method, path, data, {name: text for name, text in headers.items() if text is not None})
        response = connection.getresponse()
        raw = response.read()
        self.last = dict(response.getheaders())
        if own:
            connection.close()
        kind = response.getheader("content-type") or ""
        return response.status, json.loads(raw) if "json" in kind else raw

    def ok(self, method, path, body=None, **more):
        """Send a request that must succeed; return its body."""
        status, answer = self(method, path, body, **more)
        assert status < 300, (status, answer)
        return answer

    def refused(self, status, field, method, path, body=None):
        """Send a request that must be refused, with a problem that names the field."""
        found, problem = self(method, path, body)
        assert found == status, (found, problem)
        assert self.last["content-type"] == "application/problem+json"
        assert problem["status"] == status and problem["title"] and problem["detail"]
        if field is not None:
            assert any(one["field"] == field or one["field"].startswith(f"{field}.") for one in problem["errors"]), (
                problem
            )
        return problem

    def items(self, path, body):
        """Ask for a list and return its ids."""
        return [row["item"] for row in self.ok("POST", path, body)["items"]]


@contextlib.contextmanager
def serving(settings):
    """Serve in a thread of this process; yields the application, with `port`."""
    import uvicorn

    app = App(settings)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    interval = sys.getswitchinterval()
    thread.start()
    try:
        until = time.monotonic() + 30
        while not server.started:
            assert thread.is_alive() and time.monotonic() < until
            time.sleep(0.01)
        app.port = server.servers[0].sockets[0].getsockname()[1]
        yield app
    finally:
        server.should_exit = True
        thread.join(30)
        sys.setswitchinterval(interval)


def with_model(tmp_path, events, estimator=None, **settings):
    """Make a store with events and a current model of them; return its settings."""
    settings = folder_of(tmp_path, **{"deadline_ms": 5000.0, "trainer": False, **settings})
    store = opened(settings, events)
    estimator = ItemKNN(n_neighbors=N_ITEMS) if estimator is None else estimator
    model, notes = fitted(estimator, events)
    models = Models(settings, store)
    models.promote(models.add_file(skrec.save(model, tmp_path / "first.skrec", metadata=notes)), force=True)
    store.close()
    return settings


def catalogue(ids):
    """Return rows of a catalogue: three categories, prices, stock, a further column."""
    return [
        {
            "item": item,
            "name": f"Thing {place}",
            "category": "abc"[place % 3],
            "price": float(place),
            "stock": place % 5,
            "colour": ["red", "blue"][place % 2],
        }
        for place, item in enumerate(ids)
    ]


def shop(**settings):
    """Return 60 users' events of 24 items."""
    return random_events(n_items=N_ITEMS, **settings)


def free_port():
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


class Process:
    """`skrec serve` as a process of its own group, on a free port."""

    def __init__(self, *arguments, port=None, environment=None):
        self.port = free_port() if port is None else port
        command = [sys.executable, "-m", "skrec.cli", "serve", "--port", str(self.port), *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        self.output = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.api = Api(self.port)

    def _read(self):
        for line in self.process.stdout:
            self.output.append(line.decode(errors="replace"))

    def wait_ready(self, seconds=60):
        """Wait until it answers."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert self.process.poll() is None, "".join(self.output)
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.api("GET", "/health/ready")[0] == 200:
                    return self
            time.sleep(0.05)
        raise AssertionError("not ready: " + "".join(self.output))

    def children(self):
        """Return the ids of its processes, itself first."""
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                for thread in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{thread}/children") as file:
                        todo += map(int, file.read().split())
        return found

    def kill(self):
        """End all its processes at once, as a crash does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        self._reader.join(10)
        self.process.stdout.close()

    def stop(self, seconds=30):
        """Ask it to end; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def alive(pid):
    """Tell whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
