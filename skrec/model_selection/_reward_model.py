"""Expected rewards of items at positions, for the direct method and doubly robust estimates."""

import numpy as np
from sklearn.base import clone, is_classifier

from ._off_policy_data import Logs
from ._off_policy_target import Target

_BLOCK = 200_000


class RewardTable:
    r"""Rank-one table of expected rewards: mean of the position times a ratio of the item, shrunk to 1.

    With :math:`m_p` the mean reward at position p and c the mean of the rewards that are not 0,

    .. math::

        q(i, p) = m_p \rho_i, \quad \rho_i = \frac{c + \sum_{\text{rows of } i} r}{c + \sum_{\text{rows of } i} m_p}.

    It follows the position-based click model; a history or a time plays no part in it.
    """

    def fit(self, logs: Logs, rows: np.ndarray, n_items: int) -> "RewardTable":
        """Learn from some rows."""
        position, item, reward = logs.position[rows], logs.item[rows], logs.reward[rows]
        self.count = np.bincount(position, minlength=logs.n_positions)
        total = np.bincount(position, reward, minlength=logs.n_positions)
        self.mean = total / np.maximum(self.count, 1)
        self.unit = float(reward[reward > 0].mean()) if (reward > 0).any() else 1.0
        self.expected = self.unit + np.bincount(item, self.mean[position], minlength=n_items)
        self.ratio = (self.unit + np.bincount(item, reward, minlength=n_items)) / self.expected
        return self

    def predict(self, item: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Return the expected rewards of items at positions."""
        return self.mean[position] * self.ratio[item]

    def influence(self, logs: Logs, target: Target) -> np.ndarray:
        """Return what each row of the logs adds to the mean of the predictions under a policy, times n_lists.

        The derivative of the mean by the ratios and by the means of the positions, times the residuals of the rows.
        """
        position = logs.position[target.row]
        n_items = len(self.ratio)
        by_item = np.bincount(target.item, target.probability * self.mean[position], minlength=n_items)
        slope = by_item / self.expected  # of the ratio's numerator
        by_position = np.bincount(position, target.probability * self.ratio[target.item], minlength=logs.n_positions)
        by_position = by_position - logs.per_position((slope * self.ratio)[logs.item])
        mean = self.mean[logs.position]
        found = slope[logs.item] * (logs.reward - self.ratio[logs.item] * mean)
        return found + (by_position / np.maximum(self.count, 1))[logs.position] * (logs.reward - mean)


def check_table(logs: Logs) -> None:
    """Refuse rewards below 0: ratios need a mean above it."""
    below = int((logs.reward < 0).sum())
    if below:
        raise ValueError(
            f"reward must be at least 0 for dm and dr without a reward_model, but {below:,} rows are below: pass a "
            "reward_model, or other estimators"
        )


def predicted(logs: Logs, target: Target, model, *, n_folds: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Return the expected reward of each logged row, and of the policy at its place, by models of other clusters."""
    n_items = 1 + max(int(target.item.max(initial=-1)), int(logs.item.max()))
    fold = rng.permutation(int(logs.cluster.max()) + 1)[logs.cluster[logs.rec]] % n_folds
    logged, under = np.empty(len(logs.rec)), np.zeros(len(logs.rec))
    for one in range(n_folds):
        inside = np.flatnonzero(fold == one)
        rows = np.flatnonzero(fold != one)
        entries = np.flatnonzero(fold[target.row] == one)
        if model is None:
            table = RewardTable().fit(logs, rows, n_items)
            logged[inside] = table.predict(logs.item[inside], logs.position[inside])
            values = table.predict(target.item[entries], logs.position[target.row[entries]])
        else:
            ask = _fit(model, logs, rows, target)
            logged[inside] = ask(inside, logs.item[inside])
            values = ask(target.row[entries], target.item[entries])
        under += np.bincount(target.row[entries], target.probability[entries] * values, minlength=len(logs.rec))
    return logged, under


def _fit(model, logs: Logs, rows: np.ndarray, target: Target):
    """Fit an estimator of scikit-learn to rows; return what predicts the rewards of items at the places of rows."""
    ids = np.empty(1 + max(int(target.item.max(initial=-1)), len(logs.items) - 1), dtype=object)
    ids[: len(logs.items)] = logs.items  # items never shown stay None

    def table(at: np.ndarray, items: np.ndarray):
        frame = logs.features.iloc[at].reset_index(drop=True)
        return frame.assign(item=ids[items], position=logs.position[at])

    reward = logs.reward[rows]
    fitted = clone(model).fit(table(rows, logs.item[rows]), reward)
    if is_classifier(fitted) and not np.isin(fitted.classes_, (0, 1)).all():
        raise ValueError(f"reward_model is a classifier, so that rewards must be 0 or 1, got {fitted.classes_[:5]}")

    def ask(at: np.ndarray, items: np.ndarray) -> np.ndarray:
        found = [np.empty(0)]
        for start in range(0, len(at), _BLOCK):
            part = table(at[start : start + _BLOCK], items[start : start + _BLOCK])
            if is_classifier(fitted):
                found.append(fitted.predict_proba(part) @ fitted.classes_.astype(np.float64))
            else:
                found.append(np.asarray(fitted.predict(part), dtype=np.float64))
        return np.concatenate(found)

    return ask
