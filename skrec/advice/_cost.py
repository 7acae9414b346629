"""What a recipe costs: processor seconds and memory of a fit, milliseconds of a request."""

import time
from functools import cache

import numpy as np
from scipy.optimize import nnls

from ..utils._threads import single_threaded_blas
from ._suggest_data import COSTS, Measurements

_SIZE = 384  # rows of the matrices of the unit of work
_SORTED = 200_000
_REPEATS = 7


def sizes(character: dict[str, float]) -> np.ndarray:
    """Return the terms of which costs are sums, shape (n_terms,).

    One, events, users, items; pairs of events of one user; the pairs of items that can occur together, at most all
    pairs and at most the pairs of events; all pairs of items; and the cube of the items.
    """
    events, users, items = (character[f"n_{kind}"] for kind in ("events", "users", "items"))
    pairs = users * character["events_per_user_rms"] ** 2
    return np.array([1.0, events, users, items, pairs, min(pairs, items**2), items**2, items**3])


class CostModel:
    """Costs of recipes as sums of terms with coefficients that are not negative.

    The coefficients have the least sum of squared relative errors on the measured logs (non-negative least squares),
    so that a cost outside their range grows as its terms do.

    Parameters
    ----------
    measured : Measurements
        Costs of recipes on logs.
    """

    def __init__(self, measured: Measurements):
        terms = np.array([sizes(character) for character in measured.characters])
        self.measured, self._scale = measured, terms.max(axis=0)
        self._coefficients = {name: self._fit(terms / self._scale, measured.costs[name]) for name in COSTS}

    def _fit(self, terms: np.ndarray, costs: np.ndarray) -> np.ndarray:
        """Return the coefficients, shape (n_recipes, n_terms); NaN for a recipe without a measurement."""
        coefficients = np.full((costs.shape[1], terms.shape[1]), np.nan)
        for recipe, cost in enumerate(costs.T):
            known = cost > 0
            if known.any():
                weighted = terms[known] / cost[known, None]
                coefficients[recipe] = nnls(weighted, np.ones(len(weighted)))[0]
        return coefficients

    def predict(self, character: dict[str, float]) -> dict[str, np.ndarray]:
        """Return the costs of each recipe on a log, on the machine that measured; each of shape (n_recipes,)."""
        terms = sizes(character) / self._scale
        return {name: coefficients @ terms for name, coefficients in self._coefficients.items()}


@cache
def machine_unit() -> float:
    """Return the processor seconds that a fixed piece of work takes here: a matrix product and a sort.

    Returns
    -------
    float
        The least of seven repetitions of some milliseconds each, so that other work on the machine counts little.
    """
    rng = np.random.default_rng(0)
    matrix = rng.random((_SIZE, _SIZE), dtype=np.float32)
    values = rng.random(_SORTED)
    seconds = []
    with single_threaded_blas():
        for _ in range(_REPEATS):
            start = time.process_time()
            matrix @ matrix
            np.sort(values)
            seconds.append(time.process_time() - start)
    return min(seconds)
