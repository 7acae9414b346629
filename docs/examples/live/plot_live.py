"""
==================================
A month of a shop, day by day
==================================

What does a model lose when it is not updated, and what does an update cost? November 2011 of 1,000 customers of Online
Retail, with the products of at least 100 buyers, is played day by day: each morning the customers who will buy that day
are recommended ten items from their histories so far, repeats allowed, and in the evening the day's events are learned,
or not:

- **never**: the model of 31 October answers all the time;
- **each week**: it is fitted again each Monday on all events so far;
- **each day**: `partial_fit` learns the day's events, new items among them.

The histories that are asked with are up to date in all three: a history is a row, so the newest click counts without an
update. The model joins what sold in the last week, what stands together, and what follows what. All its parts are
exact, so that the model updated each day is the one that a refit each evening would give, which is checked at the end.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone

from skrec.datasets import load_online_retail
from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender
from skrec.feature_extraction import HistoryVectorizer, to_histories
from skrec.metrics import ranking_scores
from skrec.neighbors import ItemKNN, TransitionRecommender

events = load_online_retail().events
buyers = events.groupby("StockCode")["CustomerID"].transform("nunique")
histories = to_histories(events[buyers >= 100], user="CustomerID", item="StockCode", time="InvoiceDate")
histories = histories.sample(1000, random_state=0)
lengths = histories["item"].list.len().to_numpy()
times = np.concatenate([np.asarray(row, dtype="datetime64[us]") for row in histories["time"]])
items = np.concatenate([np.asarray(row, dtype=object) for row in histories["item"]])
rows = np.repeat(np.arange(len(lengths)), lengths)


def until(moment, users):
    """Return the histories of some users, an array of row numbers, before a moment, and their number of events."""
    known = np.bincount(rows[times < np.datetime64(moment)], minlength=len(lengths))
    starts = np.cumsum(lengths) - lengths
    parts = [slice(start, start + n) for start, n in zip(starts[users], known[users], strict=True)]
    frame = {"item": [items[part].tolist() for part in parts], "time": [list(times[part]) for part in parts]}
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in frame.items()}), known[users]


# %%
# The model, and its three lives
# ------------------------------

counts = HistoryVectorizer(binary=False, recency=0.9)
model = BlendRecommender(
    [
        ("popular", PopularityRecommender(window=7)),
        ("together", ItemKNN(incremental=True, vectorizer=counts)),
        ("next", TransitionRecommender(incremental=True)),
    ],
    weights=[0.2, 0.5, 0.3],
    exclude_seen=False,
)
everybody, start = np.arange(len(lengths)), pd.Timestamp("2011-11-01")
first, n_known = until(start, everybody)
first = first[n_known > 0]
lives = {name: clone(model).fit(first) for name in ("never", "each week", "each day")}

# %%
# The month
# ---------

seconds, quality = dict.fromkeys(lives, 0.0), []
for day in pd.date_range(start, "2011-11-30"):
    tomorrow = day + pd.Timedelta(days=1)
    active = np.unique(rows[(times >= np.datetime64(day)) & (times < np.datetime64(tomorrow))])
    if not len(active):
        continue
    morning, known = until(day, active)
    evening, _ = until(tomorrow, active)
    asked = np.flatnonzero(known > 0)  # customers with a history
    bought = [evening["item"].iloc[number][known[number] :] for number in asked]
    for name, life in lives.items():
        found = life.recommend(morning.iloc[asked], k=10, at=day)
        scores = ranking_scores(bought, found, k=10, metrics=["ndcg"])["ndcg@10"]
        quality.append({"day": day, "life": name, "ndcg": scores.sum(), "customers": len(asked)})
    began = time.process_time()
    lives["each day"].partial_fit(evening, since=known)
    seconds["each day"] += time.process_time() - began
    if tomorrow.weekday() == 0:
        X, n_events = until(tomorrow, everybody)
        began = time.process_time()
        lives["each week"].fit(X[n_events > 0])
        seconds["each week"] += time.process_time() - began

# %%
# What it gave, and what it cost
# ------------------------------
#
# NDCG@10 of the customers of the last seven days.

table = pd.DataFrame(quality).pivot_table(index="day", columns="life", values=["ndcg", "customers"])
total = table.rolling("7D").sum()
curve = (total["ndcg"] / total["customers"])[list(lives)]
mean = (table["ndcg"].sum() / table["customers"].sum())[list(lives)]
print(pd.DataFrame({"NDCG@10": mean.round(4), "processor seconds": pd.Series(seconds).round(1)}))

figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
for name, style in zip(lives, (":", "--", "-"), strict=True):
    axis.plot(curve.index, curve[name], style, label=f"{name}, {mean[name]:.4f}, {seconds[name]:.1f} s")
axis.set(xlabel="Day", ylabel="NDCG@10, last 7 days", title="Online Retail, updated never, weekly or daily")
axis.legend(title="Updated, mean, processor time")
figure.autofmt_xdate()

# %%
# The model of the last evening is the one that a fit on all events gives, to rounding.

X, n_events = until(pd.Timestamp("2011-12-01"), everybody)
refit = clone(model).fit(X[n_events > 0])
same = [int(np.flatnonzero(lives["each day"].items_ == item)[0]) for item in refit.items_]
difference = lives["each day"].decision_function(X[:50])[:, same] - refit.decision_function(X[:50])
print(f"{refit.n_items_ - len(lives['never'].items_)} new items; largest difference {np.abs(difference).max():.1e}")
assert np.abs(difference).max() < 1e-4
