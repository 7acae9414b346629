"""The character of a log: numbers that do not name a user or an item, by which logs are compared."""

import numpy as np

from ..inspection import profile_log
from ..utils._histories import Histories, read_histories, required
from ..utils._row_blocks import BLOCK, number_baskets, row_blocks

_RECENT = 0.1  # share of the events that are the recent part
_YEAR = 365.25  # days
NAN = float("nan")


def log_character(histories) -> dict[str, float]:
    """Describe a log by numbers by which it can be compared with other logs.

    Parameters
    ----------
    histories : histories of shape (n_users,)
        One row per user, as :func:`~skrec.feature_extraction.to_histories` returns them.

    Returns
    -------
    dict of str to float
        NaN is a number that the log does not tell. Users are those with an event.

        - ``n_events``, ``n_users``, ``n_items``: sizes; ``density``: share of the pairs of user and item that occur;
        - ``events_per_user_mean``, ``events_per_user_median``, ``events_per_user_rms``, the root of the mean square;
          ``single_user_share``: share of the users with one event; ``single_item_share``: share of the items that one
          user alone has;
        - ``repeat_share``: share of the events whose item stands earlier in the same history;
          ``repeat_user_share``: share of the users with such an event;
        - ``head_share``: share of the events that are of the most popular tenth of the items; ``gini``: the Gini
          coefficient of the events of the items, 0 where all have the same number, near 1 where one has all;
        - ``next_pair_share``: share of the pairs of successive different items of a user that another user has in
          the same order; ``order_gain``: the mean of this share over the first and the second halves of the histories,
          divided by the share for pairs half a history apart, which are as many. About 1 where order tells nothing;
        - ``has_times``, ``has_dates``: 1 or 0; with times ``basket_size``, the mean number of distinct items that a
          user has at one time, and ``baskets_per_user``, the median number of such times;
        - with times, of the most recent tenth of the events: ``new_item_share``, the share of events of items that
          first occur in it; ``new_user_share``, the share of its users who first occur in it; and
          ``popularity_shift``, 1 minus the cosine of the popularity of the items in it and before, corrected for
          chance: 0 where popularity stays;
        - with dates ``span_days``; ``median_gap_days``, between successive times of a user;
          ``session_user_share``, the share of the users with two events or more whose events lie within a day;
          ``new_items_a_week``, the items that first occur after the first tenth of the span, by week;
          ``weekday_variation`` and ``month_variation``, the coefficients of variation of the events by day of the
          week and by month of the year, NaN for less than four weeks or less than one year.

    Raises
    ------
    TypeError, ValueError
        If `histories` is not a form of histories, or has no event.

    See Also
    --------
    suggest : Recipes that suit such a log.
    skrec.inspection.profile_log : Facts of a log to read.

    Notes
    -----
    The numbers do not depend on the order of the users or on the ids. Above 4,194,304 events the pairs and the border
    of the most recent tenth are estimated from a sample of this size that is spread evenly over the log.

    Examples
    --------
    >>> from skrec.advice import log_character
    >>> character = log_character([["tea", "milk", "tea"], ["tea", "milk"], ["nails"]])
    >>> character["n_users"], round(character["repeat_share"], 2)
    (3.0, 0.17)
    >>> round(character["next_pair_share"], 2), character["has_times"]
    (0.67, 0.0)
    """
    read = read_histories(histories, "histories")
    if len(read.codes) == 0:
        raise ValueError("histories needs at least one event, but has none: check the columns and filters of the log")
    facts = profile_log(read)
    lengths = read.lengths[read.lengths > 0]
    events_of_item, repeating = _item_counts(read)
    next_pairs, order_gain = _pair_shares(read)
    return {
        "n_events": float(facts.n_events),
        "n_users": float(len(lengths)),
        "n_items": float(facts.n_items),
        "density": facts.density * len(read) / len(lengths),
        "events_per_user_mean": float(lengths.mean()),
        "events_per_user_median": facts.events_per_user,
        "events_per_user_rms": float(np.sqrt(np.mean(lengths.astype(float) ** 2))),
        "single_user_share": facts.n_single_users / len(lengths),
        "single_item_share": facts.n_single_items / facts.n_items,
        "repeat_share": facts.repeat_share,
        "repeat_user_share": repeating / len(lengths),
        "head_share": facts.head_share,
        "gini": _gini(events_of_item),
        "next_pair_share": next_pairs,
        "order_gain": order_gain,
        "has_times": float(read.time is not None),
        "has_dates": float(read.dated),
        "basket_size": NAN if facts.basket_size is None else facts.basket_size,
        "baskets_per_user": NAN if facts.baskets_per_user is None else facts.baskets_per_user,
        **_recent(read),
        **_calendar(read),
    }


