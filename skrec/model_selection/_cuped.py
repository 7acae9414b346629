"""Effects of variants from the moments of their users: delta method for ratios, CUPED with what users did before."""

from typing import NamedTuple

import numpy as np

_ROUNDING = 1e-12


class Moments(NamedTuple):
    """Users of one variant: their number, and mean and covariance of what was measured on them.

    The columns are the numerator, the denominator (1 for a mean over users), and then the covariates. Leading axes,
    such as days or simulated experiments, are allowed.

    Attributes
    ----------
    n : ndarray of shape (...)
        Number of users.
    mean : ndarray of shape (..., n_columns)
        Means.
    cov : ndarray of shape (..., n_columns, n_columns)
        Unbiased covariances.
    """

    n: np.ndarray
    mean: np.ndarray
    cov: np.ndarray

    @classmethod
    def of(cls, columns) -> "Moments":
        """Compute the moments of an array of shape (n_users, n_columns)."""
        columns = np.asarray(columns, dtype=np.float64)
        n = np.asarray(float(len(columns)))
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = columns.sum(axis=0) / n
            centred = columns - mean  # sums of squares of large amounts would lose their differences
            return cls(n, mean, centred.T @ centred / (n - 1))


class Effect(NamedTuple):
    """Two variants compared: arrays of the leading shape of the moments."""

    value: np.ndarray
    control: np.ndarray
    difference: np.ndarray
    error: np.ndarray  # standard error of the difference
    adjusted: tuple  # value, control after CUPED; their variances and covariance: for the interval of the lift
    reduction: np.ndarray  # share of the variance of the difference that CUPED took away


