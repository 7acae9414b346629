"""Synthetic histories whose structure is known."""

import os
from numbers import Integral, Real

import numpy as np
from sklearn.utils import Bunch, check_random_state

from ..feature_extraction._history_frames import pandas_frame
from ..utils._sklearn import Interval, validate_params
from ..utils._time import as_days

_BLOCK = 2**20  # events of a block of users that is drawn at once
_DAYS = 365
_START = np.datetime64("2024-01-01", "s")


@validate_params(
    {
        "n_users": [Interval(Integral, 1, None, closed="left")],
        "n_items": [Interval(Integral, 2, None, closed="left")],
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "mean_length": [Interval(Real, 1, None, closed="left")],
        "cluster_strength": [Interval(Real, 0, 1, closed="both")],
        "order": [Interval(Real, 0, 1, closed="both")],
        "drift": [Interval(Real, 0, 1, closed="both")],
        "popularity_exponent": [Interval(Real, 0, None, closed="left")],
        "repeats": ["boolean"],
        "return_truth": ["boolean"],
        "random_state": ["random_state"],
        "store": [str, os.PathLike, None],
    },
    prefer_skip_nested_validation=True,
)
def make_histories(
    n_users: int = 1000,
    n_items: int = 200,
    *,
    n_clusters: int = 4,
    mean_length: float = 20,
    cluster_strength: float = 0.8,
    order: float = 0.0,
    drift: float = 0.0,
    popularity_exponent: float = 0.5,
    repeats: bool = False,
    return_truth: bool = False,
    random_state=None,
    store: str | os.PathLike | None = None,
):
    """Make histories with a planted structure: tastes, order, and tastes that move.

    Users and items fall into clusters of equal size, at random. A user mostly picks items of the own cluster, popular
    ones more often.

    Parameters
    ----------
    n_users : int, default=1000
        Number of users; their ids are 0 to ``n_users - 1``.
    n_items : int, default=200
        Number of items; their ids are 0 to ``n_items - 1``. Rare ones may not occur in any history.
    n_clusters : int, default=4
        Number of clusters, at most `n_items`.
    mean_length : float, default=20
        Mean number of events of a user, at least 1, before repeats are left out. Lengths are skewed, as in a shop.
    cluster_strength : float, default=0.8
        Probability that a pick comes from the user's cluster; otherwise from all items. 0 plants no taste.
    order : float, default=0.0
        Probability that an event is the successor of the one before. Each item has one fixed successor in its
        cluster, and following successors leads through the whole cluster and back.
    drift : float, default=0.0
        Share of users whose taste moves: at a random point of the history they change to another cluster.
    popularity_exponent : float, default=0.5
        The r-th most popular item of a cluster is picked in proportion to ``r ** -popularity_exponent``; 0 makes all
        items equally popular, 1 is Zipf's law.
    repeats : bool, default=False
        Keep an item that the user had before. With False only the first event of each item stays.
    return_truth : bool, default=False
        Return what was planted as well.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same histories at each call.
    store : path-like, default=None
        A folder to be made, in which the histories are stored: they are drawn and written by blocks of users, and need
        not fit into memory. The structure is the same; what is drawn differs from that without `store`.

    Returns
    -------
    histories : pandas.DataFrame of shape (n_users, 2), or StoredHistories of shape (n_users,)
        The list columns `item` and `time` as `to_histories` makes them, the index `user`. Times lie in 2024, in
        seconds, never decreasing in a row.
    truth : sklearn.utils.Bunch
        Only with ``return_truth=True``: `user_clusters` of shape (n_users,), the cluster at the end of the history;
        `first_clusters` of shape (n_users,), the cluster at its beginning; `item_clusters` and `successors` of
        shape (n_items,).

    See Also
    --------
    load_online_retail : Real histories.

    Notes
    -----
    Every event is drawn at once, without a loop over users. A million users with 20 events each, among 100,000 items,
    take about ten seconds.

    Examples
    --------
    >>> from skrec.datasets import make_histories
    >>> histories, truth = make_histories(100, 20, order=0.5, return_truth=True, random_state=0)
    >>> histories.shape
    (100, 2)
    >>> truth.item_clusters.shape
    (20,)
    """
    if n_clusters > n_items:
        raise ValueError(f"n_clusters={n_clusters} is above n_items={n_items}: each cluster needs an item")
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
    last, first = _user_clusters(n_users, n_clusters, drift, rng)
    shape = mean_length, cluster_strength, n_clusters
    if store is not None:
        circle = _Circle(n_items, n_clusters, popularity_exponent, rng)

        def blocks():
            step = max(1, int(_BLOCK / mean_length))
            starts = range(0, n_users, step)
            for start, own in zip(starts, rng.spawn(len(starts)), strict=True):
                users = slice(start, start + step)
                rows, position, clusters = _draw_clusters(first[users], last[users], *shape, own)
                items, seconds = circle.draw_items(clusters, position, order, own), _draw_seconds(rows, own)
                yield _kept(rows, items, seconds, len(first[users]), n_items, repeats)

        histories = _stored(store, blocks, n_users, n_items)
    else:
        rows, position, clusters = _draw_clusters(first, last, *shape, rng)
        circle = _Circle(n_items, n_clusters, popularity_exponent, rng)
        items, seconds = circle.draw_items(clusters, position, order, rng), _draw_seconds(rows, rng)
        indptr, items, seconds = _kept(rows, items, seconds, n_users, n_items, repeats)
        flat = {"item": items, "time": _START + seconds.astype("timedelta64[s]")}
        histories = pandas_frame(np.arange(n_users), indptr, flat, "user")
    if not return_truth:
        return histories
    item_clusters, successors = circle.truth()
    return histories, Bunch(
        user_clusters=last, first_clusters=first, item_clusters=item_clusters, successors=successors
    )


