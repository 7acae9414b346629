"""SASRec against the SASRec of RecTools (PyTorch) at equal settings on Amazon Beauty: seconds an epoch and NDCG@10.

The peer runs in an environment of its own, whose Python is the first argument. Both have one block of one head, 64
dimensions, length 50, dropout .2, Adam with .001, a full softmax over the catalogue, batches of 128 users and two
threads, learn from the training part of the S3-Rec protocol and are asked with all but the test item. Seconds are those
of the whole fit, setting up included, over the epochs. The last row is ours with its own default loss, a sampled
softmax.

    python -m venv peer && peer/bin/pip install "rectools[torch]==0.19.0"
    python benchmarks/bench_rectools.py peer/bin/python [epochs]
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import protocols

from skrec.metrics import hit_rate_at_k, ndcg_at_k
from skrec.neural_network import SASRec
from skrec.utils._histories import read_histories

OURS = {
    "n_components": 64,
    "dropout": 0.2,
    "event_dropout": 0.0,
    "learning_rate": 0.001,
    "schedule": "constant",
    "init": "random",
    "early_stopping": False,
    "random_state": 0,
}
THEIRS = {
    "n_factors": 64,
    "n_blocks": 1,
    "n_heads": 1,
    "session_max_len": 50,
    "dropout_rate": 0.2,
    "lr": 0.001,
    "batch_size": 128,
    "loss": "softmax",
}


def theirs(peer, task, epochs):
    """Return the answer of the peer, and the seconds of fitting and of asking."""
    script = Path(__file__).parent / "peers" / "run_rectools.py"
    known, asked = read_histories(task.X_train), read_histories(task.X_test)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        pairs = {"users": known.rows, "items": known.ids[known.codes]}
        pairs |= {"asked_users": asked.rows, "asked_items": asked.ids[asked.codes]}
        np.savez(source, **pairs)
        settings = json.dumps({**THEIRS, "epochs": epochs})
        subprocess.run([peer, script, source, settings, target], check=True, stderr=subprocess.DEVNULL, cwd=folder)
        answer = dict(np.load(target))
    return answer["items"], float(answer["fit"]), float(answer["ask"])


def ours(task, epochs, **settings):
    """Return our answer, and the seconds of fitting and of asking."""
    model, start = SASRec(epochs=epochs, **OURS, **settings), time.perf_counter()
    model.fit(task.X_train)
    fitted = time.perf_counter()
    return model.predict(task.X_test), fitted - start, time.perf_counter() - fitted


def main(peer, epochs=3):
    task, epochs = protocols.s3rec("beauty"), int(epochs)
    print(f"{epochs} epochs\n{'':24}{'s/epoch':>9}{'ratio':>7}{'ask s':>8}{'HR@10':>8}{'NDCG@10':>9}")
    first = None
    for label, run in {
        "RecTools": lambda: theirs(peer, task, epochs),
        "skrec, full softmax": lambda: ours(task, epochs, n_negatives=0),
        "skrec, default loss": lambda: ours(task, epochs),
    }.items():
        answer, fit, ask = run()
        first = first or fit
        quality = hit_rate_at_k(task.y_test, answer), ndcg_at_k(task.y_test, answer)
        print(
            f"{label:24}{fit / epochs:9.1f}{first / fit:7.1f}{ask:8.1f}{quality[0]:8.4f}{quality[1]:9.4f}", flush=True
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
