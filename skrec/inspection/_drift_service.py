"""Drift of a service: statistics of its answers by period, and the gauges of a table of scores."""

from collections import deque

import numpy as np
from scipy.stats import norm

from ..utils._arguments import as_floats, check_share, check_whole
from ..utils._time import are_dates, as_days
from ._drift_judge import STATISTICS, judge
from ._drift_log import make_calendar, whole_periods

_SAMPLE = 20_000  # scores kept of one period
_ROLES = ("fallback", "n_known", "n_items", "score", "hit", "user")


def hit_rate_interval(hits, users=None, *, confidence: float = 0.95) -> tuple[float, float, float]:
    r"""Compute the online hit rate and its interval over users.

    Parameters
    ----------
    hits : array-like of shape (n_answers,)
        Whether something recommended was taken, 1 or 0, or the share that was. NaN, not known yet, is left out.
    users : array-like of shape (n_answers,), default=None
        Who was answered. Answers of one user depend on each other; None takes each answer as a user.
    confidence : float, default=0.95
        Confidence of the interval, between 0 and 1.

    Returns
    -------
    rate, low, high : float
        The mean over answers, and the ends of its interval; NaN without an answer, and NaN ends with one user.

    Raises
    ------
    ValueError
        If the lengths differ, or a hit is not between 0 and 1.

    See Also
    --------
    score_requests : Judges the rate by period.

    Notes
    -----
    A ratio of sums over users, with the delta method [1]_: for user i with n_i answers and h_i hits,
    :math:`\mathrm{var}(r) = \frac{m}{m - 1} \sum_i (h_i - r n_i)^2 / (\sum_i n_i)^2` with m users. The ends are cut
    to 0 and 1.

    References
    ----------
    .. [1] A. Deng, U. Knoblich, J. Lu, "Applying the delta method in metric analytics", KDD, 2018, section 3.

    Examples
    --------
    >>> from skrec.inspection import hit_rate_interval
    >>> rate, low, high = hit_rate_interval([1, 0, 0, 1, 0, 0], ["a", "a", "b", "b", "c", "c"])
    >>> round(rate, 3), round(low, 3), round(high, 3)
    (0.333, 0.007, 0.66)
    """
    confidence = check_share(confidence, "confidence")
    hits = as_floats(hits, "hits")
    codes = np.arange(len(hits)) if users is None else _codes(users)
    if len(codes) != len(hits):
        raise ValueError(f"users has {len(codes)} values but hits has {len(hits)}: pass one user for each answer")
    known = ~np.isnan(hits)
    hits, codes = hits[known], codes[known]
    if len(hits) and not (hits.min() >= 0 and hits.max() <= 1):
        raise ValueError(f"hits must lie between 0 and 1, got {hits.min():g} to {hits.max():g}")
    rate, error = _rate(hits, codes)
    low, high = _ends(rate, error, confidence)
    return rate, float(low), float(high)