def _user_clusters(n_users: int, n_clusters: int, drift: float, rng) -> tuple[np.ndarray, np.ndarray]:
    """Return the cluster of each user at the end of the history, and at its beginning."""
    last = rng.permutation(np.arange(n_users) % n_clusters)
    first = last.copy()
    if drift > 0 and n_clusters > 1:
        moves = rng.random(n_users) < drift
        first[moves] = (first[moves] + rng.integers(1, n_clusters, moves.sum())) % n_clusters
    return last, first


def _draw_clusters(first, last, mean_length: float, cluster_strength: float, n_clusters: int, rng) -> tuple:
    """Draw lengths of histories; return the row, the position in it and the cluster of each event."""
    n_users = len(first)
    lengths = 1 + rng.poisson((mean_length - 1) * rng.gamma(2, 0.5, n_users))
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    rows = np.repeat(np.arange(n_users), lengths)
    position = np.arange(indptr[-1]) - indptr[rows]

    # each event's cluster: the user's, before and after the move, or that of a pick among all items
    moved = position >= rng.random(n_users)[rows] * lengths[rows]
    clusters = np.where(moved, last[rows], first[rows])
    anywhere = rng.random(len(rows)) >= cluster_strength
    clusters[anywhere] = rng.integers(0, n_clusters, anywhere.sum())
    return rows, position, clusters


