"""MultVAE against EASE and EDLAE on users who were not in training: MovieLens-1M, NDCG at 10 and 100.

    python benchmarks/bench_multvae.py [--data ml1m ml100k] [--seeds 0 1 2] [--validation]
                                       [--settings "dropout=0.7" ...] [--search]

Strong generalisation as in Liang et al. (2018): a tenth of the users is held out as the test part and another tenth
validates; a random 80 % of such a user's items are given and the other 20 % are asked for. EASE's `l2` is chosen on the
validation users, and all models then learn from all users but those of the test part. The seed draws the users, the
items and the net. With ``--validation`` the validation part is asked and the test part stays out of it; the defaults of
MultVAE were chosen so on MovieLens-1M with seeds 0 to 2. Prints a line per seed, then the means. EDLAE is EASE with
dropout and exponents; ``--search`` prints the means over the seeds on the validating users alone, of plain EASE and of
the grids around EDLAE's parameters, from which these were chosen by the mean of NDCG at 10 and 100. ``--settings``
without a text leaves out the nets.
"""

import argparse
import time

import numpy as np
import protocols
from sklearn.model_selection import ParameterGrid

from skrec.decomposition import PureSVD
from skrec.dummy import PopularityRecommender
from skrec.linear_model import EASE
from skrec.metrics import ndcg_at_k
from skrec.model_selection import split_users
from skrec.neural_network import MultVAE

SETTINGS = [  # once the number of epochs is chosen, no user need be held out
    "early_stopping=False",
    "early_stopping=False, denoising=True",
    "",
    "init='random', learning_rate=0.003, schedule='constant', epochs=200, dropout=0.5, beta=0.2, annealing_epochs=50",
]
L2 = (100, 200, 500, 1000, 2000)
# chosen by --search with seeds 0 to 2 on the validating users of MovieLens-1M
EDLAE = {"l2": 20, "dropout": 0.35, "length_exponent": 0.35, "popularity_exponent": 0.08}
GRIDS = [  # the other parameters as chosen; a longer row needs another penalty
    {"dropout": (0.0, 0.2, 0.35, 0.5), "l2": (10, 15, 20, 30)},
    {"length_exponent": (0.0,), "l2": (200, 300, 500, 1000)},
    {"length_exponent": (0.25,), "l2": (20, 30, 50, 70)},
    {"length_exponent": (0.45,), "l2": (5, 8, 12)},
    {"popularity_exponent": (0.0, 0.04, 0.12)},
]


def histories_of(name):
    """Return the whole histories of a data set, one row per user."""
    if name == "ml1m":
        return protocols.to_histories(protocols._read("ml1m_sequences"), user="user_id", item="item_id", time="pos")
    return protocols.to_histories(protocols._read("ml100k_ratings"), user="user_id", item="item_id", time="timestamp")


def measured(model, X_train, X_test, y_test):
    """Fit a model and return NDCG at 10 and 100, and the processor seconds of fitting."""
    start = time.process_time()
    model.fit(X_train)
    seconds = time.process_time() - start
    found = model.recommend(X_test, 100)
    return ndcg_at_k(y_test, found, k=10), ndcg_at_k(y_test, found), seconds


def parts(histories, seed):
    """Return the training users, and the validating and the test users with what is asked of them."""
    how = {"test_size": len(histories) // 10, "held_out": 0.2, "order": "random", "random_state": seed}
    rest, *test = split_users(histories, **how)
    train, *judged = split_users(rest, **how)
    return train, judged, rest, test


def search(names, seeds):
    for name in names:
        histories = histories_of(name)
        judged = [(train, *judged) for train, judged, *_ in (parts(histories, seed) for seed in seeds)]
        settings = [{"l2": l2} for l2 in L2] + [EDLAE | setting for grid in GRIDS for setting in ParameterGrid(grid)]
        for setting in settings:
            reached = np.mean([measured(EASE(**setting), *part)[:2] for part in judged], axis=0)
            print(f"{name:8}{reached[0]:9.4f}{reached[1]:9.4f}{reached.mean():9.5f}  {setting}", flush=True)


def main(names, seeds, validation, settings):
    print(f"{'data':8}{'seed':>5} {'model':44}{'NDCG@10':>9}{'NDCG@100':>9}{'CPU s':>8}  notes")
    for name in names:
        histories, reached = histories_of(name), {}
        for seed in seeds:
            train, judged, rest, test = parts(histories, seed)
            chosen = max(L2, key=lambda l2: measured(EASE(l2), train, *judged)[1])
            part = (train, *judged) if validation else (rest, *test)
            models = {
                "popularity": PopularityRecommender(),
                f"EASE(l2={chosen})": EASE(chosen),
                "EDLAE": EASE(**EDLAE),
                "PureSVD(200)": PureSVD(200, random_state=seed),
            }
            for text in settings:
                models[f"MultVAE({text})"] = MultVAE(random_state=seed, **protocols.keywords(text))
            for label, model in models.items():
                at_10, at_100, seconds = measured(model, *part)
                reached.setdefault(label.split("(l2")[0], []).append((at_10, at_100))
                log = getattr(model, "history_", {})
                notes = f"{len(log['loss'])} epochs" if log else ""
                shown = label if len(label) <= 44 else f"{label[:40]}...)"
                print(f"{name:8}{seed:5} {shown:44}{at_10:9.4f}{at_100:9.4f}{seconds:8.0f}  {notes}", flush=True)
        for label, values in reached.items():
            mean, spread, shown = np.mean(values, axis=0), np.std(values, axis=0), label[:44]
            print(f"{name:8} mean {shown:44}{mean[0]:9.4f}{mean[1]:9.4f}  +- {spread[0]:.4f} {spread[1]:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", nargs="+", default=["ml1m"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--search", action="store_true", help="search the grids of EDLAE on the validating users")
    parser.add_argument(
        "--settings", nargs="*", default=SETTINGS, help="arguments of MultVAE to measure, one text each"
    )
    given = parser.parse_args()
    if given.search:
        search(given.data, given.seeds)
    else:
        main(given.data, given.seeds, given.validation, given.settings)
