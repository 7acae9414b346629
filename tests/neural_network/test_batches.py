"""Batches of rows of similar length: datasets that are used again, and fits that leave nothing behind."""

import gc
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from skrec.neural_network import _batches

ROWS = np.where(np.arange(6) >= np.arange(20)[:, None] % 6, 2, 0).astype(np.int32)


def batches_of(number):
    return _batches.length_batches(ROWS, 8, lambda part, codes, rng: (codes, part + number), seed=lambda: 0)


def rows_in(data):
    return sorted(np.concatenate([part for _, part in data.as_numpy_iterator()]).tolist())


def test_a_dataset_that_nobody_holds_is_used_again_and_one_that_is_held_is_not():
    gc.collect()
    _batches._free.clear()
    first, second = batches_of(0), batches_of(100)
    assert rows_in(first) == list(range(20))
    assert rows_in(second) == list(range(100, 120))  # both at once, each its own
    del first
    gc.collect()
    (kept,) = [source for sources in _batches._free.values() for source in sources]
    third = batches_of(200)
    assert not any(_batches._free.values()), "the dataset that was free is not used again"
    assert kept.read() is third.read
    assert rows_in(third) == list(range(200, 220))
    assert rows_in(second) == list(range(100, 120))


def test_batches_of_another_form_have_another_dataset():
    first = batches_of(0)
    del first
    gc.collect()
    other = _batches.length_batches(ROWS, 8, lambda part, codes, rng: ({"codes": codes}, part), seed=lambda: 0)
    assert {name for given, _ in other.as_numpy_iterator() for name in given} == {"codes"}


GROWTH = """
import ctypes, gc, os, sys
from skrec.datasets import make_histories
import numpy as np
from skrec.neural_network import CNNEncoder, GRU4Rec, LSTMEncoder, MultVAE, PurchaseClassifier, SASRec, TwoTower
X = make_histories(100, 30, random_state=0)
rows = [list(row) for row in X["item"]]
odd = [len(row) % 2 for row in rows]
grids = np.random.default_rng(0).random((100, 8, 8))
small = {"epochs": 1, "random_state": 0}
fits = {
    "SASRec": lambda: SASRec(8, early_stopping=False, **small).fit(X),
    "GRU4Rec": lambda: GRU4Rec(8, early_stopping=False, **small).fit(X),
    "LSTMEncoder": lambda: LSTMEncoder((8,), **small).fit(rows, odd),
    "CNNEncoder": lambda: CNNEncoder((8,), **small).fit(grids, odd),
    "MultVAE": lambda: MultVAE(8, early_stopping=False, **small).fit(X),
    "PurchaseClassifier": lambda: PurchaseClassifier(hidden=(8,), **small).fit(grids[:, 0], odd),
    "TwoTower": lambda: TwoTower(8, early_stopping=False, **small).fit(X),
}
fit = fits[sys.argv[1]]

def mebibytes():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what the allocator keeps for later is not in use, and is 50 MiB at times
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

for _ in range(10):
    fit()
before = mebibytes()
for _ in range(20):
    fit()
gc.collect()
alive = sum(type(one).__name__ == sys.argv[1] for one in gc.get_objects())
print(mebibytes() - before, alive)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize(
    "name", ["SASRec", "GRU4Rec", "LSTMEncoder", "CNNEncoder", "MultVAE", "PurchaseClassifier", "TwoTower"]
)
def test_twenty_fits_leave_no_net_alive_and_little_memory(name):
    """A net that stayed alive would cost 40 MiB a fit; TensorFlow itself keeps some 0.6 MiB of each fit."""
    done = subprocess.run([sys.executable, "-c", GROWTH, name], capture_output=True, text=True, check=True)
    grown, alive = done.stdout.split()[-2:]
    assert float(grown) < 20
    assert int(alive) == 0
