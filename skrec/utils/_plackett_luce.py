"""Plackett-Luce sampling of lists, with the exact probability of each item at its position."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import loggamma

from ._arguments import check_whole, is_no_number, shown

_LOG_ERROR = -28.0  # logarithm of the error of the trapezoidal rule, 7e-13
_LEFT, _RIGHT = 30.0, 3.6  # below, exp(-30) of an item's density; beyond, exp(-exp(3.6)) of it
_WIDEST_GAP = 40.0
_MOST_EXPONENT = 6.0  # exp(-exp(6)) is 0


def sample(scores, k: int, temperature: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    r"""Draw a list of k items from the Plackett-Luce model, with the probability of each at its position.

    The best is drawn with probability proportional to :math:`\exp(s_i / T)`, the next in the same way from the
    rest, and so on: the order of :math:`s_i / T` plus Gumbel noise.

    Parameters
    ----------
    scores : array-like of shape (n_candidates,)
        Scores of the candidates; those of -inf are never drawn.
    k : int
        Number of positions.
    temperature : float
        T; 0 is the order of the scores, without noise.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    order : ndarray of shape (min(k, n_finite),)
        Positions in `scores` of the items drawn, first to last.
    probabilities : ndarray of shape (min(k, n_finite),)
        :func:`chosen_probabilities` of these items.

    Raises
    ------
    TypeError, ValueError
        If a score is NaN or inf, `k` is below 1 or `temperature` below 0.

    Examples
    --------
    >>> import numpy as np
    >>> order, probabilities = sample([2.0, 1.0, 0.0], 2, 0.0, np.random.default_rng(0))
    >>> order.tolist(), probabilities.tolist()
    ([0, 1], [1.0, 1.0])
    """
    log_rates, k = _read(scores, k, temperature)
    noise = 0.0 if temperature == 0 else rng.gumbel(size=len(log_rates))
    order = np.argsort(-(log_rates + noise), kind="stable")[:k]
    if temperature == 0:
        return order, np.ones(len(order))
    return order, _chosen(log_rates, order, np.arange(len(order)), k)


def chosen_probabilities(scores, items: ArrayLike, positions: ArrayLike, temperature: float) -> np.ndarray:
    """Return the probability of some items at some positions of a Plackett-Luce list.

    Parameters
    ----------
    scores : array-like of shape (n_candidates,)
        Scores of the candidates; those of -inf are never drawn.
    items : array-like of int of shape (n,)
        Positions in `scores`, each at most once.
    positions : array-like of int of shape (n,)
        Place of each in the list, 0 is the first.
    temperature : float
        Temperature; 0 is the order of the scores.

    Returns
    -------
    ndarray of shape (n,)
        Probabilities.

    Examples
    --------
    >>> chosen_probabilities([0.0, 0.0, 0.0], [2, 0], [0, 1], 1.0).round(6).tolist()
    [0.333333, 0.333333]
    """
    chosen, places = np.asarray(items, dtype=np.int64), np.asarray(positions, dtype=np.int64)
    if not len(chosen):
        return np.empty(0)
    log_rates, k = _read(scores, int(places.max()) + 1, temperature)
    if temperature == 0:
        place = np.full(len(log_rates), -1)
        order = np.argsort(-log_rates, kind="stable")[:k]
        place[order] = np.arange(len(order))
        return (place[chosen] == places).astype(np.float64)
    return _chosen(log_rates, chosen, places, k)


def position_probabilities(scores, k: int, temperature: float) -> np.ndarray:
    r"""Return the probability of every item at every position of a Plackett-Luce list.

    Parameters
    ----------
    scores : array-like of shape (n_candidates,)
        Scores of the candidates; those of -inf are never drawn.
    k : int
        Number of positions.
    temperature : float
        Temperature; 0 is the order of the scores.

    Returns
    -------
    ndarray of shape (n_candidates, k)
        Columns sum to 1; beyond the number of finite scores to 0.

    Notes
    -----
    The order of Gumbel noise is that of a race of exponential times with the rates
    :math:`\lambda_i = \exp(s_i / T)` [1]_. Item i is at position p if exactly p - 1 of the others were earlier. With
    :math:`x = \log t` and :math:`q_j(x) = 1 - \exp(-\lambda_j e^x)`,

    .. math::

        P(i, p) = \int \lambda_i e^x (1 - q_i(x)) \, P\Big(\sum_{j \ne i} B_j(x) = p - 1\Big) dx, \quad
        B_j(x) \sim \text{Bernoulli}(q_j(x)).

    The count is Poisson-binomial; its distribution without item i is the convolution of those of the items before
    and after i, so that nothing is divided or subtracted. The integrand is analytic and vanishes at both ends, so
    the trapezoidal rule converges geometrically [2]_; its step is chosen by k, for an absolute error below 1e-11.
    Cost: O(n k**2 m) for m nodes, about 200 for k = 10, more where the scores differ by many times T.

    References
    ----------
    .. [1] J. I. Yellott, "The relationship between Luce's choice axiom, Thurstone's theory of comparative judgment,
       and the double exponential distribution", Journal of Mathematical Psychology, 1977.
    .. [2] L. N. Trefethen, J. A. C. Weideman, "The exponentially convergent trapezoidal rule", SIAM Review, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> position_probabilities(np.log([3.0, 1.0]), 2, 1.0).round(6).tolist()
    [[0.75, 0.25], [0.25, 0.75]]
    """
    log_rates, n_places = _read(scores, k, temperature)
    found = np.zeros((len(log_rates), k))
    alive = np.flatnonzero(np.isfinite(log_rates))
    if temperature == 0:
        found[np.argsort(-log_rates, kind="stable")[:n_places], np.arange(n_places)] = 1.0
        return found
    late, density = _curves(log_rates[alive], n_places)
    before = np.empty((len(alive), n_places, late.shape[1]))  # distribution of the count of earlier items, by node
    after = np.empty_like(before)
    first = np.zeros((n_places, late.shape[1]))
    first[0] = 1.0
    before[0], after[-1] = first, first
    for item in range(1, len(alive)):
        before[item] = _with(before[item - 1], late[item - 1])
        after[-1 - item] = _with(after[-item], late[-item])
    after *= density[:, None]
    for count in range(n_places):
        rest = n_places - count
        found[alive, count:n_places] += np.einsum("ix,ipx->ip", before[:, count], after[:, :rest])
    return np.minimum(found, 1.0)


def utilities(scores, *, standardize: bool = True) -> np.ndarray:
    """Return what lists are drawn by: scores, the largest first, with mean 0 and standard deviation 1 if wanted.

    So a temperature means the same for every model; and rules that reorder a list keep their order, since the largest
    score goes to the first candidate.

    Parameters
    ----------
    scores : array-like of shape (n_candidates,)
        Scores of the candidates in the order of the model and its rules; those of -inf stay.
    standardize : bool, default=True
        Whether to subtract the mean and divide by the standard deviation, of the finite ones.

    Returns
    -------
    ndarray of shape (n_candidates,)
        Scores for :func:`sample`.

    Examples
    --------
    >>> utilities([1.0, 5.0, 3.0]).round(4).tolist()
    [1.2247, 0.0, -1.2247]
    """
    values = np.sort(np.array(scores, dtype=np.float64))[::-1]
    finite = np.isfinite(values)
    if not standardize or not finite.any():
        return values
    spread = values[finite].std()
    values[finite] = (values[finite] - values[finite].mean()) / spread if spread > 0 else 0.0
    return values


def _read(scores, k, temperature) -> tuple[np.ndarray, int]:
    """Return the logarithms of the rates, the largest 0, and the number of positions that can be filled."""
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or not len(scores):
        raise ValueError(f"scores needs one score per candidate, got the shape {scores.shape}")
    if np.isnan(scores).any() or (scores == np.inf).any():
        raise ValueError("scores must be finite, or -inf for items that are never drawn, got NaN or inf")
    k = check_whole(k, "k")
    check_temperature(temperature)
    finite = np.isfinite(scores)
    if not finite.any():
        raise ValueError("scores has no finite one: there is no item to draw")
    top = scores - scores[finite].max()
    if temperature > 0:
        top[finite] = _close_gaps(top[finite], temperature)
    return top, min(k, int(finite.sum()))


def _close_gaps(top: np.ndarray, temperature: float) -> np.ndarray:
    """Divide by the temperature, with gaps of at most 40: at exp(-40) the next item never overtakes."""
    order = np.argsort(-top, kind="stable")
    with np.errstate(over="ignore"):
        steps = np.minimum(np.diff(top[order]) / -temperature, _WIDEST_GAP)
    found = np.zeros(len(top))
    found[order[1:]] = -np.cumsum(steps)
    return found


def check_temperature(temperature) -> float:
    """Return a temperature of at least 0 as a float."""
    if is_no_number(temperature) or not isinstance(temperature, (int, float, np.integer, np.floating)):
        raise TypeError(f"temperature must be a number of at least 0, got {shown(temperature)}")
    if not 0 <= temperature < np.inf:
        raise ValueError(f"temperature must be a number of at least 0, got {shown(temperature)}")
    return float(temperature)


def _curves(log_rates: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability (n_items, n_nodes) of each item to be later than each node, and weight times density."""
    best = np.sort(log_rates[np.isfinite(log_rates)])[::-1][: k + 1]  # the rest come later than these or not at all
    step = _step(k)
    nodes = np.arange(-best[0] - _LEFT, -best[-1] + _RIGHT + step, step)
    exponent = np.minimum(log_rates[:, None] + nodes, _MOST_EXPONENT)
    speed = np.exp(exponent)
    late = np.exp(-speed)
    return late, step * speed * late


