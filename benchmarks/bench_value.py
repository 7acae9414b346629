"""Value against relevance: what a Reranker with prices earns and costs on Online Retail, repeats allowed.

The value of an item is the median unit price of the events before the cut, so no later price is known. Recommenders
learn before 2011-10-01 and the validation part, October, chooses; the test part learns before 2011-11-01 and is asked
for what comes after, once, with what was chosen. Calibrations are learned on the last 30 days of the training part.
Revenue@10 counts one unit of each item that was recommended and bought; intervals are 95 % bootstrap over users.

    python benchmarks/bench_value.py [--validation] [--calibrations]

``--calibrations`` compares calibrations instead: Brier score and log loss of all candidates on the validation part, and
with fewer users to learn from.
"""

import sys
import time

import numpy as np
import pandas as pd
import protocols
from sklearn.base import clone
from sklearn.metrics import brier_score_loss, log_loss

from skrec.datasets import load_online_retail
from skrec.decomposition import ALS
from skrec.ensemble import BlendRecommender, Reranker, TwoStageRecommender
from skrec.ensemble._value import PurchaseCalibration
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.metrics import bootstrap_interval, paired_bootstrap, ranking_scores, value_at_k
from skrec.metrics._hits import find_hits
from skrec.model_selection import split_time
from skrec.neighbors import BuyAgainRecommender

CHOSEN = {  # on the validation part: the exponent of most revenue, and the largest that costs at most 5 % of NDCG
    "EASE": (0.75, 0.25),
    "ALS": (1.0, 0.25),
    "BuyAgain": (1.25, 0.25),
    "blend": (1.25, 0.25),
    "two stages": (1.5, 0.5),
}
EXPONENTS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
CUTS = {True: ("2011-09-01", "2011-10-01", "2011-11-01"), False: ("2011-10-01", "2011-11-01", None)}


def recommenders() -> dict:
    """Return the recommenders by name, unfitted."""
    parts = [
        ("again", BuyAgainRecommender()),
        ("ease", EASE(300, vectorizer=HistoryVectorizer(min_df=5, binary=False))),
    ]
    days = {"holdout": "30D", "exclude_seen": False, "random_state": 0}
    return {
        "EASE": clone(parts[1][1]).set_params(exclude_seen=False),
        "ALS": ALS(exclude_seen=False, random_state=0),
        "BuyAgain": BuyAgainRecommender(exclude_seen=False),
        "blend": BlendRecommender(parts, weights="auto", **days),
        "two stages": TwoStageRecommender(parts, ranker=None, **days),
    }


def prices(cut: str) -> pd.Series:
    """Return the median unit price of each item before a moment."""
    events = load_online_retail().events
    return events[events["InvoiceDate"] < cut].groupby("StockCode")["UnitPrice"].median()


def rivals(model, price, calibration) -> dict:
    """Return other ways to weigh price: by its share in a sum of probability, and a boost of the scaled score."""
    relative = price / price.mean()
    made = {}
    for share in (0.1, 0.25, 0.5, 0.75):
        value = (1 - share) + share * relative  # times the probability: the linear form
        made[f"linear {share:g}"] = Reranker(model, prefit=True, value=value, calibration=calibration)
    for power in (0.1, 0.25, 0.5, 1.0):
        made[f"boost, exponent {power:g}"] = Reranker(model, prefit=True, boost=price**power)
    return made


