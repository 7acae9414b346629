"""Exact search among many item vectors: processor time a request, against the product with all of them.

Vectors of 64 components, three kinds: those of ALS fitted to planted histories (60,000 users, 100,000 items); the same
drawn with replacement and 5 % of noise up to the number of items asked for; and random vectors of norm 1, for which the
norms end no search early. Users are 500 of the model, or random ones; batches repeat them with noise. Prints one table:
the time to prepare the search, processor milliseconds a user for the best ten, of the product with all items and its
top ten, how often the lists agree, and the goals. `numba missing` is the form without numba.

With ``--catalogue N`` it fits ALS to a log with N items, saves it, loads it in another process and answers, and prints
seconds and the peak memory of each process; 5,000,000 take some minutes and 4 GiB.

    python benchmarks/bench_many_items.py [--items 100000 1000000 5000000] [--catalogue 5000000]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

import skrec
from skrec.datasets import make_histories
from skrec.decomposition import ALS
from skrec.utils import _fast
from skrec.utils._fast_search import kernel
from skrec.utils._search import InnerProduct, Products, build_index, products_of, search, warm, warm_up
from skrec.utils._selection import best_items
from skrec.utils._topk import top_k_single
from skrec.utils._users import Users

K = 10
N_FULL = 20  # users for the product with all items
N_BATCH = 64  # users of a batch for the product with all items
GOALS = {("one by one", "drawn", 10**6): "1 ms", ("one by one", "drawn", 5 * 10**6): "4 ms"}
GOALS[("1,000 at once", "drawn", 10**6)] = GOALS[("1,000 at once", "norm 1", 10**6)] = "5 times as fast"
COLUMNS = ("users", "vectors", "items", "prepared, s", "search, ms", "product, ms", "ratio", "same lists", "goal")


def als_vectors(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of the items and of 500 users."""
    histories = make_histories(60_000, 100_000, mean_length=12, random_state=seed)
    model = ALS(64, random_state=seed).fit(histories)
    return model.item_factors_, model.transform(histories.iloc[:500])