def score_requests(
    requests,
    *,
    time: str,
    fallback: str | None = None,
    n_known: str | None = None,
    n_items: str | None = None,
    score: str | None = None,
    hit: str | None = None,
    user: str | None = None,
    period="7D",
    window: int = 8,
    warn: float = 4.0,
    alarm: float = 5.0,
    until=None,
):
    """Judge the answers of a service by period, as `DriftMonitor` judges its events.

    Parameters
    ----------
    requests : pandas.DataFrame
        One row per answer.
    time : str
        The column that says when.
    fallback : str, default=None
        The column that says whether the fallback answered: share of fallbacks.
    n_known, n_items : str, default=None
        The columns with the number of the history's items that the model knows, and of all: share of known items.
    score : str, default=None
        The column with a score of the answer, such as that of its first item: Kolmogorov-Smirnov distance to the
        scores of the last `window` periods.
    hit : str, default=None
        The column that says whether something recommended was taken, 1 or 0; NaN where it is not known yet.
    user : str, default=None
        The column that says who, for the interval of the hit rate.
    period : str, number or timedelta, default="7D"
        Length of a period.
    window : int, default=8
        Number of periods before the one judged that are its reference.
    warn, alarm : float, default=4.0 and 5.0
        Absolute z from where the verdict is "warn" and "alarm".
    until : moment, default=None
        Until when the requests are complete. None leaves out a last period that they do not fill.

    Returns
    -------
    pandas.DataFrame
        As :meth:`DriftMonitor.score` returns it, with the columns `low` and `high` besides: the 95 % interval of the
        hit rate, NaN for the others. What was left out is in ``attrs["notes"]``.

    Raises
    ------
    ValueError
        If a column is missing, none is named beside the time, a share is not between 0 and 1, more items are known
        than there are, or no period is whole.

    See Also
    --------
    hit_rate_interval : The interval of the hit rate.
    drift_gauges : Gauges of the scores.

    Notes
    -----
    Cost: O(requests log requests), and for scores a sort of at most 20,000 per period and `window`.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skrec.inspection import score_requests
    >>> rng = np.random.default_rng(0)
    >>> requests = pd.DataFrame({"at": pd.date_range("2024-01-01", periods=12_000, freq="10min")})
    >>> requests["fallback"] = rng.random(12_000) < np.where(requests["at"] < "2024-03-18", 0.01, 0.2)
    >>> scores = score_requests(requests, time="at", fallback="fallback")
    >>> scores.loc[scores["verdict"] == "alarm", "period"].astype(str).tolist()
    ['2024-03-18']
    """
    import pandas as pd

    named = dict(zip(_ROLES, (fallback, n_known, n_items, score, hit, user), strict=True))
    named = {role: column for role, column in named.items() if column is not None}
    for role, column in {"time": time, **named}.items():
        if column not in requests.columns:
            raise ValueError(f"{role}={column!r} is not a column of requests, which has {list(requests.columns)}")
    if ("n_known" in named) != ("n_items" in named):
        raise ValueError("n_known and n_items belong together: name both columns, or none")
    if not set(named) - {"user"}:
        raise ValueError("requests needs a column to judge: name fallback, n_known and n_items, score or hit")
    if not len(requests):
        raise ValueError("requests has no rows: at least one whole period is needed")
    check_whole(window, "window", low=4)
    if not 0 < warn <= alarm:
        raise ValueError(f"warn must be above 0 and at most alarm, got warn={warn} and alarm={alarm}")
    times = as_days(requests[time].to_numpy(), "time")
    order = np.argsort(times, kind="stable")
    times = times[order]
    columns = {
        role: (_codes(requests[column]) if role == "user" else as_floats(requests[column], role))[order]
        for role, column in named.items()
    }
    _check_ranges(columns, named)
    dated = are_dates(requests[time].to_numpy())
    calendar = make_calendar(period, dated)
    first, last, notes = whole_periods(times, calendar, until)
    if last < first:
        raise ValueError(f"requests has no whole period of {period!r}: {'; '.join(notes)}: wait, or give until=")
    numbers = np.arange(first, last + 1)
    bounds = np.searchsorted(calendar.number(times), np.arange(first, last + 2))
    values: dict = {}
    noise: dict = {}
    recent: deque[np.ndarray] = deque(maxlen=window)  # scores of the last periods
    for place, number in enumerate(numbers):
        part = {role: column[bounds[place] : bounds[place + 1]] for role, column in columns.items()}
        if "score" in part:
            part["score"] = _sample(part["score"])
        found = _statistics(part, recent)
        values[number] = {name: one[0] for name, one in found.items()}
        noise[number] = {name: one[1] for name, one in found.items()}
        if "score" in part:
            recent.append(part["score"])
    tables = [pd.DataFrame(list(one.values()), index=list(one)).astype(np.float64) for one in (values, noise)]
    names = [name for name in STATISTICS if name in tables[0]]
    scores = judge(
        tables[0][names], tables[1][names].fillna(0.0), {}, rows=range(len(numbers)), calendar=calendar, window=window,
        warn=warn, alarm=alarm,
    )  # fmt: skip
    is_rate = scores["statistic"] == "online_hit_rate"
    errors = {calendar.start(number): found.get("online_hit_rate", np.nan) for number, found in noise.items()}
    error = scores["period"].map(errors).where(is_rate)
    scores["low"], scores["high"] = _ends(scores["value"].to_numpy(), error.to_numpy(dtype=np.float64))
    scores.attrs |= {"notes": notes, "thresholds": (float(warn), float(alarm))}
    return scores


