"""
The next product of a basket
============================

A visitor who is not logged in is known by the products of the visit. A row of `X` can be a session as well as a
customer: here each invoice is one. The model learns from past invoices which products follow each other, and
recommends the next one as the basket grows.
"""

# %%
# Sessions
# --------
#
# ``user="InvoiceNo"`` makes each invoice a row. The lines stand in the order of the invoice. Invoices of 3 to 30 lines
# before November 2011 are for training; of 1,500 later ones the last line is what the model must find.

from skrec.datasets import load_online_retail
from skrec.feature_extraction import to_histories
from skrec.model_selection import split_last

data = load_online_retail()
names = data.item_features["description"].str.capitalize()
events = data.events
lines = events.groupby("InvoiceNo")["StockCode"].transform("size")
sessions = to_histories(events[lines.between(3, 30)], user="InvoiceNo", item="StockCode", time="InvoiceDate")
start = events.groupby("InvoiceNo")["InvoiceDate"].min()[sessions.index]
train = sessions[(start < "2011-11-01").to_numpy()]
X, y = split_last(sessions[(start >= "2011-11-01").to_numpy()].sample(1500, random_state=0))
print(f"{len(train)} sessions to learn from, {len(X)} to continue")

# %%
# Four models
# -----------
#
# Item-item similarities count what stands together anywhere in a session, transitions what follows what, and nearest
# sessions look at the whole basket. HR@10 is the share of baskets whose last product is among ten recommendations.

import pandas as pd

from skrec.dummy import PopularityRecommender
from skrec.metrics import ranking_scores
from skrec.neighbors import ItemKNN, SessionKNN, TransitionRecommender

models = {
    "best sellers": PopularityRecommender(),
    "ItemKNN": ItemKNN(n_neighbors=50),
    "transitions": TransitionRecommender(),
    "nearest sessions": SessionKNN(idf=1.5),
}
rows = {}
for name, model in models.items():
    scores = ranking_scores(y, model.fit(train).predict(X), k=10, metrics=["hit_rate", "mrr"])
    rows[name] = {"HR@10": scores["hit_rate@10"].mean(), "MRR@10": scores["mrr@10"].mean()}
pd.DataFrame(rows).T.round(3)

# %%
# A basket grows
# --------------
#
# Three products are put into the basket, one after the other. Each is one more element of the row: nothing is stored
# about the visitor and nothing is fitted again.

import matplotlib.pyplot as plt

basket = ["22423", "22697", "22138"]
model = models["nearest sessions"]
figure, axes = plt.subplots(1, 3, figsize=(12, 3.2), layout="constrained")
for axis, n in zip(axes, (1, 2, 3), strict=True):
    answer = model.recommend([basket[:n]], k=5, as_frame=True, names=names)[::-1]
    axis.barh(answer["name"], answer["score"], color="#1f5a8a")
    axis.set_title("then " * (n > 1) + names[basket[n - 1]], fontsize=10, loc="right")
    axis.tick_params(axis="y", labelsize=8)
    axis.set_xlabel("score")
    axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# What follows a product
# ----------------------
#
# `similar_items` of the transitions has a direction: it names what follows, not what is alike.

asked = ["22423", "22138"]
following = pd.DataFrame(names.loc[models["transitions"].similar_items(asked, k=4).ravel()].to_numpy().reshape(2, 4).T)
following.set_axis([f"after {names[item]}" for item in asked], axis=1)
