"""
A net that reads histories in their order
=========================================

:class:`~skrec.neural_network.SASRec` reads the last products of a customer and predicts the next one, as a language
model predicts the next word. This page trains one in seconds, looks at the training, and compares it with models that
count. With fewer than 2,000 customers counting wins; :doc:`the guide </user_guide/sequence_nets>` measures logs where
the net is the best single model.
"""

# %%
# The data
# --------
#
# 2,000 customers of Online Retail; products with at least 100 buyers. The models learn from what was bought before
# October 2011 and are judged by new products bought in October.

from skrec.datasets import load_online_retail
from skrec.feature_extraction import HistoryVectorizer, to_histories
from skrec.model_selection import split_time

data = load_online_retail()
names = data.item_features["description"].str.capitalize()
buyers = data.events.groupby("StockCode")["CustomerID"].transform("nunique")
events = data.events[(buyers >= 100) & (data.events["InvoiceDate"] < "2011-11-01")]
histories = to_histories(events, user="CustomerID", item="StockCode", time="InvoiceDate").sample(2000, random_state=0)
X, y = split_time(histories, at="2011-10-01", exclude_seen=True, verbose=0)
X = X[X["item"].list.len() > 0]
y = y[X.index]
print(f"{len(X)} customers, {events['StockCode'].nunique()} products")

# %%
# Training
# --------
#
# The item embeddings are initialised from what stands together in the histories (``init="neighbours"``, the default),
# which saves epochs. A tenth of the customers is held out, on whom the next item is scored after each epoch.

from skrec.neural_network import SASRec

net = SASRec(32, max_length=30, epochs=5, learning_rate=0.005, random_state=0)
net.fit(X)

import matplotlib.pyplot as plt

from skrec.inspection import TrainingDisplay

figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
TrainingDisplay.from_estimator(net, ax=axes)
plt.show()

# %%
# Beside simple models
# --------------------
#
# The blend adds the scores of the fitted parts, brought to one scale. On this sample the net has not seen enough to add
# anything to EASE: the intervals of both overlap almost entirely.

from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender
from skrec.linear_model import EASE
from skrec.metrics import bootstrap_interval, ranking_scores

ease = EASE(l2=100, vectorizer=HistoryVectorizer()).fit(X)
models = {
    "popularity": PopularityRecommender(window="30D").fit(X),
    "net": net,
    "EASE": ease,
    "net and EASE": BlendRecommender([("net", net), ("ease", ease)], weights=[0.2, 0.8], prefit=True).fit(X),
}
asked = (y.list.len() > 0).to_numpy()
scores = {
    name: ranking_scores(y[asked], model.predict(X[asked]), k=10, metrics=["ndcg"])["ndcg@10"]
    for name, model in models.items()
}

import numpy as np

means = np.array([values.mean() for values in scores.values()])
ends = np.array([bootstrap_interval(values, random_state=0) for values in scores.values()])
figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
axes.barh(list(scores), means, xerr=np.abs(ends.T - means), color="#1f5a8a", ecolor="0.3")
axes.set_xlabel("NDCG at 10, new products, October 2011, with 95 % intervals")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Order matters
# -------------
#
# The same three products in two orders: a net gives the newest more weight, EASE does not see the order.

import pandas as pd

basket = ["22423", "22699", "20725"]
orders = {" > ".join(names[item][:14] for item in order): order for order in (basket, basket[::-1])}
answers = {title: names[net.recommend([order], k=4)[0]].to_numpy() for title, order in orders.items()}
pd.DataFrame(answers)
