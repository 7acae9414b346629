"""Splitting histories into what a model may know and what it is asked."""

import numbers

import numpy as np

from ._arguments import check_choice, check_flags, check_seed, check_share, check_verbose, check_whole
from ._containers import count_rows, keep_events, keep_items, take_rows
from ._histories import Histories, read_histories
from ._row_blocks import number_baskets
from ._time import as_moment


def split_last(
    X,
    n: int = 1,
    *,
    unit: str = "event",
    min_history: int = 1,
    exclude_seen: bool = False,
    exclude_unknown: bool = False,
    verbose: int = 1,
):
    """Hold out the last events, or the last baskets, of each user.

    Every row stays. A user with fewer than ``n + min_history`` events keeps the whole history, for training, and gets
    an empty y, which the metrics leave out.

    Parameters
    ----------
    X : sequence of histories or frame with the list column `item`
        One row per user, oldest event first.
    n : int, default=1
        How many of the last events, or baskets, to hold out.
    unit : {"event", "basket"}, default="event"
        What is counted. A basket holds the events of one user at one time, so X needs the column `time`: dates, or the
        numbers of the baskets. An item counts once in a y.
    min_history : int, default=1
        How many events, or baskets, must remain; 0 also asks for the first of a user.
    exclude_seen : bool, default=False
        Leave out of y the items that stand in what remains of the user's own history: the question is then which new
        item comes, not which one is bought again.
    exclude_unknown : bool, default=False
        Leave out of y the items that stand in no remaining history of any user: a model that only learns from histories
        cannot recommend them.
    verbose : int, default=1
        Print how many held-out items were left out on request; 0 for silence.

    Returns
    -------
    X_history : same container as X
        The histories without the held-out events. In a frame, the columns `item`, `time`, `weight` and `event` are cut
        alike and the others are untouched.
    y : container of lists
        The held-out item ids of each user, oldest first: a Series for a frame or a Series, a list for a list, an
        object array for an array.

    Raises
    ------
    ValueError
        If nothing is held out: no history is long enough, or every held-out item was left out; if baskets are asked for
        and X has no times.
    TypeError
        If X is not a form of histories.

    See Also
    --------
    split_time : Hold out what happened after a moment: closer to how a model is used.
    split_users : Hold out whole users.

    Notes
    -----
    Done twice it gives train, validation and test, as in [1]_: fit on ``X_train`` and choose by ``y_val``, then score
    the chosen model once on ``X_test`` and ``y_test``. The last events of different users lie at different times, so
    a model may learn from events that come after those it is asked about; `split_time` has no such leak.

    References
    ----------
    .. [1] K. Zhou et al., "S3-Rec: self-supervised learning for sequential recommendation with mutual information
       maximization", CIKM, 2020.

    Examples
    --------
    >>> from skrec.model_selection import split_last
    >>> histories = [["a", "b", "c"], ["b", "c"], ["a"]]
    >>> X_test, y_test = split_last(histories)
    >>> X_test, y_test
    ([['a', 'b'], ['b'], ['a']], [['c'], ['c'], []])
    >>> X_train, y_val = split_last(X_test)
    >>> X_train, y_val
    ([['a'], ['b'], ['a']], [['b'], [], []])

    The next basket, of baskets that have numbers instead of dates:

    >>> import pandas as pd
    >>> baskets = pd.DataFrame({"item": [["milk", "tea", "tea", "pot"], ["pot"]], "time": [[1, 1, 2, 2], [1]]})
    >>> X_history, y = split_last(baskets, unit="basket")
    >>> X_history["item"].tolist(), y.tolist()
    ([['milk', 'tea'], ['pot']], [['tea', 'pot'], []])
    """
    n, min_history = check_whole(n, "n"), check_whole(min_history, "min_history", low=0)
    check_flags(exclude_seen=exclude_seen, exclude_unknown=exclude_unknown)
    check_verbose(verbose)
    check_choice(unit, "unit", ("event", "basket"))
    histories = read_histories(X)
    if unit == "event":
        lengths = histories.lengths
        held_out = _mark_last(histories, np.where(lengths >= n + min_history, n, 0))
    else:
        held_out, lengths = _mark_last_baskets(histories, n, min_history)
    if not held_out.any():
        raise ValueError(
            f"no history of X has the n + min_history = {n + min_history} {unit}s needed to hold out {n} (the longest "
            f"has {lengths.max(initial=0)}): lower n or min_history"
        )
    if unit == "basket":
        held_out, kept = held_out.copy(), ~held_out
        held_out[held_out] = _first_in_row(histories, held_out)
        asked = _leave_out(histories, kept, held_out, exclude_seen, exclude_unknown, verbose)
        return keep_events(X, histories, kept), keep_items(X, histories, asked)
    asked = _leave_out(histories, ~held_out, held_out, exclude_seen, exclude_unknown, verbose)
    return keep_events(X, histories, ~held_out), keep_items(X, histories, asked)


