"""Value at k: what the recommendations that were bought are worth."""

import numpy as np

from ..utils._arguments import check_flags
from ..utils._validation import lookup
from ._beyond_accuracy import read_numbers
from ._hits import asked_users, check_same_kind, find_hits, read_lists


def value_at_k(y_true, y_pred, *, value, k: int | None = None, per_user: bool = False) -> float | np.ndarray:
    r"""Compute the value of the held-out items that were recommended: revenue with prices, profit with margins.

    Parameters
    ----------
    y_true : sequence of length n_users
        One list of held-out item ids per user, or a single id per user. An id that stands twice in a list counts
        once; users with an empty list are left out of the mean.
    y_pred : array-like of shape (n_users, n)
        Recommended item ids, best first; or one list per user.
    value : dict, pandas Series, or pair (items, values)
        What one purchase of each item is worth, finite; below 0 where an item loses money.
    k : int, default=None
        How many recommendations count, at most n; None for all of them.
    per_user : bool, default=False
        Whether to return the value of each user, which :func:`bootstrap_interval` and :func:`paired_bootstrap` take.

    Returns
    -------
    float or ndarray of shape (n_users,)
        Mean over the users that have a held-out item, in the unit of `value`; or the value of each user, NaN for those
        without a held-out item.

    Raises
    ------
    ValueError
        If a recommended item has no value, if a value is not finite, if no user has a held-out item, if `k` is above n
        or below 1, if the lengths differ, or if a list recommends a held-out item twice.
    TypeError
        If `value` is not one of the forms, or the ids are of different kinds.

    See Also
    --------
    skrec.ensemble.Reranker : Ranks by expected value.
    recall_at_k : Counts every hit alike.

    Notes
    -----
    .. math:: \mathrm{Value@}k = \frac{1}{|U|} \sum_{u \in U} \sum_{i=1}^{k} \mathrm{rel}_{ui} \, v_{ui}

    where :math:`\mathrm{rel}_{ui}` is 1 if recommendation i is a held-out item and :math:`v_{ui}` its value; in the
    literature revenue or profit at k [1]_. One unit of each item is counted, however many were bought. It counts what
    was bought without the list too, so it is an upper bound of what the list has earned.

    References
    ----------
    .. [1] A. De Biasio, N. Navarin and D. Jannach, "Economic recommender systems: a systematic review", Electronic
       Commerce Research and Applications 63, 2024.

    Examples
    --------
    >>> from skrec.metrics import value_at_k
    >>> price = {"tea": 3.0, "pot": 20.0, "cup": 5.0}
    >>> value_at_k([["tea", "pot"], ["cup"]], [["tea", "cup"], ["cup", "pot"]], value=price)
    4.0
    >>> value_at_k([["tea", "pot"], ["cup"]], [["tea", "cup"], ["cup", "pot"]], value=price, per_user=True)
    array([3., 5.])
    """
    check_flags(per_user=per_user)
    items, values = read_numbers(value, "value", "values")
    lists = read_lists(y_pred, k)
    check_same_kind(lists.ids, items, "value")
    place = lookup(lists.ids, items)
    absent = lists.ids[place < 0]
    if len(absent):
        raise ValueError(
            f"value lacks {len(absent)} of the recommended items, such as {absent.item(0)!r}: give each a value, 0 "
            "where it earns nothing"
        )
    bad = ~np.isfinite(values[place])
    if bad.any():
        raise ValueError(f"value must be finite, got {values[place][bad][0]:g} for {lists.ids[bad].item(0)!r}")
    hits = find_hits(y_true, y_pred, k)
    asked = asked_users(hits)
    worth = np.append(values[place], 0)[lists.codes]  # code -1 takes the last: 0
    of_user = np.where(asked, (worth * hits.is_hit).sum(axis=1), np.nan)
    return of_user if per_user else float(of_user[asked].mean())
