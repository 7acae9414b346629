"""Exploration: lists that are drawn with known probabilities, so that other policies can be judged by them."""

import random

import numpy as np

from ..utils._plackett_luce import sample, utilities

LEAST_CANDIDATES = 50  # that are drawn from


class Exploration:
    """How the lists of a scenario are drawn from the best candidates.

    Parameters
    ----------
    explore : float, default=0.0
        Share of the lists that are drawn at random, each order alike.
    temperature : float, default=0.0
        Temperature of the Plackett-Luce model; above 0 it is used instead of `explore`.
    """

    def __init__(self, explore: float = 0.0, temperature: float = 0.0):
        self.explore, self.temperature = explore, temperature

    @classmethod
    def of(cls, settings, scenario) -> "Exploration | None":
        """Return the exploration of a scenario, or of the settings where it does not say; None for neither."""
        explore = settings.explore if scenario is None or scenario.explore is None else scenario.explore
        own = None if scenario is None else scenario.temperature
        temperature = settings.temperature if own is None else own
        return cls(explore, temperature) if explore or temperature else None

    def n_candidates(self, k: int) -> int:
        """Return how many candidates a list of k is drawn from."""
        return max(5 * k, LEAST_CANDIDATES)

    def draw(self, scores: list[float], k: int, rng: random.Random) -> tuple[list[int], list[float], bool]:
        """Draw a list.

        Parameters
        ----------
        scores : list of float
            Scores of the candidates, in the order of the model and its rules.
        k : int
            Number of positions.
        rng : random.Random
            Source of chance.

        Returns
        -------
        order : list of int
            Which candidate is at each position.
        probabilities : list of float
            The probability of each at its position: the propensities of inverse propensity scoring.
        drawn : bool
            Whether the list may differ from the candidates: it was shuffled, or another order came out.
        """
        n = len(scores)
        if self.temperature and n:
            chosen, chances = sample(utilities(scores), k, self.temperature, np.random.default_rng(rng.getrandbits(64)))
            order = chosen.tolist()
            return order, chances.tolist(), order != list(range(len(order)))
        order = list(range(n))
        drawn = rng.random() < self.explore
        if drawn:
            rng.shuffle(order)
        order, random_share = order[:k], self.explore / max(n, 1)
        return order, [random_share + (1 - self.explore if p == one else 0) for p, one in enumerate(order)], drawn
