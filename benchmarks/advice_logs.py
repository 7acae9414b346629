"""The logs on which `bench_advice` measures: parts of real sets and synthetic ones whose character is planted.

Of real sets only the validation parts are read; the official tests are cut away first. Users are drawn at random with
seed 0; of sessions the newest before the questions are kept.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import bench_sessions
import numpy as np
import pandas as pd
import protocols

from skrec.datasets import load_online_retail, make_histories
from skrec.feature_extraction import to_histories
from skrec.model_selection import split_last, split_time
from skrec.utils._containers import count_rows, keep_events, take_rows
from skrec.utils._histories import read_histories

QUESTIONS = 1000
DATED = {"time": "date"}
SESSIONS = {"rows": "sessions"}


@dataclass(frozen=True)
class Log:
    """One log: `group` is the set or generator it comes from, `said` what `make_recommender` is told of it.

    `largest` and `smallest` tell whether it is that part of its set.
    """

    name: str
    group: str
    make: Callable[[], protocols.Task]
    n_users: int | None = None
    said: dict = field(default_factory=dict)
    names: Callable[[], pd.Series] | None = None
    files: tuple[str, ...] = ()
    largest: bool = True
    smallest: bool = True


def build(log: Log) -> protocols.Task:
    """Return the task of a log: its users drawn, and at most `QUESTIONS` of them asked who have something held out."""
    task, rng = log.make(), np.random.default_rng(0)
    same, n_rows = task.X_test is task.X_train, count_rows(task.X_train)
    if log.n_users is not None and log.n_users < n_rows:
        newest = np.arange(n_rows - log.n_users, n_rows)
        rows = np.sort(rng.choice(n_rows, log.n_users, replace=False)) if same else newest
        X = take_rows(task.X_train, rows)
        task = replace(task, X_train=X, **({"X_test": X, "y_test": take_rows(task.y_test, rows)} if same else {}))
    asked = np.flatnonzero(read_histories(task.y_test, "y").lengths)
    if len(asked) > QUESTIONS:
        asked = np.sort(rng.choice(asked, QUESTIONS, replace=False))
    return replace(task, X_test=take_rows(task.X_test, asked), y_test=take_rows(task.y_test, asked))


def _shop(name: str, exclude_seen: bool) -> protocols.Task:
    return getattr(protocols, name)(exclude_seen=exclude_seen, validation=True)


def _baskets(name: str, n_items: int | None = None) -> protocols.Task:
    task = protocols.baskets(name, validation=True)
    return task if n_items is None else _popular_items(task, n_items)


def _dunnhumby(exclude_seen: bool, n_items: int) -> protocols.Task:
    return _popular_items(_shop("dunnhumby", exclude_seen), n_items)


def _popular_items(task: protocols.Task, n_items: int) -> protocols.Task:
    """Keep the items with the most users in the training part, and the users who still have a history."""
    read = read_histories(task.X_train)
    pairs = np.unique(read.rows * len(read.ids) + read.codes)
    users_of_item = np.bincount(pairs % len(read.ids), minlength=len(read.ids))
    kept = np.argsort(-users_of_item, kind="stable")[:n_items]
    keep = np.isin(read.codes, kept)
    X, known = keep_events(task.X_train, read, keep), read.take_events(keep).lengths > 0
    items = set(read.ids[kept].tolist())
    y = np.empty(len(known), dtype=object)
    y[:] = [[item for item in row if item in items] for row in task.y_test]
    return replace(task, X_train=(X := X[known]), X_test=X, y_test=y[known])


def _without_times(task: protocols.Task) -> protocols.Task:
    same = task.X_test is task.X_train
    X = task.X_train[["item"]]
    return replace(task, X_train=X, X_test=X if same else task.X_test[["item"]])


def _s3rec(name: str) -> protocols.Task:
    task = _without_times(protocols.s3rec(name, validation=True))
    return replace(task, X_test=task.X_train)


def _ml1m() -> protocols.Task:
    return _without_times(protocols.ml1m(validation=True))


def _gift_cards() -> protocols.Task:
    reviews = protocols._read("amazon_gift_cards_5core_reviews", ["user_id", "asin", "timestamp"])
    histories = to_histories(reviews, user="user_id", item="asin", time="timestamp", time_unit="s")
    X, y = split_last(split_last(histories)[0])
    return protocols.Task("gift cards validation", X, X, y)


def _retail_order() -> protocols.Task:
    """Online Retail before October 2011 without its times: the last new item of each customer."""
    X = _shop("online_retail", True).X_train
    read = read_histories(X)
    code = read.rows * len(read.ids) + read.codes
    first = np.zeros(len(code), dtype=bool)
    first[np.unique(code, return_index=True)[1]] = True
    X, y = split_last(keep_events(X, read, first)[["item"]])
    return protocols.Task("online retail, order alone", X, X, y)


def _retail_names() -> pd.Series:
    events = load_online_retail().events
    item, name = "StockCode", "Description"
    return events.dropna(subset=[name]).drop_duplicates(item).set_index(item)[name]


def _titles(name: str, item: str, columns: list[str]) -> pd.Series:
    frame = protocols._read(name, [item, *columns]).to_pandas().set_index(item)
    return frame[columns].fillna("").astype(str).agg(" ".join, axis=1)


def _split(histories, exclude_seen: bool, how: str) -> protocols.Task:
    """Hold out the last tenth of the time, or the last event of each user."""
    if how == "last":
        X, y = split_last(histories[["item"]], exclude_seen=exclude_seen, verbose=0)
    else:
        times = read_histories(histories).time
        at = np.datetime64(int(np.quantile(times, 0.9) * 86_400), "s")
        X, y = split_time(histories, at, exclude_seen=exclude_seen, verbose=0)
        known = X["item"].list.len().to_numpy() > 0
        X, y = X[known], y[known]
    return protocols.Task("synthetic", X, X, y, exclude_seen)


def _made(how: str, exclude_seen: bool = True, **structure) -> protocols.Task:
    return _split(make_histories(random_state=0, **structure), exclude_seen, how)


def _made_sessions(n_sessions: int, **structure) -> protocols.Task:
    """Short synthetic histories, of which the last tenth is asked by its prefixes."""
    histories = make_histories(n_sessions, repeats=True, random_state=0, **structure)
    read = read_histories(histories)
    border = len(read) - len(read) // 10
    X_test, y_test = bench_sessions.prefixes(read.ids[read[border:].codes], read[border:].indptr)
    return protocols.Task("synthetic sessions", histories[["item"]][:border], X_test, y_test, exclude_seen=False)


def _events(user, item, day) -> pd.DataFrame:
    time = np.datetime64("2024-01-01", "s") + (day * 86_400).astype("timedelta64[s]")
    return to_histories(pd.DataFrame({"user": user, "item": item, "time": time}), user="user", item="item", time="time")


def _favourites(n_users: int, n_items: int, n_own: int, explore: float) -> protocols.Task:
    """Users who buy again what is due of a few items of their own, each with its period; some purchases are others."""
    rng = np.random.default_rng(0)
    weight = (np.arange(n_items) + 1.0) ** -0.7
    users, items, days = [], [], []
    for user in range(n_users):
        own = rng.choice(n_items, 1 + rng.poisson(n_own), p=weight / weight.sum())
        for item, period in zip(own, rng.lognormal(3.2, 0.6, len(own)), strict=True):
            day = np.cumsum(period * rng.normal(1, 0.15, int(366 / period) + 1).clip(0.3)) - period * rng.random()
            day = np.floor(day[(day >= 0) & (day < 365)] / 7) * 7  # one trip a week
            other = rng.random(len(day)) < explore
            bought = np.where(other, rng.choice(n_items, len(day), p=weight / weight.sum()), item)
            users.append(np.full(len(day), user)), items.append(bought), days.append(day)
    return _split(_events(*map(np.concatenate, (users, items, days))), False, "time")


def _fashion(n_users: int, n_items: int, life: float, n_tastes: int, mean_length: float) -> protocols.Task:
    """A catalogue that is replaced: an item is bought for some `life` days after it appears, by one taste mostly."""
    rng = np.random.default_rng(0)
    n_events = int(n_users * mean_length)
    user, day = rng.integers(0, n_users, n_events), rng.random(n_events) * 365
    born, strength = rng.random(n_items) * 365 - life, rng.gamma(0.5, 2, n_items)
    taste_of_item, taste_of_user = rng.integers(0, n_tastes, n_items), rng.integers(0, n_tastes, n_users)
    item = np.empty(n_events, dtype=np.int64)
    for start in range(0, n_events, 1000):
        part = slice(start, start + 1000)
        age = day[part, None] - born
        score = np.where(age > 0, strength * np.exp(-age.clip(0) / life), 0)
        score *= np.where(taste_of_item == taste_of_user[user[part], None], 1, 0.1)
        total = np.cumsum(score, axis=1)
        item[part] = (total < rng.random(len(total))[:, None] * total[:, -1:]).sum(axis=1)
    return _split(_events(user, item, day), True, "time")


_MADE = {  # name: how it is made, and what is told of it; each generator is a group of its own
    "popularity": (partial(_made, "time", n_users=3000, n_items=500, cluster_strength=0.0, popularity_exponent=1.0,
                           mean_length=12), DATED),
    "tastes": (partial(_made, "time", n_users=3000, n_items=800, n_clusters=20, cluster_strength=0.9), DATED),
    "tastes, many items": (partial(_made, "last", n_users=2000, n_items=2500, n_clusters=60, mean_length=10), {}),
    "tastes, many users": (partial(_made, "last", n_users=8000, n_items=400, n_clusters=10, mean_length=15), {}),
    "moving tastes": (partial(_made, "time", n_users=2500, n_items=600, n_clusters=12, drift=0.8, cluster_strength=0.9,
                              mean_length=40), DATED),
    "order": (partial(_made, "last", n_users=3000, n_items=800, n_clusters=8, order=0.7, mean_length=12), {}),
    "weak order": (partial(_made, "last", n_users=3000, n_items=1500, n_clusters=30, order=0.25, mean_length=12), {}),
    "order in sessions": (partial(_made_sessions, 8000, n_items=1200, n_clusters=40, order=0.4, mean_length=4,
                                  cluster_strength=0.95), SESSIONS),
    "favourites": (partial(_favourites, 700, 800, 8, 0.15), DATED),
    "favourites, few": (partial(_favourites, 1200, 1500, 4, 0.5), DATED),
    "fashion": (partial(_fashion, 3000, 1000, 30.0, 1, 12.0), DATED),
    "fashion with tastes": (partial(_fashion, 3000, 1500, 60.0, 6, 20.0), DATED),
}  # fmt: skip
_GROUPS = {
    "tastes, many items": "tastes",
    "tastes, many users": "tastes",
    "weak order": "order",
    "favourites, few": "favourites",
    "fashion with tastes": "fashion",
}


def _real() -> list[Log]:
    retail, dunnhumby = ("online_retail",), ("dunnhumby_cj_transactions",)
    beauty = partial(_titles, "s3rec_beauty_items", "item_id", ["title", "keywords"])
    cards = partial(_titles, "amazon_gift_cards_items", "asin", ["title", "brand"])
    logs = [
        ("online retail, repeats", "online retail", partial(_shop, "online_retail", False), (None, 1000, 300), DATED,
         None, retail),
        ("online retail, new", "online retail", partial(_shop, "online_retail", True), (None, 1000, 300), DATED,
         _retail_names, retail),
        ("online retail, baskets", "online retail", partial(_baskets, "online_retail"), (None,), {"time": "basket"},
         None, retail),
        ("online retail, order", "online retail", _retail_order, (1500,), {}, None, retail),
        ("dunnhumby, repeats", "dunnhumby", partial(_dunnhumby, False, 2500), (400, 150), DATED, None, dunnhumby),
        ("dunnhumby, new", "dunnhumby", partial(_dunnhumby, True, 2500), (400, 150), DATED, None, dunnhumby),
        ("dunnhumby, baskets", "dunnhumby", partial(_baskets, "dunnhumby", 2000), (300,), {"time": "basket"}, None,
         dunnhumby),
        ("beauty", "beauty", partial(_s3rec, "beauty"), (3000, 1000), {}, beauty, ("s3rec_beauty_sequences",)),
        ("sports", "sports", partial(_s3rec, "sports"), (1500, 500), {}, None, ("s3rec_sports_sequences",)),
        ("grocery", "grocery", partial(_shop, "grocery", True), (1500, 500), DATED, None, ("rechorus_grocery_train",)),
        ("gift cards", "gift cards", _gift_cards, (None,), DATED, cards, ("amazon_gift_cards_5core_reviews",)),
        ("ml100k", "ml100k", partial(protocols.ml100k, validation=True), (500, 150), DATED, None,
         ("ml100k_ratings",)),
        ("ml1m", "ml1m", _ml1m, (300,), {}, None, ("ml1m_sequences",)),
        ("retailrocket", "retailrocket", partial(bench_sessions.sessions, "retailrocket", validation=True),
         (2000, 600), SESSIONS, None, ("retailrocket_sessions",)),
        ("diginetica", "diginetica", partial(bench_sessions.sessions, "diginetica", validation=True),
         (2000, 600), SESSIONS, None, ("diginetica_sessions",)),
    ]  # fmt: skip
    return [
        Log(
            name if n_users is None else f"{name}, {n_users:,}",
            group,
            make,
            n_users,
            said,
            names,
            files,
            largest=n_users == sizes[0],
            smallest=n_users == sizes[-1],
        )
        for name, group, make, sizes, said, names, files in logs
        for n_users in sizes
    ]


def all_logs() -> list[Log]:
    """Return the logs whose files are there: the real ones by set, then the synthetic ones."""
    real = [log for log in _real() if protocols.available(*log.files)]
    made = [
        Log(f"synthetic: {name}", f"synthetic: {_GROUPS.get(name, name)}", make, None, said)
        for name, (make, said) in _MADE.items()
    ]
    return real + made
