"""What recipes reach on a log, estimated from the measured logs that are nearest in character."""

from functools import cache
from typing import NamedTuple

import numpy as np

from ._suggest_data import NAMED, Measurements, measurements

_SIZES = ("n_events", "n_users", "n_items", "events_per_user_mean")
_LOGARITHMIC = ("order_gain", "basket_size", "baskets_per_user")
_SHARES = (
    "repeat_share",
    "head_share",
    "gini",
    "next_pair_share",
    "single_item_share",
    "new_item_share",
    "popularity_shift",
)
_WEIGHTS = np.array([0.5] * len(_SIZES) + [1.0] * (len(_LOGARITHMIC) + len(_SHARES)))
_UNKNOWN = 0.5  # squared difference where one of two logs does not tell
_QUESTION = 8.0  # what another question adds to the mean square of the differences
_BANDWIDTH = 0.7
_PRIORS = (0.5, 0.5)  # weights of the mean over the sets with the same question, and over all, that of the nearest 1
_FAR = 3.0  # standard deviations that a difference counts at most


class Estimate(NamedTuple):
    """What recipes are expected to reach relative to the best, (n_recipes,), and the weight of each log, (n_logs,)."""

    expected: np.ndarray
    weights: np.ndarray


class NearestLogs:
    """Kernel regression of relative NDCG on the character of logs.

    The distance of two logs is the root of the weighted mean square of their standardised characters, with a penalty
    where one excludes items that users have and the other does not, or one has sessions. Parts of one set are weighted
    down by the root of their number. Since sets are few, all with the same question, and all there are, count a little.

    Parameters
    ----------
    measured : Measurements
        Quality of recipes on logs.
    """

    def __init__(self, measured: Measurements):
        table = np.array([_vector(character) for character in measured.characters])
        known = ~np.isnan(table)
        n = np.maximum(known.sum(axis=0), 1)
        self._mean = np.where(known, table, 0).sum(axis=0) / n
        variance = np.where(known, (table - self._mean) ** 2, 0).sum(axis=0) / n
        self._scale = np.sqrt(variance) + 1e-9
        self._table, self.measured = (table - self._mean) / self._scale, measured
        _, group, counts = np.unique(measured.groups, return_inverse=True, return_counts=True)
        self._share = 1 / np.sqrt(counts[group])

    def estimate(self, character: dict[str, float], exclude_seen: bool, sessions: bool) -> Estimate:
        """Estimate what each recipe reaches on a log."""
        vector = (_vector(character) - self._mean) / self._scale
        here, there = ~np.isnan(vector), ~np.isnan(self._table)
        difference = np.nan_to_num(np.clip(vector - self._table, -_FAR, _FAR))
        squared = np.where(here & there, difference**2, _UNKNOWN)
        squared = (squared * _WEIGHTS * (here | there)).sum(axis=1) / ((here | there) * _WEIGHTS).sum(axis=1)
        squared += _QUESTION * (self.measured.exclude_seen != exclude_seen)
        squared += _QUESTION * (self.measured.sessions != sessions)
        weights = self._share * np.exp((squared.min() - squared) / (2 * _BANDWIDTH**2))
        same = (self.measured.exclude_seen == exclude_seen) & (self.measured.sessions == sessions)
        known = ~np.isnan(self.measured.relative)
        relative = np.where(known, self.measured.relative, 0)
        weights = weights / weights.max() + _PRIORS[0] * same * self._share / max((same * self._share).sum(), 1e-9)
        weights += _PRIORS[1] * self._share / self._share.sum()
        total = weights @ known
        expected = np.where(total > 0, weights @ relative / np.where(total > 0, total, 1), 0)
        return Estimate(expected, weights / weights.sum())


@cache
def nearest_logs() -> NearestLogs:
    """Return the estimator from the measurements that the package ships."""
    return NearestLogs(measurements())


def gain_of_names(measured: Measurements, recipe: str, weights: np.ndarray) -> dict[str, float]:
    """Return by what names of the items multiply the NDCG and the costs of a recipe, 1 where it was not measured."""
    kinds = ("ndcg", *measured.costs)
    if recipe + NAMED not in measured.recipes:
        return dict.fromkeys(kinds, 1.0)
    with_names, without = (measured.recipes.index(name) for name in (recipe + NAMED, recipe))
    found = {}
    for kind in kinds:
        table = measured.ndcg if kind == "ndcg" else measured.costs[kind]
        ratio = table[:, with_names] / table[:, without]
        known = ~np.isnan(ratio)
        found[kind] = float(np.exp(np.average(np.log(ratio[known]), weights=weights[known])))
    return found


def _vector(character: dict[str, float]) -> np.ndarray:
    logarithms = [np.log10(np.maximum(character[name], 1e-9)) for name in (*_SIZES, *_LOGARITHMIC)]
    return np.array([*logarithms, *(character[name] for name in _SHARES)], dtype=np.float64)
