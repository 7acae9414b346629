"""What the bridge costs: a net as an estimator against the same Keras model trained bare, in one run.

Prints the time of `fit` on 60,000 rows (each the fastest of three, alternating) with Keras' own settings and with ours,
the time of `predict_proba` on one row after warm-up, what 20 fits leave in memory, and the settings that were chosen by
measurement: steps between two returns to Python, XLA and bfloat16.

    python benchmarks/bench_keras.py
"""

import gc
import time

import keras
import numpy as np
import psutil

from skrec.neural_network import PurchaseClassifier, _keras


def bare(X, y, epochs, steps=1, jit=False, fit=True):
    """Train the net of PurchaseClassifier's defaults without an estimator."""
    start = keras.Input((X.shape[1],))
    inner = keras.layers.Dense(100, "relu")(start)
    inner = keras.layers.Dense(50, "relu")(inner)
    model = keras.Model(start, keras.layers.Dense(1, "sigmoid")(inner))
    model.compile("adam", "binary_crossentropy", steps_per_execution=steps, jit_compile=jit)
    model.fit(X, y, batch_size=BATCH, epochs=epochs, verbose=0)


def estimator(X, y, epochs, **options):
    return PurchaseClassifier(
        hidden=(100, 50), numeric=None, batch_size=BATCH, epochs=epochs, random_state=0, **PLAIN, **options
    ).fit(X, y)


def fastest(runs, repeats=3):
    """Return the shortest time of each function, called in turns."""
    best = dict.fromkeys(runs, np.inf)
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


BATCH = 128
PLAIN = {}  # parameters that make PurchaseClassifier the plain multi-layer perceptron above


def main():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 75)).astype(np.float32)
    y = (X[:, 0] + rng.normal(size=len(X)) > 0).astype(np.int32)
    bare(X[:1000], y[:1000], 1)
    runs = {
        "bare, Keras' settings": lambda: bare(X, y, 5),
        "bare, 16 steps a call": lambda: bare(X, y, 5, _keras.STEPS_PER_CALL),
        "bare, 16 steps a call, XLA": lambda: bare(X, y, 5, _keras.STEPS_PER_CALL, jit=True),
        "estimator": lambda: estimator(X, y, 5),
        "estimator, bfloat16": lambda: estimator(X, y, 5, mixed_precision=True),
    }
    best = fastest(runs)
    print("60,000 rows x 75 columns, hidden (100, 50), batches of 128, 5 epochs")
    for name, seconds in best.items():
        print(f"{name:30}{seconds:7.2f} s{seconds / best['bare, 16 steps a call']:7.2f}")

    net = estimator(X, y, 1)
    net.predict_proba(X[:1])
    start = time.perf_counter()
    for row in range(500):
        net.predict_proba(X[row : row + 1])
    print(f"predict_proba of one row: {(time.perf_counter() - start) / 500 * 1000:.2f} ms")

    process = psutil.Process()
    for count in range(23):
        estimator(X[:2000], y[:2000], 1)
        gc.collect()
        if count == 2:
            before = process.memory_info().rss
    print(f"20 more fits after 3: {(process.memory_info().rss - before) / 2**20:+.0f} MiB")


if __name__ == "__main__":
    main()
