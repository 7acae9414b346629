"""Do hybrids beat their best part? Blends and two stages against every part, and with each part left out.

Prints HR and NDCG at 10 (20 for sessions) of each part, of the blend with equal and with learned weights, and of two
stages as they choose themselves, with the ranker of scikit-learn and with LightGBM's LGBMRanker; then what each
hybrid gains over its best part on the same users, with a 95 % bootstrap interval, and the median time of a request
for one user. Parts are fitted once per training set: the hybrids of one task share them. ``--ablation`` leaves out
one part after the other, ``--users N`` asks N random users who have something held out, ``--validation`` measures on
the validation parts, on which parameters were chosen, ``--with-net`` adds SASRec, ``--net-features`` as well, but one
that reads item features where the set has some, and ``--seed`` (0) is that of everything drawn. ``--vectors`` has two
parts alone, SessionKNN and PPMISVD. MovieLens-100k is not here: its official test is a random part of the ratings,
which the last event does not resemble.

    python benchmarks/bench_hybrid.py [--validation] [--ablation] [--with-net | --net-features] [--vectors] [--seed 0]
        [--users 5000] [beauty sports ml1m online_retail online_retail_new dunnhumby dunnhumby_new retailrocket
        diginetica]
"""

import sys
import time

import bench_sequences
import bench_sessions
import numpy as np
import protocols
from sklearn.base import clone

from skrec.decomposition import PPMISVD
from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender, TwoStageRecommender, _parts
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.metrics import bootstrap_interval, paired_bootstrap, ranking_scores
from skrec.neighbors import (
    TIFUKNN,
    BuyAgainRecommender,
    ContentRecommender,
    ItemKNN,
    SessionKNN,
    TransitionRecommender,
)
from skrec.utils._containers import count_rows, take_rows
from skrec.utils._histories import read_histories

SETS = [
    "beauty",
    "sports",
    "ml1m",
    "online_retail",
    "online_retail_new",
    "dunnhumby",
    "dunnhumby_new",
    "retailrocket",
    "diginetica",
]
RECENT = HistoryVectorizer(recency=0.6)
SEASONAL = {
    "half_life": 15,
    "recency": 0.98,
    "length_penalty": 1.0,
    "backward": 1.0,
    "distance_decay": 0.95,
    "idf": 1.5,
}


def task_and_parts(name: str, validation: bool):
    """Return the task, its parts, and the parameters by which ensembles learn on it."""
    if name in ("beauty", "sports"):
        items = protocols.s3rec_items(name)
        parts = {
            "ease": EASE(l2=100, vectorizer=RECENT),
            "next": TransitionRecommender(),
            "session": SessionKNN(),
            "content": ContentRecommender(items),
        }
        return protocols.s3rec(name, validation=validation), parts, {"max_users": None}  # better on validation items
    if name == "ml1m":
        parts = {
            "ease": EASE(l2=300),
            "recent": EASE(l2=300, vectorizer=HistoryVectorizer(recency=0.9)),
            "next": TransitionRecommender(),
            "session": SessionKNN(),
        }
        return protocols.ml1m(validation=validation), parts, {}
    if name in ("retailrocket", "diginetica"):
        parts = {
            "session": SessionKNN(idf=1.5),
            "next": TransitionRecommender(),
            "knn": ItemKNN(100, vectorizer=RECENT),
        }
        return bench_sessions.sessions(name, validation=validation), parts, {"holdout": "sessions"}
    exclude_seen = name.endswith("_new")
    task = getattr(protocols, name.removesuffix("_new"))(exclude_seen=exclude_seen, validation=validation)
    least = 100 if name.startswith("dunnhumby") else 1
    counts = HistoryVectorizer(binary=exclude_seen, min_df=least)
    parts = {
        "ease": EASE(l2=1000 if least > 1 else 300, vectorizer=counts),
        "knn": ItemKNN(vectorizer=HistoryVectorizer(min_df=least)),
        "popular": PopularityRecommender(window="30D"),
    }
    if least == 1:
        parts["session"] = SessionKNN(**SEASONAL)
    if not exclude_seen:
        parts |= {"again": BuyAgainRecommender(), "tifu": TIFUKNN()}
    return task, parts, {"holdout": "30D"}


def hybrids(parts: dict, learning: dict, seed: int, rankers: bool = True):
    """Yield the name of each hybrid and the hybrid."""
    named = list(parts.items())
    held_out = {name: value for name, value in learning.items() if name == "holdout"}
    yield "blend", BlendRecommender(named)
    steps = {"n_holdouts": 3} if held_out.get("holdout") == "30D" else {}
    yield "blend, learned weights", BlendRecommender(named, weights="auto", random_state=seed, **held_out, **steps)
    two = TwoStageRecommender(named, random_state=seed, **learning, **steps)
    yield "two stages", two
    if not rankers:
        return
    yield "two stages, ranker of scikit-learn", clone(two).set_params(ranker=None)
    try:
        from lightgbm import LGBMRanker
    except ImportError:
        return
    trees = {"n_estimators": 200, "learning_rate": 0.05, "num_leaves": 15, "min_child_samples": 100}
    ranker = LGBMRanker(**trees, random_state=seed, verbose=-1, n_jobs=2)
    yield "two stages, LGBMRanker", clone(two).set_params(ranker=ranker)


_fitted = {}
_fit_part = _parts._fit_part


def fit_once(label, name, part, X):
    """Fit a part on histories, or return the one that was fitted on the same before."""
    histories = read_histories(X)
    print_of = (hash(histories.codes.tobytes()), hash(histories.indptr.tobytes()))
    key = (part.__repr__(N_CHAR_MAX=100_000), print_of)
    if key not in _fitted:
        _fitted[key] = _fit_part(label, name, part, X)
    return _fitted[key]


