"""
Why a hybrid wins: leave one part out
=====================================

Models that look at different things make different mistakes. Here four recommenders, each of which knows one thing, are
added up, and each is left out in turn: what the sum loses is what only that part knew.
"""

# %%
# The question
# ------------
#
# What do customers of Online Retail buy in October 2011, old or new? The models learn from what happened before;
# November and December stay untouched.

from skrec.datasets import load_online_retail
from skrec.model_selection import split_time

data = load_online_retail()
X, y = split_time(data.histories, at="2011-10-01", until="2011-11-01")
asked = (X["item"].list.len() > 0) & (y.list.len() > 0)
print(f"{asked.sum()} customers have a history and bought something in October")

# %%
# The parts
# ---------
#
# What the customer bought before and is due again, what stands together in histories, what is described in similar
# words, and what is popular now. The blend learns their weights on the 30 days before October.

from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.neighbors import BuyAgainRecommender, ContentRecommender

parts = {
    "again": BuyAgainRecommender(),
    "together": EASE(l2=300, vectorizer=HistoryVectorizer(min_df=20, binary=False)),
    "words": ContentRecommender(data.item_features[["description"]]),
    "popular": PopularityRecommender(window="30D"),
}
options = {"exclude_seen": False, "random_state": 0}
blend = BlendRecommender(list(parts.items()), weights="auto", holdout="30D", **options).fit(X)
print(dict(zip(parts, blend.weights_.round(2).tolist(), strict=True)))

# %%
# Alone, together, and each left out
# ----------------------------------
#
# The parts of the fitted blend are fitted themselves. With ``prefit=True`` other blends of them cost nothing to make:
# here, the same without one of them, the other weights as they are.

import pandas as pd

from skrec.metrics import ranking_scores


def per_user(model):
    answer = model.recommend(X[asked], k=10, exclude_seen=False)
    return ranking_scores(y[asked], answer, k=10, metrics=["ndcg"])["ndcg@10"]


fitted = dict(blend.named_recommenders_)
weights = dict(zip(parts, blend.weights_, strict=True))


def all_but(name):
    rest = [other for other in parts if other != name]
    smaller = BlendRecommender([(other, fitted[other]) for other in rest], prefit=True, **options)
    return smaller.set_params(weights=[weights[other] for other in rest]).fit(X)


scores = {f"{name} alone": per_user(part) for name, part in fitted.items()}
scores["the blend"] = per_user(blend)
scores |= {f"all but {name}": per_user(all_but(name)) for name in parts}
table = pd.DataFrame({name: [values.mean()] for name, values in scores.items()}, index=["NDCG@10"]).T
table.round(4)

# %%
# Is it chance?
# -------------
#
# The same customers were asked each time, so differences are taken customer by customer. An interval that holds 0 says
# that these customers cannot tell whether the part helps.

from skrec.metrics import paired_bootstrap

best = max((name for name in scores if name.endswith("alone")), key=lambda name: scores[name].mean())
for other in [best, *(name for name in scores if name.startswith("all but"))]:
    gain, low, high, p = paired_bootstrap(scores["the blend"], scores[other], random_state=0)
    print(f"the blend over {other:16} {gain:+.4f}, 95 % between {low:+.4f} and {high:+.4f}")

# %%
# The picture
# -----------

import matplotlib.pyplot as plt
import numpy as np

from skrec.metrics import bootstrap_interval

names = list(scores)[::-1]
means = np.array([scores[name].mean() for name in names])
ends = np.array([bootstrap_interval(scores[name], random_state=0) for name in names])
colours = ["#1f5a8a" if name == "the blend" else "#c3ced8" if "alone" in name else "#7fa6c4" for name in names]
figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
axes.barh(names, means, color=colours, xerr=np.abs(ends.T - means), ecolor="#444444")
axes.axvline(scores["the blend"].mean(), color="#1f5a8a", linewidth=0.8, linestyle=":")
axes.set_xlabel("NDCG at 10, Online Retail, October 2011, with 95 % intervals")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
