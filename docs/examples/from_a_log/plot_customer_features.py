"""
Who buys next month? Behaviour features, stacked
================================================

Not which product, but which customer: :class:`~skrec.feature_extraction.BehaviorFeatures` turns histories into an
ordinary table, and scikit-learn does the rest. A stack of two classifiers predicts who orders in the next 30 days.
"""

# %%
# Rows and labels
# ---------------
#
# Each moment gives a row per customer who is known by then; the label says whether the customer ordered in the 30 days
# after it. Two moments are for training, a later one is the test. Weights are pounds, so that the features know spend.

from skrec.datasets import load_online_retail
from skrec.feature_extraction import to_histories
from skrec.model_selection import split_next_purchase

events = load_online_retail().events
events = events.assign(pounds=events["Quantity"] * events["UnitPrice"])
histories = to_histories(events, user="CustomerID", item="StockCode", time="InvoiceDate", weight="pounds")
histories = histories.sample(1500, random_state=0)
X, y = split_next_purchase(histories, ["2011-08-10", "2011-09-10"], horizon="30D")
X_test, y_test = split_next_purchase(histories, "2011-11-09", horizon="30D")
print(f"{len(X)} rows, {y.mean():.0%} buy; test: {len(X_test)} customers, {y_test.mean():.0%} buy")

# %%
# The features
# ------------
#
# One row per customer and plain numbers: recency, frequency, spend, intervals and more, each seen from the moment in
# the column ``at``. What happened later is ignored.

from skrec.feature_extraction import BehaviorFeatures

features = BehaviorFeatures(groups=["recency", "frequency", "interval", "spend"]).set_output(transform="pandas")
features.fit_transform(X).iloc[:3].T.head(12).round(2)

# %%
# The stack
# ---------
#
# A linear model on quantiles and gradient boosting on the raw numbers make different errors. ``StackingClassifier``
# learns from cross-validated predictions how to combine them. The features are computed once, before both.

from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

linear = make_pipeline(
    QuantileTransformer(n_quantiles=200, output_distribution="normal", random_state=0),
    LogisticRegression(C=0.003),
)
trees = HistGradientBoostingClassifier(max_iter=30, learning_rate=0.05, min_samples_leaf=50, random_state=0)
models = {
    "recency alone": make_pipeline(BehaviorFeatures(groups=["recency"]), linear),
    "logistic regression": make_pipeline(BehaviorFeatures(), linear),
    "gradient boosting": make_pipeline(BehaviorFeatures(), trees),
    "stack of both": make_pipeline(
        BehaviorFeatures(), StackingClassifier([("linear", linear), ("trees", trees)], cv=2)
    ),
}
chances = {name: model.fit(X, y).predict_proba(X_test)[:, 1] for name, model in models.items()}

# %%
# How well?
# ---------

import pandas as pd
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

pd.DataFrame(
    {
        name: {
            "AUC": roc_auc_score(y_test, chance),
            "average precision": average_precision_score(y_test, chance),
            "Brier score": brier_score_loss(y_test, chance),
        }
        for name, chance in chances.items()
    }
).T.round(3)

# %%
# The use: whom to write to. The left picture shows which share of the buyers is reached by writing to the most likely
# customers first; the right one the largest coefficients of the linear model.

import matplotlib.pyplot as plt
import numpy as np

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for name, chance in chances.items():
    reached = np.cumsum(np.asarray(y_test)[np.argsort(-chance, kind="stable")]) / np.sum(y_test)
    left.plot(np.arange(1, len(reached) + 1) / len(reached), reached, label=name)
left.plot([0, 1], [0, 1], "k:", linewidth=1)
left.set(xlabel="share of the customers who are written to", ylabel="share of the buyers reached")
left.legend(frameon=False)

encoder, (_, logistic) = models["logistic regression"]
coefficients = pd.Series(logistic.coef_[0], index=encoder.get_feature_names_out())
largest = coefficients.loc[coefficients.abs().nlargest(8).index][::-1]
right.barh(largest.index, largest, color=np.where(largest > 0, "#1f5a8a", "#d1812c"))
right.set_xlabel("coefficient, on normal quantiles")
right.locator_params(axis="x", nbins=5)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()