def split_time(
    X,
    at,
    *,
    until=None,
    exclude_seen: bool = False,
    exclude_unknown: bool = False,
    verbose: int = 1,
):
    """Hold out what happened after a moment.

    Every row stays: a user whose events all come before `at` gets an empty y, and a user whose events all come after
    it gets an empty history.

    Parameters
    ----------
    X : pandas or polars frame with the list columns `item` and `time`
        One row per user, oldest event first.
    at : number, date, or str such as "2011-11-01"
        Events before this moment are history; a date without a zone is read as UTC.
    until : number, date or str, default=None
        Events from this moment on are dropped; None holds out all that follow `at`.
    exclude_seen : bool, default=False
        Leave out of y the items that stand in what remains of the user's own history: the question is then which new
        item comes, not which one is bought again.
    exclude_unknown : bool, default=False
        Leave out of y the items that stand in no remaining history of any user: a model that only learns from histories
        cannot recommend them.
    verbose : int, default=1
        Print how many held-out items were left out on request; 0 for silence.

    Returns
    -------
    X_history : same container as X
        The histories before `at`. The columns `item`, `time`, `weight` and `event` are cut alike and the others are
        untouched: user features that were computed from later events still leak.
    y : Series of lists
        The held-out item ids of each user, each once, in the order in which they first appear.

    Raises
    ------
    ValueError
        If X has no times, if no event is before `at` or none is held out, or if `until` is not after `at`.
    TypeError
        If X is not a form of histories, or `at` is not a moment.

    See Also
    --------
    split_last : Hold out the last events, for histories without times.
    SameUsers : Search parameters on such a split.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.model_selection import split_time
    >>> X = pd.DataFrame({"item": [["a", "b", "a"], ["b"]], "time": [[1, 5, 9], [2]]}, index=["ann", "bob"])
    >>> X_history, y = split_time(X, at=5)
    >>> X_history
        item time
    ann  [a]  [1]
    bob  [b]  [2]
    >>> y.tolist()
    [['b', 'a'], []]
    """
    check_flags(exclude_seen=exclude_seen, exclude_unknown=exclude_unknown)
    check_verbose(verbose)
    histories = read_histories(X)
    if histories.time is None:
        raise ValueError(
            "X has no times: pass a frame with the list column 'time', which to_histories(..., time=...) makes, or use "
            "split_last"
        )
    start = as_moment(at, "at", dated=histories.dated)
    stop = np.inf if until is None else as_moment(until, "until", dated=histories.dated)
    if not stop > start:
        raise ValueError(f"until={until!r} must be after at={at!r}: swap them or leave until out")
    before = histories.time < start
    held_out = ~before & (histories.time < stop)
    if not before.any() or not held_out.any():
        what = "no event of X is before" if not before.any() else "nothing is held out, no event of X follows"
        span = "" if until is None or not before.any() else f" and comes before until={until!r}"
        raise ValueError(
            f"{what} at={at!r}{span}: {_time_range(histories.time, histories.dated)}, choose a moment inside"
        )
    held_out[held_out] = _first_in_row(histories, held_out)
    asked = _leave_out(histories, before, held_out, exclude_seen, exclude_unknown, verbose)
    return keep_events(X, histories, before), keep_items(X, histories, asked)


def split_users(
    X,
    *,
    test_size: float | int = 0.2,
    held_out: int | float = 1,
    order: str = "last",
    random_state=None,
):
    """Hold out whole users, to measure how well a model serves users it was not fitted on.

    Parameters
    ----------
    X : sequence of histories or frame with the list column `item`
        One row per user, oldest event first.
    test_size : float or int, default=0.2
        Share of the users, or number of users, held out of training.
    held_out : int or float, default=1
        What a test user is asked about: a number of events, or a share of the user's events between 0 and 1 (rounded,
        at least one). At least one event always remains; a user with too few events keeps them and gets an empty y.
    order : {"last", "random"}, default="last"
        Whether these are the last events or random ones.
    random_state : int, RandomState instance or None, default=None
        Draws the users and the random events; pass an int for the same split each time.

    Returns
    -------
    X_train : same container as X
        Whole histories of the training users, in the order of X.
    X_test : same container as X
        What remains of the histories of the test users.
    y_test : container of lists
        The held-out item ids of the test users.

    Raises
    ------
    ValueError
        If no user or every user would be held out, if no test user has enough events, or a parameter is out of its
        range.
    TypeError
        If X is not a form of histories.

    See Also
    --------
    split_last : Keeps every user in training.

    Notes
    -----
    This is called strong generalisation [1]_. To cross-validate in this way, split once with `split_last` and pass X,
    y and ``cv=5`` to scikit-learn: a recommender's ``fit`` ignores y.

    References
    ----------
    .. [1] B. Marlin, "Collaborative filtering: a machine learning perspective", MSc thesis, University of Toronto,
       2004.

    Examples
    --------
    >>> from skrec.model_selection import split_users
    >>> histories = [["a", "b"], ["b", "c"], ["a", "c"], ["c", "a", "b"]]
    >>> X_train, X_test, y_test = split_users(histories, test_size=1, random_state=0)
    >>> X_train, X_test, y_test
    ([['a', 'b'], ['b', 'c'], ['c', 'a', 'b']], [['a']], [['c']])
    """
    n_users = count_rows(X)
    n_test = _test_count(test_size, n_users)
    check_choice(order, "order", ("last", "random"))
    as_share = not isinstance(held_out, numbers.Integral)
    held_out = check_share(held_out, "held_out") if as_share else check_whole(held_out, "held_out")

    rng = check_seed(random_state)
    is_test = np.zeros(n_users, dtype=bool)
    is_test[rng.permutation(n_users)[:n_test]] = True
    X_test = take_rows(X, np.flatnonzero(is_test))
    histories = read_histories(X_test)
    lengths = histories.lengths
    if as_share:
        wanted = np.maximum(np.rint(held_out * lengths).astype(np.int64), 1)
        n_held_out = np.minimum(wanted, np.maximum(lengths - 1, 0))
    else:
        n_held_out = np.where(lengths > held_out, held_out, 0)
    if not n_held_out.any():
        raise ValueError(
            f"held_out={held_out}, but no test user has enough events (the longest history has "
            f"{lengths.max(initial=0)}): hold out less or raise test_size"
        )
    asked = _mark_last(histories, n_held_out)
    if order == "random":  # shuffle the marks within each row
        asked = asked[np.lexsort([rng.random_sample(len(asked)), histories.rows])]
    X_train = take_rows(X, np.flatnonzero(~is_test))
    return X_train, keep_events(X_test, histories, ~asked), keep_items(X_test, histories, asked)


