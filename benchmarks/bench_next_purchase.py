"""Who buys in the next 30 days: classifiers on BehaviorFeatures, trained on earlier moments and tested on a later one.

Each customer with a purchase before a moment is a row; the label says whether one follows within 30 days. Five
moments make the training rows, the horizon of the last one ends where the test begins, and the weight of the histories
is money. Prints the area under the ROC curve with a 95 % bootstrap interval over the test customers, what it is above
that of the first row with a paired interval, average precision, and seconds of fitting and of asking. With
``--validation`` all moments lie 30 days earlier; settings were chosen there. With ``--groups`` the rows are logistic
regressions on each group of features alone and on all groups but it. With ``--lstm`` they are logistic regression on
all features, on what LSTMEncoder learned from the order of the items without labels, and on both.

    python benchmarks/bench_next_purchase.py [--validation] [--groups | --lstm] [online_retail dunnhumby]
"""

import sys
import time
from dataclasses import dataclass

import numpy as np
import protocols
import pyarrow.parquet as pq
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from skrec.datasets import load_online_retail
from skrec.feature_extraction import BehaviorFeatures, to_histories
from skrec.feature_extraction._behavior_groups import GROUPS
from skrec.model_selection import split_next_purchase
from skrec.neural_network import PurchaseClassifier

HORIZON = 30
TEST = {"online_retail": "2011-11-09", "dunnhumby": "2017-12-01"}


@dataclass(frozen=True)
class Task:
    """One question: `fit(X_train, y_train)`, then `predict_proba(X_test)` against `y_test`."""

    name: str
    X_train: object
    y_train: np.ndarray
    X_test: object
    y_test: np.ndarray


def histories(name: str):
    """Purchases of a data set, with the money spent as weight."""
    if name == "online_retail":
        events = load_online_retail().events
        events = events.assign(spend=events["Quantity"] * events["UnitPrice"])
        columns = {"user": "CustomerID", "item": "StockCode", "time": "InvoiceDate", "weight": "spend"}
    else:
        columns = {"user": "household_id", "item": "product_id", "time": "transaction_timestamp"}
        columns["weight"] = "sales_value"
        events = pq.read_table(protocols.DATA / "dunnhumby_cj_transactions.parquet", columns=[*columns.values()])
    return to_histories(events, **columns)


def next_purchase(name: str, *, validation: bool = False, n_moments: int = 5) -> Task:
    """Make the rows of the test moment and of the moments before it, 30 days apart."""
    test = np.datetime64(TEST[name]) - (HORIZON if validation else 0)
    X = histories(name)
    train = [test - HORIZON * step for step in range(n_moments, 0, -1)]
    label = f"{name} validation" if validation else name
    return Task(label, *split_next_purchase(X, train, HORIZON), *split_next_purchase(X, test, HORIZON))


def linear(**parameters):
    """Logistic regression on features that are brought to a normal shape first."""
    scale = QuantileTransformer(output_distribution="normal", n_quantiles=200, random_state=0)
    return make_pipeline(BehaviorFeatures(**parameters), scale, LogisticRegression(C=0.003, max_iter=1000))


def models() -> dict:
    """Return the classifiers by name; each takes the frame of histories."""
    forest = RandomForestClassifier(300, min_samples_leaf=10, random_state=0)
    boosting = HistGradientBoostingClassifier(learning_rate=0.03, max_iter=150, min_samples_leaf=40, random_state=0)
    members = {"n_members": 8, "activation": "gelu", "dropout": 0.2, "random_state": 0}
    return {
        "logistic regression, RFM": linear(groups=["recency", "frequency", "spend"], windows=[]),
        "logistic regression, recency alone": linear(groups=["recency"]),
        "logistic regression, all features": linear(),
        "HistGradientBoosting, all features": make_pipeline(BehaviorFeatures(), boosting),
        "RandomForest, all features": make_pipeline(BehaviorFeatures(), forest),
        "PurchaseClassifier, all features": make_pipeline(BehaviorFeatures(), PurchaseClassifier(random_state=0)),
        "PurchaseClassifier, 8 members": make_pipeline(BehaviorFeatures(), PurchaseClassifier(**members)),
    }


def groups() -> dict:
    """Return logistic regressions on each group alone, and without it."""
    names = [name for name in GROUPS if name != "event"]
    alone = {f"{name} alone": linear(groups=[name]) for name in names}
    others = {f"all but {name}": linear(groups=[other for other in names if other != name]) for name in names}
    return {"all features": linear(), **alone, **others}


def with_order() -> dict:
    """Return logistic regressions on features, on the order of the items, and on both."""
    from skrec.neural_network import LSTMEncoder

    net = LSTMEncoder(
        (32,),
        objective="next",
        embedding_dim=50,
        embeddings="neighbours",
        max_length=50,
        min_df=5,
        epochs=3,
        batch_size=256,
        learning_rate=5e-3,
        random_state=0,
    )
    order = make_pipeline(net, StandardScaler())
    all_features, classifier = linear()[:-1], LogisticRegression(C=0.003, max_iter=1000)
    return {
        "logistic regression, all features": linear(),
        "logistic regression, LSTM": make_pipeline(order, classifier),
        "logistic regression, features and LSTM": make_pipeline(make_union(all_features, order), classifier),
    }


def resampled(y, score, n_resamples=500):
    """Return the AUC over customers drawn anew, the same ones for every model; shape (n_resamples,)."""
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(y), len(y)) for _ in range(n_resamples)]
    return np.array([roc_auc_score(y[draw], score[draw]) for draw in draws])


def span(values, sign=""):
    low, high = np.percentile(values, [2.5, 97.5])
    return f"{low:{sign}.3f} to {high:{sign}.3f}"


def main(arguments):
    names = [name for name in arguments if not name.startswith("--")] or [*TEST]
    for name in names:
        if name == "dunnhumby" and not protocols.available("dunnhumby_cj_transactions"):
            print(f"{name} is not in {protocols.DATA.name}: set SKREC_DATA")
            continue
        task = next_purchase(name, validation="--validation" in arguments)
        print(f"{task.name}: {len(task.y_train)} training rows, {task.y_train.mean():.1%} buy", end="; ")
        print(f"{len(task.y_test)} test rows, {task.y_test.mean():.1%} buy\n")
        columns = [f"{'model':36}", "  AUC", " 95 % interval", " above the first", "   AP", "fit s", "ask s"]
        print("|", " | ".join(columns), "|")
        print("|:--|" + "--:|" * (len(columns) - 1))
        first = None
        asked = groups if "--groups" in arguments else with_order if "--lstm" in arguments else models
        for label, model in asked().items():
            start = time.perf_counter()
            model.fit(task.X_train, task.y_train)
            fitted = time.perf_counter()
            score = model.predict_proba(task.X_test)[:, 1]
            asked = time.perf_counter()
            aucs = resampled(task.y_test, score)
            first = aucs if first is None else first
            above = "" if aucs is first else span(aucs - first, "+")
            print(
                f"| {label:36} | {roc_auc_score(task.y_test, score):.3f} | {span(aucs)} | {above:>16} | "
                f"{average_precision_score(task.y_test, score):.3f} | {fitted - start:5.1f} | {asked - fitted:5.1f} |",
                flush=True,
            )
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
