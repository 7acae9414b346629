"""Histories as of the time of each list that was shown."""

import numpy as np

from ..feature_extraction._event_columns import read_raw
from ..utils._arguments import check_verbose
from ..utils._containers import is_stored, keep_events, take_rows
from ..utils._histories import read_histories
from ..utils._time import are_dates, as_days


def histories_at(histories, logs, *, user: str = "user", time: str = "time", rec_id: str = "rec_id", verbose: int = 1):
    """Return the history of each list's user as it was before the list was shown.

    A model that is judged by logs must not know what came after a list, least of all the click.

    Parameters
    ----------
    histories : pandas DataFrame of shape (n_users, n_columns)
        Histories with the column ``time``, users as index, as :func:`~skrec.feature_extraction.to_histories` returns.
    logs : pandas or polars DataFrame, or pyarrow Table
        A row per shown position or list, with the user and the time.
    user, time, rec_id : str
        Columns of `logs`. Rows of a list have one user; of their times the earliest counts.
    verbose : int, default=1
        Print how many lists have no history.

    Returns
    -------
    pandas DataFrame of shape (n_lists, n_columns)
        Histories by list, in the order in which they first appear, the list as index. Events at the very time of the
        list are left out. Lists of unknown users have an empty history.

    Raises
    ------
    ValueError
        If a column is missing, a user comes twice in `histories`, or a list has several users.
    TypeError
        If `histories` is no pandas frame with times, or one side has dates and the other numbers.

    See Also
    --------
    off_policy_evaluation : Takes them.

    Notes
    -----
    Columns other than events are those of the user, as they are now.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.feature_extraction import to_histories
    >>> from skrec.model_selection import histories_at
    >>> events = pd.DataFrame({"user": ["ann", "ann", "bob"], "item": ["tea", "mug", "pot"], "time": [1, 5, 2]})
    >>> histories = to_histories(events, user="user", item="item", time="time")
    >>> logs = pd.DataFrame({"rec_id": ["a", "b"], "user": ["ann", "ann"], "time": [2, 6]})
    >>> histories_at(histories, logs)["item"].tolist()
    [['tea'], ['tea', 'mug']]
    """
    import pandas as pd

    check_verbose(verbose)
    if not (isinstance(histories, pd.DataFrame) or is_stored(histories)) or "time" not in histories.columns:
        raise TypeError(
            "histories must be a pandas DataFrame with the column 'time' and users as index: see to_histories"
        )
    if not histories.index.is_unique:
        raise ValueError("histories must have each user once in its index")
    raw = read_raw(logs, {"user": user, "time": time, "rec_id": rec_id})
    rec, rec_ids = pd.factorize(raw["rec_id"])
    if not len(rec) or (rec < 0).any():
        raise ValueError(f"logs needs a list in each row of {rec_id!r}, and at least one row")
    who = pd.factorize(raw["user"])[0]
    first = np.empty(len(rec_ids), dtype=np.int64)
    first[rec[::-1]] = np.arange(len(rec))[::-1]
    if (who != who[first[rec]]).any():
        raise ValueError(f"logs must have one user per list, but some lists of {rec_id!r} have several in {user!r}")
    moments = raw["time"].to_numpy()
    found = read_histories(histories)
    if len(found.codes) and are_dates(moments) != found.dated:
        raise TypeError(f"time must be dates in both or numbers in both, but {time!r} of logs and histories differ")
    days = np.full(len(rec_ids), np.inf)
    np.minimum.at(days, rec, as_days(moments, time))
    rows = histories.index.get_indexer(raw["user"].iloc[first]) if len(histories) else np.full(len(rec_ids), -1)
    unknown = rows < 0
    taken = take_rows(histories, np.maximum(rows, 0))
    taken = taken.to_frame() if is_stored(taken) else taken
    parts = read_histories(taken)
    if parts.time is None:
        raise TypeError("histories must have times: pass time to to_histories")
    keep = (parts.time < days[parts.rows]) & ~unknown[parts.rows]
    kept = keep_events(taken, parts, keep)
    kept.index = pd.Index(rec_ids, name=rec_id)
    empty = int((np.bincount(parts.rows[keep], minlength=len(rec_ids)) == 0).sum())
    if verbose and empty:
        print(
            f"{empty:,} of {len(rec_ids):,} lists have no history before them, {int(unknown.sum()):,} by unknown users."
        )
    return kept