def _test_count(test_size, n_users: int) -> int:
    if isinstance(test_size, numbers.Integral):
        n_test = check_whole(test_size, "test_size", low=0)
    else:
        n_test = round(check_share(test_size, "test_size") * n_users)
    if not 0 < n_test < n_users:
        raise ValueError(
            f"test_size={test_size} holds out {n_test} of {n_users} users, but at least one must be held out and one "
            "remain: choose another test_size"
        )
    return n_test


def _mark_last(histories: Histories, n_last: np.ndarray) -> np.ndarray:
    """Mark the last events of each row, as many as asked; shape (n_events,)."""
    runs = np.column_stack([histories.lengths - n_last, n_last]).reshape(-1)
    return np.repeat(np.tile([False, True], len(histories)), runs)


def _mark_last_baskets(histories: Histories, n: int, min_history: int) -> tuple[np.ndarray, np.ndarray]:
    """Mark the events of the last baskets of users with enough, (n_events,); also return the numbers of baskets."""
    if histories.time is None:
        raise ValueError(
            "unit='basket' needs histories with the list column 'time', dates or numbers of baskets, which "
            "to_histories(..., time=...) makes"
        )
    basket, first = number_baskets(histories.indptr, histories.time)
    n_baskets = np.diff(first)
    start = np.where(n_baskets >= n + min_history, first[1:] - n, first[1:])
    return basket >= start[histories.rows], n_baskets


def _keys(histories: Histories, events: np.ndarray) -> np.ndarray:
    """Number the pairs of row and item of some events."""
    return histories.rows[events] * max(len(histories.ids), 1) + histories.codes[events]


def _first_in_row(histories: Histories, events: np.ndarray) -> np.ndarray:
    import pandas as pd

    return ~pd.Index(_keys(histories, events)).duplicated()


def _leave_out(histories, history, held_out, exclude_seen, exclude_unknown, verbose) -> np.ndarray:
    """Return the held-out events that are asked about, and say how many are not."""
    import pandas as pd

    asked = held_out.copy()
    if exclude_unknown:
        known = np.zeros(len(histories.ids), dtype=bool)
        known[histories.codes[history]] = True
        asked &= known[histories.codes]
    if exclude_seen:
        wanted = _keys(histories, asked)
        remaining = _keys(histories, history)
        seen = remaining[pd.Index(remaining).isin(wanted)]
        asked[asked] = ~pd.Index(wanted).isin(seen)
    total, left_out = np.count_nonzero(held_out), np.count_nonzero(held_out) - np.count_nonzero(asked)
    reasons = " and ".join(
        reason
        for asked_for, reason in [
            (exclude_seen, "already in the user's history"),
            (exclude_unknown, "in no history"),
        ]
        if asked_for
    ).replace(" and in", " or in")
    if left_out == total:
        raise ValueError(
            f"all {total} held-out items were left out ({reasons}): keep them, exclude_seen=False and "
            "exclude_unknown=False, or split elsewhere"
        )
    if left_out and verbose:
        print(f"Left out {left_out} of {total} held-out items: {reasons}.")
    return asked


def _time_range(time: np.ndarray, dated: bool) -> str:
    if len(time) == 0:
        return "X has no events"
    first, last = time.min(), time.max()
    if dated:
        first, last = (np.datetime64(round(days * 86_400), "s") for days in (first, last))
    return f"the times go from {first} to {last}"
