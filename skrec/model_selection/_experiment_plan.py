"""Size and duration of an experiment, before its start."""

import math
from numbers import Real

import numpy as np
from sklearn.utils import Bunch

from ..utils._arguments import check_choice, check_share, is_no_number, shown
from ._cuped import Moments, ratio_gradient
from ._experiment import _read_variants
from ._experiment_data import look_at, moments, read_metrics, read_user_rows
from ._sequential import FEWEST, crossing, fixed_multiplier

_MOST_DAYS = 1000
_MOST_LOOKS = 100


def experiment_baseline(
    events, *, metric, user: str = "user", covariate: str | None = None, time: str | None = None, cap=None
) -> Bunch:
    """Measure on past data what the plan of an experiment needs.

    Parameters
    ----------
    events : pandas or polars DataFrame, or pyarrow Table
        One or more rows per user of a period as long as the experiment shall be.
    metric : str or pair of str
        A column whose sums by user are averaged, or a pair (numerator, denominator) for a ratio of sums, as in
        :func:`analyze_experiment`.
    user : str, default="user"
        Column of the user.
    covariate : str, default=None
        Column of what the user did before the period, for CUPED.
    time : str, default=None
        Column of times, from which the number of new users a day is counted.
    cap : float, default=None
        A quantile of the users' sums beyond which they are capped.

    Returns
    -------
    sklearn.utils.Bunch
        ``mean``, ``variance`` (per user; of the linearised ratio for a ratio), ``correlation`` with the covariate (0
        without one) and ``users_per_day`` (users who come for the first time, a day, over the whole period; None
        without times), the arguments of :func:`plan_experiment`.

    Raises
    ------
    ValueError
        If a column is missing or has no numbers.

    See Also
    --------
    plan_experiment : Takes the result.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.model_selection import experiment_baseline
    >>> table = pd.DataFrame({"user": [1, 1, 2, 3], "clicked": [1, 0, 1, 0], "shown": [4, 2, 3, 1]})
    >>> baseline = experiment_baseline(table, metric=("clicked", "shown"))
    >>> round(baseline.mean, 4), round(baseline.variance, 4)
    (0.2, 0.0108)
    """
    metrics = read_metrics({"metric": metric})
    read, days = read_user_rows(events, user=user, metrics=metrics, covariates=covariate, time=time)
    cap = None if cap is None else check_share(cap, "cap")
    found, _ = moments(read, look_at(read, len(read.user)), metrics["metric"], cap)
    all_users: Moments = found[0]
    ratio, gradient = ratio_gradient(all_users.mean)
    variance = float(gradient @ all_users.cov @ gradient)
    explained = 0.0
    if covariate is not None and variance > 0:
        with_z = (gradient @ all_users.cov)[2:]
        explained = float(with_z @ np.linalg.pinv(all_users.cov[2:, 2:], hermitian=True) @ with_z) / variance
    return Bunch(
        mean=float(ratio),
        variance=variance,
        correlation=math.sqrt(min(max(explained, 0.0), 1.0)),
        users_per_day=None if days is None else read.n_users / days,
    )


