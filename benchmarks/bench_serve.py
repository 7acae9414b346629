"""How fast does the service answer, how many events does it store, and does it hold while models change?

Starts ``skrec serve`` as a process with SQLite, a trainer and its defaults, and a client in this process:

- latency: an open-loop client (requests at exponential intervals, latency from the moment a request was due, so that
  waiting behind slow answers counts) asks ``/v1/recommend`` for random users at each rate; prints p50, p99, the
  largest, processor milliseconds a request of the server, and the share of fallbacks. ItemKNN and ALS on 100,000 items
  (planted histories), EASE and a Blend of EASE, TIFUKNN and BuyAgain on Online Retail.
- ingest: closed-loop clients send single events, each acknowledged after the commit.
- swap: promotes two versions in turn under load; failed requests, and p99 beside that without.
- soak: events, requests and updates for minutes; memory of the server at the quarters.

    python benchmarks/bench_serve.py [--seconds 120] [--rates 50 200 500] [--clients 200] [--cores 0,1]
        [latency ingest swap soak] [--models knn als ease blend]
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd

import skrec
from skrec.datasets import load_online_retail, make_histories
from skrec.decomposition import ALS
from skrec.ensemble import BlendRecommender
from skrec.linear_model import EASE
from skrec.neighbors import TIFUKNN, BuyAgainRecommender, ItemKNN


def large_shop(n_users: int = 60_000, n_items: int = 100_000):
    """Return histories on 100,000 items, with times."""
    return make_histories(n_users, n_items, mean_length=12, random_state=0)


def model_of(name: str):
    """Return a model and the histories of its shop."""
    if name in ("knn", "als"):
        histories = large_shop()
        model = ItemKNN(exclude_seen=False, incremental=True) if name == "knn" else ALS(64, random_state=0)
        return model, histories
    histories = load_online_retail().histories
    ease = EASE(exclude_seen=False, incremental=True)
    if name == "ease":
        return ease, histories
    parts = [("ease", EASE(incremental=True)), ("tifu", TIFUKNN(incremental=True)),
             ("again", BuyAgainRecommender(incremental=True))]  # fmt: skip
    return BlendRecommender(parts, weights=[1.0, 1.0, 1.0], exclude_seen=False), histories


class Connection(asyncio.Protocol):
    """A keep-alive connection of HTTP/1.1 with one request at a time; cheaper than a full client."""

    def connection_made(self, transport):
        """Begin."""
        self.transport, self.data, self.future = transport, b"", None

    def data_received(self, data):
        """Collect the answer, and resolve the future when it is whole."""
        self.data += data
        head = self.data.find(b"\r\n\r\n")
        if head < 0:
            return
        low = self.data[:head].lower()
        start = low.find(b"content-length:") + 15
        end = low.find(b"\r", start)
        length = int(low[start:] if end < 0 else low[start:end])
        if len(self.data) >= head + 4 + length:
            status, body = int(self.data[9:12]), self.data[head + 4 : head + 4 + length]
            self.data = self.data[head + 4 + length :]
            if not self.future.done():
                self.future.set_result((status, body))

    def connection_lost(self, error):
        """Fail what is waited for."""
        if self.future is not None and not self.future.done():
            self.future.set_exception(ConnectionError("the server closed the connection"))

    def ask(self, path: str, body: bytes):
        """Send a request; return the future of its status and body."""
        self.future = asyncio.get_running_loop().create_future()
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        self.transport.write(head + body)
        return self.future


async def connect(port: int) -> Connection:
    return (await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port))[1]


def _is_trainer(number: str) -> bool:
    return b"_trainer" in Path(f"/proc/{number}/cmdline").read_bytes()


class Server:
    """A service with a model and its log."""

    def __init__(self, folder: Path, model, histories, cores: str | None, workers: int = 1):
        from skrec.cli._model_files import learned_until, save_model
        from skrec.cli._options import Log

        self.port, self.folder = 8000 + os.getpid() % 20_000, folder
        self.path, log = folder / "model.skrec", folder / "log.parquet"
        columns = {"user": "user", "item": "item", "time": "time"}
        notes = {"time": "date", "data": {}, **learned_until(histories)}
        save_model(model, self.path, notes, Log([], columns))
        lengths = histories["item"].map(len).to_numpy()
        users = np.repeat(histories.index.to_numpy(), lengths)
        events = {"user": users, "item": [i for row in histories["item"] for i in row],
                  "time": [t for row in histories["time"] for t in row]}  # fmt: skip
        pd.DataFrame(events).to_parquet(log)
        self.users = histories.index.tolist()
        self.items = model.items_.tolist()
        command = [
            sys.executable,
            "-m",
            "skrec.cli",
            "serve",
            str(self.path),
            "--log",
            str(log),
            "--port",
            str(self.port),
        ]
        command += [
            "--database",
            f"sqlite:///{folder}/skrec.db",
            "--models",
            f"{folder}/models",
            "--workers",
            str(workers),
        ]
        command = (["taskset", "-c", cores] if cores else []) + command
        environment = os.environ | {"SKREC_SERVE_UPDATE_MINUTES": "0", "SKREC_SERVE_REFIT_AT": ""}
        self.log = (folder / "server.log").open("w")
        self.process = subprocess.Popen(command, env=environment, stdout=self.log, stderr=self.log)
        for _ in range(600):
            time.sleep(0.5)
            if self.process.poll() is not None:
                raise RuntimeError((folder / "server.log").read_text())
            try:
                if self.get("/health/ready"):
                    return
            except OSError:
                continue
        raise RuntimeError("the server did not start")

    def get(self, path: str):
        """Return an answer of JSON."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)

    def post(self, path: str, body=b"", timeout=600):
        """Send a body; return an answer of JSON."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body, method="POST")
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.load(answer)

    def seconds(self) -> float:
        """Return the processor seconds of the API processes."""
        ticks = 0
        for number in self._processes():
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def _processes(self) -> list[int]:
        """Return the API processes: the server, or its workers, but not the trainer."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *(int(one) for one in children if not _is_trainer(one))]

    def memory(self) -> float:
        """Return the resident memory of the API process in MiB."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stored(self) -> int:
        """Count the events in the database."""
        with sqlite3.connect(f"file:{self.folder}/skrec.db?mode=ro", uri=True) as connection:
            return connection.execute("SELECT count(*) FROM events").fetchone()[0]

    def stop(self) -> None:
        """Stop gracefully."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()


