"""Who buys next: histories at some moments, and whether something followed."""

import numbers

import numpy as np

from ..utils._containers import is_stored, keep_events, take_rows
from ..utils._histories import is_frame, read_histories
from ..utils._time import as_duration, as_moment, latest_time


def split_next_purchase(X, at, horizon="30D", *, event=None):
    """Make the rows and labels of a classifier that asks who buys within a time after a moment.

    Each moment gives one row per user who had an event before it: the history up to the moment, and whether an event
    follows within `horizon`. Users without a past at a moment have no row there: they stand in the log only because
    they come later, so their empty history would give the label away.

    Parameters
    ----------
    X : pandas or polars frame with the list columns `item` and `time`
        One row per user, oldest event first.
    at : number, date, str such as "2011-11-01", or list of these
        The moment, or several to learn from: rows come in the order of the moments, then of the users.
    horizon : float or str, default="30D"
        How far to look ahead: days (or the unit of numeric times), or text such as ``"30D"``.
    event : str or int, default=None
        Only events of this name count as what follows, such as "purchase" in a log of views and purchases; the
        history keeps all. None counts every event.

    Returns
    -------
    X_history : same kind of frame as X
        The histories before the moments, with the column `at`, the moment of each row. Other columns are untouched:
        user features that were computed from later events still leak.
    y : ndarray of shape (n_rows,), dtype int64
        1 if the user has an event from the moment on and before moment + horizon, 0 otherwise.

    Raises
    ------
    ValueError
        If X has no times or has a column `at` already, if no user has an event before a moment, or if X ends before
        the horizon does.
    TypeError
        If X is not a frame, or `at` is not a moment.

    See Also
    --------
    skrec.feature_extraction.BehaviorFeatures : Turns the rows into numbers.
    split_time : Holds out which items follow.

    Notes
    -----
    Learn from earlier moments and test on a later one, ``moment of the test >= last moment of the training +
    horizon``: then every label of the training was known when the test began. The same user stands in several rows.
    To cross-validate over users, pass ``groups=X_history.index`` to a :class:`~sklearn.model_selection.GroupKFold`.

    The day of the latest event counts as seen to its end; no label may look beyond it.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.model_selection import split_next_purchase
    >>> X = pd.DataFrame({"item": [["a", "b", "a"], ["b"]], "time": [[1, 5, 9], [2]]}, index=["ann", "bob"])
    >>> X_history, y = split_next_purchase(X, at=[2, 5], horizon=4)
    >>> X_history
           item    time  at
    ann     [a]     [1]   2
    ann     [a]     [1]   5
    bob     [b]     [2]   5
    >>> y
    array([1, 1, 0])
    """
    if not is_frame(X):
        make = "pass to_frame() of these rows, or of a part" if is_stored(X) else "make it with to_histories(time=)"
        raise TypeError(f"X must be a frame with the list columns 'item' and 'time': {make}")
    histories = read_histories(X)
    if histories.time is None:
        raise ValueError("X has no times: make it with to_histories(time=), which adds the list column 'time'")
    if "at" in X.columns:
        raise ValueError("X has a column 'at' already: drop or rename it, the moments of the rows go there")
    counts = np.ones(len(histories.codes), dtype=bool)
    if event is not None:
        if histories.event_ids is None:
            raise ValueError(f"event={event!r} needs histories with the column 'event': see to_histories(event=)")
        names = histories.event_ids.tolist()
        if not isinstance(event, (str, numbers.Integral)) or event not in names:
            raise ValueError(f"event={event!r} is none of the events {names[:8]}: name one of them")
        counts = histories.event_codes == names.index(event)

    moments = list(at) if isinstance(at, (list, tuple)) or getattr(at, "ndim", 0) == 1 else [at]
    if not moments:
        raise ValueError("at is an empty list: name at least one moment")
    length = as_duration(horizon, "horizon", dated=histories.dated)
    latest = latest_time(histories.time, histories.dated) if len(histories.time) else -np.inf
    frames, labels = [], []
    for moment in moments:
        start = as_moment(moment, "at", dated=histories.dated)
        if start + length > np.floor(latest) + 1:
            if np.isfinite(latest) and histories.dated:
                latest = np.datetime64(round(latest * 86_400), "s")
            raise ValueError(
                f"horizon={horizon!r} after at={moment!r} reaches beyond the last event of X ({latest}), so it is not "
                "known who buys: choose an earlier at or a shorter horizon"
            )
        before = histories.time < start
        follows = counts & ~before & (histories.time < start + length)
        past = np.bincount(histories.rows[before], minlength=len(histories)) > 0
        if not past.any():
            raise ValueError(f"no user of X has an event before at={moment!r}: choose a later moment")
        bought = np.bincount(histories.rows[follows], minlength=len(histories)) > 0
        rows = np.flatnonzero(past)
        frames.append(_with_moment(take_rows(keep_events(X, histories, before), rows), moment))
        labels.append(bought[rows].astype(np.int64))
    return _stack(frames), np.concatenate(labels)


def _with_moment(frame, moment):
    if not isinstance(moment, numbers.Real):
        import pandas as pd

        moment = pd.Timestamp(moment)
        moment = moment.tz_convert(None) if moment.tzinfo is not None else moment
    if hasattr(frame, "with_columns"):
        import polars as pl

        value = moment if isinstance(moment, numbers.Real) else moment.to_pydatetime()
        return frame.with_columns(pl.lit(value).alias("at"))
    return frame.assign(at=moment)


def _stack(frames: list):
    if len(frames) == 1:
        return frames[0]
    if hasattr(frames[0], "with_columns"):
        import polars as pl

        return pl.concat(frames)
    import pandas as pd

    return pd.concat(frames)
