"""How good are CNNEncoder's labels and features on Fashion-MNIST, and what do they cost?

Learns from the 60,000 training pictures and is asked about the 10,000 test pictures, once per setting. With
`--validation n`, what the defaults were chosen by: learns from the first n training pictures and is asked about the
last 10,000 of them. Columns: accuracy of the net, of 10 nearest neighbours in feature space (Euclidean) and of a
logistic regression on the features; weights up to the features, epochs, seconds of the clock and of the processors, and
the load of the machine at the end (more than its number of cores: the clock says little).

    python benchmarks/bench_cnn.py [--validation n] [name[,parameter=value...] ...]
"""

import os
import sys
from time import perf_counter, process_time

import protocols
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrec.datasets import load_fashion_mnist
from skrec.neural_network import CNNEncoder

SETTINGS = {
    "default": {},
    "best": {
        "filters": (32, 64, 128),
        "architecture": "residual",
        "augmentation": ("flip", "erase"),
        "label_smoothing": 0.1,
        "test_time_augmentation": True,
        "batch_size": 128,
        "learning_rate": 0.003,
        "epochs": 16,
    },
    "contrastive": {"self_supervised": "contrastive", "hidden": (512,), "batch_size": 256},
    "autoencoder": {"self_supervised": "autoencoder", "hidden": (512,), "epochs": 4},
}


def measure(name, parameters, X, y, X_test, y_test):
    """Fit once and print a row of the table."""
    labels = None if "self_supervised" in parameters else y
    begun, used = perf_counter(), process_time()
    net = CNNEncoder(random_state=0, **parameters).fit(X, labels)
    seconds, used = perf_counter() - begun, process_time() - used
    accuracy = "" if labels is None else f"{net.score(X_test, y_test):.4f}"
    Z, Z_test = net.transform(X), net.transform(X_test)
    nearest = KNeighborsClassifier(10).fit(Z, y).score(Z_test, y_test)
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300)).fit(Z, y).score(Z_test, y_test)
    size = net.encoder_.count_params()
    print(
        f"| {name} | {accuracy} | {nearest:.4f} | {linear:.4f} | {Z.shape[1]} | {size:,} | {net.n_iter_} | "
        f"{seconds:.0f} | {used:.0f} | {os.getloadavg()[0]:.1f} |",
        flush=True,
    )


def main(arguments):
    data = load_fashion_mnist()
    X, y, X_test, y_test = data.X_train, data.y_train, data.X_test, data.y_test
    if arguments[:1] == ["--validation"]:
        n = int(arguments[1])
        X, y, X_test, y_test = X[:n], y[:n], X[-10_000:], y[-10_000:]
        arguments = arguments[2:]
    print(f"{len(X):,} pictures to learn from, {len(X_test):,} to be asked about, {os.cpu_count()} cores\n")
    print("| setting | accuracy | 10-NN | linear | features | weights | epochs | seconds | processor seconds | load |")
    print("|---" + "|--:" * 9 + "|")
    for argument in arguments or SETTINGS:
        name, *changes = argument.split(",", 1)
        changed = protocols.keywords(changes[0]) if changes else {}
        measure(argument, SETTINGS[name] | changed, X, y, X_test, y_test)


if __name__ == "__main__":
    main(sys.argv[1:])
