"""
A map of customers by what they bought, in order
================================================

:class:`~skrec.neural_network.LSTMEncoder` learns without labels: it reads histories and learns to tell the item that
comes next. Its state at the end of a history describes the customer, as features for any other model.
"""

# %%
# Features without labels
# -----------------------
#
# The net reads the last 40 items that each customer bought before 1 October 2011. The items begin with vectors by what
# stands beside them in the histories.

from skrec.datasets import load_online_retail
from skrec.model_selection import split_time
from skrec.neural_network import LSTMEncoder

histories = load_online_retail().histories
X, later = split_time(histories, at="2011-10-01")
encoder = LSTMEncoder(
    (32,), max_length=40, min_df=5, embedding_dim=50, embeddings="neighbours", epochs=4, learning_rate=0.005,
    random_state=0,
)  # fmt: skip
features = encoder.fit_transform(X)
print([round(loss, 2) for loss in encoder.history_["loss"]], features.shape)

# %%
# The map
# -------
#
# Two principal components, coloured by the month of the last order. Nothing told the net about months: the range of
# this shop changes with the season, and the items of a history say when it was.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

known = np.flatnonzero([len(row) > 0 for row in X["item"]])
place = PCA(2, random_state=0).fit_transform(features[known])
month = np.array([np.datetime64(X["time"].iloc[row][-1], "M").astype(int) for row in known])

figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
points = axes.scatter(*place.T, c=month - month.max(), s=6, cmap="viridis")
figure.colorbar(points, label="month of the last order, 0 is September 2011")
axes.set(xlabel="first component", ylabel="second component")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Do neighbours buy alike?
# ------------------------
#
# Each customer who bought in October is paired with the nearest other one on the features, and with a random one. The
# share of October's items that the pair has in common says whether the features knew something about the future.

from sklearn.neighbors import NearestNeighbors

asked = np.flatnonzero([len(row) > 0 for row in later])
near = NearestNeighbors(n_neighbors=2).fit(features[asked]).kneighbors(features[asked], return_distance=False)[:, 1]
baskets = [set(later.iloc[row]) for row in asked]
strangers = np.random.default_rng(0).permutation(len(asked))
for name, other in {"nearest": near, "random": strangers}.items():
    common = [len(a & baskets[b]) / len(a | baskets[b]) for a, b in zip(baskets, other, strict=True)]
    print(f"{name:8} {np.mean(common):.3f}")
