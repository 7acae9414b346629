"""
Who gets the exposure?
======================

A place in a list is worth attention, and attention is worth sales. If best sellers take all places, new products and
small suppliers never get a chance. Here the exposure of groups of products is measured, compared with what customers
bought, and moved; and what it costs in accuracy is measured beside it.
"""

# %%
# Groups and exposure
# -------------------
#
# 2,000 customers of Online Retail before October 2011; October is the test, for products new to the customer. The three
# groups: the products that together have half of the purchases (head), the next 30 % (middle), and the rest (tail).
# Rank :math:`r` has the exposure :math:`1 / \log_2(r + 1)`, the discount of NDCG.

import numpy as np
import pandas as pd

from skrec.datasets import load_online_retail
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.model_selection import split_time

data = load_online_retail()
names = data.item_features["description"].str.capitalize()
X, y = split_time(data.histories, at="2011-10-01", until="2011-11-01", exclude_seen=True, verbose=0)
X = X[X["item"].list.len() > 0].sample(2000, random_state=0)
y = y[X.index]
model = EASE(l2=100, vectorizer=HistoryVectorizer(min_df=10)).fit(X)

buyers = pd.Series(model.popularity_, index=model.items_).sort_values(ascending=False)
share = buyers.cumsum() / buyers.sum()
group = pd.Series(np.select([share <= 0.5, share <= 0.8], ["head", "middle"], "tail"), index=share.index)
print(group.value_counts().to_dict())


def exposure(lists):
    """Return the share of the exposure of each group."""
    weight = np.tile(1 / np.log2(np.arange(2, lists.shape[1] + 2)), (len(lists), 1))
    total = pd.Series(weight.ravel()).groupby(group[lists.ravel()].to_numpy()).sum()
    return (total / total.sum()).reindex(["head", "middle", "tail"], fill_value=0.0)


# %%
# Three ways to move it
# ---------------------
#
# ``boost`` multiplies the relevance of middle and tail. ``explore`` fills a share of the places at random from further
# candidates. ``diversity="calibrated"`` with the groups as categories gives each customer the mix of groups that the
# customer's own history has.

from skrec.ensemble import Reranker
from skrec.metrics import gini_at_k, ndcg_at_k

boost = group.map({"head": 1.0, "middle": 1.5, "tail": 2.0})
options = {
    "EASE": {},
    "boost": {"boost": boost},
    "explore 20 %": {"explore": 0.2, "random_state": 0},
    "calibrated, 0.3": {"diversity": "calibrated", "categories": group, "trade_off": 0.3},
    "calibrated, 0.6": {"diversity": "calibrated", "categories": group, "trade_off": 0.6},
}
shares, quality = {}, {}
for title, rules in options.items():
    lists = Reranker(model, prefit=True, **rules).fit(X).predict(X)
    shares[title] = exposure(lists)
    quality[title] = {"NDCG@10": ndcg_at_k(y, lists), "Gini": gini_at_k(None, lists, n_items=model.n_items_)}
bought = pd.Series([item for row in y for item in row if item in group.index])
shares["bought in October"] = bought.map(group).value_counts(normalize=True)[["head", "middle", "tail"]]
pd.DataFrame(shares).T.join(pd.DataFrame(quality).T).round(3)

# %%
# The picture
# -----------
#
# Left: the share of the exposure by group; the last bar is what customers bought. Right: accuracy against the distance
# of the exposure from it, half of the sum of the absolute differences.

import matplotlib.pyplot as plt

table = pd.DataFrame(shares).T
target = table.loc["bought in October"]
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), width_ratios=[3, 2], layout="constrained")
table.iloc[::-1].plot.barh(stacked=True, ax=left, color=["#1f5a8a", "#7fa6c4", "#d1812c"], width=0.75)
left.set(xlabel="share of the exposure", xlim=(0, 1))
left.legend(ncols=3, frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
for (title, row), marker in zip(quality.items(), "osD^v", strict=True):
    distance = (table.loc[title] - target).abs().sum() / 2
    right.plot(distance, row["NDCG@10"], marker, markersize=8, label=title)
right.set(xlabel="distance of the exposure from the purchases", ylabel="NDCG at 10")
right.locator_params(axis="x", nbins=5)
right.legend(frameon=False)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Products of the tail that ``calibrated, 0.6`` shows most often.

tail = pd.Series(lists.ravel())
tail = tail[tail.map(group) == "tail"].value_counts().head(6)
pd.DataFrame({"lists": tail, "buyers": buyers[tail.index]}).set_axis(names[tail.index].to_list())
