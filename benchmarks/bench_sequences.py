"""The nets that know order, beside classical models: accuracy, seconds of training and of asking.

Beauty and Sports follow the S3-Rec protocol: learned from the training part only, asked with all but the test item.
MovieLens-1M leaves one out. The settings of the nets are their defaults, chosen on the validation part of Beauty, but
for those of `SETTINGS` and `FEATURED`; `--validation` measures on the validation parts. ``+features`` adds item
features to the item vectors (Beauty: title, attributes; Sports: keywords, attributes). Prints a line per seed, then
mean and spread over the seeds. ``--set`` changes settings of the nets.

    python benchmarks/bench_sequences.py [--validation] [--seeds 0 1 2] [--models SASRec ...] [--set "dropout=0.2"]
        [beauty sports ml1m]
"""

import argparse
import time

import numpy as np
import protocols

from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.metrics import hit_rate_at_k, ndcg_at_k
from skrec.neighbors import SessionKNN, TransitionRecommender
from skrec.neural_network import GRU4Rec, SASRec

LEARN_ALL = {"early_stopping": False}  # the number of epochs is chosen, so nothing need be held out
SETTINGS = {
    "beauty": LEARN_ALL,
    "sports": LEARN_ALL,
    "ml1m": {"max_length": 200, "dropout": 0.1, "n_blocks": 2, "distances": True, "epochs": 30, **LEARN_ALL},
}
FEATURED = {"epochs": 15, "optimizer": "lazy_adam"}  # no worse than 25 epochs on Beauty's validation item
COLUMNS = {"beauty": ["title", "attributes"], "sports": ["keywords", "attributes"]}


def features_of(name: str):
    """Return the item features that nets read, a frame by item id."""
    return protocols.s3rec_items(name)[COLUMNS[name]]


def models(name: str, seed: int, verbose: int, changes: dict) -> dict:
    """Return functions that make the models, by name; classical ones have no seed."""
    net = {"random_state": seed, "verbose": verbose, **SETTINGS.get(name, {}), **changes}
    recurrent = {label: value for label, value in net.items() if label not in ("n_blocks", "distances", "frequency")}
    made = {
        "SASRec": lambda: SASRec(**net),
        "SASRec, random start": lambda: SASRec(**{**net, "init": "random"}),
        "SASRec, lazy Adam": lambda: SASRec(**{**net, "optimizer": "lazy_adam"}),
        "GRU4Rec": lambda: GRU4Rec(**recurrent),
    }
    if name in COLUMNS:
        made["SASRec+features"] = lambda: SASRec(item_features=features_of(name), **{**net, **FEATURED})
    if seed == 0:
        made["TransitionRecommender"] = TransitionRecommender
        made["SessionKNN"] = SessionKNN
        made["EASE, recency .6"] = lambda: EASE(l2=100, vectorizer=HistoryVectorizer(recency=0.6))
    return made


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=["beauty", "sports", "ml1m"])
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--models", nargs="+")
    parser.add_argument("--set", type=protocols.keywords, default={}, help="settings of the nets, such as dropout=0.2")
    parser.add_argument("--verbose", type=int, default=0)
    arguments = parser.parse_args()
    for name in arguments.names:
        if name == "ml1m":
            task = protocols.ml1m(validation=arguments.validation)
        else:
            task = protocols.s3rec(name, validation=arguments.validation)
        print(f"{task.name}: {len(task.X_train)} users", flush=True)
        reached: dict[str, list] = {}
        for seed in arguments.seeds:
            for kind, make in models(name, seed, arguments.verbose, arguments.set).items():
                if arguments.models and kind not in arguments.models:
                    continue
                model, start, used = make(), time.perf_counter(), time.process_time()
                model.fit(task.X_train)
                seconds, cpu = time.perf_counter() - start, time.process_time() - used
                start = time.perf_counter()
                answer = model.predict(task.X_test)
                asking = time.perf_counter() - start
                both = hit_rate_at_k(task.y_test, answer), ndcg_at_k(task.y_test, answer)
                reached.setdefault(kind, []).append(both)
                epochs = f", {model.n_iter_} epochs" if hasattr(model, "history_") else ""
                print(
                    f"  {kind:24} seed {seed}  HR@10 {both[0]:.4f}  NDCG@10 {both[1]:.4f}  fit {seconds:.0f} s "
                    f"({cpu:.0f} s of processor{epochs})  ask {asking:.1f} s",
                    flush=True,
                )
        for kind, values in reached.items():
            if len(values) > 1:
                mean, spread = np.mean(values, axis=0), np.std(values, axis=0)
                print(
                    f"  {kind:24} mean    HR@10 {mean[0]:.4f} +- {spread[0]:.4f}  "
                    f"NDCG@10 {mean[1]:.4f} +- {spread[1]:.4f}"
                )


if __name__ == "__main__":
    main()