def measure(task, model, k):
    """Fit and ask; return the metrics of each user, and the seconds that both took."""
    start = time.perf_counter()
    model = model if hasattr(model, "items_") else model.fit(task.X_train)
    fitted = time.perf_counter()
    answer = model.recommend(task.X_test, k=k, exclude_seen=task.exclude_seen)
    asked = time.perf_counter()
    scores = ranking_scores(task.y_test, answer, k=k, metrics=("hit_rate", "ndcg"))
    return model, scores[f"hit_rate@{k}"], scores[f"ndcg@{k}"], fitted - start, asked - fitted


def fewer_users(task, n_users):
    """Ask only users with something held out, and at most so many of them."""
    asked = np.flatnonzero(read_histories(task.y_test, "y").lengths)
    if n_users and len(asked) > n_users:
        asked = np.sort(np.random.default_rng(0).choice(asked, n_users, replace=False))
    if len(asked) == count_rows(task.X_test):
        return task
    X, y = take_rows(task.X_test, asked), take_rows(task.y_test, asked)
    return protocols.Task(task.name, task.X_train, X, y, task.exclude_seen)


def milliseconds(task, model, n_requests=200):
    """Return the median time of one user's request, after some to warm up."""
    times = []
    for row in range(min(n_requests, count_rows(task.X_test) - 1)):
        user = take_rows(task.X_test, np.array([row]))
        start = time.perf_counter()
        model.recommend(user, k=10)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times[20:]))


def show(task, label, hits, ndcg, fit, ask, gain=""):
    low, high = bootstrap_interval(ndcg, random_state=0)
    print(
        f"{task.name:38}{label:34}{np.nanmean(hits):8.4f}{np.nanmean(ndcg):8.4f}  {low:.4f}-{high:.4f}"
        f"{fit:8.1f}{ask:8.1f}  {gain}",
        flush=True,
    )


def gain_over(ndcg, best):
    difference, low, high, _ = paired_bootstrap(ndcg, best, random_state=0)
    base = np.nanmean(best)
    return f"{difference / base:+.1%} ({low / base:+.1%} to {high / base:+.1%})"


def run(name, seed, validation, ablation, net, vectors, n_users):
    task, parts, learning = task_and_parts(name, validation)
    if vectors:
        parts = {"session": parts.get("session", SessionKNN()), "vectors": PPMISVD(random_state=seed)}
    task, k = fewer_users(task, n_users), 20 if name in ("retailrocket", "diginetica") else 10
    if net:
        from skrec.neural_network import SASRec

        settings = bench_sessions.QUICK if k == 20 else bench_sequences.SETTINGS.get(name, {})
        parts["net"] = SASRec(random_state=seed, **settings)
        if net == "--net-features" and name in bench_sequences.COLUMNS:
            parts["net"].set_params(item_features=bench_sequences.features_of(name), **bench_sequences.FEATURED)
    for part in parts.values():
        part.set_params(exclude_seen=task.exclude_seen)
    best = None
    for label, part in parts.items():
        start = time.perf_counter()
        fitted = fit_once("parts", label, part, task.X_train)
        took = time.perf_counter() - start
        _, hits, ndcg, _, ask = measure(task, fitted, k)
        show(task, label, hits, ndcg, took, ask)
        if best is None or np.nanmean(ndcg) > np.nanmean(best):
            best = ndcg
    for label, model in hybrids(parts, learning, seed):
        model.set_params(exclude_seen=task.exclude_seen)
        model, hits, ndcg, fit, ask = measure(task, model, k)
        show(task, label, hits, ndcg, fit, ask, gain_over(ndcg, best))
        print(f"    one user at a time: {milliseconds(task, model):.1f} ms")
        if hasattr(model, "choice_"):
            chosen = {one: round(value, 4) for one, value in model.validation_scores_.items()}
            print(f"    chosen by {model.n_validation_users_:,} users: {model.choice_} of {chosen}")
        if getattr(model, "ranker_", None) is None:
            print("    weights", dict(zip(parts, model.weights_.round(2).tolist(), strict=True)))
        else:
            order = np.argsort(-model.feature_importances_)[:6]
            print(
                "    features", {model.feature_names_[f]: round(float(model.feature_importances_[f]), 3) for f in order}
            )
    if not ablation:
        return
    for left_out in parts:
        rest = {label: part for label, part in parts.items() if label != left_out}
        for label, model in hybrids(rest, learning, seed, rankers=False):
            if label != "blend":
                _, hits, ndcg, fit, ask = measure(task, model.set_params(exclude_seen=task.exclude_seen), k)
                show(task, f"{label} - {left_out}", hits, ndcg, fit, ask, gain_over(ndcg, best))


def main(arguments):
    n_users, seed = (int(arguments[arguments.index(f) + 1]) if f in arguments else 0 for f in ("--users", "--seed"))
    validation, ablation = "--validation" in arguments, "--ablation" in arguments
    net = next((flag for flag in ("--with-net", "--net-features") if flag in arguments), None)
    _parts._fit_part = fit_once
    print(f"{'task':38}{'model':34}{'HR':>8}{'NDCG':>8}  {'95 % interval':13}{'fit s':>8}{'ask s':>8}  over best")
    for name in [name for name in arguments if name in SETS] or SETS:
        run(name, seed, validation, ablation, net, "--vectors" in arguments, n_users)
        _fitted.clear()


if __name__ == "__main__":
    main(sys.argv[1:])
