"""Whether a model has aged: its quality since its last event, against a refit."""

import copy
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.isotonic import isotonic_regression
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from ..feature_extraction import to_histories
from ..metrics import paired_bootstrap, ranking_scores
from ..utils._arguments import check_flags, check_share, check_whole
from ..utils._containers import is_stored, keep_events, take_rows
from ..utils._histories import is_frame, read_histories
from ..utils._split import split_time
from ..utils._time import as_duration, as_moment
from ._drift_log import _WHOLE, in_future


def staleness(
    model,
    X,
    *,
    since,
    period="7D",
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    k: int = 10,
    exclude_seen: bool | None = None,
    n_points: int = 8,
    least_loss: float = 0.0,
    refit_cost: float | None = None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state=0,
) -> Bunch:
    r"""Measure how much quality a model has lost since its last event, and say whether to update, refit or leave it.

    For each period after `since`, users are asked with what they had before the period; the model and a refit on all
    events before the period answer, and both are scored by what the users took in it.

    Parameters
    ----------
    model : estimator
        A fitted recommender, or a pipeline that ends in one.
    X : histories of shape (n_users,), or events
        The whole log with times: what the model learned from, and what came since. Events need `user`, `item` and
        `time`.
    since : number, date or str
        The moment until when the model has learned; events at or after it are new to it.
    period : str, number or timedelta, default="7D"
        Length of a period; the first begins at `since`.
    user, item, time : str, default=None
        The columns of events.
    k : int, default=10
        Number of recommendations that count.
    exclude_seen : bool, default=None
        Whether items that a user already had are left out of the question; None asks as the model answers.
    n_points : int, default=8
        Most periods to measure, spread evenly from the first to the last whole one. Each costs a fit.
    least_loss : float, default=0.0
        NDCG that a loss must exceed, with its whole interval, before anything is advised.
    refit_cost : float, default=None
        What a refit costs, in NDCG times periods: 0.01 says that it is worth a loss of 0.01 over one period. None
        leaves out how often to refit.
    confidence : float, default=0.95
        Confidence of the intervals.
    n_resamples : int, default=1000
        Number of bootstrap resamples of the users.
    random_state : int, RandomState instance or None, default=0
        Seed of the bootstrap.

    Returns
    -------
    sklearn.utils.Bunch
        With the attributes

        - ``curve``: a frame with a row per measured period: `age` (periods since `since`), `start`, `n_users`,
          `model` and `refit` (mean NDCG), `loss` (refit minus model), its interval `low`, `high`, and `p_value`;
        - ``loss``, ``low``, ``high``: mean over users of the loss in the later half of the measured ages, with its
          interval;
        - ``update_loss``: the loss that is left at the last age once the model is updated by `partial_fit`; None
          where it cannot be updated;
        - ``advice``: "leave", "update" or "refit", and ``sentence``, why;
        - ``refit_every``: number of periods between refits with the least cost, and ``schedule``, the mean cost per
          period of each number that was measured; None without `refit_cost`.

    Raises
    ------
    ValueError
        If no whole period follows `since`, no user has events in one, or a parameter is out of its range.
    TypeError
        If X is not a form of histories or events.

    See Also
    --------
    DriftMonitor : Whether the log itself has changed.
    skrec.metrics.paired_bootstrap : The intervals.

    Notes
    -----
    A user has one difference, the mean over the periods in which they are asked, since their periods depend on each
    other; users are then resampled. With the loss l(a) at age a, made non-decreasing by isotonic regression, with
    l(0) = 0 and linear between measured ages, refitting every T periods costs per period

    .. math:: c(T) = \frac{1}{T} \Big( \mathrm{cost} + \sum_{a = 0}^{T - 1} l(a) \Big)

    and ``refit_every`` is its minimum over the measured range; the last T of the range means "this long, or longer".

    A user's newest events are in the question whatever the age of the model: what ages is the item side alone. The
    refit has the parameters of the model, not better ones. Dates more than a day from now make no periods.

    Cost: `n_points` fits, and as many predictions for the users of a period twice.

    Examples
    --------
    >>> from skrec.datasets import make_histories
    >>> from skrec.inspection import staleness
    >>> from skrec.linear_model import EASE
    >>> from skrec.model_selection import split_time
    >>> X = make_histories(300, 60, random_state=0)
    >>> X_known, _ = split_time(X, "2024-08-01")
    >>> aged = staleness(EASE(l2=50).fit(X_known), X, since="2024-08-01", period="30D", n_points=3)
    >>> aged.curve["age"].tolist(), aged.advice
    ([0, 2, 4], 'leave')
    """
    k, n_points = check_whole(k, "k"), check_whole(n_points, "n_points")
    confidence = check_share(confidence, "confidence")
    if np.isnan(least_loss):
        raise ValueError(f"least_loss must be a number, got {least_loss!r}")
    if refit_cost is not None and not refit_cost >= 0:
        raise ValueError(f"refit_cost must be at least 0, got {refit_cost!r}")
    X = _histories(X, user, item, time)
    last_step = model.steps[-1][1] if isinstance(model, Pipeline) else model
    if exclude_seen is None:
        exclude_seen = bool(getattr(last_step, "exclude_seen", True))
    check_flags(exclude_seen=exclude_seen)
    read = read_histories(X)
    if read.time is None:
        raise ValueError("X has no times: pass time= to to_histories")
    start = as_moment(since, "since", dated=read.dated)
    length = as_duration(period, "period", dated=read.dated)
    ages = _ages(read, start, length, since, period, n_points)
    options = {"confidence": confidence, "n_resamples": n_resamples, "random_state": random_state}
    points, updated = [], None
    for age in ages:
        at = start + age * length
        asked = _ask(X, read, at, at + length, exclude_seen)
        if asked is None:
            continue
        question, y, rows, known = asked
        refit = clone(model).fit(known)
        scores = [_ndcg(one, question, y, k) for one in (model, refit)]
        points.append((age, at, rows, *scores))
        if age == ages[-1] and age > 0:
            updated = _updated(model, known, start)
            updated = None if updated is None else float(np.mean(scores[1] - _ndcg(updated, question, y, k)))
    if not points:
        raise ValueError(f"no user has events to ask for in the periods after since={since!r}: give a longer log")
    curve = _curve(points, read.dated, options)
    later = [point for point in points if point[0] > 0 and 2 * point[0] >= points[-1][0]]
    loss, low, high = _pooled(later, len(read), options)
    advice, sentence = _advice(loss, low, high, updated, least_loss, model)
    schedule = None if refit_cost is None else _schedule(curve, refit_cost)
    return Bunch(
        curve=curve,
        loss=loss,
        low=low,
        high=high,
        update_loss=updated,
        advice=advice,
        sentence=sentence,
        schedule=schedule,
        refit_every=None if schedule is None else int(schedule.idxmin()),
    )