def drawn(vectors: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
    """Return vectors drawn with replacement, with noise of 5 % of their norm."""
    rng = np.random.default_rng(seed)
    chosen = vectors[rng.integers(0, len(vectors), n)]
    noise = rng.standard_normal(chosen.shape, dtype=np.float32)
    noise *= 0.05 * np.linalg.norm(chosen, axis=1, keepdims=True) / np.sqrt(chosen.shape[1])
    chosen += noise
    return chosen


def unit(n_items: int, seed: int = 0) -> np.ndarray:
    """Return random vectors of norm 1."""
    vectors = np.random.default_rng(seed).standard_normal((n_items, 64), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def row(users: str, name: str, n_items: int, prepared: float, one: float, product: float, same: float) -> None:
    """Print a row of the table."""
    goal = GOALS.get((users, name, n_items), "")
    cells = (users, name, f"{n_items:,}", f"{prepared:.2f}", f"{one:.3f}", f"{product:.2f}", f"{product / one:.1f}",
             f"{same:.0%}", goal)  # fmt: skip
    print("| " + " | ".join(cells) + " |", flush=True)


def requests(users: str, name: str, items: np.ndarray, vectors: np.ndarray) -> None:
    """Measure requests one by one."""
    started = time.process_time()
    index = build_index(items)
    prepared = time.process_time() - started
    if index is None:
        print(f"| {users} | {name} | {len(items):,} | the product with all items |")
        return
    search(index, vectors[:1], K)
    started = time.process_time()
    found = [best(items, search(index, one[None], K)[0], one) for one in vectors]
    cost = 1000 * (time.process_time() - started) / len(vectors)
    order = np.arange(len(items))
    started = time.process_time()
    full = [top_k_single(Products(one, items).toarray(), K, order, order)[0] for one in vectors[:N_FULL]]
    product = 1000 * (time.process_time() - started) / N_FULL
    same = np.mean([np.array_equal(one, other) for one, other in zip(found, full, strict=False)])
    row(users, name, len(items), prepared, cost, product, same)


def best(items: np.ndarray, some: np.ndarray, user: np.ndarray) -> np.ndarray:
    """Return the ten best of the items in question."""
    return some[np.lexsort((some, -products_of(user, items, some)))[:K]]


class Owner:
    """What the search of a batch is kept with, in place of a model."""


def batch(name: str, items: np.ndarray, vectors: np.ndarray) -> None:
    """Measure a batch of users, as `recommend` serves it."""
    n_items, owner = len(items), Owner()
    started = time.process_time()
    warm(owner, items)
    prepared = time.process_time() - started
    how = {"n_items": n_items, "columns": np.arange(n_items), "order": np.arange(n_items), "demote_seen": False}

    def lists(asked, product):
        users = Users(sp.csr_array((len(asked), n_items), dtype=np.float32), extra={"vectors": asked})
        started = time.process_time()
        found, _ = best_items(
            lambda some: some.extra["vectors"] @ items.T, users, K, removed=None, row_bytes=4 * n_items,
            product=product, **how,
        )  # fmt: skip
        return found, 1000 * (time.process_time() - started) / len(asked)

    found, cost = lists(vectors, InnerProduct(owner, lambda some: some.extra["vectors"], items))
    full, product = lists(vectors[:N_BATCH], None)
    same = (found[: len(full)] == full).all(axis=1).mean()
    row(f"{len(vectors):,} at once", name, n_items, prepared, cost, product, same)


def peak() -> float:
    """Return the largest memory of this process in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def fit_catalogue(n_items: int, path: str) -> None:
    """Fit ALS to a log in which every item occurs, and save it."""
    rng, length = np.random.default_rng(0), 20
    items = np.concatenate([np.arange(n_items), (n_items * rng.random(n_items) ** 3).astype(np.int64)])
    items = rng.permutation(items)[: len(items) // length * length]
    histories = pa.ListArray.from_arrays(np.arange(0, len(items) + 1, length, dtype=np.int32), items)
    started = time.process_time()
    model = ALS(64, max_iter=1, random_state=0).fit(histories)
    print(f"fit of {n_items:,} items, {len(items):,} events: {time.process_time() - started:.0f} s, "
          f"peak {peak():.2f} GiB", flush=True)  # fmt: skip
    started = time.process_time()
    skrec.save(model, path)
    print(f"save: {time.process_time() - started:.1f} s, peak {peak():.2f} GiB", flush=True)


def answer_catalogue(path: str) -> None:
    """Load the model, and answer."""
    started = time.process_time()
    model = skrec.load(path)
    print(f"load: {time.process_time() - started:.1f} s, peak {peak():.2f} GiB", flush=True)
    started = time.process_time()
    warm_up(model)
    model.recommend([[0, 1, 2]])
    print(f"preparing the search: {time.process_time() - started:.1f} s", flush=True)
    asked = np.random.default_rng(1).integers(0, model.n_items_ // 100, (200, 20)).tolist()
    started = time.process_time()
    for one in asked:
        model.recommend([one])
    print(f"a request: {5 * (time.process_time() - started):.2f} ms, peak {peak():.2f} GiB; goal 4 GiB", flush=True)


def catalogue(n_items: int) -> None:
    """Run both halves in processes of their own."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.skrec")
        for part in (["--part", "fit", "--catalogue", str(n_items)], ["--part", "answer"]):
            subprocess.run([sys.executable, __file__, *part, "--path", path], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="*", default=[100_000, 1_000_000, 5_000_000])
    parser.add_argument("--catalogue", type=int)
    parser.add_argument("--part", choices=["fit", "answer"], help=argparse.SUPPRESS)
    parser.add_argument("--path", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        return (
            fit_catalogue(arguments.catalogue, arguments.path)
            if arguments.part == "fit"
            else answer_catalogue(arguments.path)
        )
    if arguments.items:
        kernel()
        print(f"| {' | '.join(COLUMNS)} |\n|---|---|--:|--:|--:|--:|--:|--:|---|")
        vectors, users = als_vectors()
        requests("one by one", "ALS", vectors, users)
    for n_items in arguments.items:
        items = drawn(vectors, n_items)
        requests("one by one", "drawn", items, users)
        if n_items <= 10**6:
            batch("drawn", items, drawn(users, 1000))
            with patch.object(_fast, "available", lambda: False):
                requests("numba missing", "drawn", items, users[:100])
        del items
        strangers = np.random.default_rng(1).standard_normal((1000, 64), dtype=np.float32)
        items = unit(n_items)
        requests("one by one", "norm 1", items, strangers[:100])
        if n_items <= 10**6:
            batch("norm 1", items, strangers)
        del items
    if arguments.items:
        batch("drawn", drawn(vectors, 200_000), drawn(users, 4000))
    if arguments.catalogue:
        catalogue(arguments.catalogue)


if __name__ == "__main__":
    main()