async def open_loop(server: Server, rate: float, seconds: float, seed: int = 0, meanwhile=None):
    """Ask at exponential intervals; return latencies in ms, statuses, and the number of fallbacks."""
    draw = random.Random(seed)
    free = [await connect(server.port) for _ in range(64)]
    latencies, statuses, fallbacks, tasks = [], [], 0, set()

    async def one(due: float):
        nonlocal fallbacks
        while free and free[-1].transport.is_closing():  # idle for longer than the server keeps a connection
            free.pop()
        connection = free.pop() if free else await connect(server.port)
        body = json.dumps({"user": draw.choice(server.users), "k": 10}).encode()
        try:
            status, answer = await connection.ask("/v1/recommend", body)
            fallbacks += b'"fallback":true' in answer
        except ConnectionError:
            status = 0
        else:
            free.append(connection)
        latencies.append(1000 * (time.perf_counter() - due))
        statuses.append(status)

    other = asyncio.create_task(meanwhile()) if meanwhile else None
    start = time.perf_counter()
    due = start
    while due < start + seconds:
        due += draw.expovariate(rate)
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(one(due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    if other:
        await other
    return np.array(latencies), np.array(statuses), fallbacks


async def closed_loop(server: Server, clients: int, seconds: float):
    """Send single events one after the other from many clients; return how many were acknowledged."""
    draw = random.Random(1)
    bodies = [json.dumps({"user": draw.choice(server.users), "item": draw.choice(server.items)}).encode()
              for _ in range(10_000)]  # fmt: skip
    end, done = time.perf_counter() + seconds, 0

    async def one(number: int):
        nonlocal done
        connection, place = await connect(server.port), number
        while time.perf_counter() < end:
            status, _ = await connection.ask("/v1/events", bodies[place % 10_000])
            assert status == 200, status
            done, place = done + 1, place + clients

    start = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(clients)))
    return done, time.perf_counter() - start


