"""Fit EASE of Cornac to a log, and serve it by Cornac's own server; called by ../bench_serve_peers.py.

python serve_cornac.py LOG.csv PORT FOLDER
"""

import csv
import os
import sys

import cornac
from cornac.data import Dataset


def main(log, port, folder):
    with open(log, newline="") as file:
        triples = [(user, item, 1.0) for user, item in csv.reader(file)]
    train = Dataset.from_uir(triples, seed=0)
    model = cornac.models.EASE(lamb=500, seed=0, verbose=False).fit(train)
    os.environ["MODEL_PATH"] = model.save(folder, save_trainset=True)
    os.environ["MODEL_CLASS"] = "cornac.models.EASE"
    os.chdir(folder)
    print(f"Cornac {cornac.__version__}", flush=True)
    from cornac.serving.app import app
    from waitress import serve

    serve(app, host="127.0.0.1", port=int(port), threads=4)


if __name__ == "__main__":
    main(*sys.argv[1:])
