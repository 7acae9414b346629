"""Run the SASRec of RecTools in an environment of its own; called by ../bench_rectools.py.

python run_rectools.py EVENTS.npz SETTINGS ANSWER.npz
"""

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
import torch
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


def frame(users, items):
    """Return interactions as RecTools reads them; the order of the rows is the order in time."""
    when = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(len(users)), unit="s")
    return pd.DataFrame({Columns.User: users, Columns.Item: items, Columns.Weight: 1.0, Columns.Datetime: when})


def main(source, settings, target):
    warnings.filterwarnings("ignore")
    torch.set_num_threads(2)
    torch.manual_seed(0)
    data, settings = np.load(source), json.loads(settings)
    known = Dataset.construct(frame(data["users"], data["items"]))
    model = SASRecModel(**settings)
    start = time.perf_counter()
    model.fit(known)
    fitted = time.perf_counter()
    asked = Dataset.construct(frame(data["asked_users"], data["asked_items"]))
    users = np.unique(data["asked_users"])
    answer = model.recommend(users, asked, k=10, filter_viewed=True)
    seconds = time.perf_counter() - fitted
    best = np.full((len(users), 10), -1)
    best[np.searchsorted(users, answer[Columns.User]), answer[Columns.Rank] - 1] = answer[Columns.Item]
    np.savez(target, items=best, fit=fitted - start, ask=seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
