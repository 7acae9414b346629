"""TwoTower on items that nobody had: a tenth of Beauty's items is taken out of training.

    python benchmarks/bench_two_tower.py [--seeds 0 1 2] [--validation] [--settings "id_dropout=0.5" ...]

The last item of each user is the test, as in the S3-Rec protocol. A tenth of the items, drawn with seed 0, has no event
in training and in the histories given; asked are the users whose test item is one of them, who have any other item in
their history. HR and NDCG at 10, (a) ranked among the removed items, (b) ranked among all items. Settings were chosen
with ``--validation``, which does the same inside the training part: another tenth of the items (seed 1), and the last
item of what is left. The seeds are those of the net.
"""

import argparse
import time

import numpy as np
import protocols

from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.metrics import hit_rate_at_k, ndcg_at_k
from skrec.model_selection import split_last
from skrec.neighbors import ContentRecommender
from skrec.neural_network import TwoTower


def without(histories, removed):
    """Return the frame without the events of some items."""
    items = [[item for item in row if item not in removed] for row in histories["item"]]
    return histories[[]].assign(item=items)


def cold(validation):
    """Return the training histories, the histories asked with, the wanted items, the removed ones, the features."""
    import pandas as pd

    features = protocols._read("s3rec_beauty_items").to_pandas().set_index("item_id")[["title", "attributes"]]
    histories = protocols.to_histories(
        protocols._read("s3rec_beauty_sequences"), user="user_id", item="item_id", time="pos"
    )
    items = np.sort(features.index.to_numpy())
    for seed in (0, 1) if validation else (0,):
        features = features.loc[items]
        removed = set(np.random.default_rng(seed).choice(items, len(items) // 10, replace=False).tolist())
        given, last = split_last(histories)
        histories = without(given, removed)
        items = np.array([item for item in items if item not in removed])
    wanted = pd.Series([row[0] if len(row) else -1 for row in last], index=histories.index)
    asked = wanted.isin(removed) & (histories["item"].map(len) > 0)
    X_train = histories[histories["item"].map(len) > 0]
    return X_train, histories[asked], [[item] for item in wanted[asked]], sorted(removed), features


def main(seeds, validation, settings):
    X_train, X_test, y_test, removed, features = cold(validation)
    print(f"{len(X_train)} users train, {len(X_test)} are asked, {len(removed)} of {len(features)} items are removed")
    print(f"{'model':50}{'seed':>5}{'(a) HR@10':>11}{'NDCG@10':>9}{'(b) HR@10':>11}{'NDCG@10':>9}{'CPU s':>8}  notes")
    catalogue = {"vectorizer": HistoryVectorizer(vocabulary=features.index.to_numpy())}
    models = [("random", RandomRecommender(random_state=0, **catalogue), 0)]
    models.append(("popularity", PopularityRecommender(**catalogue), 0))
    models.append(("ContentRecommender", ContentRecommender(features), 0))
    for seed in seeds:
        for text in settings:
            model = TwoTower(item_features=features, random_state=seed, **protocols.keywords(text))
            models.append((f"TwoTower({text})", model, seed))
    for label, model, seed in models:
        start = time.process_time()
        model.fit(X_train)
        seconds, line = time.process_time() - start, ""
        for candidates in (removed, None):
            found = model.recommend(X_test, 10, candidates=candidates)
            line += f"{hit_rate_at_k(y_test, found):11.4f}{ndcg_at_k(y_test, found):9.4f}"
        log = getattr(model, "history_", {})
        notes = f"{len(log['loss'])} epochs, held out {max(log['val_score']):.4f}" if log else ""
        print(f"{label:50}{seed:5}{line}{seconds:8.0f}  {notes}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--settings", nargs="*", default=[""], help="arguments of TwoTower to measure, one text each")
    given = parser.parse_args()
    main(given.seeds, given.validation, given.settings)
