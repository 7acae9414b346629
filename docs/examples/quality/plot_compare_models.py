"""
Repeats or new items: who wins?
===============================

The same models, asked two questions: what will a customer buy next, and what *new* product will a customer buy next?
The winner of one question can be the loser of the other, so a shop must choose the question first.
"""

# %%
# The data
# --------
#
# Online Retail comes with the library. The models learn from what happened before 1 October 2011 and are asked what
# known customers bought in October. November and December stay untouched: this is a comparison for choosing, not a
# final result.

from skrec.datasets import load_online_retail
from skrec.model_selection import split_time

histories = load_online_retail().histories
X, y_all = split_time(histories, at="2011-10-01", until="2011-11-01")
_, y_new = split_time(histories, at="2011-10-01", until="2011-11-01", exclude_seen=True)

known = X["item"].list.len() > 0
X, y_all, y_new = X[known], y_all[known], y_new[known]
print(f"{len(X)} customers, {(y_all.list.len() > 0).sum()} asked for anything, {(y_new.list.len() > 0).sum()} for news")

# %%
# A model of one line
# -------------------
#
# What does a customer buy again? A recommender that scores each item by how often the customer bought it knows nothing
# of other customers. Its vectorizer counts; ties are broken by popularity, as in every recommender.

from skrec.base import BaseRecommender
from skrec.feature_extraction import HistoryVectorizer


class OwnCounts(BaseRecommender):
    """Recommend what the user had most often."""

    def __init__(self, *, vectorizer=None, k=10, exclude_seen=False):
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen

    def _fit(self, users):
        pass

    def _score(self, users):
        return users.matrix.toarray()


# %%
# Two questions
# -------------
#
# `exclude_seen` is a parameter of the request as well as of the model, so each model is fitted once.

from time import perf_counter

import pandas as pd

from skrec.decomposition import ALS
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.linear_model import EASE
from skrec.metrics import ndcg_at_k
from skrec.neighbors import ItemKNN

counts = HistoryVectorizer(binary=False)
models = {
    "random": RandomRecommender(random_state=0),
    "popularity": PopularityRecommender(),
    "popularity, 30 days": PopularityRecommender(window="30D"),
    "own counts": OwnCounts(vectorizer=counts),
    "ItemKNN": ItemKNN(n_neighbors=20),
    "ALS": ALS(n_components=32, random_state=0),
    "EASE": EASE(),
    "EASE on counts": EASE(vectorizer=counts),
}
rows = {}
for name, model in models.items():
    start = perf_counter()
    model.fit(X)
    rows[name] = {
        "repeats allowed": ndcg_at_k(y_all, model.recommend(X, exclude_seen=False)),
        "new items only": ndcg_at_k(y_new, model.recommend(X, exclude_seen=True)),
        "seconds to fit": perf_counter() - start,
    }
table = pd.DataFrame(rows).T
table.round(3)

# %%
# The picture
# -----------
#
# Own counts win the first question. At the second they have nothing to say and are no better than popularity. Counts
# instead of ones in the matrix help EASE at the first question and hurt it at the second.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
table[["repeats allowed", "new items only"]].iloc[::-1].plot.barh(ax=axes, width=0.75, color=["#9fb4c7", "#1f5a8a"])
axes.set_xlabel("NDCG at 10, Online Retail, October 2011")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
