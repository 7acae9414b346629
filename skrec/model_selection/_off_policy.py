"""Off-policy evaluation: what a recommender would have earned, from the lists that another one showed."""

import warnings
from functools import cache

import numpy as np

from ..utils._arguments import as_floats, as_list, check_choice, check_flags, check_seed, check_share, shown
from ._off_policy_checks import check_propensities, check_weights, mean_weights
from ._off_policy_data import Logs, read_logs
from ._off_policy_estimators import (
    direct,
    doubly_robust,
    effective_rewards,
    effective_size,
    interval,
    inverse_propensity,
    mean_and_error,
    overall_size,
    self_normalized,
)
from ._off_policy_result import OffPolicyResult
from ._off_policy_target import Target, read_target
from ._reward_model import check_table, predicted

ESTIMATORS = ("replay", "ips", "snips", "dm", "dr")
_FEWEST_CLUSTERS = 50
_ROUNDING = 1e-6  # of the reward: what probabilities of single precision leave of no difference


def off_policy_evaluation(
    logs,
    policy,
    *,
    histories=None,
    temperature: float = 0.0,
    standardize: bool = False,
    n_candidates: int = 50,
    candidates=None,
    estimators=ESTIMATORS,
    clip: float | None = None,
    reward_model=None,
    features=None,
    rec_id: str = "rec_id",
    position: str = "position",
    item: str = "item",
    probability: str = "probability",
    reward: str = "reward",
    cluster: str | None = None,
    min_ess: float = 100,
    min_rewards: float = 10,
    on_mismatch: str = "raise",
    confidence: float = 0.95,
    random_state=0,
) -> OffPolicyResult:
    r"""Estimate what a policy would have earned, from lists that another policy showed.

    The lists must have been drawn at random, with known probabilities: by Plackett-Luce exploration, or uniformly.

    Parameters
    ----------
    logs : pandas or polars DataFrame, or pyarrow Table
        A row per shown position: the list, the position (from 0 or 1), the item, its probability at this position
        when the list was drawn, and the reward (click, purchase, amount; 0 where nothing happened).
    policy : recommender, table, str or array-like of shape (n_rows,)
        What is judged: a fitted recommender with `histories`; a table of all items at all positions with their
        probabilities, for each list or, without a column of lists, the same for all; or the probability of each logged
        item at its position, as an array or the name of a column of `logs`.
    histories : histories of shape (n_lists,), default=None
        For a recommender: the history of each list's user *as of its time*, in the order in which the lists first
        appear, or a frame whose index names the lists; :func:`histories_at` makes it.
    temperature : float, default=0.0
        For a recommender: temperature of Plackett-Luce lists of its scores; 0 shows its best items.
    standardize : bool, default=False
        For a recommender with a temperature: whether the scores of a list's candidates are first brought to mean 0 and
        standard deviation 1. With True, the temperature is that of ``skrec serve``, and the same for every model.
    n_candidates : int, default=50
        For a recommender with a temperature: number of its best items that lists are drawn from.
    candidates : array-like of shape (n_candidates,), default=None
        For a recommender: the only items it may show, those the service could have shown.
    estimators : str or sequence of str, default=("replay", "ips", "snips", "dm", "dr")
        Which estimates. "dm" and "dr" need to know all items of the policy, so they are not applicable to
        probabilities of the logged items alone.
    clip : float, default=None
        Largest weight; larger ones are set to it, counted, and the bias that this can mean is told. None clips none.
    reward_model : estimator, default=None
        A classifier (of rewards 0 and 1) or regressor for "dm" and "dr", fitted on a frame with the columns ``item``
        (None for items that were never shown), ``position`` (from 0) and those of `features`. None is a rank-one table
        of positions and items.
    features : str or sequence of str, default=None
        Columns of `logs` for `reward_model`, such as the device, that depend on the list and not on the item.
    rec_id, position, item, probability, reward : str
        Names of the columns.
    cluster : str, default=None
        Column whose lists depend on each other; None is "user" where there is one, otherwise the list.
    min_ess : float, default=100
        Effective sample size, in lists, below which an estimate is refused.
    min_rewards : float, default=10
        Effective number of rewarded rows below which an estimate is refused.
    on_mismatch : {"raise", "warn", "ignore"}, default="raise"
        What to do where probabilities contradict the logs: mean weights differ from 1, or 1 / probability averages
        more than the number of items. Right probabilities do so too where the policy shows what is very rare in the
        logs: its weights are large, and did not occur.
    confidence : float, default=0.95
        Confidence of the intervals.
    random_state : int, RandomState instance or None, default=0
        Seed of the folds of "dr", and of "dm" with a `reward_model`, which share the models.

    Returns
    -------
    OffPolicyResult
        Tables, notes and a text.

    Raises
    ------
    ValueError
        If a probability is not in (0, 1], a list has a position or an item twice, probabilities contradict the logs,
        or `histories` do not fit the lists.
    TypeError
        If an argument has a wrong type.

    Warns
    -----
    UserWarning
        If probabilities contradict the logs, with ``on_mismatch="warn"``.

    See Also
    --------
    histories_at : Histories as of the time of each list.
    compare : Adds the estimate to its leaderboard.
    analyze_experiment : The measurement itself, with both variants live.

    Notes
    -----
    With lists :math:`l = 1 \dots L`, the item :math:`i` at position :math:`p`, its probability :math:`b` in the logs
    and :math:`e` under the policy, the weight :math:`w = e / b`, and :math:`n_p` rows at position p:

    - **replay** [1]_: :math:`\sum_p \frac{n_p}{L} \text{mean}\{r : e = 1\}`, for policies without randomness and
      uniform logs;
    - **ips**, item-position [2]_: :math:`\frac{1}{L} \sum w r`;
    - **snips** [3]_: :math:`\sum_p \frac{n_p}{L} \frac{\sum_p w r}{\sum_p w}`;
    - **dm**: :math:`\frac{1}{L} \sum_{l, p} \sum_i e(i) \hat q(i, p)` with a model of the rewards;
    - **dr** [4]_: dm plus :math:`\frac{1}{L} \sum w (r - \hat q)`, with models of other clusters' rows.

    The first three, and dr, assume that the reward of an item at a position does not depend on the other items of the
    list, as in the position-based click model. Where users stop at the first click (cascade) they are biased. dm
    assumes that the model is right; its interval has the error of the table, not that of its form, and there is none
    for a `reward_model`.

    Intervals are those of the delta method, over clusters. The effective sample size of a position is
    :math:`(\sum w)^2 / \sum w^2` [5]_; that of a list is their harmonic mean.

    References
    ----------
    .. [1] L. Li, W. Chu, J. Langford, X. Wang, "Unbiased offline evaluation of contextual-bandit-based news article
       recommendation algorithms", WSDM, 2011.
    .. [2] S. Li, Y. Abbasi-Yadkori, B. Kveton, S. Muthukrishnan, V. Vinay, Z. Wen, "Offline evaluation of ranking
       policies with click models", KDD, 2018.
    .. [3] A. Swaminathan, T. Joachims, "The self-normalized estimator for counterfactual learning", NIPS, 2015.
    .. [4] M. Dudik, J. Langford, L. Li, "Doubly robust policy evaluation and learning", ICML, 2011.
    .. [5] L. Kish, "Survey sampling", 1965.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skrec.model_selection import off_policy_evaluation
    >>> rng = np.random.default_rng(0)
    >>> item = rng.integers(0, 3, 6000)
    >>> logs = pd.DataFrame({"rec_id": range(6000), "position": 0, "item": item, "probability": 1 / 3})
    >>> logs["reward"] = rng.binomial(1, np.array([0.1, 0.1, 0.2])[item])
    >>> best = pd.DataFrame({"position": [0], "item": [2], "probability": [1.0]})
    >>> result = off_policy_evaluation(logs, best)
    >>> result.table.loc["snips", ["low", "high"]].between(0.15, 0.25).all()
    np.True_
    >>> result.table["verdict"].tolist()
    ['observed', 'higher', 'higher', 'higher', 'higher', 'higher']
    """
    asked = [estimators] if isinstance(estimators, str) else as_list(estimators, "estimators", "names")
    asked = [check_choice(one, "estimators", ESTIMATORS) for one in asked]
    check_choice(on_mismatch, "on_mismatch", ("raise", "warn", "ignore"))
    confidence = check_share(confidence, "confidence")
    clip = _limit(clip, "clip", above=0.0) if clip is not None else None
    needed = (_limit(min_ess, "min_ess"), _limit(min_rewards, "min_rewards"))
    rng = check_seed(random_state)
    names = {"rec_id": rec_id, "position": position, "item": item, "probability": probability, "reward": reward}
    read = read_logs(logs, names, cluster, features)
    modelled = "dm" in asked or "dr" in asked
    check_flags(standardize=standardize)
    how = {"histories": histories, "temperature": temperature, "standardize": standardize}
    how |= {"n_candidates": n_candidates, "candidates": candidates}
    target = read_target(policy, read, logs, names, entries=modelled, **how)
    if modelled and reward_model is None and target.row is not None:
        check_table(read)

    weight = target.logged / read.probability
    clipped = weight if clip is None else np.minimum(weight, clip)
    unclipped = effective_size(weight, read.position, read.n_positions)
    sizes = unclipped if clip is None else effective_size(clipped, read.position, read.n_positions)
    mean, error = mean_weights(read, weight)
    notes = [*read.notes, *target.notes]
    weighted = [one for one in asked if one != "dm"]
    if weighted:
        wrong, near = check_weights(read, mean, error, target, unclipped)
        notes += near
        _mismatch(wrong + check_propensities(read), notes, on_mismatch)
    clipping = None if clip is None else _clipping(read, weight, clip, notes)

    logged = read.per_list(read.reward)
    rows = [_row("logged", logged, None, read, confidence, True)]

    @cache
    def expected():
        """Fit the reward models, once for dm and dr, and only where one of them is not refused."""
        return predicted(read, target, reward_model, n_folds=5 if reward_model is None else 2, rng=rng)

    for one in asked:
        rows.append(
            _estimate(one, read, target, clipped, sizes, logged, needed, confidence, reward_model is None, expected)
        )
    if "dm" in asked and target.row is not None:
        _never_shown(read, target, notes)
    return OffPolicyResult(
        rows,
        by_position=_by_position(read, weight, clipped, mean, error, sizes, needed),
        n_lists=read.n_lists,
        n_clusters=int(read.cluster.max()) + 1,
        cluster=read.cluster_by,
        clipping=clipping,
        notes=notes,
        confidence=confidence,
    )


