"""The panel of drift: statistics of one period of a log against the periods before it.

Each is found as (value, noise, moved): the value, its standard error where users and events were independent draws, and
what moved most, as the kind of the ids and their codes.
"""

from collections import deque
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from ._drift_log import CodedLog

HEAD = 0.1  # share of the items that are the head
_REPRICED = np.log(1.1)  # from here on a price counts as changed
_FAR = np.log(1.5)  # from here on a price is far off its item's
_SURGE = 3.0  # times its share of before, from where an item surges
_SPREAD = 0.8  # standard deviation of the logarithm of a user's events
_BUSIEST = 0.02  # share of the users that are the busiest
_SHOWN = 3  # what moved most


@dataclass(frozen=True)
class Now:
    """Events of one period that have a user and an item."""

    n: int
    user: np.ndarray
    item: np.ndarray
    price: np.ndarray | None
    rows: int  # events with and without an id
    again: int
    missing: int
    repeated: np.ndarray  # whether an event is there already
    labels: dict
    users: np.ndarray  # distinct users
    per_user: np.ndarray  # their events
    pairs: np.ndarray  # items of the distinct pairs of user and item
    prices: tuple | None  # distinct items, median log price, events


class Past:
    """Sums over the last periods: events and users of items, users, labels and prices.

    Parameters
    ----------
    log : CodedLog
        The events.
    window : int
        Number of periods to keep.
    """

    def __init__(self, log: CodedLog, window: int):
        self.window = window
        self.periods: deque[Now] = deque()
        self.items = np.zeros(len(log.item_ids), np.int64)
        self.pairs = np.zeros(len(log.item_ids), np.int64)
        self.users = np.zeros(len(log.user_ids), np.int64)
        self.formats = {"item": _formats(log.item_ids), "user": _formats(log.user_ids)}
        self.log_events = np.zeros(len(log.user_ids))  # sums over the periods in which a user came
        self.visits = np.zeros(len(log.user_ids), np.int64)

    def add(self, now: Now) -> None:
        """Let a period in, and the oldest out."""
        self._count(now, 1)
        self.periods.append(now)
        if len(self.periods) > self.window:
            self._count(self.periods.popleft(), -1)

    def _count(self, now: Now, sign: int) -> None:
        self.items += sign * np.bincount(now.item, minlength=len(self.items))
        self.pairs += sign * np.bincount(now.pairs, minlength=len(self.pairs))
        self.users[now.users] += sign * now.per_user
        self.visits[now.users] += sign
        self.log_events[now.users] += sign * np.log(now.per_user)

    def label_users(self, role: str) -> np.ndarray:
        """Users of each label in each period with events, shape (n_periods, n_labels)."""
        return np.array([now.labels[role] for now in self.periods if now.n], dtype=np.float64)

    def item_prices(self) -> tuple[np.ndarray, np.ndarray]:
        """Median over the periods of each item's log price, NaN without, and the number of priced events."""
        parts = [now.prices for now in self.periods if now.prices is not None]
        price, n = np.full(len(self.items), np.nan), np.zeros(len(self.items), np.int64)
        if parts:
            items, medians, _ = group_median(
                np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
            )
            price[items] = medians
            for items, _, counts in parts:
                n[items] += counts
        return price, n

    def head(self) -> np.ndarray:
        """Whether an item is of the most popular tenth of those with an event, by users, ties included; (n_items,)."""
        known = np.sort(self.pairs[self.items > 0])[::-1]
        return self.pairs >= max(known[max(1, int(HEAD * len(known))) - 1], 1)


def cut(log: CodedLog, number: int) -> Now:
    """Return the events of a period, counted from the first of the log."""
    part = slice(log.indptr[number], log.indptr[number + 1])
    keep = (log.user[part] >= 0) & (log.item[part] >= 0)
    user, item = log.user[part][keep], log.item[part][keep]
    users, per_user = np.unique(user, return_counts=True)
    pairs = np.unique(user.astype(np.int64) * max(len(log.item_ids), 1) + item) % max(len(log.item_ids), 1)
    price = None if log.price is None else log.price[part][keep]
    prices = None
    if price is not None:
        priced = ~np.isnan(price)
        prices = group_median(item[priced], price[priced])
    return Now(
        n=len(user),
        user=user,
        item=item,
        price=price,
        rows=part.stop - part.start,
        again=int(log.again[part].sum()),
        missing=int(log.missing[part].sum()),
        repeated=log.again[part][keep],
        labels={role: _users_of(user, codes[part][keep], len(names)) for role, (codes, names) in log.labels.items()},
        users=users,
        per_user=per_user,
        pairs=pairs,
        prices=prices,
    )


