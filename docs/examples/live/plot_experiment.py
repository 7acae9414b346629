"""
==================================
An experiment, from plan to result
==================================

A shop wants to know whether a new ranker sells more. The customers of Online Retail play it again: the units they
really bought in November 2011 are what the control buys, and the orders of the customers who get the new ranker are
made 30 % larger, so that the truth is known. The experiment is planned on October, customers get their variants from
a hash of their ids, and the result is looked at each day.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skrec.datasets import load_online_retail
from skrec.inspection import ExperimentDisplay
from skrec.model_selection import Experiment, analyze_experiment, experiment_baseline, plan_experiment

histories = load_online_retail().histories
lengths = histories["item"].list.len().to_numpy()
events = pd.DataFrame(
    {
        "user": np.repeat(histories.index.to_numpy(), lengths),
        "time": np.concatenate([np.asarray(row, dtype="datetime64[us]") for row in histories["time"]]),
        "units": np.concatenate([np.asarray(row, dtype=float) for row in histories["weight"]]),
    }
)
orders = events.groupby(["user", "time"], as_index=False)["units"].sum()

# %%
# The plan
# --------
#
# A period as long as the experiment shall be tells the mean and the variance, and how much the past of a customer
# explains. The covariate is what the customer bought before the period, on a logarithmic scale. Orders of thousands of
# units hide every difference, so that sums above the 99 % quantile are capped.


def period(start, end):
    """Return the orders of a period, with what each customer bought before it."""
    before = np.log1p(orders[orders["time"] < start].groupby("user")["units"].sum())
    inside = orders[(orders["time"] >= start) & (orders["time"] < end)]
    return inside.assign(before=inside["user"].map(before).fillna(0.0))


baseline = experiment_baseline(
    period("2011-10-01", "2011-11-01"), metric="units", covariate="before", time="time", cap=0.99
)
print(f"mean {baseline.mean:.0f} units, standard deviation {baseline.variance**0.5:.0f}")
print(f"{baseline.users_per_day:.0f} new customers a day, correlation with the past {baseline.correlation:.2f}")
for bounds in ("fixed", "sequential"):
    for correlation in (0.0, baseline.correlation):
        plan = plan_experiment(0.3, **baseline | {"correlation": correlation}, bounds=bounds)
        print(
            f"{bounds}, {'with' if correlation else 'without'} CUPED: {plan.users:,} customers, {plan.days} days, "
            f"on average {plan.expected_days:.0f}"
        )

# %%
# The experiment
# --------------
#
# Each customer has a variant, the same at each visit and on each machine. A twentieth of the customers is held out of
# all experiments.

experiment = Experiment("new ranker", ["control", "new ranker"], holdout=0.05)
november = period("2011-11-01", "2011-12-09")
november["variant"] = experiment.assign_many(november["user"])
november.loc[november["variant"] == "new ranker", "units"] *= 1.3

# %%
# The result
# ----------
#
# `planned_users` stands in the plan. The bounds are valid at each look, so that the experiment could have ended on the
# first day on which they leave 0.

result = analyze_experiment(
    november,
    metrics={"units a customer": "units"},
    weights=experiment,
    covariates="before",
    time="time",
    planned_users=2000,
    cap=0.99,
)
print(result)
found = result.over_time[result.over_time["verdict"] != "undecided"]
print("first decided:", found["time"].min())

# %%
# The lift day by day, and what an analysis without the past would have found at the end.

options = {"weights": experiment, "planned_users": 2000, "cap": 0.99}
plain = analyze_experiment(november, metrics={"without CUPED": "units"}, **options)
with_past = analyze_experiment(november, metrics={"with CUPED": "units"}, covariates="before", **options)
both = ExperimentDisplay(pd.concat([plain.table, with_past.table]), interval="always-valid 95 % interval")

figure, (above, below) = plt.subplots(2, figsize=(7, 6), height_ratios=[3, 1], layout="constrained")
ExperimentDisplay.from_result(result, over_time=True, ax=above)
above.axhline(30, color="0.35", linewidth=1, linestyle="--")
both.plot(ax=below)
