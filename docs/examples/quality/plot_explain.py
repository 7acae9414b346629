"""
Why is this recommended?
========================

:func:`~skrec.inspection.explain` names the products of the history that a recommendation comes from, and their share of
its score: exactly for models whose score is a sum over the history, by leaving one product out for all others.
"""

# %%
# A model and a customer
# ----------------------
#
# EASE on 1,500 customers of Online Retail. The customer has ten products.

import numpy as np

from skrec.datasets import load_online_retail
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE

data = load_online_retail()
names = data.item_features["description"].str.capitalize()
histories = data.histories.sample(1500, random_state=0)
ease = EASE(l2=100, vectorizer=HistoryVectorizer(min_df=10)).fit(histories)
customer = [["22423", "22699", "22720", "20725", "22383", "22138", "84879", "21212", "22960", "22457"]]
print(*names[customer[0]], sep="\n")

# %%
# Exact contributions
# -------------------
#
# A score of EASE is a sum over the products of the history, so the contributions of all of them add up to the score.

from skrec.inspection import explain

reasons = explain(ease, customer, k=5, n_reasons=3)
reasons.assign(item=names[reasons["item"]].to_numpy(), reason=names[reasons["reason"]].to_numpy()).round(3)

# %%
# The picture: for each recommendation the share of the three products that speak most for it.

from textwrap import fill

import matplotlib.pyplot as plt


def draw(reasons, title, axes):
    """Draw the shares of the reasons of each recommendation."""
    items = reasons["item"].drop_duplicates().tolist()
    products = reasons["reason"].dropna().drop_duplicates().tolist()
    left = np.zeros(len(items))
    for product, colour in zip(products, plt.get_cmap("tab20c").colors * 2, strict=False):
        share = reasons[reasons["reason"] == product].set_index("item")["share"].clip(lower=0)
        share = share.reindex(items, fill_value=0).to_numpy()
        axes.barh([names[item] for item in items], share, left=left, color=colour, edgecolor="white")
        for place in np.flatnonzero(share > 0.12):
            text = fill(names[product], int(75 * share[place]))
            axes.text(left[place] + share[place] / 2, place, text, ha="center", va="center", fontsize=7)
        left += share
    axes.invert_yaxis()
    axes.set(xlabel="share of what speaks for the product", xlim=(0, 1))
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


figure, axes = plt.subplots(figsize=(10, 4.5), layout="constrained")
draw(reasons, "EASE, exact", axes)
plt.show()

# %%
# Any other model
# ---------------
#
# A blend of nearest sessions, transitions and EASE has no such sum. The contribution of a product is then what the
# score loses without it, marked as ``leave-one-out``. Of two products that say the same, neither changes much alone, so
# that these contributions do not add up.

from skrec.ensemble import BlendRecommender
from skrec.neighbors import SessionKNN, TransitionRecommender

parts = {"session": SessionKNN(), "next": TransitionRecommender(), "ease": ease}
for name in ("session", "next"):
    parts[name].fit(histories)
blend = BlendRecommender(list(parts.items()), prefit=True).fit(histories)
found = explain(blend, customer, k=5, n_reasons=3)
print(found["method"].unique())
figure, axes = plt.subplots(figsize=(10, 4.5), layout="constrained")
draw(found, "Blend, leave one out", axes)
plt.show()

# %%
# What an explanation does not say
# --------------------------------
#
# A share is what a product adds to this score in this model. It is no cause in the world: two products that are always
# bought together split what either alone would have got. The check below takes the strongest reason out of the history
# and looks where its recommendation goes.

first = reasons.iloc[0]
rest = [[item for item in customer[0] if item != first["reason"]]]
before = ease.recommend(customer, k=ease.n_items_)[0].tolist().index(first["item"]) + 1
after = ease.recommend(rest, k=ease.n_items_)[0].tolist().index(first["item"]) + 1
print(f"{names[first['item']]}: rank {before} with {names[first['reason']]}, rank {after} without")