def curve(validation: bool) -> None:
    """Print revenue and NDCG by exponent."""
    task = protocols.online_retail(validation=validation)
    price = prices(CUTS[validation][1])
    asked = int((task.y_test.list.len() > 0).sum())
    print(f"{task.name}: {len(task.X_test)} customers, {asked} of them bought; price: mean {price.mean():.2f} pounds")
    print(f"{'recommender':12}{'value':22}{'NDCG@10':>8}  {'interval':15}{'revenue@10':>10}  {'interval':15}", end="")
    print(f"{'revenue gain':>13}  {'interval':16}{'NDCG loss':>9}")
    for name, model in recommenders().items():
        start = time.process_time()
        fitted = Reranker(model, value=price, holdout="30D", exclude_seen=False, random_state=0).fit(task.X_train)
        seconds, learned = time.process_time() - start, fitted.calibration_
        models = {
            f"exponent {exponent:g}": Reranker(
                fitted.recommender_, prefit=True, value=price, value_exponent=exponent, calibration=learned
            )
            for exponent in EXPONENTS
        }
        if validation:
            models |= rivals(fitted.recommender_, price, learned)
        first = None
        for label, reranker in models.items():
            answer = reranker.set_params(exclude_seen=False).fit(task.X_train).predict(task.X_test)
            ndcg = ranking_scores(task.y_test, answer, metrics="ndcg")["ndcg@10"]
            revenue = value_at_k(task.y_test, answer, value=price, per_user=True)
            first = (ndcg, revenue) if first is None else first
            gain, low, high, _ = paired_bootstrap(revenue, first[1], random_state=0)
            print(
                f"{name:12}{label:22}{np.nanmean(ndcg):8.4f}  {_interval(ndcg, 4):15}{np.nanmean(revenue):10.2f}  "
                f"{_interval(revenue, 2):15}{gain:+13.2f}  {f'{low:+.2f} to {high:+.2f}':16}"
                f"{np.nanmean(ndcg) / np.nanmean(first[0]) - 1:+9.1%}{_mark(name, reranker, label)}",
                flush=True,
            )
        print(f"{name:12}{learned!r}, {seconds:.1f} processor seconds to fit twice and calibrate")


def _mark(name: str, reranker, label: str) -> str:
    if not label.startswith("exponent"):
        return ""
    return "".join(
        f" ({why})"
        for why, chosen in zip(("most revenue", "5 %"), CHOSEN[name], strict=True)
        if reranker.value_exponent == chosen
    )


def _interval(values, digits: int) -> str:
    low, high = bootstrap_interval(values, random_state=0)
    return f"{low:.{digits}f} to {high:.{digits}f}"


def calibrations() -> None:
    """Print how good probabilities are, by method and number of users to learn from, of September for October."""
    histories, tables = load_online_retail().histories, []
    for at, until in (CUTS[True][:2], CUTS[True][1:]):
        X, y = split_time(histories, at, until=until, verbose=0)
        known = X["item"].list.len().to_numpy() > 0
        tables.append((X[known], y[known]))
    print(f"{'recommender':12}{'method':12}{'users':>6}{'purchases':>10}{'Brier':>10}{'log loss':>10}", end="")
    print(f"{'mean p':>9}{'bought':>9}")
    for name, model in recommenders().items():
        asked = []
        for X, y in tables:
            items, scores = clone(model).fit(X).recommend(X, 100, return_scores=True)
            asked.append((scores, find_hits(y, items, None).is_hit))
        (scores, hits), (later, truth) = asked
        for n_users in (len(scores), 1000, 300, 100):
            some = np.random.default_rng(0).permutation(len(scores))[:n_users]
            for method in ("isotonic", "sigmoid"):
                learned = PurchaseCalibration(method).fit(scores[some], hits[some])
                chance = learned.probability(later)
                _line(name, method, n_users, learned.n_purchases, chance, truth)
        place = np.broadcast_to(PurchaseCalibration("isotonic").fit(scores, hits).by_place, truth.shape)
        _line(name, "place alone", len(scores), int(hits.sum()), place, truth)
        constant = np.full(truth.shape, hits.mean())
        _line(name, "constant", len(scores), int(hits.sum()), constant, truth)


def _line(name, method, n_users, n_purchases, chance, truth) -> None:
    brier = brier_score_loss(truth.ravel(), chance.ravel())
    loss = log_loss(truth.ravel(), np.clip(chance.ravel(), 1e-5, 1 - 1e-5))
    print(
        f"{name:12}{method:12}{n_users:6}{n_purchases:10}{brier:10.5f}{loss:10.4f}{chance.mean():9.4f}{truth.mean():9.4f}",
        flush=True,
    )


if __name__ == "__main__":
    if "--calibrations" in sys.argv:
        calibrations()
    else:
        curve("--validation" in sys.argv)
