"""Choice between candidates of different complexity on held-out users, by paired bootstrap."""

from collections.abc import Callable, Sequence

import numpy as np

from ..metrics import paired_bootstrap

CONFIDENCE = 0.9  # two-sided: the more complex one is better by chance alone in one of twenty choices
_FEW = 2_000  # users up to which three folds leave more to train on; two beyond
_PSEUDO_USERS = 100  # weight of the best part alone in learned weights, in users


def folds_of(holdout: np.ndarray, rng) -> np.ndarray:
    """Return a fold of each user, given the number of the holdout, shape (n_users,).

    A fold is a holdout where there are several, since other users tell what became popular in the same holdout, which
    nobody knows in advance. Where one of them has more than two thirds of the users, too little remains to learn from,
    and users are drawn at random as with a single holdout: 3 folds of few, 2 of many.
    """
    n_users = len(holdout)
    if n_users and 3 * np.bincount(holdout).max() <= 2 * n_users:
        return holdout
    n_folds = 3 if n_users <= _FEW else 2
    return rng.permutation(np.arange(n_users) % min(n_folds, max(1, n_users)))


def cross_fitted(folds: np.ndarray, fit_and_score: Callable) -> np.ndarray:
    """Return a score of each user from what was fitted on the other folds.

    Parameters
    ----------
    folds : int ndarray of shape (n_users,)
        The fold of each user.
    fit_and_score : callable
        Given the training users as a mask, returns scores of all users; only those of the others are taken.

    Returns
    -------
    ndarray of shape (n_users,)
        The scores; 0 where there is but one fold, so nothing to fit on.
    """
    scores = np.zeros(len(folds))
    for fold in np.unique(folds):
        held = folds == fold
        if not held.all():
            scores[held] = fit_and_score(~held)[held]
    return scores


def shrunk(weights: np.ndarray, best: int, n_users: int) -> np.ndarray:
    """Return learned weights drawn towards the best part alone, the more the fewer users they were learned from."""
    alone = np.zeros_like(weights)
    alone[best] = 1
    return (n_users * weights + _PSEUDO_USERS * alone) / (n_users + _PSEUDO_USERS)


def choose(scores: dict[str, np.ndarray], levels: Sequence[Sequence[str]]) -> str:
    """Return the candidate to take: a more complex one only where it is better beyond chance.

    Parameters
    ----------
    scores : dict of str to ndarray of shape (n_users,)
        A metric of each held-out user for each candidate, from fits on other users or events; NaN is left out.
    levels : sequence of sequences of str
        Names of candidates, the simplest level first. Within a level the best mean counts.

    Returns
    -------
    str
        The name. Each level's best candidate is compared with what the levels before it have chosen, and taken where
        the lower end of the interval of the mean difference, by paired bootstrap over users, is above 0.
    """
    chosen = None
    for level in levels:
        if not level:
            continue
        best = max(level, key=lambda name: np.nanmean(scores[name]))
        if chosen is None or _better(scores[best], scores[chosen]):
            chosen = best
    assert chosen is not None
    return chosen


def _better(ours: np.ndarray, others: np.ndarray) -> bool:
    if np.count_nonzero(~np.isnan(ours - others)) < 2:
        return False
    _, low, _, _ = paired_bootstrap(ours, others, confidence=CONFIDENCE, random_state=0)
    return low > 0
