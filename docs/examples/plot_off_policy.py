"""
What would it have earned?
==========================

A shop shows lists with a little randomness and logs the probability of each item at its position. From these logs alone
we estimate what other models would have earned, and compare with the truth, which a simulated shop can tell.
"""

# %%
# A shop that explores
# --------------------
#
# 4,000 lists of three, drawn by Plackett-Luce from the scores of popularity. An item that the user takes later is clicked
# with probability .6 where it is seen, any other with .05; the first position is always seen, the second half the
# time, the third a third of the time.

import numpy as np
import pandas as pd

from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender
from skrec.linear_model import EASE
from skrec.model_selection import histories_at, off_policy_evaluation, split_time
from skrec.neighbors import ItemKNN
from skrec.utils._plackett_luce import position_probabilities, sample

rng = np.random.default_rng(0)
X, y = split_time(make_histories(400, 30, random_state=0), "2024-09-01", verbose=0)
K, SEEN = 3, 1 / np.arange(1, 4)
shop = PopularityRecommender().fit(X)
items, scores = shop.recommend(X, 30, return_scores=True)
scores = np.log1p(np.maximum(scores, 0).astype(float))


def clicked(user, item, place):
    """Return the probability of a click."""
    return SEEN[place] * (0.6 if item in y.iloc[user] else 0.05)


rows = []
for rec in range(4000):
    user = int(rng.integers(len(X)))
    order, chances = sample(scores[user], K, 0.5, rng)
    for place, (one, chance) in enumerate(zip(order, chances, strict=True)):
        item = items[user, one]
        rows.append((rec, X.index[user], place, item, chance, float(rng.random() < clicked(user, item, place))))
logs = pd.DataFrame(rows, columns=["rec_id", "user", "position", "item", "probability", "reward"])
logs["time"] = pd.Timestamp("2024-09-02")
logs.head()

# %%
# Three models that were never live
# ---------------------------------
#
# Each would draw its lists from its own scores with a temperature, so that its lists overlap with those that were shown.
# The histories are those from before each list.

histories = histories_at(X, logs, verbose=0)
users = X.index.get_indexer(logs.groupby("rec_id")["user"].first())
models = {
    "popularity": (PopularityRecommender(), 30.0),
    "ItemKNN": (ItemKNN(n_neighbors=10), 0.5),
    "EASE": (EASE(l2=20), 0.3),
}
found, truths = {}, {}
for name, (model, temperature) in models.items():
    model.fit(X)
    options = {"histories": histories, "temperature": temperature, "n_candidates": 30}
    found[name] = off_policy_evaluation(logs, model, estimators=["ips", "snips", "dm", "dr"], **options)
    best, best_scores = model.recommend(X, 30, return_scores=True)
    worth = np.zeros(len(X))
    for user in range(len(X)):
        chance = position_probabilities(best_scores[user], K, temperature)
        value = np.array([[clicked(user, item, place) for place in range(K)] for item in best[user]])
        worth[user] = (chance * value).sum()
    truths[name] = worth[users].mean()
found["EASE"]

# %%
# The picture
# -----------
#
# Estimates with their 95 % intervals; the dashed line is the truth for the users of the logs, the dotted one what the
# shop earned.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharey=True, layout="constrained")
for ax, (name, result) in zip(axes, found.items(), strict=True):
    table = result.table.drop(index="logged")
    error = [table["value"] - table["low"], table["high"] - table["value"]]
    ax.errorbar(range(len(table)), table["value"], yerr=error, fmt="o", capsize=4)
    ax.axhline(truths[name], color="black", linestyle="--", label="truth")
    ax.axhline(result.table.loc["logged", "value"], color="grey", linestyle=":", label="logged")
    ax.set_xticks(range(len(table)), table.index)
    ax.set_title(f"{name}: {table.loc['snips', 'ess']:,.0f} effective lists", fontsize=10)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("clicks a list")
axes[0].legend(frameon=False)
plt.show()

# %%
# Where it is refused
# -------------------
#
# A greedy list is rarely among those that were shown. The result says so, instead of a number.

off_policy_evaluation(logs, models["EASE"][0], histories=histories, estimators="snips")
