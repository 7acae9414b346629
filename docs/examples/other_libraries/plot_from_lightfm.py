"""
Coming from LightFM
===================

`LightFM <https://github.com/lyst/lightfm>`_ represents users and items as sums of embeddings of their features, so that
it can recommend new items. Here ids and features are two models and a blend: each can be judged, updated and left out
alone. LightFM is not installed here; its code is shown as text.

.. list-table::
   :header-rows: 1

   * - LightFM
     - skrec
   * - ``Dataset().fit(users, items)``, ``build_interactions``, ``mapping()``
     - ``to_histories(events, user=, item=, time=)``
   * - ``build_item_features``, one string per feature
     - a frame with a row per item; columns of text, labels, numbers
   * - ``LightFM(loss="warp")``, ``loss="bpr"``
     - ``BPR``, ``ALS``, ``EASE``; for features ``ContentRecommender``, ``TwoTower``
   * - ``model.predict(user, np.arange(n_items))``, sort, map back
     - ``model.predict(histories)``
   * - ``fit_partial``
     - ``partial_fit``, exact where the model is a sum
   * - a user unknown to `fit` needs user features
     - a user is a row: any history will do
   * - ``evaluation.precision_at_k``, ``auc_score``
     - ``compare``, ``ndcg_at_k``, ``auc_at_k``
   * - ``cross_validation.random_train_test_split``
     - ``split_time``, ``split_last``, ``SameUsers``
"""

# %%
# The same task
# -------------
#
# In LightFM ids are mapped to positions, features are strings, and scores of all items are computed for each user:
#
# .. code-block:: python
#
#     from lightfm import LightFM
#     from lightfm.data import Dataset
#
#     dataset = Dataset()
#     dataset.fit(events["user"].unique(), events["item"].unique(), item_features=all_words)
#     interactions, weights = dataset.build_interactions(zip(events["user"], events["item"]))
#     features = dataset.build_item_features((item, text.split()) for item, text in descriptions.items())
#     model = LightFM(no_components=32, loss="warp", random_state=0)
#     model.fit(interactions, item_features=features, epochs=20)
#
#     user_position, _, item_position, _ = dataset.mapping()
#     items = np.array(list(item_position))
#     scores = model.predict(user_position[17850], np.arange(len(items)), item_features=features)
#     items[np.argsort(-scores)[:10]]
#
# Here, on 1,500 customers of Online Retail before October 2011:

from skrec.datasets import load_online_retail
from skrec.decomposition import BPR
from skrec.ensemble import BlendRecommender
from skrec.model_selection import split_time
from skrec.neighbors import ContentRecommender

data = load_online_retail()
names = data.item_features["description"].str.capitalize()
X, y = split_time(data.histories, at="2011-10-01", until="2011-11-01", exclude_seen=True, verbose=0)
X = X[X["item"].list.len() > 0].sample(1500, random_state=0)
y = y[X.index]
ids = BPR(32, max_iter=30, random_state=0)
words = ContentRecommender(data.item_features[["description"]])
model = BlendRecommender([("ids", ids), ("words", words)], weights=[0.6, 0.4]).fit(X)
model.recommend(X.iloc[:1], k=5, as_frame=True, names=names).round(3)

# %%
# What the features are worth
# ---------------------------
#
# Each part is judged alone and together, on new products of October.

import matplotlib.pyplot as plt

from skrec.dummy import PopularityRecommender
from skrec.inspection import ComparisonDisplay
from skrec.linear_model import EASE
from skrec.model_selection import compare

ease = EASE(l2=100)
models = {
    "popularity": PopularityRecommender(window="30D"),
    "BPR, ids": ids,
    "words": words,
    "BPR and words": model,
    "EASE and words": BlendRecommender([("ids", ease), ("words", words)], weights=[0.6, 0.4]),
}
leaderboard = compare(models, X, y)
ComparisonDisplay.from_comparison(leaderboard)
plt.show()

# %%
# New items
# ---------
#
# LightFM scores an item that `fit` has not seen by its features, in a feature matrix of the same columns. Here the
# frame of new items goes with the request.

import pandas as pd

arrived = pd.DataFrame(
    {"description": ["RED RETROSPOT LUNCH BOX WITH CUTLERY", "ROSES REGENCY TEAPOT"]}, index=["NEW-1", "NEW-2"]
)
content = ContentRecommender(data.item_features[["description"]]).fit(X)
customers = {"lunch bags": ["20725", "22383"], "regency": ["22423", "22699"]}
answer = content.recommend(list(customers.values()), k=6, item_features=arrived)
shown = names.reindex(answer.ravel()).fillna(arrived["description"].str.capitalize() + " (new)")
pd.DataFrame(shown.to_numpy().reshape(answer.shape).T, columns=list(customers))
