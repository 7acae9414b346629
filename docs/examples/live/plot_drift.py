"""
Has the shop changed?
=====================

A monitor learns how the weeks of a shop differ from each other, and says which week differs more: a tracker that writes
events twice, prices in another currency, a country whose events no longer arrive.
"""

# %%
# A year of a real shop
# ---------------------
#
# Each week of Online Retail is judged against the eight weeks before it. The panel needs no labels and no model.

from skrec.datasets import load_online_retail
from skrec.inspection import DriftDisplay, DriftMonitor

events = load_online_retail().events
columns = {"user": "CustomerID", "item": "StockCode", "time": "InvoiceDate", "price": "UnitPrice", "country": "Country"}
monitor = DriftMonitor(**columns)
scores = monitor.score_log(events)
scores["verdict"].value_counts()

# %%
# "unjudged" are the first weeks, which have no reference yet. What is left is the beginning of the Christmas trade: in
# September more customers are new than in any of the weeks before. The advice says why nobody can tell from this log
# alone whether that is the season.

scores.loc[scores["verdict"] == "alarm", ["period", "statistic", "value", "reference", "z", "advice"]]

# %%
# A week with faults
# ------------------
#
# In the last whole week, every twentieth event is written twice, and all prices rise by a tenth.

import pandas as pd

week = (events["InvoiceDate"] >= "2011-11-28") & (events["InvoiceDate"] < "2011-12-05")
faulty = events[week].assign(UnitPrice=(1.1 * events.loc[week, "UnitPrice"]).round(2))
faulty = pd.concat([faulty, faulty.iloc[::20]])

monitor.fit(events[events["InvoiceDate"] < "2011-11-28"])
found = monitor.score(faulty)
found.loc[found["verdict"] == "alarm", ["statistic", "value", "reference", "z", "moved", "advice"]]

# %%
# The picture
# -----------
#
# One panel per statistic: z by week, with warnings from 4 and alarms from 5 in either direction.

import matplotlib.pyplot as plt

before = scores[scores["period"] < "2011-11-28"]
DriftDisplay.from_scores(pd.concat([before, found], ignore_index=True))
plt.show()

# %%
# Is the model stale?
# -------------------
#
# That the shop has changed does not say that the model has become worse. `staleness` asks the model of August, week by
# week, beside a refit on all that was known in each week.

from skrec.dummy import PopularityRecommender
from skrec.inspection import staleness
from skrec.model_selection import split_time

histories = load_online_retail().histories
known, _ = split_time(histories, "2011-08-01")
model = PopularityRecommender(window="30D", exclude_seen=False).fit(known)
aged = staleness(model, histories, since="2011-08-01", n_points=6, refit_cost=0.01)
aged.curve.drop(columns="start").round(4)

# %%
# The advice, and how often a refit pays at the cost that was named.

print(aged.sentence)
print(f"Refit every {aged.refit_every} weeks.")
