"""Write a small model file of every family, and what each answers, for the tests of older files.

    python tests/data/write_saved.py FOLDER

The files in ``saved_0.1.0`` were written by the state before `Users` and the moves of classes, those in ``saved_0.2.0``
before the release: the tests load them to see that files of earlier versions keep their meaning. Run it again only for
a new version, into a new folder.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skrec
from skrec.advice import AutoRecommender
from skrec.datasets import make_histories
from skrec.decomposition import ALS, BPR, PPMISVD, PureSVD
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.ensemble import BlendRecommender, Reranker, TwoStageRecommender
from skrec.feature_extraction import BehaviorFeatures, BM25Transformer, HistoryVectorizer
from skrec.linear_model import EASE, SLIM
from skrec.model_selection import SameUsers
from skrec.neighbors import (
    TIFUKNN,
    BuyAgainRecommender,
    ContentRecommender,
    ItemKNN,
    RP3beta,
    SessionKNN,
    TransitionRecommender,
)
from skrec.neural_network import CNNEncoder, GRU4Rec, LSTMEncoder, MultVAE, PurchaseClassifier, SASRec, TwoTower

_NET = {"epochs": 1, "early_stopping": False, "random_state": 0}


def shop() -> pd.DataFrame:
    """Return histories with times, kinds of events and a feature of each user."""
    histories = make_histories(60, 20, random_state=0)
    rows = [[f"i{item}" for item in row] for row in histories["item"]]
    frame = pd.DataFrame({"item": rows, "region": ["north" if number % 2 else "south" for number in range(len(rows))]})
    times = [
        pd.date_range("2024-01-01", periods=len(row), freq="D") + pd.Timedelta(days=number)
        for number, row in enumerate(rows)
    ]
    return frame.assign(time=[list(one) for one in times])


def items() -> pd.DataFrame:
    """Return a frame of item features, indexed by item id."""
    ids = [f"i{number}" for number in range(20)]
    kinds = [["tea", "mug", "pot"][number % 3] for number in range(20)]
    return pd.DataFrame({"kind": kinds, "price": np.arange(20.0)}, index=ids)


def recommenders() -> dict:
    """Return recommenders by file name."""
    pair = [("ease", EASE(l2=5)), ("next", TransitionRecommender())]
    return {
        "popularity": PopularityRecommender(),
        "popularity_window": PopularityRecommender(window="30D"),
        "popularity_half_life": PopularityRecommender(half_life="30D", count="events"),
        "popularity_by": PopularityRecommender(by="region"),
        "random": RandomRecommender(random_state=0),
        "item_knn": ItemKNN(5),
        "rp3beta": RP3beta(5),
        "session_knn": SessionKNN(20, half_life="30D"),
        "transition": TransitionRecommender(),
        "buy_again": BuyAgainRecommender(),
        "tifu_knn": TIFUKNN(10),
        "content": ContentRecommender(items()),
        "ease": EASE(l2=5, vectorizer=make_pipeline(HistoryVectorizer(recency=0.6), BM25Transformer())),
        "ease_sparse": EASE(l2=5, method="sparse", n_neighbors=8),
        "slim": SLIM(l1=0.1, l2=1),
        "als": ALS(4, random_state=0),
        "bpr": BPR(4, max_iter=3, random_state=0),
        "pure_svd": PureSVD(4),
        "ppmi_svd": PPMISVD(4, random_state=0),
        "auto": AutoRecommender(recipes=["popularity", "item-knn"], grids=False, random_state=0),
        "blend": BlendRecommender(pair, weights="auto", random_state=0),
        "two_stage": TwoStageRecommender(pair, item_features=items(), random_state=0),
        "reranker": Reranker(EASE(l2=5), categories=items()["kind"], max_per_category=3, random_state=0),
        "search": GridSearchCV(EASE(), {"l2": [5, 50]}, cv=SameUsers()),
        "sasrec": SASRec(4, **_NET),
        "gru4rec": GRU4Rec(4, n_units=4, **_NET),
        "multvae": MultVAE(4, **_NET),
        "two_tower": TwoTower(4, item_features=items(), **_NET),
    }


def others() -> dict:
    """Return other estimators, by file name, with what they are fitted on."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"visits": rng.poisson(3, 80), "source": rng.choice(["ad", "mail"], 80)})
    words = shop()["item"]
    pictures, labels = rng.normal(size=(40, 8, 8, 1)).astype(np.float32), np.arange(40) % 2
    return {
        "purchase": (PurchaseClassifier(hidden=[4], **_NET), table, (table["visits"] > 3).astype(int), "predict_proba"),
        "cnn": (CNNEncoder((4,), hidden=(4,), epochs=1, random_state=0), pictures, labels, "transform"),
        "lstm": (LSTMEncoder((4,), embedding_dim=4, epochs=1, random_state=0), words, np.arange(60) % 2, "transform"),
        "vectorizer": (HistoryVectorizer(half_life="30D"), shop(), None, "transform"),
        "behavior": (BehaviorFeatures(), shop(), None, "transform"),
    }


def answers(model, X, method: str):
    """Return what a model answers, as JSON holds it."""
    if method == "predict":
        return np.asarray(model.predict(X)).tolist()
    result = getattr(model, method)(X)
    result = result.toarray() if hasattr(result, "toarray") else np.asarray(result, dtype=float)
    return np.round(result, 4).tolist()


def main(folder: str) -> None:
    place, expected = Path(folder), {}
    place.mkdir(parents=True, exist_ok=True)
    X, y = shop(), [row[-1:] for row in shop()["item"]]
    for name, model in recommenders().items():
        model.fit(X, y)
        skrec.save(model, place / f"{name}.skrec")
        expected[name] = answers(model, X[:5], "predict")
    for name, (model, inputs, target, method) in others().items():
        model.fit(inputs) if target is None else model.fit(inputs, target)
        skrec.save(model, place / f"{name}.skrec")
        expected[name] = answers(model, inputs[:5], method)
    (place / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main(sys.argv[1])