def measure(now: Now, past: Past, days: float) -> dict:
    """Compute the panel of a period that lasts `days`; statistics that need a past or a column may lack."""
    busy = [one.n for one in past.periods if one.n]
    found: dict = {"events_per_day": (now.n / days, 1 / np.sqrt(np.mean(busy)) if busy else 0.0, None)}
    if now.rows:
        found["missing_values"] = (*_share(now.missing, now.rows), None)
    if not now.n:
        return found
    found["events_per_user"] = _events_per_user(now, past)
    busiest = np.argsort(-now.per_user, kind="stable")
    top = busiest[: max(1, int(np.ceil(_BUSIEST * len(busiest))))]
    found["busiest_users"] = (*_share(now.per_user[top].sum(), now.n), ("user", now.users[top[:_SHOWN]]))
    found["exact_duplicates"] = (*_share(now.again, now.rows), ("item", _top(np.bincount(now.item[now.repeated]))))
    if not past.items.any():
        return found
    found |= _newcomers(now, past)
    found |= _popularity(now, past)
    found |= _prices(now, past)
    for role in now.labels:
        found |= _labels(now, past, role)
    return found


def _newcomers(now: Now, past: Past) -> dict:
    unknown = past.items[now.item] == 0
    items = np.bincount(now.item[unknown], minlength=1)
    stranger = past.users[now.users] == 0
    odd_item, odd_user = _unseen(past, "item", past.items)[now.item], _unseen(past, "user", past.users)[now.user]
    kind, odd = ("item", now.item[odd_item]) if odd_item.any() else ("user", now.user[odd_user])
    return {
        "unknown_items": (*_share(unknown.sum(), now.n), ("item", _top(items))),
        "new_users": (*_share(stranger.sum(), len(stranger)), None),
        "new_id_formats": (*_share((odd_item | odd_user).sum(), now.n), (kind, _top(np.bincount(odd, minlength=1)))),
    }


def _unseen(past: Past, kind: str, counts: np.ndarray) -> np.ndarray:
    """Whether no id of the past has the format of an id, shape (n_ids,)."""
    formats = past.formats[kind]
    return np.bincount(formats, weights=counts > 0, minlength=1)[formats] == 0


def _popularity(now: Now, past: Past) -> dict:
    head = past.head()
    on_head = head[now.item]
    has_head = np.zeros(len(past.users), dtype=bool)
    has_head[now.user[on_head]] = True
    before = past.pairs / max(past.pairs.sum(), 1)
    share = np.bincount(now.pairs, minlength=len(before)) / max(len(now.pairs), 1)
    known = past.items > 0
    excess = np.where(known, share - _SURGE * before, 0.0).clip(min=0)
    events = np.bincount(now.item, minlength=len(before)) / now.n
    fell = np.where(head, past.items / past.items.sum() - events, 0.0)
    without = len(now.users) - has_head[now.users].sum()
    return {
        "head_share": (*_share(on_head.sum(), now.n), ("item", _top(fell))),
        "users_off_head": (*_share(without, len(now.users)), None),
        "surging_items": (*_share(excess.sum() * len(now.pairs), len(now.pairs)), ("item", _top(excess))),
    }


