"""The result of an online experiment: differences between variants, user by user, with bounds that allow looking."""

import warnings
from collections.abc import Mapping

import numpy as np

from ..utils._arguments import check_choice, check_share, check_whole, shown
from ..utils._time import as_duration
from ._cuped import effect, fieller
from ._experiment import Experiment, _read_variants
from ._experiment_data import Look, Rows, look_at, moments, read_metrics, read_rows
from ._experiment_result import MISMATCH, ExperimentResult
from ._sequential import FEWEST, fixed_multiplier, fixed_p_value, multiplier, p_value


def analyze_experiment(
    events,
    *,
    metrics,
    user: str = "user",
    variant: str = "variant",
    control: str = "control",
    weights=None,
    covariates=None,
    time: str | None = None,
    every="1D",
    bounds: str = "sequential",
    planned_users: int = 10_000,
    confidence: float = 0.95,
    cap: float | None = None,
    on_mismatch: str = "raise",
) -> ExperimentResult:
    r"""Compare the variants of an online experiment, user by user.

    Parameters
    ----------
    events : pandas or polars DataFrame, or pyarrow Table
        One or more rows per user: impressions, sessions, orders, or one row with totals. Users who were shown a
        variant and did nothing need a row too, with zeros.
    metrics : str, or dict of str to str or pair
        What is compared. A column is summed by user, and the mean over users is compared. A pair of columns
        ``("clicked", "shown")`` is a ratio of sums; ``("clicked", None)`` divides by the number of rows.
    user, variant : str, default="user" and "variant"
        Columns of the user and of the variant. Rows without one of them, or of the variant "holdout", are left out
        and counted.
    control : str, default="control"
        The variant that the others are compared with.
    weights : Experiment, or dict of str to float, default=None
        Planned weights of the variants, for the check of the sample ratio; None is equal.
    covariates : str or list of str, default=None
        Columns of what the user did before the experiment, the same on each row of a user, for CUPED. Users without
        a past (missing values) are a group of their own.
    time : str, default=None
        Column of times; with it, the result has what was known at the end of each `every`.
    every : float, str or timedelta, default="1D"
        Time between looks, in days if a number.
    bounds : {"sequential", "fixed"}, default="sequential"
        "sequential" holds at all looks together, so you may look daily and stop when you like. "fixed" is narrower and
        holds for one look at a date that was fixed before the start.
    planned_users : int, default=10_000
        Number of users, of all variants, at which sequential bounds are narrowest. Choose it before the start and keep
        it. At ten times as many users the bounds are 7 % wider than the narrowest, at a tenth 26 %.
    confidence : float, default=0.95
        Confidence of the intervals of all variants together, for each metric: with more than one variant beside the
        control, the level of each is divided by their number.
    cap : float, default=None
        A quantile, such as 0.999, of the users' sums of the numerator, beyond which they are set to it. It makes the
        bounds of amounts narrower and changes what is measured. None caps nothing.
    on_mismatch : {"raise", "warn", "ignore"}, default="raise"
        What to do when the numbers of users contradict the weights.

    Returns
    -------
    ExperimentResult
        Tables, notes and a text.

    Raises
    ------
    ValueError
        If the sample ratio contradicts the weights, a column is missing or has no numbers, or there are fewer than two
        variants.
    TypeError
        If an argument has a wrong type.

    Warns
    -----
    UserWarning
        If the sample ratio contradicts the weights, with ``on_mismatch="warn"``.

    See Also
    --------
    Experiment : Gives users their variants.
    plan_experiment : How many users are needed.
    skrec.inspection.ExperimentDisplay : Draws the result.

    Notes
    -----
    **By user.** Users are assigned, so users are what varies. The clicks of one user depend on each other, and an
    analysis by impression finds differences where there are none. A ratio :math:`R = \sum Y_i / \sum N_i` has, by the
    delta method [1]_, the variance of the mean over users of :math:`(Y_i - R N_i) / \bar N`.

    **Looking.** Sequential bounds are asymptotic confidence sequences [2]_: :math:`\hat\Delta \pm c_n s` with

    .. math::

        c_n = \sqrt{\frac{x + 1}{x} \log \frac{x + 1}{\alpha^2}}, \quad
        x = \frac{n}{n_\text{planned}} x^*, \quad x^* = \log(1 + x^*) - 2 \log \alpha.

    At ``n = planned_users`` and 95 % they are 3.04 standard errors wide on each side where "fixed" has 1.96. The
    p-value is the level at which the bounds would touch 0. They take the number of users for time. Where all users came
    at once and only their events grow, up to 600 looks stay within the level.

    **CUPED** [3]_ subtracts what the users' past explains: :math:`\hat\Delta - \theta^\top (\bar X_1 - \bar X_0)`, with
    :math:`\theta` of least variance. A covariate that the experiment changed makes the result wrong.

    **Sample ratio.** A chi-square test of the users of each variant against `weights`, at .0005 [4]_. A mismatch means
    that users are lost in one variant: find the reason, the difference is not to be trusted.

    **Lift** is the difference in percent of the control, with Fieller's interval, which holds 0 exactly where the
    interval of the difference does.

    No bounds are given below 50 users in a variant.

    References
    ----------
    .. [1] A. Deng, U. Knoblich, J. Lu, "Applying the delta method in metric analytics: a practical guide with novel
       ideas", KDD, 2018.
    .. [2] I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy, A. Ramdas, "Time-uniform central limit theory and
       asymptotic confidence sequences", Annals of Statistics, 2024 (arXiv 2103.06476).
    .. [3] A. Deng, Y. Xu, R. Kohavi, T. Walker, "Improving the sensitivity of online controlled experiments by
       utilizing pre-experiment data", WSDM, 2013.
    .. [4] A. Fabijan et al., "Diagnosing sample ratio mismatch in online controlled experiments", KDD, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skrec.model_selection import Experiment, analyze_experiment
    >>> experiment = Experiment("new ranker", ["control", "hybrid"])
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"user": np.arange(4000)})
    >>> table["variant"] = experiment.assign_many(table["user"])
    >>> table["shown"] = rng.poisson(20, 4000) + 1
    >>> table["clicked"] = rng.binomial(table["shown"], np.where(table["variant"] == "hybrid", 0.13, 0.1))
    >>> result = analyze_experiment(table, metrics={"click rate": ("clicked", "shown")}, weights=experiment)
    >>> result.table[["metric", "variant", "verdict"]].values.tolist()
    [['click rate', 'hybrid', 'higher']]
    """
    metrics = read_metrics(metrics)
    check_choice(bounds, "bounds", ("sequential", "fixed"))
    check_choice(on_mismatch, "on_mismatch", ("raise", "warn", "ignore"))
    planned_users = check_whole(planned_users, "planned_users", low=2 * FEWEST)
    confidence = check_share(confidence, "confidence")
    cap = None if cap is None else check_share(cap, "cap")
    shares = read_weights(weights)
    step = as_duration(every, "every") if time is not None else 1.0
    options = {"user": user, "variant": variant, "covariates": covariates, "time": time, "every": step}
    read = read_rows(events, metrics=metrics, weights=shares, **options)
    _control_first(read, control)
    if shares is None:
        shares = dict.fromkeys(read.variants, 1.0)
        read.notes.append("weights were not given: the sample ratio is checked against equal ones")
    users, mismatch = _check_ratio(read, shares, on_mismatch)
    alpha = (1 - confidence) / (len(read.variants) - 1)
    design = (bounds, planned_users, alpha)
    look = look_at(read, len(read.user))
    table = [row for name in metrics for row in _compare(read, look, name, metrics[name], cap, design, read.notes)]
    by_metric: dict[str, list] = {name: [] for name in metrics}
    for moment, upto in zip(read.looks, read.ends, strict=True):
        look = look_at(read, upto)
        for name, rows in by_metric.items():
            rows += [{"time": moment} | row for row in _compare(read, look, name, metrics[name], cap, design, None)]
    return ExperimentResult(
        table,
        users=users,
        p_mismatch=mismatch,
        over_time=[row for rows in by_metric.values() for row in rows],
        notes=read.notes,
        control=control,
        bounds=bounds,
        planned_users=planned_users,
        confidence=confidence,
    )


