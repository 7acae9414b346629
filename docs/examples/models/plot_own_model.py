"""
A recommender of your own
=========================

Two methods make a recommender: `_fit` learns, `_score` scores. The base class reads histories, maps ids, leaves out
what was seen, breaks ties, and ranks. Searches, blends, the reranker and all the rest then work with it.
"""

# %%
# The idea
# --------
#
# Products of one invoice belong together more than products of one customer. The model counts pairs of products that
# stand on the same invoice, at most `max_gap` events apart, and divides by the root of their popularities.
#
# The tag ``needs_order`` asks for histories in their order: `users.histories` then has the events of all users one
# after the other (`codes`, positions in `items_`), the first of each user at `indptr`, and their `time`, in days.

import numpy as np
import scipy.sparse as sp

from skrec.base import BaseRecommender


class SameInvoice(BaseRecommender):
    """Recommend what stands on the same invoices as the items of the history."""

    def __init__(self, *, max_gap=5, power=0.5, vectorizer=None, k=10, exclude_seen=True):
        self.max_gap = max_gap
        self.power = power
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.needs_order = True
        return tags

    def _fit(self, users):
        histories = users.histories
        user = np.repeat(np.arange(len(histories.indptr) - 1), np.diff(histories.indptr))
        pairs = sp.csr_array((users.shape[1], users.shape[1]), dtype=np.float32)
        for gap in range(1, self.max_gap + 1):
            same = user[gap:] == user[:-gap]
            if histories.time is not None:  # without times a history is one invoice
                same &= histories.time[gap:] == histories.time[:-gap]
            rows, columns = histories.codes[gap:][same], histories.codes[:-gap][same]
            pairs += sp.csr_array((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=pairs.shape)
        pairs = pairs + pairs.T
        weight = sp.diags_array(np.maximum(self.popularity_, 1.0).astype(np.float32) ** -self.power)
        self.similarity_ = sp.csr_array(weight @ pairs @ weight)

    def _score(self, users):
        return sp.csr_array(users.matrix, dtype=np.float32) @ self.similarity_


# %%
# Does it recommend what belongs together?
# ----------------------------------------
#
# 1,500 customers of Online Retail, before October 2011. `similar_items` comes with `similarity_`.

import pandas as pd

from skrec.datasets import load_online_retail
from skrec.model_selection import split_time

data = load_online_retail()
names = data.item_features["description"].str.capitalize()
X, y = split_time(data.histories, at="2011-10-01", until="2011-11-01", exclude_seen=True, verbose=0)
X = X[X["item"].list.len() > 0].sample(1500, random_state=0)
y = y[X.index]
model = SameInvoice().fit(X)
asked = ["22423", "20725", "21977"]
near = names[model.similar_items(asked, k=4).ravel()].to_numpy().reshape(len(asked), -1)
pd.DataFrame(near.T, columns=names[asked].to_numpy())

# %%
# Search and compare
# ------------------
#
# Parameters of the constructor are searched like those of any estimator. September chooses, October compares.

from sklearn.model_selection import GridSearchCV

from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender
from skrec.model_selection import SameUsers, compare
from skrec.neighbors import ContentRecommender, ItemKNN

X_before, y_september = split_time(X, at="2011-09-01", exclude_seen=True, verbose=0)
grid = {"max_gap": [1, 5, 20], "power": [0.3, 0.5]}
search = GridSearchCV(SameInvoice(), grid, cv=SameUsers()).fit(X_before, y_september)
print(search.best_params_)
own = SameInvoice(**search.best_params_)
words = ContentRecommender(data.item_features[["description"]])
models = {
    "popularity": PopularityRecommender(window="30D"),
    "ItemKNN": ItemKNN(),
    "same invoice": own,
    "same invoice and words": BlendRecommender([("own", own), ("words", words)]),
}
leaderboard = compare(models, X, y)
leaderboard[["ndcg@10", "ndcg@10_low", "ndcg@10_high", "hit_rate@10", "fit_seconds"]].round(3)

# %%
# The picture, with 95 % intervals over the customers.

import matplotlib.pyplot as plt

from skrec.inspection import ComparisonDisplay

ComparisonDisplay.from_comparison(leaderboard)
plt.show()

# %%
# Check it
# --------
#
# :func:`~skrec.testing.yield_recommender_checks` gives the checks that the library's own models pass, one by one. Here
# the first ten; run them all in your tests.

from itertools import islice

from skrec.testing import yield_recommender_checks

for name, check in islice(yield_recommender_checks(SameInvoice()), 10):
    if name != "clone_and_storage":  # pickles the model, so the class must stand in a module
        check()
        print("passed:", name)
