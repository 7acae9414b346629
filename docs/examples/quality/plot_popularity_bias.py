"""
How much of the catalogue do we show?
=====================================

Accuracy is the mean over customers. It says nothing about the products: a recommender can be right for many while it
shows only a handful of best sellers. Coverage, the Gini index and a curve show it.
"""

# %%
# Four models
# -----------
#
# They learn from Online Retail before 1 October 2011 and recommend ten new products to each known customer.

from skrec.datasets import load_online_retail
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.linear_model import EASE
from skrec.model_selection import split_time
from skrec.neighbors import ItemKNN

histories = load_online_retail().histories
X, y = split_time(histories, at="2011-10-01", until="2011-11-01", exclude_seen=True)
known = X["item"].list.len() > 0
X, y = X[known], y[known]

models = {
    "popularity": PopularityRecommender(),
    "EASE": EASE(),
    "ItemKNN": ItemKNN(n_neighbors=20),
    "random": RandomRecommender(random_state=0),
}
recommended = {name: model.fit(X).predict(X) for name, model in models.items()}

# %%
# Accuracy beside coverage
# ------------------------
#
# Novelty is in bits: an item that half of the customers have carries one.

import pandas as pd

from skrec.metrics import coverage_at_k, gini_at_k, ndcg_at_k, novelty_at_k

model = models["EASE"]
users_of = dict(zip(model.items_, model.popularity_, strict=True))
table = pd.DataFrame(
    {
        name: {
            "NDCG at 10": ndcg_at_k(y, items),
            "coverage": coverage_at_k(None, items, n_items=model.n_items_),
            "Gini": gini_at_k(None, items, n_items=model.n_items_),
            "novelty": novelty_at_k(None, items, popularity=users_of, n_users=len(X)),
        }
        for name, items in recommended.items()
    }
).T
table.round(3)

# %%
# Where the places go
# -------------------
#
# Order the catalogue by popularity and add up the places in the lists. The dashed curve is what customers bought: a
# recommender above it makes the popular more popular.

import matplotlib.pyplot as plt
import numpy as np

order = np.argsort(-model.popularity_, kind="stable")
share_of_items = np.arange(1, model.n_items_ + 1) / model.n_items_

figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
for name, items in recommended.items():
    places = pd.Series(items.ravel()).value_counts()
    places = places.reindex(model.items_[order], fill_value=0)
    axes.plot(share_of_items, places.cumsum() / places.sum(), label=name)
bought = model.popularity_[order]
axes.plot(share_of_items, bought.cumsum() / bought.sum(), "k--", label="bought before October")
axes.set(xlabel="share of the catalogue, most popular first", ylabel="share of the recommendations", ylim=(0, 1.02))
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="lower right")
plt.show()