def plan_experiment(
    lift: float,
    *,
    mean: float,
    variance: float,
    users_per_day: float | None = None,
    correlation: float = 0.0,
    weights=("control", "treatment"),
    power: float = 0.8,
    confidence: float = 0.95,
    bounds: str = "sequential",
) -> Bunch:
    r"""Compute how many users, and days, an experiment needs to find a lift.

    Parameters
    ----------
    lift : float
        The least lift that is to be found, relative to the mean: 0.05 is 5 %.
    mean, variance : float
        Mean and variance over users of the metric without the change; :func:`experiment_baseline` measures them. For a
        ratio of sums, those of the linearised ratio.
    users_per_day : float, default=None
        New users a day who take part. None plans users only, with looks at 28 even steps.
    correlation : float, default=0.0
        Correlation of the metric with the covariate of CUPED, which multiplies the variance by one minus its square.
    weights : dict of str to float, or sequence of str, default=("control", "treatment")
        Weights of the variants, the control first; a sequence gives all the same.
    power : float, default=0.8
        Probability that the lift is found.
    confidence : float, default=0.95
        Confidence of the intervals, divided among the variants as :func:`analyze_experiment` does.
    bounds : {"sequential", "fixed"}, default="sequential"
        As in :func:`analyze_experiment`; "sequential" with a look each day, or 100 even looks in more days.

    Returns
    -------
    sklearn.utils.Bunch
        With the attributes

        - ``users``: number of all variants together, which is `planned_users` of :func:`analyze_experiment`; at least
          50 in each variant, without which it gives no bounds;
        - ``days``: the days until then, None without `users_per_day`;
        - ``expected_users``, ``expected_days``: on average until the lift is found or the end comes, less than the
          above with sequential bounds;
        - ``power``: the probability to find the lift by then;
        - ``false_alarms``: the probability of a difference where there is none.

    Raises
    ------
    ValueError
        If an argument is out of its range, or the experiment would take more than 1,000 days.

    See Also
    --------
    experiment_baseline : Measures the mean and the variance.
    analyze_experiment : The result.

    Notes
    -----
    With shares :math:`q_0, q_1` of the users in the control and in the smallest other variant, the difference has the
    standard error :math:`s = \sqrt{(1 - r^2) \sigma^2 (1 / q_0 + 1 / q_1) / n}`. A fixed look needs
    :math:`\text{lift} \cdot \mu / s = z_{1 - \alpha / 2} + z_\text{power}`. For sequential bounds, the power over the
    daily looks is computed by numerical integration of a Brownian motion with drift [1]_. The mean and variance of a
    user are those at the end of the experiment; where users come again and again, they collect over the days.

    References
    ----------
    .. [1] P. Armitage, C. K. McPherson, B. C. Rowe, "Repeated significance tests on accumulating data", Journal of the
       Royal Statistical Society A, 1969.

    Examples
    --------
    >>> from skrec.model_selection import plan_experiment
    >>> fixed = plan_experiment(0.05, mean=0.1, variance=0.09, users_per_day=5000, bounds="fixed")
    >>> fixed.users, fixed.days
    (113024, 23)
    >>> daily = plan_experiment(0.05, mean=0.1, variance=0.09, users_per_day=5000)
    >>> daily.days, round(daily.expected_days, 1)
    (39, 24.7)
    """
    check_choice(bounds, "bounds", ("sequential", "fixed"))
    lift, mean = _positive(abs(lift) if isinstance(lift, Real) else lift, "lift"), _positive(mean, "mean")
    variance = _positive(variance, "variance")
    per_day = None if users_per_day is None else _positive(users_per_day, "users_per_day")
    if is_no_number(correlation) or not isinstance(correlation, Real) or not -1 < correlation < 1:
        raise ValueError(f"correlation must be a number between -1 and 1, got {shown(correlation)}")
    power, confidence = check_share(power, "power"), check_share(confidence, "confidence")
    shares = np.array(list(_read_variants(weights).values()))
    shares = shares / shares.sum()
    alpha = (1 - confidence) / (len(shares) - 1)
    per_user = (1 - correlation**2) * variance * (1 / shares[0] + 1 / shares[1:].min())

    def drift(users):
        return lift * mean * math.sqrt(users / per_user)

    least = math.ceil(FEWEST / shares.min() * (1 - 1e-12))
    if bounds == "fixed":
        found = _fixed(drift, per_day, power, alpha, per_user / (lift * mean) ** 2, least)
        if per_day is not None:
            _checked_days(found.days, lift, per_day, least)
        return found
    if per_day is None:
        needed = _least(lambda d: crossing(d / 100, 28, alpha)[-1] >= power, 100_000) / 100
        users = max(least, math.ceil(per_user * (needed / (lift * mean)) ** 2))
        return _sequential(drift(users), users, 28, None, alpha)
    days = _least(lambda d: crossing(drift(d * per_day), min(d, _MOST_LOOKS), alpha)[-1] >= power, _MOST_DAYS)
    days = _checked_days(days if days is None else max(days, math.ceil(least / per_day)), lift, per_day, least)
    return _sequential(drift(days * per_day), math.ceil(days * per_day), min(days, _MOST_LOOKS), days, alpha)


def _checked_days(days: int | None, lift: float, per_day: float, least: int) -> int:
    """Refuse a plan of more than 1,000 days; None is more than that."""
    if days is not None and days <= _MOST_DAYS:
        return days
    text = f"lift={lift:g} needs more than {_MOST_DAYS} days at {per_day:g} users a day: "
    if least > _MOST_DAYS * per_day:
        raise ValueError(f"{text}each variant needs {FEWEST} users; give the smallest one more weight, or find users")
    raise ValueError(f"{text}plan for a larger lift, a metric of less variance, or use CUPED")


def _fixed(drift, per_day, power: float, alpha: float, scale: float, least: int) -> Bunch:
    from scipy.special import ndtr, ndtri

    z = fixed_multiplier(alpha)
    users = max(least, math.ceil(scale * (z + ndtri(power)) ** 2))
    days = None if per_day is None else math.ceil(users / per_day)
    reached = float(ndtr(drift(users) - z) + ndtr(-drift(users) - z))
    return Bunch(
        users=users, days=days, expected_users=users, expected_days=days, power=reached, false_alarms=float(alpha)
    )


def _sequential(drift: float, users: int, n_looks: int, days, alpha: float) -> Bunch:
    found = crossing(drift, n_looks, alpha)
    going_on = np.r_[1.0, 1 - found[:-1]].sum() / n_looks  # share of the looks that are needed on average
    return Bunch(
        users=users,
        days=days,
        expected_users=math.ceil(users * going_on),
        expected_days=None if days is None else float(days * going_on),
        power=float(found[-1]),
        false_alarms=float(crossing(0.0, n_looks, alpha)[-1]),
    )


def _least(enough, most: int) -> int | None:
    """Return the least whole number for which something holds that stays true from there on; None beyond `most`."""
    low, high = 0, 1
    while not enough(high):
        if high == most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _positive(value, name: str) -> float:
    if is_no_number(value) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number above 0, got {shown(value)}")
    number = float(value)
    if not 0 < number < math.inf:
        raise ValueError(f"{name} must be a number above 0, got {value!r}")
    return number
