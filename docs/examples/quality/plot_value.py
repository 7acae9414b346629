"""
Lists that earn more
====================

The list that sells most is not the list that earns most. :class:`~skrec.ensemble.Reranker` with `value` turns scores
into probabilities of a purchase and ranks by probability times what the purchase is worth.
"""

# %%
# Prices as values
# ----------------
#
# 2,000 customers of Online Retail, repeats allowed. Margins are unknown in this data set, so that the unit price stands
# for the value of a purchase; it is the median before October 2011. October is the test.

from skrec.datasets import load_online_retail
from skrec.model_selection import split_time
from skrec.neighbors import BuyAgainRecommender

data = load_online_retail()
names = data.item_features["description"].str.capitalize()
before = data.events[data.events["InvoiceDate"] < "2011-10-01"]
price = before.groupby("StockCode")["UnitPrice"].median()
X, y = split_time(data.histories, at="2011-10-01", until="2011-11-01", verbose=0)
X = X[X["item"].list.len() > 0].sample(2000, random_state=0)
y = y[X.index]
model = BuyAgainRecommender().fit(X)

# %%
# Probability times price
# -----------------------
#
# The scores become probabilities on the last 30 days of the histories, which a clone of the model has not seen. The
# exponent trades relevance (0) against value (1).

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skrec.ensemble import Reranker
from skrec.metrics import bootstrap_interval, ndcg_at_k, value_at_k

options = {"prefit": True, "value": price, "exclude_seen": False, "random_state": 0}
first = Reranker(model, holdout="30D", value_exponent=0, **options).fit(X)
rerankers, rows = {}, {}
for exponent in (0, 0.25, 0.5, 0.75, 1):
    reranker = Reranker(model, calibration=first.calibration_, value_exponent=exponent, **options).fit(X)
    lists = reranker.predict(X)
    revenue = value_at_k(y, lists, value=price, per_user=True)
    low, high = bootstrap_interval(revenue[~np.isnan(revenue)], random_state=0)
    rows[exponent] = {"NDCG@10": ndcg_at_k(y, lists), "revenue@10": np.nanmean(revenue), "low": low, "high": high}
    rerankers[exponent] = reranker
table = pd.DataFrame(rows).T.rename_axis("exponent")
table.round(3)

# %%
# Revenue@10 is the price of the products that were recommended and bought, one unit each, mean per buying customer.

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
errors = np.abs(table[["low", "high"]].to_numpy().T - table["revenue@10"].to_numpy())
axes.errorbar(table["NDCG@10"], table["revenue@10"], yerr=errors, marker="o", color="#1f5a8a", ecolor="0.7", capsize=3)
for exponent, row in table.iterrows():
    axes.annotate(f" {exponent:g}", (row["NDCG@10"], row["revenue@10"]), va="bottom", fontsize=11)
axes.set(xlabel="NDCG at 10", ylabel="revenue at 10, pounds", title="Exponents from 0 (relevance) to 1 (value)")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Are the probabilities right?
# ----------------------------
#
# Of the candidates that are given 20 %, 20 % should be bought in October. The Brier score is compared with that of one
# probability for all. Above 10 % the probabilities are too high on this sample, and their order is right.

from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import brier_score_loss

items, probability = first.purchase_probability(X, k=30)
bought = np.array([np.isin(row, list(held)) for row, held in zip(items, y, strict=True)]).ravel()
print(f"Brier score {brier_score_loss(bought, probability.ravel()):.5f}")
print(f"that of the mean for all {brier_score_loss(bought, np.full(bought.size, bought.mean())):.5f}")
figure, axes = plt.subplots(figsize=(5, 4.5), layout="constrained")
CalibrationDisplay.from_predictions(
    bought, probability.ravel(), n_bins=10, strategy="quantile", name="candidates", ax=axes
)
limit = 1.2 * np.quantile(probability, 0.97)
axes.set(xlabel="probability that the model gives", ylabel="share that was bought", xlim=(0, limit), ylim=(0, limit))
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# One customer's list
# -------------------
#
# What moves up is what costs more and is nearly as likely.

customer = X.loc[[X.index[np.flatnonzero(X["item"].list.len().between(60, 90))[0]]]]
columns = {}
for exponent in (0, 0.5, 1):
    answer = rerankers[exponent].recommend(customer, k=6)[0]
    columns[f"exponent {exponent:g}"] = [f"{names[item]}, {price[item]:.2f}" for item in answer]
pd.DataFrame(columns, index=range(1, 7))

# %%
# Held-out purchases happened without these lists: revenue@10 is what a list would have found, not what it caused. What
# it causes is measured by an experiment, see :ref:`sphx_glr_auto_examples_live_plot_experiment.py`.
