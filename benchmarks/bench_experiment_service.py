"""Experiments in the service: what one costs a request, and what a result takes.

Requests: a small shop (60 users, 24 items, ItemKNN, SQLite) in one process, without HTTP; 6,000 requests without an
experiment and 6,000 with one, three times in turn. Result: 300,000 lists of 50,000 users in 28 days, and 600,000 events
of them in 56 days, in SQLite. Random, seed 0.

    python benchmarks/bench_experiment_service.py
"""

import asyncio
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

import skrec
from skrec.model_selection import Experiment
from skrec.neighbors import ItemKNN
from skrec.serving._experiment_results import result_of
from skrec.serving._models import Models
from skrec.serving._schemas_experiments import ExperimentIn
from skrec.serving._service import Service
from skrec.serving._settings import Settings
from skrec.serving._store import open_store

DAY = 86_400_000_000
BODY = ExperimentIn(name="x", variants={"control": {}, "new": {}}, share=0.9, holdout=0.05).model_dump(
    mode="json", exclude={"start", "stop"}
)


def shop(folder):
    """Return settings of a small shop with a model."""
    settings = Settings(database=f"sqlite:///{folder}/shop.db", models=f"{folder}/models", trainer=False)
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 60, 600), rng.integers(0, 24, 600)
    store = open_store(settings.database)
    store.add_log(pa.table({"user": users, "item": items, "time": np.arange(600) * 3600_000_000}))
    histories = [items[users == user].tolist() for user in range(60)]
    models = Models(settings, store)
    path = skrec.save(ItemKNN().fit(histories), Path(folder) / "model.skrec")
    models.promote(models.add_file(path), force=True)
    store.close()
    return settings


async def requests(folder):
    """Print the times of requests without an experiment and with one."""
    service = Service(shop(folder))
    service.start(asyncio.get_running_loop())
    bodies = [json.dumps({"user": user, "k": 10}).encode() for user in range(60)]

    async def times(n):
        spent = []
        for number in range(n):
            began = time.perf_counter()
            await service.recommend(bodies[number % 60])
            spent.append(time.perf_counter() - began)
            if number % 20 == 0:
                await asyncio.sleep(0.005)
        return np.array(spent) * 1e6

    await times(2000)
    service.store.add_experiment("x", BODY, 0, None)
    spent = {"without": [], "with one": []}
    for _ in range(3):
        for name, stop in (("without", 1), ("with one", None)):
            service.store.change_experiment("x", stop=stop)
            service.refresh()
            spent[name].append(await times(6000))
    for name, parts in spent.items():
        p50, p90, p99 = np.quantile(np.concatenate(parts), [0.5, 0.9, 0.99])
        print(f"{name:10} p50 {p50:5.0f} us, p90 {p90:5.0f} us, p99 {p99:5.0f} us")
    service.close()


def result(folder):
    """Print the time of a result."""
    rng = np.random.default_rng(0)
    n_users, n_lists, n_events, start = 50_000, 300_000, 600_000, 20_000 * DAY
    store = open_store(f"sqlite:///{folder}/large.db")
    store.fix_kinds("integer", "string")
    body = BODY | {"share": 1.0, "holdout": 0.0}
    store.add_experiment("x", body, start, start + 28 * DAY)
    variants = Experiment("x", ["control", "new"]).assign_many(range(n_users))
    users = rng.integers(0, n_users, n_lists)
    times = start + rng.integers(0, 28 * DAY, n_lists)
    columns = {"rec_id": [f"r{number}" for number in range(n_lists)], "experiment": ["x"] * n_lists}
    columns |= {"variant": variants[users].tolist(), "user": users, "time": pa.array(times, pa.timestamp("us"))}
    store.put_everything("exposures", pa.table(columns))
    events = {"user": rng.integers(0, n_users, n_events), "item": ["tea"] * n_events}
    events |= {"time": start + rng.integers(-28 * DAY, 28 * DAY, n_events), "value": rng.random(n_events)}
    store.add_log(pa.table(events))
    began, spent = time.perf_counter(), time.process_time()
    found = result_of(store, store.experiment("x"))
    spent = time.process_time() - spent
    print(f"result of {n_lists:,} lists and {n_events:,} events: {spent:.1f} s of the processor, ", end="")
    print(f"{time.perf_counter() - began:.1f} s\n{found}")
    store.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(requests(place))
        result(place)
