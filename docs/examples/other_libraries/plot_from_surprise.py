"""
Coming from Surprise
====================

`Surprise <https://surpriselib.com>`_ is made for explicit rating data: it predicts how many stars a user would give. A
shop has purchases and wants lists, so the task changes from "how many stars" to "which ten". Surprise is not installed
here; its code is shown as text.

.. list-table::
   :header-rows: 1

   * - Surprise
     - skrec
   * - ``Dataset.load_from_df(frame[["user", "item", "rating"]], Reader(rating_scale=(1, 5)))``
     - ``to_histories(frame, user=, item=, time=)``
   * - ``trainset``, ``testset`` by random ratings
     - ``split_time`` or ``split_last``: what came later is the test
   * - ``algo.test(trainset.build_anti_testset())``, then sort each user's estimates
     - ``model.predict(histories)``
   * - ``accuracy.rmse``, ``accuracy.mae``
     - NDCG, recall, hit rate at k with intervals
   * - ``SVD``, ``SVDpp``, ``NMF``
     - ``ALS``, ``PureSVD``, ``BPR``
   * - ``KNNBasic(sim_options={"user_based": False})``
     - ``ItemKNN``
   * - ``SlopeOne``, ``CoClustering``
     - none; ``EASE`` where the catalogue has up to some 20,000 items
   * - ``GridSearchCV`` of Surprise
     - ``GridSearchCV`` of scikit-learn
   * - ``algo.get_neighbors(inner_id, k)``
     - ``similar_items([id])``
"""

# %%
# Ten recommendations for each user
# ---------------------------------
#
# In Surprise every pair of a user and an item that the user has not rated is estimated, then sorted:
#
# .. code-block:: python
#
#     from collections import defaultdict
#     from surprise import SVD, Dataset, Reader
#
#     dataset = Dataset.load_from_df(frame[["user", "item", "rating"]], Reader(rating_scale=(1, 5)))
#     trainset = dataset.build_full_trainset()
#     algo = SVD(n_factors=32, random_state=0).fit(trainset)
#     top = defaultdict(list)
#     for user, item, _, estimate, _ in algo.test(trainset.build_anti_testset()):
#         top[user].append((estimate, item))
#     lists = {user: [item for _, item in sorted(pairs, reverse=True)[:10]] for user, pairs in top.items()}
#
# Here, with purchases of Online Retail; 1,500 customers, before November 2011:

from skrec.datasets import load_online_retail
from skrec.decomposition import PureSVD
from skrec.model_selection import split_time

data = load_online_retail()
names = data.item_features["description"].str.capitalize()
X, y = split_time(data.histories, at="2011-11-01", exclude_seen=True, verbose=0)
X = X[X["item"].list.len() > 0].sample(1500, random_state=0)
y = y[X.index]
model = PureSVD(32, random_state=0).fit(X)
model.recommend(X.iloc[:1], k=5, as_frame=True, names=names).round(3)

# %%
# If the log has ratings
# ----------------------
#
# A rating can be a condition (only what was liked is an event) or a weight. Online Retail has none, so the number of
# days on which a customer bought a product, at most five, stands for one here.

from skrec.feature_extraction import HistoryVectorizer, to_histories

before = data.events[(data.events["InvoiceDate"] < "2011-11-01") & data.events["CustomerID"].isin(X.index)]
days = before.assign(day=before["InvoiceDate"].dt.floor("D"))
frame = days.groupby(["CustomerID", "StockCode"])["day"].agg(rating="nunique", time="max").reset_index()
frame["rating"] = frame["rating"].clip(upper=5)
columns = {"user": "CustomerID", "item": "StockCode", "time": "time"}
liked = to_histories(frame, **columns, where="rating >= 2")
rated = to_histories(frame, **columns, weight="rating")
print(f"{len(frame)} ratings, {(frame['rating'] >= 2).mean():.0%} of them at least 2")

# %%
# A list instead of an error
# --------------------------
#
# An RMSE judges the pairs that were rated; a list is made of those that were not. So models are compared by what the
# customers bought later, NDCG@10 with 95 % intervals. ``binary=False, weight="use"`` makes the rating the entry of the
# matrix, as in Surprise.

import matplotlib.pyplot as plt

from skrec.dummy import PopularityRecommender
from skrec.inspection import ComparisonDisplay
from skrec.linear_model import EASE
from skrec.model_selection import compare
from skrec.neighbors import ItemKNN

ratings = HistoryVectorizer(binary=False, weight="use")
models = {
    "popularity": PopularityRecommender(window="30D"),
    "PureSVD on ratings": PureSVD(32, vectorizer=ratings, random_state=0),
    "PureSVD on purchases": PureSVD(32, random_state=0),
    "ItemKNN on purchases": ItemKNN(),
    "EASE on purchases": EASE(l2=100),
}
leaderboard = compare(models, rated.loc[X.index], y)
ComparisonDisplay.from_comparison(leaderboard)
plt.show()

# %%
# Neighbours of a product
# -----------------------
#
# In Surprise ``algo.get_neighbors`` takes and returns inner ids; here ids are product codes throughout.

import pandas as pd

model = ItemKNN().fit(liked)
asked = ["22423", "85123A", "20725"]
near = names[model.similar_items(asked, k=4).ravel()].to_numpy().reshape(len(asked), -1)
pd.DataFrame(near.T, columns=names[asked].to_numpy())
