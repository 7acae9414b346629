"""
A CSV of your own: from the file to recommendations
===================================================

A log that a shop exports rarely looks like the one in a tutorial. This file has German column names, semicolons, dates
with dots, accents in Latin-1, cancelled orders and guests without a customer number. Six options of
:func:`~skrec.feature_extraction.to_histories` read it.
"""

# %%
# The file
# --------
#
# 1,000 customers of the bundled Online Retail, written the way a German shop system would. The column ``Artikel`` is
# the item, ``Kunde`` the user.

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from skrec.datasets import load_online_retail

data = load_online_retail()
customers = np.random.default_rng(0).choice(data.histories.index, 1000, replace=False)
raw = load_online_retail(clean=False).events
raw = raw[raw["CustomerID"].isin(customers) | (raw["CustomerID"].isna() & (raw.index % 20 == 0))]
table = pd.DataFrame(
    {
        "Beleg": raw["InvoiceNo"],
        "Artikel": raw["StockCode"],
        "Stück": raw["Quantity"],
        "Zeitpunkt": raw["InvoiceDate"].dt.strftime("%d.%m.%Y %H:%M"),
        "Kunde": raw["CustomerID"].astype("Int64"),
    }
)
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "verkaeufe.csv"
table.to_csv(path, sep=";", index=False, encoding="latin-1")
print(path.read_text(encoding="latin-1")[:230])

# %%
# Look before learning
# --------------------
#
# :func:`~skrec.feature_extraction.check_events` counts what looks wrong. It finds the guests and the negative
# quantities of cancelled orders, and lines that stand in the file twice.

from skrec.feature_extraction import check_events

log = pd.read_csv(path, sep=";", encoding="latin-1", dtype={"Artikel": str, "Kunde": "Int64"})
log["Zeitpunkt"] = pd.to_datetime(log["Zeitpunkt"], format="%d.%m.%Y %H:%M")
columns = {"user": "Kunde", "item": "Artikel", "time": "Zeitpunkt", "weight": "Stück"}
check_events(log, **columns)

# %%
# Histories
# ---------
#
# One row per customer, oldest purchase first. `where` keeps purchases of a positive quantity, `drop_missing` leaves out
# the guests and says how many lines that were. The separator is recognised.

from skrec.feature_extraction import to_histories

histories = to_histories(
    path,
    **columns,
    time_format="%d.%m.%Y %H:%M",
    encoding="latin-1",
    where="Stück > 0 and Artikel not in ('POST', 'M', 'D', 'DOT', 'C2', 'BANK CHARGES')",
    drop_missing=True,
)
print(*histories.attrs["notes"], sep="\n")
histories.head(3)

# %%
# A model and its test
# --------------------
#
# The model learns from what was bought before November and is judged by what the same customers bought afterwards:
# NDCG@10, the mean over the customers with a purchase. The last 30 days' best sellers are the baseline.

from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender
from skrec.linear_model import EASE
from skrec.model_selection import compare, split_time
from skrec.neighbors import BuyAgainRecommender

X, y = split_time(histories, at="2011-11-01", verbose=0)
models = {
    "best sellers": PopularityRecommender(window="30D", exclude_seen=False),
    "blend": BlendRecommender([("again", BuyAgainRecommender()), ("together", EASE(l2=100))], exclude_seen=False),
}
leaderboard = compare(models, X, y)
leaderboard[["ndcg@10", "ndcg@10_low", "ndcg@10_high", "hit_rate@10"]].round(3)

# %%
# Recommendations with names
# --------------------------
#
# The final model learns from the whole file. A frame with a row per customer and rank is easy to export.

names = data.item_features["description"].str.capitalize()
model = models["blend"].fit(histories)
model.recommend(histories.iloc[:1], k=5, as_frame=True, names=names).round(3)

# %%
# The picture
# -----------
#
# The ten products that stand most often among the five recommendations of all 1,000 customers.

import matplotlib.pyplot as plt

everybody = model.recommend(histories, k=5, as_frame=True, names=names)
shown = everybody["name"].value_counts().head(10).iloc[::-1]
figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
axes.barh(shown.index, shown, color="#1f5a8a")
axes.set_xlabel("customers who are recommended the product")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
folder.cleanup()
