"""Cold start: items that nobody has had yet, and users of whom only a description is known.

Items: a tenth of the items of Beauty is removed from training, with all their events. The users whose held-out item is
one of them are asked, with what else they had; the item is ranked among the removed items, and among all.

Users: the households of dunnhumby that have a description; a fifth is removed from training and asked with an empty
history, what they buy in the last month (repeats are no question: nothing is known to be bought).

Settings were chosen on the validation parts (``--validation`` prints those).

    python benchmarks/bench_cold.py [--validation] [items] [users]
"""

import sys
import time

import numpy as np
import pandas as pd
import protocols

from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.metrics import bootstrap_interval, ranking_scores
from skrec.neighbors import ContentRecommender

SEED = 0
COLUMNS = ["age", "income", "household_size", "household_comp", "kids_count"]


def report(task, label, y, answer, seconds):
    """Print one row of the table."""
    scores = ranking_scores(y, answer, k=10, metrics=("hit_rate", "ndcg"))
    low, high = bootstrap_interval(scores["ndcg@10"], random_state=SEED)
    print(
        f"{task:34}{label:46}{np.nanmean(scores['hit_rate@10']):8.4f}{np.nanmean(scores['ndcg@10']):9.4f}"
        f"   {low:.4f} - {high:.4f}{seconds:8.1f}",
        flush=True,
    )


def without(histories, removed):
    """Take all events of some items out of the histories."""
    lists = histories["item"].to_numpy()
    kept = [[item for item in history if item not in removed] for history in lists]
    return pd.Series(kept, index=histories.index)


def cold_items(validation):
    task = protocols.s3rec("beauty", validation=validation)
    items = protocols.s3rec_items("beauty")
    rng = np.random.default_rng(SEED)
    removed = set(rng.choice(items.index.to_numpy(), len(items) // 10, replace=False).tolist())
    asked = np.array([row[0] in removed for row in task.y_test])
    X_train, X_test = without(task.X_train, removed), without(task.X_test, removed)[asked]
    y = task.y_test[asked]
    print(f"# beauty: {len(removed)} items removed, {asked.sum()} users asked")
    title = items[["title"]]
    described = items[["title", "attributes"]]
    models = [
        ("random", RandomRecommender(vectorizer=HistoryVectorizer(vocabulary=items.index), random_state=SEED)),
        ("popularity", PopularityRecommender(vectorizer=HistoryVectorizer(vocabulary=items.index))),
        ("EASE l2=100, recency=0.6", EASE(100, vectorizer=HistoryVectorizer(vocabulary=items.index, recency=0.6))),
        ("ContentRecommender, titles", ContentRecommender(title)),
        ("ContentRecommender, titles and attributes", ContentRecommender(described)),
        ("ContentRecommender, all columns", ContentRecommender(items)),
    ]
    if validation:
        models = [
            *models[3:],
            *[
                (f"titles and attributes, power={power}", ContentRecommender(described, popularity_power=power))
                for power in (0.0, 0.1, 0.3)
            ],
        ]
    for label, model in models:
        start = time.perf_counter()
        model.fit(X_train)
        for among, candidates in (("among the removed", sorted(removed)), ("among all", None)):
            answer = model.recommend(X_test, 10, candidates=candidates)
            report(f"{'validation, ' * validation}{among}", label, y, answer, time.perf_counter() - start)
    model = ContentRecommender(described.drop(index=sorted(removed))).fit(X_train)
    start = time.perf_counter()
    answer = model.recommend(X_test, 10, item_features=described)
    label = "titles and attributes, items given when asking"
    report(f"{'validation, ' * validation}among all", label, y, answer, time.perf_counter() - start)


def cold_users(validation):
    task = protocols.dunnhumby(exclude_seen=False, validation=validation)
    described = protocols._read("dunnhumby_cj_demographics").to_pandas().set_index("household_id")[COLUMNS]
    described = described.astype(object).where(described.notna(), "unknown")
    X = task.X_train.join(described, how="inner")
    y = task.y_test[X.index]
    asked = np.zeros(len(X), dtype=bool)
    asked[np.random.default_rng(SEED).choice(len(X), len(X) // 5, replace=False)] = True
    empty = X[asked].copy()
    empty["item"] = [[] for _ in range(len(empty))]
    empty = empty.drop(columns=[column for column in ("time", "weight", "event") if column in empty])
    name = f"dunnhumby, cold users{' validation' * validation}"
    print(f"# dunnhumby: {len(X)} described households, {asked.sum()} of them asked with an empty history")
    models = [("popularity", PopularityRecommender())]
    models += [(f"popularity by {column}", PopularityRecommender(by=[column])) for column in COLUMNS]
    models += [("popularity by household_size and income", PopularityRecommender(by=["household_size", "income"]))]
    for label, model in models:
        start = time.perf_counter()
        answer = model.fit(X[~asked]).recommend(empty, 10)
        report(name, label, y[asked], answer, time.perf_counter() - start)


if __name__ == "__main__":
    parts = [part for part in ("items", "users") if part in sys.argv[1:]] or ["items", "users"]
    print(f"{'task':34}{'model':46}{'HR@10':>8}{'NDCG@10':>9}{'95 % interval':>18}{'s':>8}")
    for part in parts:
        {"items": cold_items, "users": cold_users}[part]("--validation" in sys.argv)
