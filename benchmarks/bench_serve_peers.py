"""`skrec serve` beside the server of Cornac, on the same log: latency of one client, and when an event counts.

Both serve EASE fitted to Online Retail (distinct purchases of 4,338 customers). One client sends 2,000 requests for ten
items to random customers, one after the other, on a connection that is kept; then five events of a customer are sent
and the next answer is compared with the one before. Cornac runs in an environment of its own:

    python -m venv .venv-cornac && .venv-cornac/bin/pip install cornac Flask waitress
    python benchmarks/bench_serve_peers.py --cornac .venv-cornac/bin/python

Cornac's server is its Flask application on waitress, a production server. Gorse has no package on PyPI or in Debian
but a client, and was not run.
"""

import argparse
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import numpy as np
from bench_serve import Server

from skrec.datasets import load_online_retail
from skrec.linear_model import EASE

N_REQUESTS = 2000


def cpu_seconds(number: int) -> float:
    """Return the processor seconds of a process."""
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(name: str, port: int, number: int, users: list, ask) -> None:
    """Print latencies of one client."""
    connection, draw, found = http.client.HTTPConnection("127.0.0.1", port), random.Random(0), []
    for _ in range(100):
        ask(connection, draw.choice(users))
    before = cpu_seconds(number)
    for _ in range(N_REQUESTS):
        started = time.perf_counter()
        ask(connection, draw.choice(users))
        found.append(1000 * (time.perf_counter() - started))
    used = 1000 * (cpu_seconds(number) - before) / N_REQUESTS
    p50, p99 = np.percentile(found, [50, 99])
    print(f"{name:8} p50 {p50:6.2f}  p99 {p99:6.2f} ms  processor {used:5.2f} ms a request", flush=True)


def answer_of(connection, method: str, path: str, body=None):
    """Send a request and return its JSON."""
    headers = {"content-type": "application/json"} if body is not None else {}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    text = response.read()
    if response.status >= 300:
        raise RuntimeError(f"{method} {path}: {response.status} {text[:200]!r}")
    return json.loads(text)


def of_skrec(folder: Path, histories) -> None:
    """Measure `skrec serve`."""
    server = Server(folder, EASE(l2=500, exclude_seen=False).fit(histories), histories, None)

    def ask(connection, user):
        return [row["item"] for row in answer_of(connection, "POST", "/v1/recommend", {"user": user, "k": 10})["items"]]

    try:
        timed("skrec", server.port, server.process.pid, server.users, ask)
        connection, user = http.client.HTTPConnection("127.0.0.1", server.port), server.users[0]
        before = ask(connection, user)
        started = time.perf_counter()
        for item in server.items[:5]:
            answer_of(connection, "POST", "/v1/events", {"user": user, "item": item})
        took = 1000 * (time.perf_counter() - started)
        print(
            f"skrec    five durable events in {took:.1f} ms; the next answer differs: {ask(connection, user) != before}"
        )
    finally:
        server.stop()


def of_cornac(folder: Path, histories, python: str) -> None:
    """Measure Cornac's server."""
    port, log = 21_000 + os.getpid() % 20_000, folder / "log.csv"
    pairs = [(user, item) for user, items in histories["item"].items() for item in dict.fromkeys(items)]
    log.write_text("".join(f"{user},{item}\n" for user, item in pairs))
    models = folder / "models"
    models.mkdir()
    script = Path(__file__).parent / "peers" / "serve_cornac.py"
    process = subprocess.Popen([python, str(script), str(log), str(port), str(models)])
    users = histories.index.tolist()

    def ask(connection, user):
        return answer_of(connection, "GET", f"/recommend?uid={user}&k=10")["recommendations"]

    try:
        for _ in range(240):
            time.sleep(0.5)
            try:
                ask(http.client.HTTPConnection("127.0.0.1", port), users[0])
                break
            except OSError:
                continue
        timed("Cornac", port, process.pid, users, ask)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        before, items = ask(connection, users[0]), list(dict.fromkeys(item for _, item in pairs))
        started = time.perf_counter()
        for item in items[:5]:
            answer_of(connection, "POST", f"/feedback?uid={users[0]}&iid={quote(str(item))}")
        took = 1000 * (time.perf_counter() - started)
        print(f"Cornac   five events into a CSV file in {took:.1f} ms; the next answer differs: "
              f"{ask(connection, users[0]) != before}")  # fmt: skip
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cornac", metavar="PYTHON", help="an interpreter with cornac, Flask and waitress")
    python = parser.parse_args().cornac
    histories = load_online_retail().histories
    print(f"{len(histories):,} customers, {os.cpu_count()} cores, client included, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as folder:
        of_skrec(Path(folder), histories)
    if python:
        with tempfile.TemporaryDirectory() as folder:
            of_cornac(Path(folder), histories, python)


if __name__ == "__main__":
    main()
