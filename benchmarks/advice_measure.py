"""Measuring recipes on the logs of `advice_logs`: each in a process of its own, appended to a file of JSON lines."""

import contextlib
import ctypes
import gc
import json
import multiprocessing
import os
import resource
import time
from pathlib import Path

import advice_logs
import numpy as np
import pyarrow as pa

import skrec.decomposition
import skrec.ensemble
import skrec.linear_model
import skrec.neighbors  # noqa: F401  loaded here once rather than in each child
from skrec.advice import log_character
from skrec.advice._cost import machine_unit
from skrec.advice._suggest_data import NAMED
from skrec.metrics import ranking_scores
from skrec.recipes import ENSEMBLES, make_recommender, recipe_names
from skrec.utils._containers import take_rows
from skrec.utils._histories import read_histories
from skrec.utils._resources import measure_resources

K = 10
N_REQUESTS = 25
WARM = 5  # requests before those that count
LIMIT = 600.0  # seconds of one fit
LAST = "hybrid"
MOST_BYTES = 6 * 2**30  # address space of one fit


def measure(log: advice_logs.Log, task, recipe: str, names) -> dict:
    """Return the quality of each question, the cost of the fit and of a request."""
    model = make_recommender(recipe, k=K, exclude_seen=task.exclude_seen, item_names=names, **log.said)
    start = time.process_time()
    with measure_resources() as used:
        model.fit(task.X_train)
    fit_seconds = time.process_time() - start
    answer = model.recommend(task.X_test, k=K)
    ndcg = ranking_scores(task.y_test, answer, k=K, metrics=("ndcg",))[f"ndcg@{K}"]
    requests = []
    for row in range(min(N_REQUESTS, len(answer))):
        user = take_rows(task.X_test, np.array([row]))
        start = time.process_time()
        model.recommend(user, k=K)
        requests.append(time.process_time() - start)
    found = {
        "ndcg": [round(float(value), 4) for value in ndcg],
        "fit_seconds": fit_seconds,
        "memory_mib": used.peak_mib,
        "latency_ms": 1000 * float(np.median(requests[WARM:] or requests)),
    }
    if recipe in ENSEMBLES:
        found["choice"] = str(model.choice_)
    return found


def _in_process(pipe, log, task, recipe, names) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    try:
        pipe.send(measure(log, task, recipe, names))
    except (ValueError, MemoryError, ArithmeticError) as error:
        pipe.send({"error": f"{type(error).__name__}: {error}"})


def _measured(log, task, recipe, names) -> dict:
    """Measure in a child of this process, which dies with what it took."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_in_process, args=(there, log, task, recipe, names))
    child.start()
    there.close()
    try:
        found = here.recv() if here.poll(LIMIT) else {"error": f"took more than {LIMIT:.0f} seconds"}
    except EOFError:
        found = {"error": f"the process ended with exit code {child.exitcode}"}
    if child.is_alive():
        child.join(5)
        child.kill()
    child.join()
    return found


def run(path: Path, recipes: list[str] | None, logs: list[str] | None, limit: float) -> None:
    """Measure what is not in the file yet, until `limit` processor seconds of this run are used.

    The largest part of each set comes first, then the others; last the two-stage recipe, the most expensive, on the
    smallest part of each set alone.
    """
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("needs OMP_NUM_THREADS=1 in the environment: processor seconds are measured on one thread")
    started = _processor_seconds()
    chosen = [log for log in advice_logs.all_logs() if not logs or {log.name, log.group} & set(logs)]
    for logs_now, recipes_now in (
        ([log for log in chosen if log.largest], lambda name: name != LAST),
        ([log for log in chosen if not log.largest], lambda name: name != LAST),
        ([log for log in chosen if log.smallest], lambda name: name == LAST),
    ):
        for log in logs_now:
            wanted = [name for name in recipes or _recipes(log) if recipes_now(name)]
            if not _run_log(path, log, wanted, started + limit):
                print(f"stopped after {limit:.0f} processor seconds; the same command goes on")
                return


def _recipes(log: advice_logs.Log) -> list[str]:
    names = recipe_names(nets=False, time=log.said.get("time"))
    return names + ([] if log.names is None else [f"blend{NAMED}"])


def _run_log(path: Path, log: advice_logs.Log, wanted: list[str], until: float) -> bool:
    """Measure recipes on one log; tell whether there is time left."""
    done = {(row["log"], row["recipe"]) for row in read_rows(path)}
    wanted = [name for name in wanted if (log.name, name) not in done]
    if not wanted:
        return True
    task = advice_logs.build(log)
    read, unit = read_histories(task.X_train), machine_unit()
    _give_back()
    about = {
        "group": log.group,
        "said": log.said,
        "exclude_seen": task.exclude_seen,
        "n_questions": len(task.y_test),
        "character": log_character(read),
    }
    for recipe in wanted:
        names = log.names().reindex(read.ids).dropna() if log.names and recipe.endswith(NAMED) else None
        found = _measured(log, task, recipe.removesuffix(NAMED), names)
        row = {"log": log.name, "recipe": recipe, **about, "unit_seconds": unit, **found}
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        score = f"{np.mean(found['ndcg']):.4f}" if "ndcg" in found else found["error"]
        print(f"{log.name:34}{recipe:18}{score:>8}", *_costs(found), flush=True)
        if _processor_seconds() > until:
            return False
    return True


def _give_back() -> None:
    """Return free memory to the system, since what a child takes of it again would not count."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    with contextlib.suppress(OSError, AttributeError):  # glibc
        ctypes.CDLL(None).malloc_trim(0)


def _costs(found: dict) -> list[str]:
    if "error" in found:
        return []
    return [f"{found['fit_seconds']:8.2f} s", f"{found['memory_mib']:8.0f} MiB", f"{found['latency_ms']:8.2f} ms"]


def _processor_seconds() -> float:
    """Return the processor time of this process and its children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def read_rows(path: Path) -> list[dict]:
    """Return what was measured, one row a log and recipe."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