@lru_cache(maxsize=256)
def _step(k: int) -> float:
    """Return the step at which the rule is exact enough for many items of one rate, where curves are steepest.

    The k-th time then has the density of the logarithm of a Gamma variable of shape k, whose Fourier transform at
    2 pi / step, relative to that at 0, is the error: abs(gamma(k + iw) / gamma(k)).
    """
    frequency = np.arange(10.0, 40.0 + 10 * k, 0.25)
    size = loggamma(k + 1j * frequency).real - loggamma(k)
    return 2 * np.pi / float(frequency[np.argmax(size < _LOG_ERROR)])


def _with(counts: np.ndarray, late: np.ndarray) -> np.ndarray:
    """Return the distribution of the count, by node, with one more item."""
    found = counts * late
    found[1:] += counts[:-1] * (1.0 - late)
    return found


def _chosen(log_rates: np.ndarray, items: np.ndarray, positions: np.ndarray, k: int) -> np.ndarray:
    found = np.zeros(len(items))
    there = np.flatnonzero(np.isfinite(log_rates[items]) & (positions < k))
    if not len(there):
        return found
    late, density = _curves(log_rates, k)  # never-drawn items are always late
    others = np.isfinite(log_rates)
    others[items[there]] = False
    counts = np.zeros((k, late.shape[1]))
    counts[0] = 1.0
    for item in np.flatnonzero(others):
        counts = _with(counts, late[item])
    after = [np.zeros_like(counts)]
    after[0][0] = 1.0
    for one in there[:0:-1]:
        after.append(_with(after[-1], late[items[one]]))
    for one in there:
        position = positions[one]
        rest = after.pop()[position::-1]
        found[one] = (counts[: position + 1] * rest).sum(axis=0) @ density[items[one]]
        counts = _with(counts, late[items[one]])
    return np.minimum(found, 1.0)
