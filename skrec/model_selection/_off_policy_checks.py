"""Checks of off-policy evaluation: weights that must average 1, propensities that must sum to the items there are."""

import numpy as np
from scipy.stats import norm

from ._off_policy_data import Logs
from ._off_policy_target import Target

_LEVEL = 0.0005  # of all positions together
_TOLERANCE = 0.05  # a significant deviation below it is noted and no more
_FEW = 100  # effective rows at a position for a check


def mean_weights(logs: Logs, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean weight of each position, and its standard error over clusters."""
    n = logs.per_position()
    mean = np.divide(logs.per_position(weight), n, out=np.full(len(n), np.nan), where=n > 0)
    size = int(logs.cluster.max()) + 1
    cell = logs.position * size + logs.cluster[logs.rec]
    sums = np.bincount(cell, weight - mean[logs.position], minlength=size * len(n)).reshape(len(n), size)
    with np.errstate(divide="ignore", invalid="ignore"):
        return mean, np.sqrt(size / max(size - 1, 1) * (sums**2).sum(axis=1)) / n


def check_weights(logs: Logs, mean, error, target: Target, sizes: np.ndarray) -> tuple[list[str], list[str]]:
    """Compare mean weights with what the policy puts at the positions; return what is wrong, and what is near it."""
    expected = np.ones(logs.n_positions)
    if target.row is not None:  # lists shorter than those logged put less than 1 at the last positions
        total = np.bincount(target.row, target.probability, minlength=len(logs.rec))
        expected = logs.per_position(total) / np.maximum(logs.per_position(), 1)
    z = float(norm.isf(_LEVEL / 2 / logs.n_positions))
    wrong: list[str] = []
    near: list[str] = []
    for one in np.flatnonzero((sizes >= _FEW) & (np.abs(mean - expected) > z * error + 1e-9)):
        off = f"the mean weight at position {logs.labels[one]} is {mean[one]:.3g} +- {error[one]:.2g} "
        off += f"where {expected[one]:.3g} is expected"
        (wrong if abs(mean[one] - expected[one]) > _TOLERANCE else near).append(off)
    return wrong, near


def check_propensities(logs: Logs) -> list[str]:
    """Return positions whose probabilities are too small: 1 / probability must average the number of items there.

    Only where nearly all items that can be shown were shown (by the share of rows with an item seen once).
    """
    wrong = []
    inverse = 1.0 / logs.probability
    mean, error = mean_weights(logs, inverse)
    for one in range(logs.n_positions):
        rows = logs.position == one
        seen = np.bincount(logs.item[rows])
        if rows.sum() < _FEW or (seen == 1).sum() > 0.02 * rows.sum():
            continue
        n_items = int((seen > 0).sum())
        if mean[one] - 4 * error[one] > 1.1 * n_items:
            wrong.append(
                f"1 / probability averages {mean[one]:.4g} +- {error[one]:.2g} at position {logs.labels[one]}, but "
                f"only {n_items:,} items were shown there: the probabilities are too small"
            )
    return wrong