def latency(server: Server, name: str, rates, seconds: float) -> None:
    asyncio.run(open_loop(server, 50, 5))  # first calls compile and load
    for rate in rates:
        before = server.seconds()
        found, statuses, fallbacks = asyncio.run(open_loop(server, rate, seconds))
        used = 1000 * (server.seconds() - before) / len(found)
        p50, p99, most = np.percentile(found, [50, 99, 100])
        failed = int((statuses != 200).sum())
        print(f"{name:6} {len(server.items):8,} items {rate:5g} rps  p50 {p50:6.2f}  p99 {p99:6.2f} max {most:8.2f} ms "
              f"processor {used:5.2f} ms  fallbacks {fallbacks}  failed {failed}", flush=True)  # fmt: skip


def ingest(server: Server, clients: int, seconds: float) -> None:
    before, n_before = server.seconds(), server.stored()
    done, took = asyncio.run(closed_loop(server, clients, seconds))
    used = 1e6 * (server.seconds() - before) / done
    stored = server.stored() - n_before
    print(f"ingest {clients} clients: {done / took:,.0f} durable events/s, {used:.0f} us of processor each; "
          f"{done:,} acknowledged, {stored:,} stored", flush=True)  # fmt: skip


def swap(server: Server, seconds: float, rate: float = 200) -> None:
    version = server.post("/v1/models", server.path.read_bytes())["version"]

    async def promote():
        for turn in range(20):
            await asyncio.sleep(seconds / 25)
            number = version if turn % 2 == 0 else 1
            await asyncio.to_thread(server.post, f"/v1/models/{number}/promote", b'{"force": true}')

    quiet, _, _ = asyncio.run(open_loop(server, rate, seconds))
    found, statuses, fallbacks = asyncio.run(open_loop(server, rate, seconds, meanwhile=promote))
    without, during = np.percentile(quiet, 99), np.percentile(found, 99)
    print(f"swap   20 promotions at {rate:g} rps: p99 {during:.2f} ms, without {without:.2f} ms; "
          f"failed {int((statuses != 200).sum())}, fallbacks {fallbacks}", flush=True)  # fmt: skip


def soak(server: Server, seconds: float, rate: float = 200) -> None:
    memory: list[float] = []

    async def live():
        for _ in range(4):
            await asyncio.sleep(seconds / 4)
            event = json.dumps([{"user": u, "item": server.items[0]} for u in server.users[:500]]).encode()
            await asyncio.to_thread(server.post, "/v1/events", event)
            kind = b"refit" if len(memory) == 1 else b"update"
            await asyncio.to_thread(server.post, "/v1/jobs", b'{"kind": "%s"}' % kind)
            memory.append(server.memory())
            print(f"soak   {round(memory[-1])} MiB", flush=True)

    found, statuses, fallbacks = asyncio.run(open_loop(server, rate, seconds, meanwhile=live))
    jobs = [(job["kind"], job["status"]) for job in server.get("/v1/jobs")["jobs"]]
    print(f"soak   {seconds:g} s at {rate:g} rps: p99 {np.percentile(found, 99):.2f} ms, failed "
          f"{int((statuses != 200).sum())}, fallbacks {fallbacks}; MiB at the quarters {[round(m) for m in memory]}; "
          f"jobs {jobs}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", help="latency, ingest, swap, soak")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--rates", type=float, nargs="+", default=[50, 200, 500])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1, help="API processes of the server")
    parser.add_argument("--cores", help="pin the server to cores, such as 0 or 0,1")
    parser.add_argument("--models", nargs="+", default=["knn", "als", "ease", "blend"])
    given = parser.parse_args()
    tasks = given.tasks or ["latency", "ingest", "swap", "soak"]
    print(
        f"skrec {skrec.__version__}, {os.cpu_count()} cores, client included, seed 0, SQLite, {given.workers} worker(s)"
    )
    for name in given.models:
        model, histories = model_of(name)
        model.fit(histories)
        with tempfile.TemporaryDirectory() as folder:
            server = Server(Path(folder), model, histories, given.cores, given.workers)
            try:
                if "latency" in tasks:
                    latency(server, name, given.rates, given.seconds)
                if name == given.models[0] and "ingest" in tasks:
                    ingest(server, given.clients, min(given.seconds, 20))
                if name == given.models[-1] and "swap" in tasks:
                    swap(server, given.seconds)
                if name == given.models[-1] and "soak" in tasks:
                    soak(server, 5 * given.seconds)
            except BaseException:
                print((Path(folder) / "server.log").read_text()[-3000:])
                raise
            finally:
                server.stop()


if __name__ == "__main__":
    main()
