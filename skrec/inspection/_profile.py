"""Facts of a log: its size, how often users return, and what they take together."""

import numpy as np
from sklearn.utils import Bunch

from ..utils._histories import read_histories
from ..utils._row_blocks import number_baskets, row_blocks


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
    n_events = len(read.codes)
    if n_events == 0:
        raise ValueError("X has no event: at least one is needed to describe a log")
    events_of_item, users_of_item = np.zeros((2, len(read.ids)), dtype=np.int64)
    items_of_user, baskets_of_user, sizes = [], [], 0
    for rows in row_blocks(read.indptr):  # a user stands in one block, so what is distinct is counted there
        block = read[rows]
        events_of_item += np.bincount(block.codes, minlength=len(read.ids))
        pairs = np.unique(block.rows * len(read.ids) + block.codes)
        users_of_item += np.bincount(pairs % len(read.ids), minlength=len(read.ids))
        items_of_user.append(np.bincount(pairs // len(read.ids), minlength=len(block)))
        if block.time is not None:
            basket, first = number_baskets(block.indptr, block.time)
            sizes += len(np.unique(basket * len(read.ids) + block.codes))
            baskets_of_user.append(np.diff(first))
    there = read.lengths > 0
    n_items, n_pairs = int(np.count_nonzero(events_of_item)), int(users_of_item.sum())
    facts = Bunch(
        n_events=n_events,
        n_users=len(read),
        n_items=n_items,
        events_per_user=float(np.median(read.lengths[there])),
        items_per_user=float(np.median(np.concatenate(items_of_user)[there])),
        n_single_users=int(np.count_nonzero(read.lengths == 1)),
        n_single_items=int(np.count_nonzero(users_of_item == 1)),
        repeat_share=1 - n_pairs / n_events,
        head_share=float(np.sort(events_of_item)[::-1][: max(1, n_items // 10)].sum() / n_events),
        density=float(n_pairs / (len(read) * n_items)),
        n_baskets=None,
        basket_size=None,
        baskets_per_user=None,
        first=None,
        last=None,
    )
    if read.time is not None:
        baskets = np.concatenate(baskets_of_user)
        facts.n_baskets, facts.basket_size = int(baskets.sum()), sizes / int(baskets.sum())
        facts.baskets_per_user = float(np.median(baskets[there]))
        facts.first, facts.last = float(read.time.min()), float(read.time.max())
    return facts
