"""How the settings of `skrec.recipes` other than defaults were chosen, on validation parts.

Prints NDCG at 10 (20 for sessions) of SessionKNN with and without the recipe's settings where histories have dates and
where they are sessions, and of BuyAgainRecommender where times number baskets. Test parts are not read.

    python benchmarks/search_recipes.py [sessions] [dates] [baskets]
"""

import sys

import bench_hybrid
import bench_sessions
import protocols

from skrec.metrics import ndcg_at_k
from skrec.neighbors import BuyAgainRecommender, SessionKNN
from skrec.recipes import make_recommender

DATED = make_recommender("session-knn", time="date").get_params()
N_SESSIONS = 6000  # of the validation sessions, at random


def show(task, k, models) -> None:
    """Print a line for each model."""
    task = bench_hybrid.fewer_users(task, 0)
    for label, model in models.items():
        model.set_params(exclude_seen=task.exclude_seen, k=k).fit(task.X_train)
        print(f"{task.name:50}{label:44}{ndcg_at_k(task.y_test, model.predict(task.X_test)):.4f}", flush=True)


def sessions() -> None:
    """Compare exponents of the inverse document frequency."""
    for name in ("retailrocket", "diginetica", "beauty", "sports"):
        if name in ("beauty", "sports"):
            task, k = protocols.s3rec(name, validation=True), 10
        else:
            task, k = bench_sessions.sessions(name, validation=True, n_test=N_SESSIONS), 20
        show(task, k, {f"idf={idf}": SessionKNN(idf=idf) for idf in (0.75, 1.0, 1.5, 2.0)})


def dates() -> None:
    """Compare settings for shops with dates, around the recipe's."""
    settings = {name: DATED[name] for name in ("recency", "length_penalty", "backward", "distance_decay", "idf")}
    models = {
        "defaults": {},
        "defaults, half_life=15": {"half_life": 15},
        "recipe": {**settings, "half_life": 15},
        **{f"recipe, half_life={days}": {**settings, "half_life": days} for days in (30, 90)},
        "recipe, idf=0.75": {**settings, "half_life": 15, "idf": 0.75},
        "recipe, half_life=30, recency=0.9": {**settings, "half_life": 30, "recency": 0.9},
    }
    for name in ("online_retail", "grocery", "dunnhumby"):
        task = getattr(protocols, name)(exclude_seen=True, validation=True)
        show(task, 10, {label: SessionKNN(**given) for label, given in models.items()})


def baskets() -> None:
    """Compare half-lives and priors of BuyAgainRecommender where times number baskets."""
    models = {"defaults": BuyAgainRecommender()}
    for half_life, prior_weight in ((2, 5), (5, 5), (10, 5), (20, 5), (40, 5), (10, 1), (20, 1), (10, 20)):
        label = f"window=None, half_life={half_life}, prior_weight={prior_weight}"
        models[label] = BuyAgainRecommender(half_life, window=None, prior_weight=prior_weight)
    for name in ("online_retail", "dunnhumby"):
        show(protocols.baskets(name, validation=True), 10, models)


def main(arguments):
    for part in (sessions, dates, baskets):
        if not arguments or part.__name__ in arguments:
            part()


if __name__ == "__main__":
    main(sys.argv[1:])