def _limit(value, name: str, above: float | None = None) -> float:
    found = as_floats([value], name)[0]
    if not np.isfinite(found) or found < 0 or (above is not None and found <= above):
        raise ValueError(
            f"{name} must be a number {'above' if above is not None else 'of at least'} 0, got {shown(value)}"
        )
    return float(found)


def _mismatch(wrong: list[str], notes: list[str], on_mismatch: str) -> None:
    if not wrong:
        return
    text = (
        "the probabilities contradict the logs: " + "; ".join(wrong[:3]) + (" ..." if len(wrong) > 3 else "") + ". The "
        "column of probabilities is wrong, or the policy shows items that the logs could not show, or could show so "
        "rarely that they did not: check the column, pass candidates, or collect more logs"
    )
    if on_mismatch == "raise":
        raise ValueError(f'{text}, or pass on_mismatch="warn" to see the estimates all the same')
    if on_mismatch == "warn":
        warnings.warn(text, stacklevel=3)
    notes.append(text)


def _clipping(read: Logs, weight: np.ndarray, clip: float, notes: list[str]) -> dict:
    """Count clipped weights and bound what they mean for ips."""
    over = np.maximum(weight - clip, 0)
    n = int((over > 0).sum())
    bias = float(over.sum() / read.n_lists * np.abs(read.reward).max())
    found = {"limit": clip, "rows": n, "share": n / len(weight), "lost": float(over.sum() / max(weight.sum(), 1e-300))}
    found |= {"observed": float((over * read.reward).sum() / read.n_lists), "bias": bias}
    notes.append(
        f"{n:,} of {len(weight):,} weights are clipped to {clip:g}, {100 * found['lost']:.1f} % of their sum: ips is "
        f"lower by {found['observed']:.3g} a list for it, and the bias is {bias:.3g} at most"
    )
    return found


