"""Facts of a log: its size, how often users return, and what they take together."""

import numpy as np
from sklearn.utils import Bunch

from ..utils._histories import Histories, number_baskets, read_histories


def profile_log(X) -> Bunch:
    """Describe a log by the numbers that decide which recommender suits it.

    Parameters
    ----------
    X : histories of shape (n_users,)
        One row per user, as :func:`~skrec.feature_extraction.to_histories` returns them.

    Returns
    -------
    sklearn.utils.Bunch
        With the attributes

        - ``n_events``, ``n_users``, ``n_items``: sizes; users without an event count too;
        - ``events_per_user``, ``items_per_user``: medians over the users with an event; distinct items in the second;
        - ``n_single_users``: users with one event, for whom nothing can be held out;
        - ``n_single_items``: items of one user alone;
        - ``repeat_share``: share of the events whose item stands earlier in the same history;
        - ``head_share``: share of the events that are of the most popular tenth of the items;
        - ``density``: share of the pairs of user and item that occur;
        - ``n_baskets``, ``basket_size``, ``baskets_per_user``: a basket holds the events of one user at one time;
          their number, the mean number of distinct items in one, and the median number per user. None where the
          histories have no times;
        - ``first``, ``last``: the earliest and the latest time, as numbers: days since 1970 for dates. None likewise.

    Raises
    ------
    TypeError, ValueError
        If X is not a form of histories, or has no event.

    See Also
    --------
    skrec.feature_extraction.to_histories : Makes histories of a log.

    Examples
    --------
    >>> from skrec.inspection import profile_log
    >>> facts = profile_log([["tea", "milk", "tea"], ["tea"], ["nails", "saw"]])
    >>> facts.n_events, facts.n_users, facts.n_items
    (6, 3, 4)
    >>> round(facts.repeat_share, 2), facts.n_single_users
    (0.17, 1)
    """
    read = read_histories(X)
    n_events, n_items = len(read.codes), len(np.unique(read.codes))
    if n_events == 0:
        raise ValueError("X has no event: at least one is needed to describe a log")
    lengths = read.lengths[read.lengths > 0]
    pairs = _distinct_pairs(read)
    users, items = pairs // len(read.ids), pairs % len(read.ids)
    events_of_item = np.sort(np.bincount(read.codes))[::-1]
    facts = Bunch(
        n_events=n_events,
        n_users=len(read),
        n_items=n_items,
        events_per_user=float(np.median(lengths)),
        items_per_user=float(np.median(np.unique(users, return_counts=True)[1])),
        n_single_users=int(np.count_nonzero(lengths == 1)),
        n_single_items=int(np.count_nonzero(np.bincount(items) == 1)),
        repeat_share=1 - len(pairs) / n_events,
        head_share=float(events_of_item[: max(1, n_items // 10)].sum() / n_events),
        density=float(len(pairs) / (len(read) * n_items)),
        n_baskets=None,
        basket_size=None,
        baskets_per_user=None,
        first=None,
        last=None,
    )
    if read.time is not None:
        facts |= _baskets(read, read.time)
        facts.first, facts.last = float(read.time.min()), float(read.time.max())
    return facts


def _distinct_pairs(read: Histories) -> np.ndarray:
    """Return the distinct pairs of row and item as single numbers, ascending."""
    return np.unique(read.rows * len(read.ids) + read.codes)


def _baskets(read: Histories, time: np.ndarray) -> dict:
    """Return the number of baskets, and their size."""
    basket, first = number_baskets(read.indptr, time)
    n_baskets = int(first[-1])
    n_distinct = len(np.unique(basket * len(read.ids) + read.codes))
    per_user = np.diff(first)[read.lengths > 0]
    return {
        "n_baskets": n_baskets,
        "basket_size": n_distinct / n_baskets,
        "baskets_per_user": float(np.median(per_user)),
    }