def _histories(X, user, item, time):
    given = {"user": user, "item": item, "time": time}
    if all(name is None for name in given.values()):
        if not is_frame(X) and not is_stored(X):
            raise TypeError(
                "X must be the frame that to_histories returns, or events with user=, item= and time= named"
            )
        return X
    lacking = [role for role, name in given.items() if name is None]
    if lacking:
        raise ValueError(f"events need user=, item= and time=, but {', '.join(lacking)} is not named")
    return to_histories(X, user=user, item=item, time=time)


def _ages(read, start: float, length: float, since, period, n_points: int) -> list[int]:
    """Return the ages of the periods to measure: at most `n_points` of the whole ones, spread evenly."""
    if not len(read.time) or not read.time.min() < start:
        raise ValueError(f"X has no event before since={since!r}: pass the whole log, what the model learned included")
    # the last period is whole where its end alone, at most _WHOLE, lacks events; a date in the future moves nothing
    latest = read.time[~in_future(read.time, read.dated)].max()
    n_whole = int(np.floor((latest - start) / length + _WHOLE))
    if n_whole < 1:
        raise ValueError(f"no whole period of {period!r} follows since={since!r}: wait, or give a shorter period")
    return np.unique(np.round(np.linspace(0, n_whole - 1, min(n_points, n_whole))).astype(int)).tolist()


