"""Bootstrap over users: how sure a mean, or a difference between two models, is."""

from collections.abc import Iterator

import numpy as np
from sklearn.utils import gen_batches

from ..utils._arguments import as_floats, check_seed, check_share, check_whole

_BLOCK = 1 << 20  # resampled values held at once
_FEW = 20  # drawing the count of a distinct value costs as much as drawing 20 users


def bootstrap_interval(
    values, *, confidence: float = 0.95, n_resamples: int = 1000, random_state=None
) -> tuple[float, float]:
    """Compute a bootstrap confidence interval of the mean over users.

    Parameters
    ----------
    values : array-like of shape (n_users,)
        A metric of each user, as :func:`ranking_scores` returns it; NaN values are left out.
    confidence : float, default=0.95
        Share of repeated samples of users whose interval would hold the true mean, between 0 and 1.
    n_resamples : int, default=1000
        Number of resamples. The ends of the interval are steady to about two digits with 1000.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same interval each time.

    Returns
    -------
    low, high : float
        Ends of the interval.

    Raises
    ------
    ValueError
        If fewer than two values are not NaN, or a parameter is out of its range.

    See Also
    --------
    paired_bootstrap : Compare two models on the same users.

    Notes
    -----
    The percentile interval [1]_: users are drawn with replacement, and the interval lies between the quantiles of the
    resampled means. A metric that takes few distinct values over many users, as NDCG with one held-out item does, is
    resampled through the multinomial counts of its distinct values, which is the same distribution and takes time
    independent of the number of users. Memory is bounded in both cases.

    References
    ----------
    .. [1] B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Examples
    --------
    >>> from skrec.metrics import bootstrap_interval
    >>> hits = [1, 0, 0, 1, 0, 0, 0, 0, 1, 0] * 100
    >>> low, high = bootstrap_interval(hits, random_state=0)
    >>> low < 0.3 < high
    True
    """
    confidence, n_resamples = _parameters(confidence, n_resamples)
    values = _read_values(values, "values")
    means = _resampled_means(_enough(values[~np.isnan(values)], "values"), n_resamples, random_state)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def paired_bootstrap(
    a, b, *, confidence: float = 0.95, n_resamples: int = 1000, random_state=None
) -> tuple[float, float, float, float]:
    r"""Compare two models on the same users.

    Parameters
    ----------
    a, b : array-like of shape (n_users,)
        A metric of each user for the two models, in the same order. Users where either is NaN are left out.
    confidence : float, default=0.95
        Confidence of the interval, between 0 and 1.
    n_resamples : int, default=1000
        Number of resamples; the smallest p-value possible is ``1 / (n_resamples + 1)``.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same answer each time.

    Returns
    -------
    difference : float
        Mean of ``a - b``; above 0 where `a` is better.
    low, high : float
        Ends of the percentile interval of the difference.
    p_value : float
        Two-sided: how often a difference at least this large comes by chance when the models are equally good.

    Raises
    ------
    ValueError
        If the lengths differ, if fewer than two users have both values, or a parameter is out of its range.

    See Also
    --------
    bootstrap_interval : The interval of one model.
    ranking_scores : Gives the values per user.

    Notes
    -----
    The differences per user are resampled. The p-value is
    :math:`(1 + \#\{|d^* - d| \ge |d|\}) / (1 + \mathrm{n\_resamples})`, where d is the mean difference and d*
    that of a resample: shifted by d, the resamples follow the hypothesis that there is no difference [1]_.

    References
    ----------
    .. [1] T. Sakai, "Evaluating evaluation metrics based on the bootstrap", SIGIR, 2006.

    Examples
    --------
    >>> from skrec.metrics import paired_bootstrap
    >>> a = [1, 0, 1, 1, 0, 1, 1, 0, 1, 1] * 20
    >>> b = [1, 0, 0, 1, 0, 0, 1, 0, 1, 0] * 20
    >>> difference, low, high, p_value = paired_bootstrap(a, b, random_state=0)
    >>> round(difference, 3), low > 0, p_value < 0.01
    (0.3, True, True)
    """
    confidence, n_resamples = _parameters(confidence, n_resamples)
    a, b = _read_values(a, "a"), _read_values(b, "b")
    if len(a) != len(b):
        raise ValueError(f"a has {len(a)} users but b has {len(b)}: pass the values of the same users, in one order")
    differences = a - b
    differences = _enough(differences[~np.isnan(differences)], "a and b")
    mean = float(differences.mean())
    means = _resampled_means(differences, n_resamples, random_state)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    as_large = int(np.count_nonzero(np.abs(means - mean) >= abs(mean)))
    return mean, float(low), float(high), (1 + as_large) / (1 + n_resamples)


def _parameters(confidence, n_resamples) -> tuple[float, int]:
    return check_share(confidence, "confidence"), check_whole(n_resamples, "n_resamples")


def _read_values(values, name: str) -> np.ndarray:
    values = as_floats(values, name)
    if values.ndim != 1:
        raise ValueError(
            f"{name} must have one value per user, got the shape {values.shape}: pass one metric at a time"
        )
    if np.isinf(values).any():
        raise ValueError(f"{name} has an infinite value: pass finite values, or NaN for users to leave out")
    return values


def _enough(values: np.ndarray, name: str) -> np.ndarray:
    if len(values) < 2:
        raise ValueError(f"{name} has {len(values)} users with a value, and a bootstrap needs at least 2: add users")
    return values


def _resampled_means(values: np.ndarray, n_resamples: int, random_state) -> np.ndarray:
    rng = np.random.default_rng(check_seed(random_state).randint(np.iinfo(np.int32).max))
    return np.concatenate(list(_blocks_of_means(values, n_resamples, rng)))


def _blocks_of_means(values: np.ndarray, n_resamples: int, rng) -> Iterator[np.ndarray]:
    n = len(values)
    distinct, counts = np.unique(values, return_counts=True)
    few = len(distinct) * _FEW <= n
    width = len(distinct) if few else n
    for rows in gen_batches(n_resamples, max(1, _BLOCK // width)):
        size = rows.stop - rows.start
        if few:
            yield rng.multinomial(n, counts / n, size=size) @ distinct / n
        else:
            yield values[rng.integers(n, size=(size, n), dtype=np.int32 if n < 2**31 else np.int64)].mean(axis=1)
