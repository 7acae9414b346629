"""What recipes reach on a log, estimated from the measured logs that are nearest in character."""

from dataclasses import dataclass

import numpy as np

from ._suggest_data import Measurements

_LOGARITHMIC = (
    "n_events",
    "n_users",
    "n_items",
    "events_per_user_mean",
    "order_gain",
    "basket_size",
    "baskets_per_user",
)
_PLAIN = (
    "repeat_share",
    "head_share",
    "gini",
    "next_pair_share",
    "single_item_share",
    "new_item_share",
    "popularity_shift",
)
# weights of squared differences: of the sizes, of character, of one that only one of two logs tells; of the question
_SIZE, _CHARACTER, _UNKNOWN, _QUESTION = 0.5, 1.0, 0.5, 12.0
_WEIGHTS = np.array([_SIZE] * 4 + [_CHARACTER] * (len(_LOGARITHMIC) - 4 + len(_PLAIN)))
_BANDWIDTH = 0.6  # of the distance at which the weight of a log has fallen to exp(-1/2)


@dataclass(frozen=True)
class Estimate:
    """NDCG relative to the best that recipes are expected to reach, (n_recipes,), and the weight of each log, (n_logs,)."""

    expected: np.ndarray
    weights: np.ndarray
    distances: np.ndarray


class NearestLogs:
    """Kernel regression of relative NDCG on the character of logs.

    Parameters
    ----------
    measured : Measurements
        Quality of recipes on logs.
    """

    def __init__(self, measured: Measurements):
        table = np.array([_vector(character) for character in measured.characters])
        self.measured = measured
        self._mean, self._scale = np.nanmean(table, axis=0), np.nanstd(table, axis=0) + 1e-9
        self._table = (table - self._mean) / self._scale
        _, group, sizes = np.unique(measured.groups, return_inverse=True, return_counts=True)
        self._share = 1 / np.sqrt(sizes[group])  # parts of one set tell less than as many sets

    def estimate(self, character: dict[str, float], exclude_seen: bool, sessions: bool) -> Estimate:
        """Estimate what each recipe reaches on a log."""
        vector = (_vector(character) - self._mean) / self._scale
        difference = np.clip(vector - self._table, -3, 3)
        one_tells = np.isnan(vector) != np.isnan(self._table)
        neither = np.isnan(vector) & np.isnan(self._table)
        squared = np.where(one_tells, _UNKNOWN, np.nan_to_num(difference) ** 2) * _WEIGHTS
        total = (squared.sum(axis=1)) / np.where(neither, 0, _WEIGHTS).sum(axis=1)
        question = (self.measured.exclude_seen != exclude_seen).astype(float)
        question += self.measured.sessions != sessions
        distances = np.sqrt(total + _QUESTION / 12 * question)
        weights = self._share * np.exp(-0.5 * ((distances - distances.min()) / _BANDWIDTH) * (
            (distances + distances.min()) / _BANDWIDTH))
        relative = self.measured.relative
        known = ~np.isnan(relative)
        total_weight = weights @ known
        prior = np.nanmean(relative, axis=0)
        expected = (weights @ np.nan_to_num(relative) + 0.05 * prior) / (total_weight + 0.05)
        return Estimate(expected, weights / weights.sum(), distances)


def _vector(character: dict[str, float]) -> np.ndarray:
    logarithms = [np.log10(max(character[name], 1e-9)) if character[name] == character[name] else np.nan for name in _LOGARITHMIC]
    return np.array([*logarithms, *(character[name] for name in _PLAIN)], dtype=np.float64)