class _Circle:
    """Items in an order in which those of a cluster stand next to each other, each before its successor."""

    def __init__(self, n_items: int, n_clusters: int, popularity_exponent: float, rng):
        self.sizes = np.bincount(np.arange(n_items) % n_clusters, minlength=n_clusters)
        self.start = np.cumsum(self.sizes) - self.sizes
        self.items = rng.permutation(n_items)
        self.clusters = np.repeat(np.arange(n_clusters), self.sizes)
        rank = _shuffle_within(self.clusters, rng) - self.start[self.clusters] + 1
        self._bounds = _bounds(rank.astype(float) ** -popularity_exponent, self.clusters, self.start)

    def draw_items(self, clusters: np.ndarray, position: np.ndarray, order: float, rng) -> np.ndarray:
        """Draw an item for each event from its cluster; with probability `order` the successor of the one before."""
        drawn = clusters + rng.random(len(clusters))
        place = np.searchsorted(self._bounds, drawn, side="right").clip(max=len(self.items) - 1)
        if order > 0:  # an event that follows is as many steps ahead as events passed since the last free pick
            events = np.arange(len(clusters))
            free = (rng.random(len(clusters)) >= order) | (position == 0)
            last_free = np.maximum.accumulate(np.where(free, events, 0))
            first = self.start[clusters[last_free]]
            place = first + (place[last_free] - first + events - last_free) % self.sizes[clusters[last_free]]
        return self.items[place]

    def truth(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the cluster and the successor of each item."""
        item_clusters, successors = np.empty_like(self.items), np.empty_like(self.items)
        item_clusters[self.items] = self.clusters
        start = self.start[self.clusters]
        following = start + (np.arange(len(self.items)) - start + 1) % self.sizes[self.clusters]
        successors[self.items] = self.items[following]
        return item_clusters, successors


def _draw_seconds(rows: np.ndarray, rng) -> np.ndarray:
    """Draw the second of the year of each event, ascending in a row."""
    seconds = (rows << 32) | rng.integers(0, _DAYS * 86_400, len(rows))
    seconds.sort()
    return seconds & 0xFFFFFFFF


def _kept(rows, items, seconds, n_users: int, n_items: int, repeats: bool) -> tuple:
    """Return row boundaries, items and seconds, without the repeats unless they are wanted."""
    if not repeats:
        keep = _first_of_each(rows * n_items + items)
        rows, items, seconds = rows[keep], items[keep], seconds[keep]
    return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_users))]), items, seconds


def _stored(store, blocks, n_users: int, n_items: int):
    """Write blocks of users into a store; return it."""
    import pyarrow as pa

    from ..feature_extraction._open_histories import store_part
    from ..feature_extraction._store import part_writer

    def write(part) -> None:
        indptr, events_of_item = [np.zeros(1, dtype=np.int64)], np.zeros(n_items, dtype=np.int64)
        with part_writer(part, None, ["item", "time"]) as writer:
            for bounds, items, seconds in blocks():
                writer.add({"item": items, "time": as_days(_START + seconds.astype("timedelta64[s]"))})
                indptr.append(bounds[1:] + indptr[-1][-1])
                events_of_item += np.bincount(items, minlength=n_items)
            there = np.flatnonzero(events_of_item)
            if len(there) < n_items:
                writer.recode("item", np.cumsum(events_of_item > 0, dtype=np.int32) - 1)
            ids = {"user": pa.array(np.arange(n_users)), "item": pa.array(there)}
            facts = {"user": "user", "time_type": "timestamp[s]", "dated": True}
            writer.close(np.concatenate(indptr), ids, facts)

    return store_part(store, False, "user", write)


def _shuffle_within(groups: np.ndarray, rng) -> np.ndarray:
    """Permute positions inside each group of a sorted array of groups."""
    return np.lexsort((rng.random(len(groups)), groups))


def _bounds(weights: np.ndarray, groups: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return where the share of each item ends, in proportion to weights, on a line with a cluster in each unit."""
    total = np.add.reduceat(weights, start)
    bounds = np.cumsum(weights / total[groups])
    ends = np.append(start[1:], len(groups)) - 1
    bounds[ends] = np.arange(1, len(start) + 1)  # no rounding at the end of a cluster
    return bounds


def _first_of_each(keys: np.ndarray) -> np.ndarray:
    """Tell for each key whether it occurs for the first time."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    keep = np.ones(len(keys), dtype=bool)
    keep[order[1:]] = ordered[1:] != ordered[:-1]
    return keep
