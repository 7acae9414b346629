"""Quality of every model against popularity, on the sets of the design.

Prints HR@10 and NDCG@10 of each model with the parameters named, by the protocols of `protocols.py`: learned from the
training part only, asked with everything before the test item. Parameters are the defaults, or chosen on the validation
parts by `search_parameters.py`; Sports has those of Beauty. With ``--validation`` the validation parts are measured.

    python benchmarks/bench_quality.py [--validation] [beauty sports ml100k ml1m online_retail dunnhumby]
"""

import sys
import time

import numpy as np
import protocols
from sklearn.pipeline import make_pipeline

from skrec.decomposition import ALS
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.feature_extraction import BM25Transformer, HistoryVectorizer
from skrec.linear_model import EASE, SLIM
from skrec.metrics import bootstrap_interval, ranking_scores
from skrec.neighbors import TIFUKNN, BuyAgainRecommender, ItemKNN, SessionKNN, TransitionRecommender

RECENT = HistoryVectorizer(recency=0.6)


# chosen on October: half a month of half-life, the whole history counts, long sessions damped fully
SEASONAL = {
    "half_life": 15,
    "recency": 0.98,
    "length_penalty": 1.0,
    "backward": 1.0,
    "distance_decay": 0.95,
    "idf": 1.5,
}


def tasks(names, *, validation=False):
    """Yield the tasks and, for each, the models with the parameters chosen on its validation part."""
    baselines = {"random": RandomRecommender(random_state=0), "popularity": PopularityRecommender()}
    for name in names:
        if name in ("beauty", "sports"):
            yield (
                protocols.s3rec(name, validation=validation),
                baselines
                | {
                    "ItemKNN, recency .6": ItemKNN(vectorizer=RECENT),
                    "ALS, recency .6": ALS(vectorizer=RECENT, random_state=0),
                    "SLIM l2=30, recency .6": SLIM(l2=30, vectorizer=RECENT),
                    "EASE l2=100, recency .6": EASE(l2=100, vectorizer=RECENT),
                    "SessionKNN": SessionKNN(),
                    "TransitionRecommender": TransitionRecommender(),
                },
            )
        elif name in ("ml100k", "ml1m"):
            strength = 500 if name == "ml100k" else 300
            yield (
                getattr(protocols, name)(validation=validation),
                baselines
                | {
                    "ItemKNN": ItemKNN(),
                    "ALS": ALS(random_state=0),
                    "SLIM": SLIM(),
                    f"EASE l2={strength}": EASE(l2=strength),
                    "SessionKNN": SessionKNN(),
                    "TransitionRecommender": TransitionRecommender(),
                },
            )
        else:
            strength = 300 if name == "online_retail" else 1000
            rare = 20 if name == "dunnhumby" else 1  # items that fewer households bought are left out
            counts, presence = HistoryVectorizer(binary=False, min_df=rare), HistoryVectorizer(min_df=rare)
            weighted = make_pipeline(counts, BM25Transformer(k1=8, b=0.5))
            recent = baselines | {"popularity, last 30 days": PopularityRecommender(window="30D")}
            yield (
                getattr(protocols, name)(exclude_seen=False, validation=validation),
                recent
                | {
                    "ItemKNN, BM25": ItemKNN(vectorizer=weighted),
                    "ALS, counts": ALS(vectorizer=counts, random_state=0),
                    "EASE l2=30, counts": EASE(l2=30, vectorizer=counts),
                    "BuyAgainRecommender": BuyAgainRecommender(),
                    "TIFUKNN": TIFUKNN(),
                },
            )
            if name == "online_retail":
                recent |= {"SessionKNN": SessionKNN(), "SessionKNN, seasonal": SessionKNN(**SEASONAL)}
            yield (
                getattr(protocols, name)(exclude_seen=True, validation=validation),
                recent
                | {
                    "ItemKNN": ItemKNN(vectorizer=presence),
                    "ALS": ALS(vectorizer=presence, random_state=0),
                    f"EASE l2={strength}": EASE(l2=strength, vectorizer=presence),
                },
            )


def main(names, validation):
    print(f"{'task':36}{'model':28}{'HR@10':>8}{'NDCG@10':>9}{'95 % interval':>18}{'fit s':>8}{'ask s':>8}")
    for task, models in tasks(names, validation=validation):
        for name, model in models.items():
            model.set_params(exclude_seen=task.exclude_seen, k=10)
            start = time.perf_counter()
            model.fit(task.X_train)
            fitted = time.perf_counter()
            answer = model.predict(task.X_test)
            asked = time.perf_counter()
            scores = ranking_scores(task.y_test, answer, k=10, metrics=("hit_rate", "ndcg"))
            low, high = bootstrap_interval(scores["ndcg@10"], random_state=0)
            print(
                f"{task.name:36}{name:28}{np.nanmean(scores['hit_rate@10']):8.4f}{np.nanmean(scores['ndcg@10']):9.4f}"
                f"   {low:.4f} - {high:.4f}{fitted - start:8.1f}{asked - fitted:8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    chosen = [name for name in sys.argv[1:] if name != "--validation"]
    main(chosen or ["beauty", "sports", "ml100k", "ml1m", "online_retail", "dunnhumby"], "--validation" in sys.argv)