def _estimate(name, read, target, weight, sizes, logged, needed, confidence, by_table, expected) -> dict:
    """Return the row of an estimator, or why there is none."""
    if name in ("dm", "dr") and target.row is None:
        reason = "only the probabilities of logged items are known, pass a table of the policy or a recommender"
        return _nothing(name, f"not applicable: {reason}")
    if name == "replay":
        uneven = np.ptp(read.probability) > 1e-6 * read.probability.min()
        if not target.is_deterministic or uneven:
            reason = "the policy is random" if not target.is_deterministic else "the logs are not uniform"
            return _nothing(name, f"not applicable: {reason}, see snips")
        weight = target.logged
        sizes = effective_size(weight, read.position, read.n_positions)
    known = True
    size = np.nan if name == "dm" else overall_size(sizes, read.per_position())
    gains = effective_rewards(np.ones(len(weight)) if name == "dm" else weight, read.reward)
    n_clusters = int(read.cluster.max()) + 1
    refusal = None
    if size < needed[0]:
        refusal = f"effective sample size {size:.1f} lists, {needed[0]:g} are needed"
    elif gains < needed[1]:
        refusal = f"effective number of rewards {gains:.1f}, {needed[1]:g} are needed"
    elif n_clusters < _FEWEST_CLUSTERS:
        refusal = f"{n_clusters} independent clusters, {_FEWEST_CLUSTERS} are needed"
    if refusal is not None:
        return _nothing(name, f"refused: {refusal}") | {"ess": size, "rewards": gains}
    if name in ("snips", "replay"):
        values = self_normalized(read, weight)
    elif name == "ips":
        values = inverse_propensity(read, weight)
    elif name == "dr":
        values = doubly_robust(read, weight, *expected())
    elif by_table:
        values = direct(read, target)
    else:
        values, known = read.per_list(expected()[1]), False
    return _row(name, values, logged, read, confidence, known) | {"ess": size, "rewards": gains}