def read_weights(weights) -> dict[str, float] | None:
    """Return the weights of an experiment or a dict."""
    if weights is None:
        return None
    if isinstance(weights, Experiment):
        return weights.variants
    if not isinstance(weights, Mapping):
        raise TypeError(f"weights must be an Experiment or a dict of variant to weight, got {shown(weights)}")
    return _read_variants(weights)


def _control_first(read: Rows, control: str) -> None:
    """Number the variants anew: the control is the first, the others follow by name."""
    if control not in read.variants:
        raise ValueError(f"control={control!r} is none of the variants {sorted(read.variants)}: name one of them")
    order = sorted(read.variants, key=lambda name: (name != control, name))
    place = np.array([order.index(name) for name in read.variants])
    read.variants, read.variant = order, place[read.variant]


def _check_ratio(read: Rows, shares: dict, on_mismatch: str) -> tuple[list[dict], float]:
    from scipy.stats import chisquare

    names = [*read.variants, *(name for name in shares if name not in read.variants)]
    counts = np.bincount(read.variant, minlength=len(names))
    expected = np.array([shares[name] for name in names])
    expected = expected / expected.sum() * counts.sum()
    mismatch = float(chisquare(counts, expected).pvalue)
    rows = zip(names, counts, expected, strict=True)
    users = [{"variant": name, "users": int(count), "expected": float(wanted)} for name, count, wanted in rows]
    if mismatch < MISMATCH:
        found = ", ".join(f"{row['variant']} {row['users']:,} (expected {row['expected']:,.0f})" for row in users)
        text = (
            f"the numbers of users contradict the weights (p = {mismatch:.1e}): {found}. Users are lost or counted "
            "twice in a variant, so that differences cannot be trusted: find the reason"
        )
        if on_mismatch == "raise":
            raise ValueError(f'{text}, or pass on_mismatch="warn" to see them all the same')
        if on_mismatch == "warn":
            warnings.warn(text, stacklevel=3)
        read.notes.append(text)
    return users, mismatch