def _prices(now: Now, past: Past) -> dict:
    """Compare the median price of each item with that of the past; items with an earlier price alone."""
    if now.prices is None or now.price is None or not len(now.prices[0]):
        return {}
    before, n = past.item_prices()
    items, medians, counts = now.prices
    known = n[items] >= 3
    if not known.any():
        return {}
    items, move, weight = items[known], (medians - before[items])[known], np.sqrt(counts[known])
    off = np.abs(now.price - before[now.item])
    priced = ~np.isnan(off) & (n[now.item] >= 3)
    far = (off > _FAR) & priced
    moved = ("item", items[_top(np.abs(move) * weight)])
    far_items = np.bincount(now.item[far], minlength=1)
    return {
        "price_ratio": (float(np.exp(_trimmed(move))), float(move.std() / np.sqrt(len(move))), moved),
        "repriced_items": (*_share((np.abs(move) > _REPRICED).sum(), len(move)), moved),
        "off_price_events": (*_share(far.sum(), priced.sum()), ("item", _top(far_items))),
    }


def _events_per_user(now: Now, past: Past) -> tuple:
    """Geometric mean, adjusted for who came: half of what a user's own past differs from that of all is taken off."""
    events = np.log(now.per_user)
    visits, total = past.visits[now.users], past.log_events[now.users]
    usual = past.log_events.sum() / max(past.visits.sum(), 1)
    own = np.where(visits > 0, total / np.maximum(visits, 1) - usual, 0.0)
    return float(np.exp((events - 0.5 * own).mean())), _SPREAD / np.sqrt(len(events)), None


def _labels(now: Now, past: Past, role: str) -> dict:
    """Compare the users of each label with their mean in the past, as root deviations, which have equal variance."""
    before = past.label_users(role)
    if not len(before):
        return {}
    mean, users = before.mean(axis=0), now.labels[role]
    usual = mean * users.sum() / max(mean.sum(), 1e-12)
    move = 2 * np.abs(np.sqrt(users) - np.sqrt(usual))
    gone = np.where(users == 0, mean, 0.0)
    return {
        f"{role}_shares": (float(move.max(initial=0)), 0.0, (role, _top(move))),
        f"{role}_lost": (float(gone.max(initial=0)), 0.0, (role, _top(gone))),
    }


def _users_of(user: np.ndarray, label: np.ndarray, n_labels: int) -> np.ndarray:
    """Count the distinct users of each label, shape (n_labels,)."""
    there = label >= 0
    pairs = np.unique(user[there].astype(np.int64) * max(n_labels, 1) + label[there])
    return np.bincount(pairs % max(n_labels, 1), minlength=n_labels)


def group_median(groups: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct groups, the median of each, and its size."""
    order = np.lexsort([values, groups])
    distinct, first, counts = np.unique(groups[order], return_index=True, return_counts=True)
    ranked = values[order]
    return distinct, (ranked[first + (counts - 1) // 2] + ranked[first + counts // 2]) / 2, counts


def _trimmed(values: np.ndarray, share: float = 0.1) -> float:
    drop = int(share * len(values))
    return float(np.sort(values)[drop : len(values) - drop].mean())


def _share(count, n) -> tuple[float, float]:
    """Return a share and its standard error, which is above 0 for shares of 0 and 1 too."""
    likely = (count + 1) / (n + 2)
    return float(count / max(n, 1)), float(np.sqrt(likely * (1 - likely) / max(n, 1)))


def _top(strength: np.ndarray, n: int = _SHOWN) -> np.ndarray:
    """Return the places of the largest numbers above 0, largest first."""
    places = np.argpartition(-strength, n)[:n] if len(strength) > n else np.arange(len(strength))
    places = places[np.argsort(-strength[places], kind="stable")]
    return places[strength[places] > 0]


def _formats(ids: np.ndarray) -> np.ndarray:
    """Number the formats of ids: type, and in text length and kinds of characters."""
    import pandas as pd

    return pd.factorize(np.array([_format(one) for one in ids], dtype=object))[0]


def _format(one) -> str:
    if isinstance(one, Real) and not isinstance(one, bool):
        return "whole number" if isinstance(one, Integral) or float(one).is_integer() else "number"
    if not isinstance(one, str):
        return type(one).__name__
    kinds = (any(map(str.isdigit, one)), any(map(str.isupper, one)), any(map(str.islower, one)))
    return f"{len(one)} {kinds} {''.join(sorted({sign for sign in one if not sign.isalnum()}))}"