def _nothing(name: str, verdict: str) -> dict:
    columns = ("value", "low", "high", "standard_error", "difference", "difference_low", "difference_high")
    return {"estimator": name} | dict.fromkeys((*columns, "ess", "rewards"), np.nan) | {"verdict": verdict}


def _row(name: str, values, logged, read: Logs, confidence: float, known: bool) -> dict:
    row = _nothing(name, "observed")
    row["value"], error = mean_and_error(values, read.cluster)
    if known:
        row["standard_error"] = error
        row["low"], row["high"] = interval(row["value"], error, confidence)
    if logged is None:
        return row | {"rewards": effective_rewards(np.ones(len(read.rec)), read.reward)}
    row["difference"], error = mean_and_error(values - logged, read.cluster)
    if not known:
        return row | {"verdict": "no interval"}
    low, high = interval(row["difference"], error, confidence)
    least = _ROUNDING * float(np.abs(read.reward).sum()) / read.n_lists
    verdict = "higher" if low > 0 else "lower" if high < 0 else "undecided"
    verdict = verdict if abs(row["difference"]) > least else "undecided"
    return row | {"difference_low": low, "difference_high": high, "verdict": verdict}


def _never_shown(read: Logs, target: Target, notes: list[str]) -> None:
    """Say how much of the policy the reward model has never seen."""
    seen = np.bincount(read.item, minlength=int(target.item.max(initial=-1)) + 1)
    share = float(target.probability[seen[target.item] == 0].sum() / max(target.probability.sum(), 1e-300))
    if share > 0.01:
        notes.append(f"dm: {100 * share:.1f} % of the policy's places have items that were never shown: a guess there")


def _by_position(read: Logs, weight, clipped, mean, error, sizes, needed) -> list[dict]:
    n = read.per_position()
    total = read.per_position(clipped)
    with np.errstate(divide="ignore", invalid="ignore"):
        logged = read.per_position(read.reward) / n
        value = np.where(sizes >= needed[0], read.per_position(clipped * read.reward) / total, np.nan)
    largest = np.zeros(read.n_positions)
    np.maximum.at(largest, read.position, weight)
    cut = read.per_position((clipped < weight).astype(np.float64))
    columns = (n.astype(int), mean, error, sizes, largest, cut.astype(int), logged, value)
    names = ("rows", "mean_weight", "weight_error", "ess", "largest_weight", "clipped", "logged", "value")
    found = zip(read.labels, *(column.tolist() for column in columns), strict=True)
    return [dict(zip(("position", *names), row, strict=True)) for row in found]