def drift_gauges(scores) -> dict[str, float]:
    """Return the scores of the last period as gauges for a metrics system such as Prometheus.

    Parameters
    ----------
    scores : pandas.DataFrame
        What :meth:`DriftMonitor.score`, :meth:`DriftMonitor.score_log` or :func:`score_requests` returned.

    Returns
    -------
    dict of str to float
        ``skrec_drift_alarms``, ``skrec_drift_warnings``, ``skrec_drift_as_a_year_ago`` and ``skrec_drift_unjudged``
        (numbers of statistics), ``skrec_drift_period_start_seconds`` (since 1970; only for dates), and of each
        statistic ``skrec_drift_<statistic>`` (its value) and ``skrec_drift_<statistic>_z``. A z that is not known
        is NaN.

    Raises
    ------
    ValueError
        If there is no score.

    See Also
    --------
    DriftMonitor : Computes the scores.

    Examples
    --------
    >>> from skrec.datasets import load_online_retail
    >>> from skrec.inspection import DriftMonitor, drift_gauges
    >>> gauges = drift_gauges(DriftMonitor().score_log(load_online_retail().histories))
    >>> gauges["skrec_drift_alarms"], round(gauges["skrec_drift_unknown_items"], 4)
    (0.0, 0.0013)
    """
    if not len(scores):
        raise ValueError("scores has no rows: score at least one whole period")
    last = scores[scores["period"] == scores["period"].max()]
    counts = last["verdict"].value_counts()
    named = {"alarms": "alarm", "warnings": "warn", "as_a_year_ago": "as a year ago", "unjudged": "unjudged"}
    gauges = {f"skrec_drift_{name}": float(counts.get(verdict, 0)) for name, verdict in named.items()}
    start = last["period"].iloc[0]
    if hasattr(start, "timestamp"):
        gauges["skrec_drift_period_start_seconds"] = float(start.timestamp())
    for row in last.itertuples():
        gauges[f"skrec_drift_{row.statistic}"] = float(row.value)
        gauges[f"skrec_drift_{row.statistic}_z"] = float(row.z)
    return gauges


def _check_ranges(columns: dict, named: dict) -> None:
    for role in ("fallback", "hit"):
        values = np.append(columns.get(role, np.empty(0)), 0.0)
        low, high = np.nanmin(values), np.nanmax(values)
        if low < 0 or high > 1:
            raise ValueError(f"{role} column {named[role]!r} must lie between 0 and 1, got {low:g} to {high:g}")
    if "n_items" in columns:
        wrong = (columns["n_known"] < 0) | (columns["n_known"] > columns["n_items"])
        if wrong.any():
            raise ValueError(
                f"n_known column {named['n_known']!r} must lie between 0 and n_items, which it does not in "
                f"{int(wrong.sum()):,} of {len(wrong):,} rows"
            )


def _codes(users) -> np.ndarray:
    import pandas as pd

    return pd.factorize(np.asarray(users, dtype=object), use_na_sentinel=False)[0]


def _sample(values: np.ndarray) -> np.ndarray:
    """Return the values that are known, evenly thinned to at most `_SAMPLE`."""
    known = values[~np.isnan(values)]
    return known[:: max(1, -(-len(known) // _SAMPLE))]


def _ends(rate, error, confidence: float = 0.95) -> np.ndarray:
    """Return the ends of the interval of a rate, cut to 0 and 1, shape (2, ...)."""
    reach = norm.ppf((1 + confidence) / 2) * error
    return np.clip([rate - reach, rate + reach], 0, 1)


def _rate(hits: np.ndarray, users: np.ndarray) -> tuple[float, float]:
    """Return a mean over answers and its standard error, clustered by user."""
    if not len(hits):
        return np.nan, np.nan
    rate = float(hits.mean())
    n, total = np.bincount(users), np.bincount(users, weights=hits)
    n_users = np.count_nonzero(n)
    if n_users < 2:
        return rate, np.nan
    spread = np.square(total - rate * n).sum() * n_users / (n_users - 1)
    return rate, float(np.sqrt(spread) / len(hits))


def _statistics(part: dict, recent) -> dict:
    from scipy.stats import ks_2samp

    found: dict = {}
    if "fallback" in part and not np.isnan(part["fallback"]).all():
        fallback = part["fallback"][~np.isnan(part["fallback"])]
        rate = float(fallback.mean())
        found["fallback_share"] = (rate, np.sqrt(max(rate * (1 - rate), 1e-4) / len(fallback)))
    both = ~np.isnan(part["n_items"] + part["n_known"]) if "n_items" in part else np.zeros(0, dtype=bool)
    if both.any() and part["n_items"][both].sum() > 0:
        known, n = part["n_known"][both].sum(), part["n_items"][both].sum()
        found["known_items"] = (known / n, np.sqrt(max(known / n * (1 - known / n), 1e-4) / n))
    if "score" in part:
        now, before = part["score"], np.concatenate([*recent, np.empty(0)])
        if len(now) and len(before):
            found["score_shift"] = (float(ks_2samp(now, before, method="asymp").statistic), 0.5 / np.sqrt(len(now)))
    if "hit" in part:
        known = ~np.isnan(part["hit"])
        users = part["user"][known] if "user" in part else np.arange(int(known.sum()))
        rate, error = _rate(part["hit"][known], users)
        if rate == rate:
            found["online_hit_rate"] = (rate, error)
    return found
