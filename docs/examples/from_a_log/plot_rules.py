"""
Stock, categories and other rules of the shop
=============================================

A model ranks by relevance. The shop has more to say: what is in stock, what must not be shown, how many products of a
kind a list may hold, what is promoted. Options of a request restrict one answer;
:class:`~skrec.ensemble.Reranker` applies rules to every answer.
"""

# %%
# The shop
# --------
#
# 1,500 customers of Online Retail. The category of a product is the kind that its description names.

from skrec.datasets import load_online_retail
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE

data = load_online_retail()
histories = data.histories.sample(1500, random_state=0)
names = data.item_features["description"].str.capitalize()
price = data.item_features["price"]
kinds = ["TEACUP", "PLATE", "CAKE", "LIGHT", "BAG", "SIGN", "CLOCK", "DECORATION"]
found = data.item_features["description"].str.extract(f"\\b({'|'.join(kinds)})", expand=False)
category = found.str.lower().fillna("other")
model = EASE(l2=100, vectorizer=HistoryVectorizer(min_df=10), k=8).fit(histories)
basket = [["22423", "22699"]]
print("In the basket:", ", ".join(names[basket[0]]))

# %%
# Options of a request
# --------------------
#
# ``candidates`` are the only products that may be recommended, ``exclude`` never are. Unknown ids in either are passed
# over. ``exclude_seen=False`` allows what the customer has already.

cheap = price.index[price < 3]
requests = {
    "without rules": {},
    "up to 3 pounds": {"candidates": cheap},
    "no teacups": {"exclude": category.index[category == "teacup"]},
}
lists = {title: model.recommend(basket, **options)[0] for title, options in requests.items()}

# %%
# Rules for every answer
# ----------------------
#
# The reranker takes the fitted model (``prefit=True`` fits nothing again). At most one product of a category stands
# in a list, the promoted one always does, and what is out of stock is left out. `in_stock` may be a function, which is
# called at each request.

from skrec.ensemble import Reranker

sold_out = {"22697"}
rules = {
    "at most one of a kind": {"categories": category[category != "other"], "max_per_category": 1},
    "promoted, and stock": {"must_include": ["22138"], "in_stock": dict.fromkeys(sold_out, False)},
}
for title, options in rules.items():
    lists[title] = Reranker(model, prefit=True, k=8, **options).fit(histories).predict(basket)[0]

# %%
# The picture
# -----------
#
# One column per answer, best first; colours are categories.

import matplotlib.pyplot as plt
import numpy as np

shown = list(dict.fromkeys(category[item] for items in lists.values() for item in items))
colours = dict(zip(sorted(set(shown) - {"other"}), plt.get_cmap("Pastel1").colors, strict=False)) | {"other": "0.93"}
figure, axes = plt.subplots(figsize=(12.5, 4.6), layout="constrained")
for column, items in enumerate(lists.values()):
    for rank, item in enumerate(items):
        axes.add_patch(plt.Rectangle((column, rank), 0.96, 0.9, color=colours[category[item]]))
        axes.text(column + 0.03, rank + 0.46, names[item][:31], va="center", fontsize=8.5)
axes.set(xlim=(0, len(lists)), ylim=(len(items), 0), yticks=np.arange(8) + 0.5, yticklabels=range(1, 9), ylabel="rank")
axes.set_xticks(np.arange(len(lists)) + 0.48, list(lists))
axes.tick_params(length=0, labeltop=True, labelbottom=False)
axes.spines[:].set_visible(False)
handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in colours.values()]
figure.legend(handles, list(colours), ncols=len(colours), loc="outside lower center", frameon=False)
plt.show()

# %%
# What do rules cost?
# -------------------
#
# Rules change the answer, so they are measured like a model. The customers' last products are the test.

from collections import Counter

import pandas as pd

from skrec.metrics import hit_rate_at_k
from skrec.model_selection import split_last

X, y = split_last(histories)
fitted = EASE(l2=100, vectorizer=HistoryVectorizer(min_df=10)).fit(X)
of_a_kind = category[category != "other"]
models = {"without rules": fitted}
for n in (3, 2, 1):
    models[f"at most {n} of a kind"] = Reranker(fitted, prefit=True, categories=of_a_kind, max_per_category=n).fit(X)
table = {}
for title, ruled in models.items():
    answer = ruled.predict(X)
    largest = [max(Counter(of_a_kind.get(item, item) for item in row).values()) for row in answer]
    table[title] = {"HR@10": hit_rate_at_k(y, answer), "most of one kind in a list, mean": np.mean(largest)}
pd.DataFrame(table).T.round(3)
