"""
What would it have earned?
==========================

A shop shows random lists to a part of its visitors and logs what is clicked. From these logs alone we estimate what
other models would have earned, and compare with the truth, which a simulated shop can tell.
"""

# %%
# A shop that explores
# --------------------
#
# 12,000 lists of three of 30 products, at random, so that each product has the probability 1/30 at each position. What
# the user takes later is clicked with probability .6 where it is seen, anything else with .05. The first position is
# always seen, the second half the time, the third a third of the time.

import numpy as np
import pandas as pd

from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender
from skrec.linear_model import EASE
from skrec.model_selection import histories_at, off_policy_evaluation, split_time
from skrec.neighbors import ItemKNN

rng = np.random.default_rng(0)
X, y = split_time(make_histories(400, 30, random_state=0), "2024-09-01", verbose=0)
items = np.unique(np.concatenate(X["item"].tolist()))
wanted = np.array([[item in later for item in items] for later in map(set, y)])  # (n_users, n_items)
seen = 1 / np.arange(1, 4)

user = rng.integers(0, len(X), 12_000)
lists = np.argsort(rng.random((12_000, len(items))), axis=1)[:, :3]
chance = np.where(wanted[user[:, None], lists], 0.6, 0.05) * seen
logs = pd.DataFrame(
    {
        "rec_id": np.repeat(np.arange(12_000), 3),
        "user": np.repeat(X.index[user], 3),
        "time": pd.Timestamp("2024-09-02"),
        "position": np.tile([1, 2, 3], 12_000),
        "item": items[lists].ravel(),
        "probability": 1 / len(items),
        "reward": (rng.random(chance.shape) < chance).ravel().astype(float),
    }
)
logs.head()

# %%
# Three models that were never live
# ---------------------------------
#
# The models answer from the histories of before each list.

histories = histories_at(X, logs, verbose=0)
models = {"popularity": PopularityRecommender(), "ItemKNN": ItemKNN(n_neighbors=10), "EASE": EASE(l2=20)}
found, truths = {}, {}
for name, model in models.items():
    model.fit(X)
    found[name] = off_policy_evaluation(logs, model, histories=histories)
    answers = np.searchsorted(items, model.recommend(X, 3))
    worth = (np.where(np.take_along_axis(wanted, answers, axis=1), 0.6, 0.05) * seen).sum(axis=1)
    truths[name] = worth[user].mean()
found["EASE"]

# %%
# The picture
# -----------
#
# Estimates with their 95 % intervals; the dashed line is the truth, the dotted one what the random lists earned. The
# direct method is wrong where the others are right: its table of products and positions does not know the users, so it
# believes that a personal list is worth no more than its products are on average.

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
# A twelfth of the logs holds too few of the lists that the model would have shown. The result says so, instead of a
# number.

few = logs[logs["rec_id"] < 1000]
off_policy_evaluation(few, models["EASE"], histories=histories_at(X, few, verbose=0), estimators="snips")
