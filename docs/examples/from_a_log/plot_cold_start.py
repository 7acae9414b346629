"""
New products and new customers
==============================

A product that nobody has bought yet has no place in a model of purchases. Its description says what it is, and that is
enough to recommend it. A customer without history gets what is popular, now and in the own country.
"""

# %%
# New products
# ------------
#
# What was first sold in November 2011 or later is new. The models learn from what was bought before. The test: which of
# the new products did each customer buy?

import numpy as np
import pandas as pd

from skrec.datasets import load_online_retail
from skrec.model_selection import split_time

data = load_online_retail()
names = data.item_features["description"].str.capitalize()
X, y = split_time(data.histories, at="2011-11-01", verbose=0)
known = set(data.events.loc[data.events["InvoiceDate"] < "2011-11-01", "StockCode"])
new = [item for item in names.index if item not in known]
y = pd.Series([[item for item in row if item not in known] for row in y], index=X.index)
buyers = X.index[(y.str.len() > 0) & (X["item"].list.len() > 0).to_numpy()]
print(f"{len(new)} new products, {len(buyers)} known customers bought one")

# %%
# :class:`~skrec.neighbors.ContentRecommender` compares descriptions and prices of the new products with those of the
# history. A model of purchases, EASE for instance, cannot: it does not know these ids. ``candidates`` restricts the
# answer to the new products.

from skrec.dummy import RandomRecommender
from skrec.metrics import bootstrap_interval, ranking_scores
from skrec.neighbors import ContentRecommender

catalogue = data.item_features
models = {
    "at random": RandomRecommender(random_state=0),
    "price alone": ContentRecommender(catalogue[["price"]]),
    "description": ContentRecommender(catalogue[["description"]]),
    "description and price": ContentRecommender(catalogue),
}
hits = {}
for name, model in models.items():
    model.fit(data.histories if name == "at random" else X)  # random lists need the ids of the new products, no more
    answer = model.recommend(X.loc[buyers], k=10, candidates=new)
    hits[name] = ranking_scores(y[buyers], answer, k=10, metrics=["hit_rate"])["hit_rate@10"]

# %%
# The share of these customers who find a new product that they bought among ten, with 95 % intervals.

import matplotlib.pyplot as plt

means = pd.Series({name: values.mean() for name, values in hits.items()})
ends = np.array([bootstrap_interval(values, random_state=0) for values in hits.values()])
figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
axes.barh(means.index, means, xerr=np.abs(ends.T - means.to_numpy()), color="#1f5a8a", ecolor="0.3")
axes.set_xlabel(f"HR@10 among {len(new)} new products, {len(buyers)} customers")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The best candidates for a customer, beside what the customer bought last.

model = models["description"]
customer = X.loc[buyers[[2]]]
print("bought last:", ", ".join(names[item] for item in list(customer["item"].iloc[0])[-4:]))
model.recommend(customer, k=5, candidates=new, as_frame=True, names=names)[["rank", "item", "name", "score"]].round(3)

# %%
# A product that arrives after `fit` is passed with the request.

arrived = pd.DataFrame({"description": ["GREEN REGENCY TEAPOT"], "price": [9.95]}, index=["NEW-1"])
fresh = models["description"].recommend([["22699", "22697"]], k=4, item_features=arrived[["description"]])
print([names.get(item, f"{item}: {arrived['description'].get(item)}") for item in fresh[0]])

# %%
# New customers
# -------------
#
# A customer without any event is an empty row. Columns of the frame beside the history describe a customer:
# ``by="country"`` counts best sellers by country, and falls back to all countries where there are few customers.

from skrec.dummy import PopularityRecommender

country = data.events.groupby("CustomerID")["Country"].first()
described = X.assign(country=country[X.index])
popular = PopularityRecommender(by="country").fit(described[(X["item"].list.len() > 0)])
nobody = pd.DataFrame({"item": [[], [], []], "country": ["United Kingdom", "Germany", "France"]})
answer = popular.recommend(nobody, k=4)
pd.DataFrame(names[answer.ravel()].to_numpy().reshape(answer.shape).T, columns=nobody["country"])
