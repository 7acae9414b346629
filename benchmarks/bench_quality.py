"""Quality of every model against popularity, on the sets of the design.

Prints HR@10 and NDCG@10 of each model with the parameters named, by the protocols of `protocols.py`: learned from the
training part only, asked with everything before the test item.

    python benchmarks/bench_quality.py [beauty sports ml100k ml1m online_retail dunnhumby]
"""

import sys
import time

import numpy as np
import protocols
from sklearn.pipeline import make_pipeline

from skrec.decomposition import ALS
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.feature_extraction import BM25Transformer, HistoryVectorizer
from skrec.linear_model import EASE
from skrec.metrics import bootstrap_interval, ranking_scores
from skrec.neighbors import ItemKNN

RECENT = HistoryVectorizer(recency=0.6)


def tasks(names):
    """Yield the tasks and, for each, the models with the parameters chosen on its validation part."""
    baselines = {"random": RandomRecommender(random_state=0), "popularity": PopularityRecommender()}
    for name in names:
        if name in ("beauty", "sports"):
            yield (
                protocols.s3rec(name),
                baselines
                | {
                    "ItemKNN, recency .6": ItemKNN(vectorizer=RECENT),
                    "ALS, recency .6": ALS(vectorizer=RECENT, random_state=0),
                    "EASE l2=100, recency .6": EASE(l2=100, vectorizer=RECENT),
                },
            )
        elif name in ("ml100k", "ml1m"):
            yield (
                getattr(protocols, name)(),
                baselines | {"ItemKNN": ItemKNN(), "ALS": ALS(random_state=0), "EASE l2=500": EASE(l2=500)},
            )
        else:
            rare = 20 if name == "dunnhumby" else 1  # items that fewer households bought are left out
            counts, presence = HistoryVectorizer(binary=False, min_df=rare), HistoryVectorizer(min_df=rare)
            weighted = make_pipeline(counts, BM25Transformer())
            recent = baselines | {"popularity, last 30 days": PopularityRecommender(window="30D")}
            yield (
                getattr(protocols, name)(exclude_seen=False),
                recent
                | {
                    "ItemKNN, BM25": ItemKNN(vectorizer=weighted),
                    "ALS, counts": ALS(vectorizer=counts, random_state=0),
                    "EASE l2=300, counts": EASE(l2=300, vectorizer=counts),
                },
            )
            yield (
                getattr(protocols, name)(exclude_seen=True),
                recent
                | {
                    "ItemKNN": ItemKNN(vectorizer=presence),
                    "ALS": ALS(vectorizer=presence, random_state=0),
                    "EASE l2=300": EASE(l2=300, vectorizer=presence),
                },
            )


def main(names):
    print(f"{'task':36}{'model':28}{'HR@10':>8}{'NDCG@10':>9}{'95 % interval':>18}{'fit s':>8}{'ask s':>8}")
    for task, models in tasks(names):
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
    main(sys.argv[1:] or ["beauty", "sports", "ml100k", "ml1m", "online_retail", "dunnhumby"])
