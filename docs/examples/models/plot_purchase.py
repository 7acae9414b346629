"""
Which visits end in a purchase?
===============================

A visit is a row of a table: pages and seconds, the month, the kind of visitor. A net and gradient boosting say how
likely it is that the visit ends in a purchase. How well do they rank the visits, and are their probabilities
calibrated?
"""

# %%
# The visits
# ----------
#
# Online Shoppers comes with the library: 12,330 visits, of which 15.5 % end in a purchase. 4,000 of them are for
# training here and 3,000 for the test. Seven of the columns are categories, and stay what they are.

from sklearn.model_selection import train_test_split

from skrec.datasets import load_online_shoppers

visits = load_online_shoppers()
X, X_test, y, y_test = train_test_split(
    visits.data, visits.target, train_size=4000, test_size=3000, stratify=visits.target, random_state=0
)
print(X.head(3).T)

# %%
# Three classifiers
# -----------------
#
# Each takes the frame as it is. Four members are four nets in one, and their mean is the answer.

import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from skrec.neural_network import PurchaseClassifier

models = {
    "one net": PurchaseClassifier(random_state=0),
    "four members": PurchaseClassifier(n_members=4, activation="gelu", random_state=0),
    "gradient boosting": HistGradientBoostingClassifier(random_state=0),
}
chances = {name: model.fit(X, y).predict_proba(X_test)[:, 1] for name, model in models.items()}
pd.DataFrame(
    {
        name: {
            "AUC": roc_auc_score(y_test, chance),
            "average precision": average_precision_score(y_test, chance),
            "Brier score": brier_score_loss(y_test, chance),
        }
        for name, chance in chances.items()
    }
).T.round(4)

# %%
# Ranking: two curves
# -------------------
#
# The left curve asks which share of the buyers is found at the price of which share of the others; the right one how
# many of the visits that are named are buyers. The right one shows more where few buy.

import matplotlib.pyplot as plt
from sklearn.metrics import PrecisionRecallDisplay, RocCurveDisplay

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
for name, chance in chances.items():
    RocCurveDisplay.from_predictions(y_test, chance, name=name, ax=left)
    PrecisionRecallDisplay.from_predictions(y_test, chance, name=name, ax=right)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left" if axes is right else "lower right", fontsize="small")
plt.show()

# %%
# Probabilities: the calibration curve
# ------------------------------------
#
# Of the visits that are given 30 %, do 30 % buy? The members are near the diagonal. Gradient boosting with its default
# settings is too sure of itself at the ends.

from sklearn.calibration import CalibrationDisplay

figure, axes = plt.subplots(figsize=(5.5, 5), layout="constrained")
for name, chance in chances.items():
    CalibrationDisplay.from_predictions(y_test, chance, n_bins=8, strategy="quantile", name=name, ax=axes)
axes.set(xlabel="probability that the model gives", ylabel="share that buys")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
plt.show()

# %%
# What the net looks at
# ---------------------
#
# Permuting a column and asking again tells what the ranking owes to it. `PageValues`, the money that the pages of the
# visit used to bring, says most; it is computed from transactions, so ask what of it is known *during* a visit before
# using it in a shop.

from sklearn.inspection import permutation_importance

importance = permutation_importance(
    models["four members"], X_test, y_test, scoring="roc_auc", n_repeats=2, random_state=0
)
order = importance.importances_mean.argsort()[-8:]
figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.barh(X.columns[order], importance.importances_mean[order], xerr=importance.importances_std[order])
axes.set(xscale="log", xlabel="AUC that is lost, log scale")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
