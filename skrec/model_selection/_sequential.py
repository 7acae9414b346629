"""Bounds that hold at every look: asymptotic confidence sequences, and the power of looking daily."""

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import norm

FEWEST = 50  # users a variant: below, the normal approximation behind the bounds is not trusted
_GRID = 401


def tuned(alpha: float) -> float:
    r"""Return the intrinsic time at which a normal mixture boundary is narrowest.

    It minimises the factor of :func:`multiplier`: the root of :math:`x - \log(1 + x) = -2 \log \alpha`.
    """
    x = -2 * np.log(alpha)
    for _ in range(100):
        x = np.log1p(x) - 2 * np.log(alpha)
    return float(x)


def multiplier(n, planned: float, alpha: float) -> np.ndarray:
    r"""Return by how many standard errors the bounds lie away at n users, valid at all n together.

    Asymptotic confidence sequences [1]_, equation 2.2 with :math:`\rho^2 = x / \mathrm{planned}`:

    .. math::

        c_n = \sqrt{\frac{n \rho^2 + 1}{n \rho^2} \log \frac{n \rho^2 + 1}{\alpha^2}}

    Parameters
    ----------
    n : array-like
        Numbers of users.
    planned : float
        The number of users at which the bounds are narrowest.
    alpha : float
        Probability that the truth is ever outside.

    References
    ----------
    .. [1] I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy, A. Ramdas, "Time-uniform central limit theory and
       asymptotic confidence sequences", Annals of Statistics, 2024 (arXiv 2103.06476).
    """
    x = np.asarray(n, dtype=np.float64) * tuned(alpha) / planned
    with np.errstate(divide="ignore"):
        return np.sqrt((x + 1) / x * np.log((x + 1) / alpha**2))


def p_value(z, n, planned: float, alpha: float) -> np.ndarray:
    """Return the p-value that is valid at every look: the level at which the bounds would just touch 0.

    The boundary stays tuned for `alpha`, so that it is below `alpha` exactly where 0 is outside the bounds.
    """
    x = np.asarray(n, dtype=np.float64) * tuned(alpha) / planned
    return np.minimum(1.0, np.sqrt(x + 1) * np.exp(-np.square(z) * x / (2 * (x + 1))))


def crossing(drift: float, n_looks: int, alpha: float) -> np.ndarray:
    r"""Return the probability that 0 is outside the bounds at some of the first looks, after each look.

    A Brownian motion with drift is seen at the times k / n_looks and its density within the bounds is carried from
    look to look by numerical integration [1]_. The bounds are narrowest at the last look.

    Parameters
    ----------
    drift : float
        Expected difference in standard errors at the last look.
    n_looks : int
        Number of looks, evenly spaced in users.
    alpha : float
        Level of the bounds.

    Returns
    -------
    ndarray of shape (n_looks,)
        Probabilities, not decreasing.

    References
    ----------
    .. [1] P. Armitage, C. K. McPherson, B. C. Rowe, "Repeated significance tests on accumulating data", Journal of the
       Royal Statistical Society A, 1969.
    """
    times = np.arange(1, n_looks + 1) / n_looks
    ends = multiplier(times, 1.0, alpha) * np.sqrt(times)
    step, gain = np.sqrt(1 / n_looks), drift / n_looks
    weights = np.full(_GRID, 1.0)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0  # Simpson's rule
    grid = np.linspace(-ends[0], ends[0], _GRID)
    density = norm.pdf(grid, gain, step)
    inside = [float(norm.cdf(ends[0], gain, step) - norm.cdf(-ends[0], gain, step))]
    for end in ends[1:]:
        held = density * weights * (grid[1] - grid[0]) / 3
        inside.append(float(held @ (norm.cdf(end, grid + gain, step) - norm.cdf(-end, grid + gain, step))))
        following = np.linspace(-end, end, _GRID)
        density = norm.pdf(following[:, None], grid[None, :] + gain, step) @ held
        grid = following
    return np.maximum.accumulate(1 - np.asarray(inside))


def fixed_multiplier(alpha: float) -> float:
    """Return by how many standard errors the bounds of a single look lie away."""
    return float(ndtri(1 - alpha / 2))


def fixed_p_value(z) -> np.ndarray:
    """Return the two-sided p-value of a single look."""
    return 2 * ndtr(-np.abs(z))
