"""
Tuning with GridSearchCV and Optuna
===================================

A recommender ignores `y` in `fit`. A search over known users is therefore an ordinary
:class:`~sklearn.model_selection.GridSearchCV` with a cross-validator that has one split: all users to learn from, all
users to ask.
"""

# %%
# Three parts in time
# -------------------
#
# The test asks for what 2,000 customers of Online Retail bought from 1 November 2011 on. What is before that is split
# again at 1 October for the search.

from skrec.datasets import load_online_retail
from skrec.model_selection import SameUsers, split_time

data = load_online_retail()
names = data.item_features["description"].str.capitalize()
histories = data.histories.sample(2000, random_state=0)
X_test, y_test = split_time(histories, at="2011-11-01", exclude_seen=True)
X, y = split_time(X_test, at="2011-10-01", exclude_seen=True)

# %%
# The search
# ----------
#
# `l2` is EASE's only parameter. `recency`, a parameter of its vectorizer, says how much less each earlier order of the
# history counts when the model is asked. Items of fewer than ten customers are left out, which saves time.

import pandas as pd
from sklearn.model_selection import GridSearchCV

from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE

model = EASE(vectorizer=HistoryVectorizer(min_df=10))
grid = {"l2": [30, 100, 300, 1000], "vectorizer__recency": [0.7, 1.0]}
search = GridSearchCV(model, grid, cv=SameUsers(), refit=False).fit(X, y)

results = pd.DataFrame(search.cv_results_)
table = results.pivot_table(index="param_l2", columns="param_vectorizer__recency", values="mean_test_score")
table.round(4)

# %%
# The picture
# -----------
#
# Around the best `l2` the curve is flat: a search on a log scale with few values is enough.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for recency in table:
    axes.plot(table.index, table[recency], "o-", label=f"recency={recency:g}")
axes.set(xscale="log", xlabel="l2", ylabel="NDCG at 10, new items, October 2011")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
plt.show()

# %%
# The result
# ----------
#
# The winner learns from everything before November and is tested once. A bootstrap over the customers gives the
# interval.

from sklearn.base import clone

from skrec.metrics import bootstrap_interval, ranking_scores

best = clone(model).set_params(**search.best_params_).fit(X_test)
scores = ranking_scores(y_test, best.predict(X_test), k=10)["ndcg@10"]
low, high = bootstrap_interval(scores, random_state=0)
print(search.best_params_)
print(f"NDCG at 10 on November and December: {best.score(X_test, y_test):.3f}, 95 % interval {low:.3f} to {high:.3f}")

# %%
# What the winner recommends
# --------------------------

best.recommend(X_test.iloc[:1], k=5, as_frame=True, names=names).round(3)

# %%
# Optuna
# ------
#
# A grid grows with each parameter. Optuna draws settings where earlier ones were good, and takes the same model, the
# same split and the same scores (``pip install optuna optuna-integration``):
#
# .. code-block:: python
#
#     from optuna.distributions import CategoricalDistribution, FloatDistribution
#     from optuna_integration import OptunaSearchCV
#
#     distributions = {
#         "l2": FloatDistribution(10, 3000, log=True),
#         "vectorizer__recency": FloatDistribution(0.5, 1.0),
#         "vectorizer__binary": CategoricalDistribution([True, False]),
#     }
#     search = OptunaSearchCV(model, distributions, cv=SameUsers(), n_trials=20, random_state=0).fit(X, y)
#     search.best_params_
