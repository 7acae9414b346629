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


def fit_terms(character: dict[str, float]) -> np.ndarray:
    """Return the terms of which the costs of a fit are sums, shape (8,).

    One, events, users, items; the sum over users of their squared number of events, and this where it is less than all
    pairs of items, else that; all pairs of items; and the cube of the items.
    """
    events, users, items = (character[f"n_{kind}"] for kind in ("events", "users", "items"))
    pairs = users * character["events_per_user_rms"] ** 2
    return np.array([1.0, events, users, items, pairs, min(pairs, items**2), items**2, items**3])


def request_terms(character: dict[str, float]) -> np.ndarray:
    """Return the terms of which the time of a request is a sum: one, whether there are times, items, length, users."""
    return np.array([1.0, *(character[name] for name in ("has_times", "n_items", "events_per_user_mean", "n_users"))])


_TERMS = {name: request_terms if name == "latency_ms" else fit_terms for name in COSTS}


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
        self.measured, self._scale, self._coefficients = measured, {}, {}
        for name, terms_of in _TERMS.items():
            terms = np.array([terms_of(character) for character in measured.characters])
            self._scale[name] = np.maximum(terms.max(axis=0), 1e-9)
            self._coefficients[name] = self._fit(terms / self._scale[name], measured.costs[name])

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
        return {
            name: coefficients @ (_TERMS[name](character) / self._scale[name])
            for name, coefficients in self._coefficients.items()
        }


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
