"""The evaluation protocols that the benchmark scripts and the quality tests share.

Each function returns a `Task`: what a model may learn from, what it is asked with, and what was held out. The data
is read from ``../shared/data`` beside the repository; the environment variable SKREC_DATA names another place.
"""

import ast
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from skrec.datasets import load_online_retail
from skrec.feature_extraction import to_histories
from skrec.model_selection import split_last, split_time
from skrec.utils._histories import read_histories
from skrec.utils._row_blocks import number_baskets

DATA = Path(os.environ.get("SKREC_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@dataclass(frozen=True)
class Task:
    """One protocol: `fit(X_train)`, then ask with `X_test` and compare with `y_test`."""

    name: str
    X_train: object
    X_test: object
    y_test: object
    exclude_seen: bool = True


def keywords(text: str) -> dict:
    """Return the keyword arguments that a text such as "dropout=0.1, hidden=(200,)" holds."""
    return {one.arg: ast.literal_eval(one.value) for one in ast.parse(f"f({text})", mode="eval").body.keywords}


def available(*names: str) -> bool:
    """Tell whether the named files are there."""
    return all((DATA / f"{name}.parquet").exists() for name in names)


def _read(name: str, columns=None):
    return pq.read_table(DATA / f"{name}.parquet", columns=columns)


def s3rec(name: str, *, validation: bool = False) -> Task:
    """S3-Rec protocol on "beauty" or "sports": the last item is the test, the one before validates, the rest trains."""
    histories = to_histories(_read(f"s3rec_{name}_sequences"), user="user_id", item="item_id", time="pos")
    X_test, y_test = split_last(histories)
    X_train, y_validation = split_last(X_test)
    if validation:
        return Task(f"{name} validation", X_train, X_train, y_validation)
    return Task(name, X_train, X_test, y_test)


def ml1m(*, validation: bool = False) -> Task:
    """MovieLens-1M, leave one out; the validation task holds out the one before."""
    histories = to_histories(_read("ml1m_sequences"), user="user_id", item="item_id", time="pos")
    X, y = split_last(histories)
    if validation:
        X, y = split_last(X)
    return Task("ml1m validation" if validation else "ml1m", X, X, y)


def ml100k(*, validation: bool = False) -> Task:
    """MovieLens-100k, official `ua` split: the first ten ratings of each user in file order are the test.

    The validation task holds out the next ten.
    """
    ratings = _read("ml100k_ratings").to_pandas()
    number = ratings.groupby("user_id").cumcount()
    first = 10 if validation else 0
    test = ratings[(number >= first) & (number < first + 10)]
    train = ratings[number >= first + 10]
    columns = {"user": "user_id", "item": "item_id", "time": "timestamp"}
    X = to_histories(train, **columns)
    y = to_histories(test, **columns)["item"].reindex(X.index)
    return Task("ml100k validation" if validation else "ml100k", X, X, y)


def online_retail(*, exclude_seen: bool = False, validation: bool = False) -> Task:
    """Online Retail: learn before 2011-11-01, asked for what known customers buy after it (October validates)."""
    histories = load_online_retail().histories
    at, until = ("2011-10-01", "2011-11-01") if validation else ("2011-11-01", None)
    X, y = split_time(histories, at, until=until, exclude_seen=exclude_seen, exclude_unknown=True, verbose=0)
    known = X["item"].list.len().to_numpy() > 0  # pandas 2.2 drops the index
    X, y = X[known], y[known]
    name = "online retail, " + ("new items" if exclude_seen else "repeats allowed")
    return Task(f"{name} validation" if validation else name, X, X, y, exclude_seen)


def dunnhumby(*, exclude_seen: bool = False, validation: bool = False) -> Task:
    """Complete Journey: learn before 2017-12-01, asked for December (November validates)."""
    events = _read("dunnhumby_cj_transactions", ["household_id", "product_id", "transaction_timestamp"])
    histories = to_histories(events, user="household_id", item="product_id", time="transaction_timestamp")
    at, until = ("2017-11-01", "2017-12-01") if validation else ("2017-12-01", None)
    X, y = split_time(histories, at, until=until, exclude_seen=exclude_seen, exclude_unknown=True, verbose=0)
    known = X["item"].list.len().to_numpy() > 0
    X, y = X[known], y[known]
    name = "dunnhumby, " + ("new items" if exclude_seen else "repeats allowed")
    return Task(f"{name} validation" if validation else name, X, X, y, exclude_seen)


def s3rec_items(name: str, columns: tuple[str, ...] = ("title", "keywords", "attributes")):
    """Return the items of "beauty" or "sports" as a frame by item id; of the columns those that the set has."""
    frame = _read(f"s3rec_{name}_items").to_pandas().set_index("item_id")
    return frame[[column for column in columns if column in frame.columns]]


def baskets(name: str, *, exclude_seen: bool = False, validation: bool = False) -> Task:
    """Next basket of "online_retail" or "dunnhumby": each user's last basket, of numbers of baskets instead of dates.

    Users with three baskets or more are in; the validation task holds out the basket before the last.
    """
    if name == "online_retail":
        histories = load_online_retail().histories
    else:
        events = _read("dunnhumby_cj_transactions", ["household_id", "product_id", "transaction_timestamp"])
        histories = to_histories(events, user="household_id", item="product_id", time="transaction_timestamp")
    histories = histories[["item"]].assign(time=_basket_numbers(histories))
    X, y = split_last(histories, unit="basket", min_history=2, exclude_seen=exclude_seen, verbose=0)
    if validation:
        X, y = split_last(X, unit="basket", min_history=1, exclude_seen=exclude_seen, verbose=0)
    label = f"{name.replace('_', ' ')} baskets, " + ("new items" if exclude_seen else "repeats allowed")
    return Task(f"{label} validation" if validation else label, X, X, y, exclude_seen)


def _basket_numbers(histories):
    """Return the number of each event's basket, from 1 for each user, a list column."""
    read = read_histories(histories)
    basket, first = number_baskets(read.indptr, read.time)
    number = basket - first[read.rows] + 1
    lists = pa.ListArray.from_arrays(pa.array(read.indptr.astype(np.int32)), pa.array(number))
    return pd.Series(lists, dtype=pd.ArrowDtype(lists.type), index=histories.index)


def grocery(*, exclude_seen: bool = True, validation: bool = False) -> Task:
    """Amazon Grocery, ReChorus' training part with dates: the last tenth of the time; the tenth before validates."""
    histories = to_histories(
        _read("rechorus_grocery_train"), user="user_id", item="item_id", time="time", time_unit="s"
    )
    time = read_histories(histories).time
    assert time is not None
    first, last = time.min(), time.max()
    cuts = [np.datetime64(int((first + share * (last - first)) * 86_400), "s") for share in (0.8, 0.9)]
    at, until = cuts if validation else (cuts[1], None)
    X, y = split_time(histories, at, until=until, exclude_seen=exclude_seen, exclude_unknown=True, verbose=0)
    known = X["item"].list.len().to_numpy() > 0
    name = "grocery reviews, new items"
    return Task(f"{name} validation" if validation else name, X[known], X[known], y[known], exclude_seen)
