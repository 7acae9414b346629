"""
Four parts, one recommender
===========================

Behaviour prediction, picture features, features of texts and histories, and matrix factorisation: here they meet in one
recommender, which one search tunes and one leaderboard compares with its parts.
"""

# %%
# The shop
# --------
#
# A small form of Online Retail: 1,200 customers and the 300 products that most customers bought. The models learn from
# what came before October 2011; what October brought is the test, September chooses parameters.

import numpy as np
import pandas as pd

from skrec.datasets import load_online_retail
from skrec.feature_extraction import to_histories
from skrec.model_selection import split_time

data = load_online_retail()
events = data.events[data.events["InvoiceDate"] < "2011-11-01"]
before = events[events["InvoiceDate"] < "2011-10-01"]
products = before.groupby("StockCode")["CustomerID"].nunique().nlargest(300).index
customers = np.random.default_rng(0).choice(before["CustomerID"].unique(), 1200, replace=False)
events = events[events["StockCode"].isin(products) & events["CustomerID"].isin(customers)]
histories = to_histories(events, user="CustomerID", item="StockCode", time="InvoiceDate")

X, y = split_time(histories, at="2011-10-01")
X_validation, y_validation = split_time(X, at="2011-09-01")
print(f"{len(X)} customers, {len(products)} products, {(y.list.len() > 0).sum()} customers bought in October")

# %%
# Picture features: a CNN
# -----------------------
#
# The shop has published no pictures, so garments stand in for them: products that are bought by the same customers form
# ten groups, and each product gets a picture of the kind of its group. A picture so tells what a photograph would, the
# kind of thing it is, and not more. The net learns on other pictures. Without Debian's package
# ``dataset-fashion-mnist`` the pictures are generated: a stripe for each kind, in noise.

from sklearn.cluster import KMeans

from skrec.datasets import load_fashion_mnist
from skrec.decomposition import PPMISVD
from skrec.neural_network import CNNEncoder

try:
    garments = load_fashion_mnist()
    pictures, kinds = garments.X_train[:2500], garments.y_train[:2500]
except ValueError as error:
    print(f"Generated pictures stand in for garments: {error}")
    rng = np.random.default_rng(0)
    kinds = rng.integers(10, size=2500)
    pictures = rng.integers(0, 120, (2500, 28, 28)).astype("uint8")
    for row, kind in enumerate(kinds):
        pictures[row, 2 + 2 * kind : 5 + 2 * kind] += 100

vectors = PPMISVD(16, random_state=0).fit(X)
group = KMeans(10, random_state=0).fit_predict(vectors.item_factors_)
of_kind = {kind: iter(np.flatnonzero(kinds[:1500] == kind).tolist() * 9) for kind in range(10)}
pictured = [next(of_kind[kind]) for kind in group]

cnn = CNNEncoder((16, 32), hidden=(32,), epochs=3, random_state=0).fit(pictures[1500:], kinds[1500:])
print(f"accuracy on the pictures of the products: {cnn.score(pictures[pictured], kinds[pictured]):.2f}")
looks = pd.DataFrame(cnn.transform(pictures[pictured]), index=vectors.items_).add_prefix("look ")

# %%
# The recommender
# ---------------
#
# - **Matrix factorisation**: ALS retrieves candidates.
# - **Pictures and texts**: products that look alike, by the net's vectors, and products described in similar words.
# - **Histories**: an LSTM reads each history in order, and its 16 numbers are features of the customer, beside recency
#   and frequency. It is trained once, on what came before August, so that it knows nothing of what the ranker learns
#   from, and stays as it is.
# - **Behaviour prediction**: :class:`~skrec.neural_network.PurchaseClassifier` sees a candidate of a customer as a row
#   of a table, and says how likely the purchase is.

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_union
from sklearn.preprocessing import StandardScaler

from skrec.decomposition import ALS
from skrec.ensemble import TwoStageRecommender
from skrec.feature_extraction import BehaviorFeatures
from skrec.neighbors import BuyAgainRecommender, ContentRecommender
from skrec.neural_network import LSTMEncoder, PurchaseClassifier

always = {"exclude_seen": False}
parts = {
    "factors": ALS(32, random_state=0, **always),
    "pictures": ContentRecommender(looks, item_encoder=StandardScaler(), **always),
    "words": ContentRecommender(data.item_features.loc[products, ["description"]], **always),
    "again": BuyAgainRecommender(**always),
}
reader = LSTMEncoder((16,), embedding_dim=16, max_length=30, epochs=2, learning_rate=0.01, random_state=0)
reader = FrozenEstimator(reader.fit(split_time(X, at="2011-08-01")[0]))
classifier = PurchaseClassifier(hidden=(32,), epochs=4, batch_size=512, numeric="standard", random_state=0)
hybrid = TwoStageRecommender(
    list(parts.items()), ranker=classifier, n_candidates=30, max_users=400, holdout="30D", random_state=0, **always,
    user_features=make_union(BehaviorFeatures(groups=["recency", "frequency"]), reader),
)  # fmt: skip

# %%
# One search, one leaderboard
# ---------------------------
#
# The search chooses on September whether the ranker is the net or the gradient boosting of ``ranker=None``;
# :func:`~skrec.model_selection.compare` then fits the hybrid and its parts on all that came before October.

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skrec.dummy import PopularityRecommender
from skrec.model_selection import SameUsers, compare

search = GridSearchCV(hybrid, {"ranker": [classifier, None]}, cv=SameUsers(), refit=False, error_score="raise")
search.fit(X_validation, y_validation)
print(pd.Series(search.cv_results_["mean_test_score"], index=["net", "trees"]).round(4).to_dict())
chosen = clone(hybrid).set_params(**search.best_params_)
models = {"popular": PopularityRecommender(**always), **parts, "hybrid": chosen}
leaderboard, details = compare(models, X, y, return_per_user=True, return_estimator=True)
leaderboard[["ndcg@10", "ndcg@10_low", "ndcg@10_high", "recall@10", "fit_seconds"]].round(3)

# %%
# What customers bought before says most here. On so few customers the hybrid is not above this part alone: the search
# chose the trees, whose interval overlaps with that of the part; the net is below. On the whole shop a blend gains over
# its parts, see :ref:`sphx_glr_auto_examples_models_plot_why_hybrid.py`. Pictures tell the kind of a product, which
# helps little where there are histories; for a product that nobody has bought yet they are all there is.

import matplotlib.pyplot as plt

from skrec.inspection import ComparisonDisplay

ComparisonDisplay.from_comparison(leaderboard)
plt.show()

# %%
# What does each part add? The ranker says how much it loses when a column is shuffled.

best = details["hybrid"].estimator
print("chosen:", best.ranker)
importance = pd.Series(best.feature_importances_, index=best.feature_names_)
importance.nlargest(8).round(4)

# %%
# How lists are ranked by what they are expected to earn stands in
# :ref:`sphx_glr_auto_examples_quality_plot_value.py`.
