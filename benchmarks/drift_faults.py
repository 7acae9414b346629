"""Faults to plant into one period of a log, for `bench_drift.py`.

Each takes the frame of one period with the columns user, item, time, price (and place: a country or a store), the
frame of the periods before it, and a NumPy random generator, and returns the frame of the period with its fault.
"""

import numpy as np
import pandas as pd


def _pick(frame, share, rng):
    """Return the places of a share of the events, at random."""
    return rng.choice(len(frame), size=round(share * len(frame)), replace=False)


def _prices(before):
    return before.groupby("item")["price"].median()


def new_items(frame, before, rng):
    """10 % of the events are of 50 items never seen; id format and prices are as those of known items."""
    known = before["item"].drop_duplicates().sample(50, random_state=int(rng.integers(2**31)))
    fresh = _unused(known, set(before["item"]) | set(frame["item"]), rng)
    return _replace_items(frame, _pick(frame, 0.1, rng), fresh, _prices(before)[known].to_numpy(), rng)


def popularity_shift(frame, before, rng):
    """15 % of the events go to 20 items of the less popular half (of those with 3 events or more), at their prices."""
    counts = before["item"].value_counts()
    counts = counts[counts >= 3]
    tail = counts[counts <= counts.median()].index.to_numpy()
    items = rng.choice(tail, size=20, replace=False)
    return _replace_items(frame, _pick(frame, 0.15, rng), items, _prices(before)[items].to_numpy(), rng)


def prices_up(frame, before, rng):
    """All prices rise by 10 %."""
    return frame.assign(price=(1.1 * frame["price"]).round(2))


def repriced(frame, before, rng):
    """A fifth of the items is re-priced by 30 %, half of them up and half of them down."""
    items = frame["item"].unique()
    chosen = rng.choice(items, size=len(items) // 5, replace=False)
    factor = pd.Series(np.where(rng.random(len(chosen)) < 0.5, 1.3, 0.7), index=chosen)
    return frame.assign(price=(frame["price"] * frame["item"].map(factor).fillna(1.0)).round(2))


def bots(frame, before, rng):
    """20 % of all events are those of 5 new users, spread evenly over the items of the past and the period."""
    n = int(0.25 * len(frame))
    items = rng.choice(before["item"].unique(), size=n)
    users = _unused(pd.Series(rng.choice(before["user"].unique(), 5, replace=False)), set(before["user"]), rng)
    extra = frame.iloc[rng.integers(len(frame), size=n)].assign(
        user=users[rng.integers(5, size=n)], item=items, price=_prices(before)[items].to_numpy()
    )
    start, end = frame["time"].min(), frame["time"].max()
    extra["time"] = start + (end - start) * rng.random(n)
    return pd.concat([frame, extra]).sort_values("time", kind="stable", ignore_index=True)


def duplicates(frame, before, rng):
    """5 % of the events are written twice."""
    extra = frame.iloc[_pick(frame, 0.05, rng)]
    return pd.concat([frame, extra]).sort_values("time", kind="stable", ignore_index=True)


def events_lost(frame, before, rng):
    """30 % of the events are lost, one by one at random."""
    return frame.drop(frame.index[_pick(frame, 0.3, rng)]).reset_index(drop=True)


def place_lost(frame, before, rng):
    """All events of one of the two countries (stores) with the most users after the first are lost."""
    users = before.groupby("place")["user"].nunique().sort_values(ascending=False, kind="stable")
    place = users.index[1 + rng.integers(2)]
    return frame[frame["place"] != place].reset_index(drop=True)


def wrong_ids(frame, before, rng):
    """10 % of the events have the id of another item of the period; their price is that of the true item."""
    rows = _pick(frame, 0.1, rng)
    items = frame["item"].to_numpy(copy=True)
    items[rows] = rng.choice(frame["item"].unique(), size=len(rows))
    return frame.assign(item=items)


def half_newcomers(frame, before, rng):
    """Half of the users of the period have ids never seen."""
    users = frame["user"].drop_duplicates()
    chosen = users.sample(len(users) // 2, random_state=int(rng.integers(2**31)))
    fresh = dict(zip(chosen, _unused(chosen, set(before["user"]) | set(users), rng), strict=True))
    return frame.assign(user=[fresh.get(user, user) for user in frame["user"]])


def wrong_format(frame, before, rng):
    """10 % of the events have ids with a blank in front (text), or as text (numbers)."""
    rows = _pick(frame, 0.1, rng)
    items = frame["item"].to_numpy(dtype=object, copy=True)
    items[rows] = [f" {item}" for item in items[rows]]
    return frame.assign(item=items)


def outage(frame, before, rng):
    """All events of two of the days are lost."""
    day = frame["time"].dt.normalize()
    gone = rng.choice(day.unique(), size=2, replace=False)
    return frame[~day.isin(gone)].reset_index(drop=True)


# what the issue lists, and which statistics would name each
FAULTS = {
    "new items 10 %": (new_items, {"unknown_items"}),
    "popularity shift 15 %": (popularity_shift, {"surging_items", "head_share", "users_off_head"}),
    "prices +10 %": (prices_up, {"price_ratio", "repriced_items"}),
    "a fifth re-priced by 30 %": (repriced, {"repriced_items", "price_ratio", "off_price_events"}),
    "bots 20 %": (bots, {"busiest_users", "events_per_user"}),
    "duplicates 5 %": (duplicates, {"exact_duplicates"}),
    "30 % of events lost": (events_lost, {"events_per_day", "events_per_user"}),
    "a country (store) lost": (place_lost, {"country_lost", "country_shares"}),
    "wrong ids 10 %": (wrong_ids, {"off_price_events", "repriced_items", "unknown_items", "surging_items"}),
    "half newcomers": (half_newcomers, {"new_users"}),
}
MORE = {
    "ids of another format 10 %": (wrong_format, {"new_id_formats"}),
    "outage of two days": (outage, {"events_per_day"}),
}


def _unused(ids, used, rng):
    """Return as many ids of the same format that nobody has."""
    ids = pd.Series(ids).to_numpy()
    if ids.dtype.kind in "iu":
        return max(used) + 1 + np.arange(len(ids))
    letters = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    fresh, taken = [], {str(one) for one in used}
    for one in ids:  # other digits, until the id is new
        new = one
        while new in taken:
            signs = [
                str(rng.integers(10)) if sign.isdigit() else rng.choice(letters) if sign.isalpha() else sign
                for sign in one
            ]
            new = "".join(signs)
        taken.add(new)
        fresh.append(new)
    return np.array(fresh, dtype=object)


def _replace_items(frame, rows, items, prices, rng):
    chosen = rng.integers(len(items), size=len(rows))
    item, price = frame["item"].to_numpy(dtype=object, copy=True), frame["price"].to_numpy(copy=True)
    item[rows], price[rows] = np.asarray(items, dtype=object)[chosen], prices[chosen]
    return frame.assign(item=item, price=price)