def _compare(read: Rows, look: Look, name: str, metric: tuple, cap, design: tuple, notes) -> list[dict]:
    bounds, planned, alpha = design
    found, n_capped = moments(read, look, metric, cap)
    if notes is not None and n_capped:
        notes.append(f"{name}: the sums of {n_capped:,} users are capped at the quantile {cap:g}")
    n_total = sum(float(one.n) for one in found)
    rows = []
    for variant, treated in zip(read.variants[1:], found[1:], strict=True):
        n = int(treated.n), int(found[0].n)
        row: dict = {"metric": name, "variant": variant, "users": n[0], "control_users": n[1]}
        row |= compare_moments(found[0], treated, n_total, bounds, planned, alpha)
        if notes is not None and np.isnan(row["low"]):
            few = min(n) < FEWEST
            reason = f"only {min(n)} users in a variant, and {FEWEST} are needed" if few else "values that do not vary"
            if not few and 0 in (found[0].mean[1], treated.mean[1]):
                reason = "a denominator that is 0 in a variant"
            elif not few and np.isnan(row["variance_reduction"]):
                reason = "more covariates than the users can bear"
            notes.append(f"{name}, {variant}: no bounds, because of {reason}")
        rows.append(row)
    return rows


def compare_moments(control, treated, n_total, bounds: str, planned: float, alpha: float) -> dict:
    """Return the columns of the result for two variants, or for arrays of them."""
    found = effect(control, treated)
    enough = (np.minimum(control.n, treated.n) >= FEWEST) & (found.error > 0)
    error = np.where(enough, found.error, np.nan)
    z = found.difference / error
    if bounds == "sequential":
        c, p = multiplier(n_total, planned, alpha), p_value(z, n_total, planned, alpha)
    else:
        c, p = np.asarray(fixed_multiplier(alpha)), fixed_p_value(z)
    low, high = found.difference - c * error, found.difference + c * error
    lift_low, lift_high = (np.where(enough, end, np.nan) for end in fieller(found.adjusted, c))
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = np.where(found.adjusted[1] > 0, found.difference / found.adjusted[1], np.nan)
    columns = {
        "value": found.value,
        "control_value": found.control,
        "difference": found.difference,
        "low": low,
        "high": high,
        "lift": lift,
        "lift_low": lift_low,
        "lift_high": lift_high,
        "p_value": p,
        "standard_error": error,
        "variance_reduction": found.reduction,
    }
    if np.ndim(low) > 0:
        return columns
    verdict = "higher" if low > 0 else "lower" if high < 0 else "undecided"
    return {name: float(value) for name, value in columns.items()} | {"verdict": verdict}
