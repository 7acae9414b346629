"""How long do saving and loading take? An ItemKNN of many items, and an EASE.

Prints seconds of processor time and the size of the file. Items have text ids, and each has 100 neighbours.

    python benchmarks/bench_persistence.py [n_items (100000)]
"""

import os
import sys
import tempfile
import time

import numpy as np
import scipy.sparse as sp

import skrec
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN


def item_knn(n_items: int, n_neighbors: int = 100) -> ItemKNN:
    """Return a model as `fit` would leave it, with similarities drawn at random."""
    rng = np.random.default_rng(0)
    model = ItemKNN(n_neighbors).fit([["a", "b"], ["b", "c"]])
    model.items_ = np.array([f"item-{number:07d}" for number in range(n_items)], dtype=object)
    model.vectorizer_.items_, model.n_items_ = model.items_, n_items
    model.popularity_ = rng.integers(1, 1000, n_items)
    indptr = np.arange(n_items + 1, dtype=np.int32) * n_neighbors
    columns = rng.integers(0, n_items, n_items * n_neighbors).astype(np.int32)
    model.similarity_ = sp.csr_array(
        (rng.random(len(columns), dtype=np.float32), columns, indptr), shape=(n_items,) * 2
    )
    return model


def measure(name: str, model) -> None:
    """Print what saving and loading a model take."""
    path = os.path.join(tempfile.mkdtemp(), "model.skrec")
    start = time.process_time()
    skrec.save(model, path)
    saved = time.process_time()
    skrec.load(path)
    loaded = time.process_time()
    size = os.path.getsize(path) / 2**20
    print(f"{name:40}save {saved - start:6.2f} s   load {loaded - saved:6.2f} s   {size:7.1f} MiB")
    os.unlink(path)


if __name__ == "__main__":
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    measure(f"ItemKNN, {n:,} items x 100 neighbours", item_knn(n))
    rows = np.random.default_rng(0).integers(0, 3000, (4000, 20)).tolist()
    measure("EASE, 3,000 items", EASE(l2=5).fit(rows))
