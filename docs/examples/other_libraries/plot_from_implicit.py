"""
Coming from implicit
====================

skrec's ALS and BPR run on the solvers of `implicit <https://github.com/benfred/implicit>`_, which is installed with it.
This page does the same task with both, side by side, and gets the same lists.

.. list-table::
   :header-rows: 1

   * - implicit
     - skrec
   * - a CSR matrix with positions of users and items
     - histories with ids; positions stay inside
   * - ``recommend(userid, user_items[userid])``
     - ``recommend(histories)``: a user is a row, known or not
   * - ``recalculate_user=True`` for users unknown to `fit`
     - always computed from the history
   * - ``filter_already_liked_items=True``
     - ``exclude_seen=True``
   * - ``items=``, ``filter_items=``
     - ``candidates=``, ``exclude=``
   * - ``similar_items(itemid)``
     - ``similar_items([id])``
   * - ``regularization``, ``factors``, ``iterations``
     - ``l2``, ``n_components``, ``max_iter``
   * - ``evaluation.ranking_metrics_at_k``
     - ``score``, ``compare``, ``cross_val_score``
"""

# %%
# The data
# --------

import numpy as np

from skrec.datasets import load_online_retail

data = load_online_retail()
names = data.item_features["description"].str.capitalize()
histories = data.histories.sample(1500, random_state=0)

# %%
# implicit
# --------
#
# The matrix and both dictionaries of positions are the user's work, and so is the way back to ids.

from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

items = np.unique(np.concatenate([np.asarray(row, dtype=object) for row in histories["item"]]))
position = {item: number for number, item in enumerate(items)}
rows = np.repeat(np.arange(len(histories)), histories["item"].list.len())
columns = [position[item] for row in histories["item"] for item in row]
matrix = csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(len(histories), len(items)))
matrix.data[:] = 1  # csr_matrix has summed repeated purchases

settings = {"factors": 32, "regularization": 0.05, "alpha": 10.0, "iterations": 10}
with threadpool_limits(1, "blas"):
    theirs = AlternatingLeastSquares(**settings, use_gpu=False, random_state=0, num_threads=1)
    theirs.fit(matrix, show_progress=False)
    found, _ = theirs.recommend(np.arange(4), matrix[:4], N=5, recalculate_user=True)
print(items[found[0]])

# %%
# skrec
# -----
#
# The same model: ``l2_exponent=0`` and ``unobserved_weight=1`` are implicit's objective. Ids go in and come out.

from skrec.decomposition import ALS

ours = ALS(32, l2=0.05, l2_exponent=0, unobserved_weight=1, alpha=10.0, max_iter=10, random_state=0, n_jobs=1).fit(
    histories
)
print(ours.recommend(histories.iloc[:1], k=5)[0])

# %%
# Do the lists agree?
# -------------------
#
# implicit solves for a user exactly at request time, and so does skrec.

import pandas as pd

with threadpool_limits(1, "blas"):
    found, _ = theirs.recommend(np.arange(len(histories)), matrix, N=10, recalculate_user=True)
answer = ours.recommend(histories, k=10)
same = items[found] == answer
print(f"{same.mean():.1%} of all places hold the same product, {same.all(axis=1).mean():.1%} of all lists are the same")
pd.DataFrame({"implicit": names[items[found[0]]].to_numpy(), "skrec": names[answer[0]].to_numpy()}, index=range(1, 11))

# %%
# What is gained
# --------------
#
# skrec's defaults scale the penalty with the number of purchases and give unobserved pairs a small weight; a search and
# an honest split take three lines. NDCG@10 for products that are new to the customer, from November on.

import matplotlib.pyplot as plt

from skrec.inspection import ComparisonDisplay
from skrec.linear_model import EASE
from skrec.model_selection import compare, split_time

X, y = split_time(histories, at="2011-11-01", exclude_seen=True, verbose=0)
models = {
    "ALS, settings above": ours,
    "ALS, defaults of skrec": ALS(32, random_state=0, n_jobs=1),
    "EASE": EASE(l2=100),
}
leaderboard = compare(models, X, y)
ComparisonDisplay.from_comparison(leaderboard)
plt.show()

# %%
# A model that is already trained can stay: skrec saves its own estimators without pickle
# (:func:`skrec.persistence.save`), and implicit's files remain readable by implicit.
