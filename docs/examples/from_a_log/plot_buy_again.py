"""
What is a customer due to buy again?
====================================

In many shops the first question is the repeat purchase. :class:`~skrec.neighbors.BuyAgainRecommender` learns from the
log how often each product is bought again, and after how many days; the customer's own history says when it was bought
last.
"""

# %%
# The log
# -------
#
# 1,500 customers of Online Retail with purchases on at least three days before November 2011. What they bought in
# November and December is the test.

import numpy as np
import pandas as pd

from skrec.datasets import load_online_retail
from skrec.model_selection import split_time

data = load_online_retail()
names = data.item_features["description"].str.capitalize()
X, y = split_time(data.histories, at="2011-11-01", verbose=0)
days = np.array([len(np.unique(np.asarray(row, dtype="datetime64[D]"))) for row in X["time"]])
X = X.assign(days=days)[days >= 3].sample(1500, random_state=0)
y = y[X.index]
print(f"{len(X)} customers; {(y.list.len() > 0).sum()} bought something after 1 November")

# %%
# Does the model know more than the customer's own counts?
# --------------------------------------------------------
#
# :class:`~skrec.neighbors.TIFUKNN` adds what similar customers buy again. ``exclude_seen=False`` allows repeats:
# without it every repeat purchase counts as a miss.

from skrec.dummy import PopularityRecommender
from skrec.model_selection import compare
from skrec.neighbors import TIFUKNN, BuyAgainRecommender

models = {
    "best sellers of 30 days": PopularityRecommender(window="30D", exclude_seen=False),
    "best sellers, new products only": PopularityRecommender(window="30D"),
    "buy again": BuyAgainRecommender(),
    "TIFUKNN": TIFUKNN(),
}
leaderboard = compare(models, X, y, metrics=["ndcg", "recall", "hit_rate"])
leaderboard[["ndcg@10", "ndcg@10_low", "ndcg@10_high", "recall@10", "hit_rate@10"]].round(3)

# %%
# The rhythm of products
# ----------------------
#
# `interval_` is the usual time between two purchases of a product by one customer, `repeat_share_` the share of its
# buyers who bought it again. Both are shrunk towards the mean of the shop where few customers bought twice.

model = models["buy again"].fit(X)
products = pd.DataFrame(
    {
        "buyers": model.popularity_,
        "share who bought again": model.repeat_share_.round(2),
        "usual interval, days": model.interval_.round(),
    },
    index=names[model.items_].to_numpy(),
)
products[products["buyers"] >= 150].nlargest(8, "share who bought again")

# %%
# One customer
# ------------
#
# The dots are purchases of the eight products that are recommended to a loyal customer; the triangle is the last
# purchase plus the product's usual interval. A triangle left of the dashed line, the moment of the request, would be
# overdue.

import matplotlib.pyplot as plt

moment = pd.Timestamp("2011-11-01")
repeats = pd.Series([len(row) - len(set(row)) for row in X["item"]], index=X.index)
loyal = X.loc[[repeats[X["days"].between(10, 15) & X["item"].list.len().lt(150)].idxmax()]]
answer = model.recommend(loyal, k=8, at=moment, as_frame=True, names=names)
items = np.asarray(loyal["item"].iloc[0])
times = np.asarray(loyal["time"].iloc[0], dtype="datetime64[us]")
interval = dict(zip(model.items_, model.interval_, strict=True))

figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
for place, item in enumerate(answer["item"]):
    bought = times[items == item]
    axes.plot(bought, np.full(len(bought), place), "o", color="#1f5a8a", label="bought" if place == 0 else None)
    if len(bought):
        due = bought[-1] + np.timedelta64(int(interval[item] * 24), "h")
        axes.plot(due, place, "<", color="#d1812c", markersize=9, label="due again" if place == 0 else None)
axes.axvline(moment, color="0.4", linestyle="--", linewidth=1)
axes.set_yticks(range(len(answer)), answer["name"])
axes.invert_yaxis()
axes.set_title(f"Customer {loyal.index[0]}, recommended on 1 November 2011", loc="left", fontsize=11)
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %%
# The same as a table. `seen` says that the customer had the product before.

answer[["rank", "name", "score", "seen"]].round(2)