def _item_counts(read: Histories) -> tuple[np.ndarray, int]:
    """Return the events of each item that occurs, and the number of users who have an item twice."""
    n_ids = len(read.ids)
    events, repeating = np.zeros(n_ids, dtype=np.int64), 0
    for rows in row_blocks(read.indptr):
        block = read[rows]
        events += np.bincount(block.codes, minlength=n_ids)
        pairs = np.unique(block.rows * n_ids + block.codes)
        repeating += int((np.bincount(pairs // n_ids, minlength=len(block)) < block.lengths).sum())
    return events[events > 0], repeating


def _gini(counts: np.ndarray) -> float:
    """Return the Gini coefficient of positive counts."""
    counts, n = np.sort(counts), len(counts)
    return float((2 * np.arange(1, n + 1) - n - 1) @ counts / (n * counts.sum()))


def _pair_shares(read: Histories) -> tuple[float, float]:
    """Return the share of the pairs of successive items that two users have, and how much order adds to it."""
    if len(read.codes) > BLOCK:  # users of all lengths
        order = np.argsort(read.lengths, kind="stable")
        read = read.take_rows(order[:: -(-len(read.codes) // BLOCK)])
    rows, events = read.rows, np.arange(len(read.codes))
    half = events + (read.lengths[rows] + 1) // 2
    ends = read.indptr[rows + 1]
    every = _shared_pairs(read, rows, events, events + 1, events + 1 < ends)
    far, begun, ended = (
        _shared_pairs(read, rows, first, second, half < ends)
        for first, second in ((events, half), (events, events + 1), (half - 1, half))
    )
    return every, (begun + ended) / (2 * far) if far > 0 else NAN


def _shared_pairs(read: Histories, rows, events, later, chosen) -> float:
    """Return the share of the distinct (user, item, later item) of chosen events whose pair a second user has."""
    n_ids = len(read.ids)
    first, second = read.codes[events[chosen]].astype(np.int64), read.codes[later[chosen]].astype(np.int64)
    differ = first != second
    if not differ.any():
        return NAN
    _, pair = np.unique((first * n_ids + second)[differ], return_inverse=True)
    n_pairs = int(pair.max()) + 1
    users_of_pair = np.bincount(np.unique(rows[chosen][differ] * n_pairs + pair) % n_pairs)
    return float(users_of_pair[users_of_pair > 1].sum() / users_of_pair.sum())


def _recent(read: Histories) -> dict[str, float]:
    """Compare the most recent tenth of the events with what was before."""
    names = ("new_item_share", "new_user_share", "popularity_shift")
    if read.time is None:
        return dict.fromkeys(names, NAN)
    sample = read.time[:: -(-len(read.time) // BLOCK)]
    border = float(np.quantile(sample, 1 - _RECENT, method="higher"))
    if not read.time.min() < border:
        return dict.fromkeys(names, NAN)
    n_ids = len(read.ids)
    before, after, events_after = np.zeros((3, n_ids), dtype=np.int64)
    new_users = recent_users = 0
    for rows in row_blocks(read.indptr):
        block = read[rows]
        is_recent = required(block.time, "time") >= border
        before += _users_of_items(block.rows[~is_recent], block.codes[~is_recent], n_ids)
        after += _users_of_items(block.rows[is_recent], block.codes[is_recent], n_ids)
        events_after += np.bincount(block.codes[is_recent], minlength=n_ids)
        recent = np.bincount(block.rows[is_recent], minlength=len(block))
        recent_users += int((recent > 0).sum())
        new_users += int(((recent > 0) & (recent == block.lengths)).sum())
    values = (
        events_after[before == 0].sum() / events_after.sum(),
        new_users / recent_users,
        _shift(before.astype(float), after.astype(float)),
    )
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _users_of_items(rows: np.ndarray, codes: np.ndarray, n_ids: int) -> np.ndarray:
    return np.bincount(np.unique(rows * n_ids + codes) % n_ids, minlength=n_ids)


def _shift(before: np.ndarray, after: np.ndarray) -> float:
    """Return 1 minus the cosine of two distributions of which counts are known, each norm without its chance part."""
    norms = (before @ (before - 1)) * (after @ (after - 1))
    return float(np.clip(1 - before @ after / np.sqrt(norms), 0, 1)) if norms > 0 else NAN


def _calendar(read: Histories) -> dict[str, float]:
    """Return what only dates tell."""
    names = ("span_days", "median_gap_days", "session_user_share", "new_items_a_week", "weekday_variation")
    values = dict.fromkeys((*names, "month_variation"), NAN)
    if read.time is None or not read.dated:
        return values
    start, end = float(read.time.min()), float(read.time.max())
    span = end - start
    first = np.full(len(read.ids), np.inf)
    weekdays, months = np.zeros(7, dtype=np.int64), np.zeros(12, dtype=np.int64)
    gaps, n_short, n_several = [], 0, 0
    for rows in row_blocks(read.indptr):
        block = read[rows]
        times = required(block.time, "time")
        np.minimum.at(first, block.codes, times)
        day = np.floor(times).astype(np.int64)
        weekdays += np.bincount(day % 7, minlength=7)
        months += np.bincount(day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12, minlength=12)
        several = block.lengths > 1
        ends = times[block.indptr[1:][several] - 1] - times[block.indptr[:-1][several]]
        n_short, n_several = n_short + int((ends <= 1).sum()), n_several + int(several.sum())
        basket, first_of_user = number_baskets(block.indptr, times)
        begins = np.flatnonzero(np.diff(basket, prepend=-1) > 0)
        between = np.diff(times[begins])
        borders = first_of_user[1:-1] - 1  # from the last basket of a user to the first of the next
        gaps.append(np.delete(between, np.unique(borders[(borders >= 0) & (borders < len(between))])))
    every = np.concatenate(gaps)
    late = np.isfinite(first) & (first >= start + _RECENT * span)
    if len(every):
        values["median_gap_days"] = float(np.median(every))
    if n_several:
        values["session_user_share"] = n_short / n_several
    if span > 0:
        values["new_items_a_week"] = float(late.sum() / ((1 - _RECENT) * span / 7))
    values["span_days"] = span
    if span >= 28:
        values["weekday_variation"] = float(weekdays.std() / weekdays.mean())
    if span >= _YEAR - 1:
        values["month_variation"] = float(months.std() / months.mean())
    return values
