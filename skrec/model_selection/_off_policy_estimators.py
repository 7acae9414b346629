"""Off-policy estimators: what each list contributes to the value of a policy, and the interval of the mean."""

import numpy as np
from scipy.stats import norm

from ._off_policy_data import Logs
from ._off_policy_target import Target
from ._reward_model import RewardTable


def self_normalized(logs: Logs, weight: np.ndarray) -> np.ndarray:
    r"""Return contributions of the lists to :math:`\sum_p s_p \sum w r / \sum w`, with s_p the share with position p.

    Their mean is the value; their spread is that of the linearised ratios (delta method).
    """
    total = logs.per_position(weight)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = logs.per_position(weight * logs.reward) / total
        scale = logs.per_position() / total
    mean, scale = np.where(total > 0, mean, np.nan), np.where(total > 0, scale, 0.0)
    there = logs.per_position() > 0
    mean = np.where(there, mean, 0.0)
    place = logs.position
    return logs.per_list(scale[place] * weight * (logs.reward - mean[place]) + mean[place])


def inverse_propensity(logs: Logs, weight: np.ndarray) -> np.ndarray:
    """Return the sums of weight times reward by list."""
    return logs.per_list(weight * logs.reward)


def direct(logs: Logs, target: Target) -> np.ndarray:
    """Return expected rewards of the policy by list, by a table of all rows; their spread has the table's error."""
    n_items = 1 + max(int(target.item.max(initial=-1)), int(logs.item.max()))
    table = RewardTable().fit(logs, np.arange(len(logs.rec)), n_items)
    values = target.probability * table.predict(target.item, logs.position[target.row])
    under = np.bincount(target.row, values, minlength=len(logs.rec))
    learned = logs.per_list(table.influence(logs, target))  # shrinkage leaves a mean, which is no part of the value
    return logs.per_list(under) + learned - learned.mean()


def doubly_robust(logs: Logs, weight: np.ndarray, logged: np.ndarray, under: np.ndarray) -> np.ndarray:
    """Return expected rewards of the policy plus weighted residuals by list; `logged` and `under` as predicted."""
    return logs.per_list(under + weight * (logs.reward - logged))


def mean_and_error(values: np.ndarray, cluster: np.ndarray) -> tuple[float, float]:
    """Return the mean over lists and its standard error, with the lists of a cluster dependent on each other."""
    mean = float(values.mean())
    sums = np.bincount(cluster, values - mean)
    n = len(sums)
    return mean, float(np.sqrt(n / max(n - 1, 1) * (sums**2).sum())) / len(values)


def interval(mean: float, error: float, confidence: float) -> tuple[float, float]:
    """Return the normal interval of a mean."""
    width = float(norm.ppf(0.5 + confidence / 2)) * error
    return mean - width, mean + width


def effective_size(weight: np.ndarray, position: np.ndarray, n_positions: int) -> np.ndarray:
    """Return Kish's effective sample size at each position; 0 where all weights are 0."""
    total = np.bincount(position, weight, minlength=n_positions)
    square = np.bincount(position, weight**2, minlength=n_positions)
    return np.divide(total**2, square, out=np.zeros(n_positions), where=square > 0)


def overall_size(sizes: np.ndarray, counts: np.ndarray) -> float:
    """Return the mean of the positions' effective sample sizes, harmonic, with weights of the squared row counts."""
    there = counts > 0
    if (sizes[there] == 0).any():
        return 0.0
    return float(counts.sum() ** 2 / (there.sum() * (counts[there] ** 2 / sizes[there]).sum()))


def effective_rewards(weight: np.ndarray, reward: np.ndarray) -> float:
    """Return Kish's effective number of the rewarded rows."""
    gain = np.abs(weight * reward)
    square = (gain**2).sum()
    return float(gain.sum() ** 2 / square) if square > 0 else 0.0