def _ask(X, read: Any, at: float, until: float, exclude_seen: bool):
    """Return who is asked and with what, what they took, their rows, and all that was known; None where nobody is."""
    inside = (read.time >= at) & (read.time < until)
    if not inside.any():
        return None
    history, y = split_time(X, at, until=until, exclude_seen=exclude_seen, verbose=0)
    y = list(y)
    rows = np.flatnonzero([len(one) > 0 for one in y])
    if not len(rows):
        return None
    known = keep_events(X, read, read.time < at)
    known = take_rows(known, np.flatnonzero(read_histories(known).lengths > 0))
    return take_rows(history, rows), [y[row] for row in rows], rows, known


def _ndcg(model, question, y, k: int) -> np.ndarray:
    step = model.steps[-1][1] if isinstance(model, Pipeline) else model
    if getattr(step, "k", k) < k:
        raise ValueError(f"model recommends k={step.k} items, fewer than k={k} that count: pass k={step.k}")
    lists = np.asarray(model.predict(question))
    return ranking_scores(y, lists[:, :k], k=min(k, lists.shape[1]), metrics="ndcg").popitem()[1]


def _updated(model, known, start: float):
    """Return a copy of the model that has learned what came since, None where it cannot."""
    if not hasattr(model, "partial_fit"):
        return None
    read: Any = read_histories(known)
    new = np.add.reduceat(read.time >= start, read.indptr[:-1]) > 0
    before = np.add.reduceat(read.time < start, read.indptr[:-1])
    if not new.any():
        return None
    rows = np.flatnonzero(new)
    return copy.copy(model).partial_fit(take_rows(known, rows), since=before[rows].astype(np.int64))


def _curve(points: list, dated: bool, options: dict):
    import pandas as pd

    rows = []
    for age, at, users, stale, fresh in points:
        moment = pd.Timestamp(round(at * 86_400_000), unit="ms") if dated else at
        interval = paired_bootstrap(fresh, stale, **options) if len(users) > 1 else (float(fresh[0] - stale[0]),)
        loss, low, high, p_value = (*interval, np.nan, np.nan, np.nan)[:4]
        rows.append((age, moment, len(users), stale.mean(), fresh.mean(), loss, low, high, p_value))
    return pd.DataFrame(rows, columns=["age", "start", "n_users", "model", "refit", "loss", "low", "high", "p_value"])


def _pooled(points: list, n_users: int, options: dict) -> tuple[float, float, float]:
    """Return the mean over users of their mean loss, and its interval."""
    total, asked = np.zeros(n_users), np.zeros(n_users)
    for _, _, rows, stale, fresh in points:
        total[rows] += fresh - stale
        asked[rows] += 1
    losses = total[asked > 0] / asked[asked > 0]
    if len(losses) < 2:
        return np.nan, np.nan, np.nan
    loss, low, high, _ = paired_bootstrap(losses, np.zeros(len(losses)), **options)
    return loss, low, high


def _advice(loss, low, high, update_loss, least: float, model) -> tuple[str, str]:
    if np.isnan(loss):
        return "leave", "Leave it: fewer than two users can be asked a whole period after its last event."
    found = f"a refit gains {loss:+.4f} NDCG ({low:+.4f} to {high:+.4f})"
    if not low > least:
        shown = "which may be chance" if least == 0 else f"which is not surely above {least:g}"
        return "leave", f"Leave it: {found}, {shown}."
    if update_loss is not None and update_loss <= loss / 2:
        return "update", f"Update it (partial_fit): {found}, and after an update {update_loss:+.4f} is left."
    if update_loss is not None:
        return "refit", f"Refit it: {found}; after an update {update_loss:+.4f} would be left."
    name = type(model).__name__
    return "refit", f"Refit it: {found}; this {name} cannot be updated (incremental=True where it has that)."


def _schedule(curve, cost: float):
    """Return the mean cost per period of a refit every T periods, indexed by T."""
    import pandas as pd

    ages = curve["age"].to_numpy(dtype=np.float64)
    loss = np.where(ages == 0, 0.0, curve["loss"].to_numpy()).clip(min=0)
    loss = isotonic_regression(loss, sample_weight=curve["n_users"].to_numpy(dtype=np.float64))
    steps = np.arange(int(ages.max()) + 1)
    each = np.interp(steps, np.r_[0.0, ages], np.r_[0.0, loss])
    every = steps + 1
    return pd.Series((cost + np.cumsum(each)) / every, index=pd.Index(every, name="refit_every"), name="cost")
