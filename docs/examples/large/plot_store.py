"""
A log larger than memory
========================

Histories can live in a folder instead of memory: coded, sorted and memory-mapped. Every model, splitter and metric
takes them, and models give the same answers. Here the log is small, so that both ways can be compared.
"""

# %%
# Files of a log
# --------------
#
# Online Retail, one parquet file a quarter, the way logs arrive. Sorting happens on disk with DuckDB
# (``pip install 'skrec-hybrid[large]'``) within `max_memory` GiB, without it in memory.

import tempfile
from pathlib import Path

import pandas as pd

from skrec.datasets import load_online_retail
from skrec.feature_extraction import open_histories, to_histories

data = load_online_retail()
names = data.item_features["description"].str.capitalize()
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
events = data.events[["CustomerID", "StockCode", "InvoiceDate"]]
for quarter, part in events.groupby(events["InvoiceDate"].dt.to_period("Q")):
    part.to_parquet(folder / f"log-{quarter}.parquet")
files = sorted(folder.glob("log-*.parquet"))
print([path.name for path in files])

columns = {"user": "CustomerID", "item": "StockCode", "time": "InvoiceDate"}
store = folder / "histories"
to_histories(files[:-1], **columns, store=store, max_memory=0.5)

# %%
# The next quarter
# ----------------
#
# ``append=True`` adds a file without writing the log again. ``open_histories`` merges the parts and opens them in
# milliseconds; nothing is read until it is needed.

to_histories(files[-1], **columns, store=store, append=True, max_memory=0.5)
histories = open_histories(store)
size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
n_events = len(events)
print(f"{len(histories)} users, {n_events} events, {size / n_events:.1f} bytes on disk an event")
histories[:3].to_frame()

# %%
# The same model
# --------------
#
# A fit on the store equals a fit on the frame in memory.

from skrec.neighbors import ItemKNN

stored = ItemKNN(n_neighbors=50, exclude_seen=False).fit(histories)
in_memory = ItemKNN(n_neighbors=50, exclude_seen=False).fit(data.histories)
same = stored.recommend(data.histories.iloc[:500]) == in_memory.recommend(data.histories.iloc[:500])
print(f"{same.mean():.0%} of the recommendations are the same")

# %%
# Lists for all users
# -------------------
#
# ``write_recommendations`` works in blocks of users and goes on behind the last finished block if it was interrupted.

from skrec.large import write_recommendations

path = write_recommendations(stored, histories, folder / "lists.parquet", k=5, names=names)
lists = pd.read_parquet(path)
lists.head(5)

# %%
# The picture: the products that stand most often at rank 1 of the 4,335 lists.

import matplotlib.pyplot as plt

top = lists.loc[lists["rank"] == 1, "name"].value_counts().head(8)[::-1]
figure, axes = plt.subplots(figsize=(8, 3.5), layout="constrained")
axes.barh(top.index, top, color="#1f5a8a")
axes.set_xlabel("lists with the product at rank 1")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
temporary.cleanup()

# %%
# How time and memory grow with the log is measured in :doc:`the guide </user_guide/large>`, up to 100 million events.
