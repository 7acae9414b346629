"""Synthetic histories whose structure is known."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import Bunch, check_random_state

from ..feature_extraction._history_frames import pandas_frame
from ..utils._sklearn import Interval, validate_params

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

    Returns
    -------
    histories : pandas.DataFrame of shape (n_users, 2)
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
    user_clusters = rng.permutation(np.arange(n_users) % n_clusters)
    first_clusters = user_clusters.copy()
    if drift > 0 and n_clusters > 1:
        moves = rng.random(n_users) < drift
        first_clusters[moves] = (first_clusters[moves] + rng.integers(1, n_clusters, moves.sum())) % n_clusters

    lengths = 1 + rng.poisson((mean_length - 1) * rng.gamma(2, 0.5, n_users))
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    rows = np.repeat(np.arange(n_users), lengths)
    position = np.arange(indptr[-1]) - indptr[rows]

    # each event's cluster: the user's, before and after the move, or that of a pick among all items
    moved = position >= rng.random(n_users)[rows] * lengths[rows]
    clusters = np.where(moved, user_clusters[rows], first_clusters[rows])
    anywhere = rng.random(len(rows)) >= cluster_strength
    clusters[anywhere] = rng.integers(0, n_clusters, anywhere.sum())

    # the items of a cluster stand next to each other in `circle`, in the order of their successors
    sizes = np.bincount(np.arange(n_items) % n_clusters, minlength=n_clusters)
    start = np.cumsum(sizes) - sizes
    circle = rng.permutation(n_items)
    circle_cluster = np.repeat(np.arange(n_clusters), sizes)
    rank = _shuffle_within(circle_cluster, rng) - start[circle_cluster] + 1
    place = _pick(clusters, rank.astype(float) ** -popularity_exponent, circle_cluster, start, rng)

    if order > 0:  # an event that follows is as many steps ahead as events passed since the last free pick
        free = (rng.random(len(rows)) >= order) | (position == 0)
        last_free = np.maximum.accumulate(np.where(free, np.arange(len(rows)), 0))
        steps = np.arange(len(rows)) - last_free
        first = start[clusters[last_free]]
        place = first + (place[last_free] - first + steps) % sizes[clusters[last_free]]
    items = circle[place]

    seconds = (rows << 32) | rng.integers(0, _DAYS * 86_400, len(rows))
    seconds.sort()
    time = _START + (seconds & 0xFFFFFFFF).astype("timedelta64[s]")
    if not repeats:
        keep = _first_of_each(rows * n_items + items)
        items, time = items[keep], time[keep]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[keep], minlength=n_users))])

    histories = pandas_frame(np.arange(n_users), indptr, {"item": items, "time": time}, "user")
    if not return_truth:
        return histories
    item_clusters, successors = np.empty(n_items, dtype=np.int64), np.empty(n_items, dtype=np.int64)
    item_clusters[circle] = circle_cluster
    following = start[circle_cluster] + (np.arange(n_items) - start[circle_cluster] + 1) % sizes[circle_cluster]
    successors[circle] = circle[following]
    truth = Bunch(
        user_clusters=user_clusters, first_clusters=first_clusters, item_clusters=item_clusters, successors=successors
    )
    return histories, truth


def _shuffle_within(groups: np.ndarray, rng) -> np.ndarray:
    """Permute positions inside each group of a sorted array of groups."""
    return np.lexsort((rng.random(len(groups)), groups))


def _pick(clusters: np.ndarray, weights: np.ndarray, groups: np.ndarray, start: np.ndarray, rng) -> np.ndarray:
    """Draw a place for each event from its cluster, in proportion to weights."""
    total = np.add.reduceat(weights, start)
    bounds = np.cumsum(weights / total[groups])
    ends = np.append(start[1:], len(groups)) - 1
    bounds[ends] = np.arange(1, len(start) + 1)  # no rounding at the end of a cluster
    return np.searchsorted(bounds, clusters + rng.random(len(clusters)), side="right").clip(max=len(groups) - 1)


def _first_of_each(keys: np.ndarray) -> np.ndarray:
    """Tell for each key whether it occurs for the first time."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    keep = np.ones(len(keys), dtype=bool)
    keep[order[1:]] = ordered[1:] != ordered[:-1]
    return keep