def ratio_gradient(mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the ratio of the first two means, and its gradient.

    The delta method [1]_: :math:`\hat R = \bar Y / \bar N` has the variance of the mean over users of
    :math:`(Y_i - R N_i) / \bar N`, which is :math:`g^\top \Sigma g / n`.

    References
    ----------
    .. [1] A. Deng, U. Knoblich, J. Lu, "Applying the delta method in metric analytics: a practical guide with novel
       ideas", KDD, 2018, section 3.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = mean[..., 0] / mean[..., 1]
        gradient = np.zeros_like(mean)
        gradient[..., 0] = 1 / mean[..., 1]
        gradient[..., 1] = -ratio / mean[..., 1]
    return ratio, gradient


def effect(control: Moments, treated: Moments) -> Effect:
    r"""Compare a variant with the control.

    Without covariates :math:`\hat\Delta = \hat R_1 - \hat R_0`. With covariates X, which the experiment cannot have
    changed, CUPED [1]_ subtracts :math:`\theta^\top (\bar X_1 - \bar X_0)`. The :math:`\theta` of least variance is
    :math:`(\Sigma_1^{XX} / n_1 + \Sigma_0^{XX} / n_0)^{-1} (\Sigma_1^{XZ} / n_1 + \Sigma_0^{XZ} / n_0)`, with Z the
    linearised ratio of :func:`ratio_gradient`. The variance counts what it costs to learn
    :math:`\theta` from the same users.

    References
    ----------
    .. [1] A. Deng, Y. Xu, R. Kohavi, T. Walker, "Improving the sensitivity of online controlled experiments by
       utilizing pre-experiment data", WSDM, 2013.
    """
    n0, n1 = control.n[..., None], treated.n[..., None]
    ratio0, gradient0 = ratio_gradient(control.mean)
    ratio1, gradient1 = ratio_gradient(treated.mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = _variance(gradient0, control) + _variance(gradient1, treated)
        if control.mean.shape[-1] == 2:
            zero = np.zeros_like(plain)
            adjusted = (ratio1, ratio0, _variance(gradient1, treated), _variance(gradient0, control), zero)
            error = _above_rounding(np.sqrt(plain), _size(gradient0, control) + _size(gradient1, treated))
            return Effect(ratio1, ratio0, ratio1 - ratio0, error, adjusted, zero)
        theta, rank = _theta(control, treated, gradient0, gradient1)
        shift = (theta * (treated.mean - control.mean)[..., 2:]).sum(axis=-1)
        share0 = (n0 / (n0 + n1))[..., 0]
        # each value is adjusted to the mean covariates of both: value 1 by its own users and those of the control
        own1, other1 = gradient1.copy(), np.zeros_like(gradient0)
        own0, other0 = gradient0.copy(), np.zeros_like(gradient1)
        own1[..., 2:], other1[..., 2:] = -theta * share0[..., None], theta * share0[..., None]
        own0[..., 2:], other0[..., 2:] = -theta * (1 - share0)[..., None], theta * (1 - share0)[..., None]
        learned = _cost_of_theta(control.n, treated.n, rank)
        variance1 = learned * (_variance(own1, treated) + _variance(other1, control))
        variance0 = learned * (_variance(own0, control) + _variance(other0, treated))
        covariance = learned * (_variance(own1, treated, other0) + _variance(own0, control, other1))
        variance = np.maximum(variance1 + variance0 - 2 * covariance, 0)
        adjusted = (ratio1 - share0 * shift, ratio0 + (1 - share0) * shift, variance1, variance0, covariance)
        reduction = 1 - variance / plain
        size = _size(own0, control) + _size(other0, treated) + _size(own1, treated) + _size(other1, control)
        error = _above_rounding(np.sqrt(variance), size)
    return Effect(ratio1, ratio0, ratio1 - ratio0 - shift, error, adjusted, reduction)


def _size(gradient: np.ndarray, moments: Moments) -> np.ndarray:
    """Return the size of what is summed to a value, which its rounding is relative to."""
    return np.abs(gradient * moments.mean).sum(axis=-1)


def _above_rounding(error: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return 0 for standard errors that are rounding alone, as of values that do not vary."""
    return np.where(error > _ROUNDING * size, error, 0.0)


def _variance(gradient: np.ndarray, moments: Moments, other=None) -> np.ndarray:
    other = gradient if other is None else other
    return np.einsum("...i,...ij,...j->...", gradient, moments.cov, other) / moments.n


def _cost_of_theta(n0: np.ndarray, n1: np.ndarray, rank: np.ndarray) -> np.ndarray:
    r"""Return by what the variance is multiplied because theta is learned from the same users.

    :math:`((m - 2) / (m - 2 - p))^2` for p independent covariates: the residuals are too small by one factor, and the
    error of theta adds the other. The users that theta is learned from, weighted as in :func:`effect`, are worth
    :math:`m = (1 / n_0 + 1 / n_1)^2 / (1 / n_0^3 + 1 / n_1^3)` [1]_, all of them where the variants are of one size.

    References
    ----------
    .. [1] L. Kish, "Survey sampling", 1965.
    """
    m = (1 / n0 + 1 / n1) ** 2 / (n0**-3.0 + n1**-3.0) - 2
    left = m - rank
    return np.where(left > 0, m / np.where(left > 0, left, 1), np.nan) ** 2


def _theta(control: Moments, treated: Moments, gradient0: np.ndarray, gradient1: np.ndarray) -> tuple:
    """Return theta, and the number of independent covariates."""
    between, with_z = 0.0, 0.0
    for moments, gradient in ((control, gradient0), (treated, gradient1)):
        n = moments.n[..., None]
        between = between + moments.cov[..., 2:, 2:] / n[..., None]
        with_z = with_z + np.einsum("...i,...ij->...j", gradient, moments.cov)[..., 2:] / n
    scale = np.sqrt(np.maximum(np.einsum("...ii->...i", between), 0))
    scale = np.where(scale > 0, scale, 1)  # a covariate without variance takes nothing away
    scaled = np.nan_to_num(between / (scale[..., :, None] * scale[..., None, :]))
    solved = np.linalg.pinv(scaled, rcond=1e-9, hermitian=True) @ np.nan_to_num(with_z / scale)[..., None]
    size = np.abs(np.linalg.eigvalsh(scaled))
    return solved[..., 0] / scale, (size > 1e-9 * size.max(axis=-1, keepdims=True)).sum(axis=-1)


def fieller(adjusted: tuple, multiplier) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the interval of the lift :math:`R_1 / R_0 - 1` by Fieller's theorem.

    It holds each lift :math:`\lambda` with :math:`|R_1 - (1 + \lambda) R_0| \le c s_\lambda`, so it holds 0 exactly
    where the interval of the difference does. NaN where the control's value is not clearly above 0: then any lift may
    be.
    """
    value, control, variance1, variance0, covariance = adjusted
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        square = np.square(multiplier)
        a = control**2 - square * variance0
        b = value * control - square * covariance
        root = np.sqrt(b**2 - a * (value**2 - square * variance1))
        clear = (a > 0) & (control > 0)
        return np.where(clear, (b - root) / a - 1, np.nan), np.where(clear, (b + root) / a - 1, np.nan)
