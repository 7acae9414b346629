"""What is bought again: models of repeats against popularity and the models for new items.

Prints HR@10 and NDCG@10 with repeats allowed. Parameters were chosen on the validation parts (``--validation`` prints
those), never on the test parts.

    python benchmarks/bench_repeats.py [--validation] [online_retail dunnhumby] [ItemKNN TIFUKNN ...]
"""

import sys
import time

import numpy as np
import protocols

from skrec.base import BaseRecommender
from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.metrics import bootstrap_interval, ranking_scores
from skrec.neighbors import TIFUKNN, BuyAgainRecommender, ItemKNN


class OwnCounts(BaseRecommender):
    """The user's own number of events with each item; popularity breaks the ties."""

    def __init__(self, *, vectorizer=None, k=10, exclude_seen=False):
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen

    def _fit(self, users):
        """Learn nothing."""

    def _score(self, users):
        return users.matrix


def models(name):
    """Yield the name of each model and the model; the 65,000 items of dunnhumby are cut where items are compared."""
    least, note = (1, "") if name == "online_retail" else (100, ", min_df=100")
    yield "popularity", PopularityRecommender()
    yield "popularity, last 30 days", PopularityRecommender(window="30D")
    yield "own counts", OwnCounts(vectorizer=HistoryVectorizer(binary=False))
    yield f"ItemKNN{note}", ItemKNN(vectorizer=HistoryVectorizer(min_df=least))
    yield f"EASE l2=30, counts{note}", EASE(l2=30, vectorizer=HistoryVectorizer(binary=False, min_df=least))
    yield "BuyAgainRecommender", BuyAgainRecommender()
    if name == "online_retail":
        tuned = {"half_life": 365.0, "prior_weight": 10.0, "repeat_power": 0.5}
    else:
        tuned = {"half_life": 80.0, "prior_weight": 2.0}
    yield "BuyAgainRecommender, tuned", BuyAgainRecommender(**tuned)
    yield "TIFUKNN", TIFUKNN()
    paper = TIFUKNN(300, alpha=0.7, within_decay=0.9, group_decay=0.7, n_groups=7)
    yield "TIFUKNN, authors' setting", paper


SETS = ["online_retail", "dunnhumby"]


def main(names, wanted, validation):
    print(f"{'task':46}{'model':34}{'HR@10':>8}{'NDCG@10':>9}{'95 % interval':>18}{'fit s':>8}{'ask s':>8}")
    for name in names:
        task = getattr(protocols, name)(validation=validation)
        for label, model in models(name):
            if wanted and not label.startswith(wanted):
                continue
            model.set_params(exclude_seen=False, k=10)
            start = time.perf_counter()
            model.fit(task.X_train)
            fitted = time.perf_counter()
            answer = model.predict(task.X_test)
            asked = time.perf_counter()
            scores = ranking_scores(task.y_test, answer, k=10, metrics=("hit_rate", "ndcg"))
            low, high = bootstrap_interval(scores["ndcg@10"], random_state=0)
            print(
                f"{task.name:46}{label:34}{np.nanmean(scores['hit_rate@10']):8.4f}{np.nanmean(scores['ndcg@10']):9.4f}"
                f"   {low:.4f} - {high:.4f}{fitted - start:8.1f}{asked - fitted:8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--validation"]
    wanted = tuple(argument for argument in arguments if argument not in SETS)
    main([name for name in SETS if name in arguments] or SETS, wanted, "--validation" in sys.argv)
