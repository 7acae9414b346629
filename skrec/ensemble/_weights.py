"""Learned weights of the parts of a blend."""

import numpy as np

from ._choice import choose, cross_fitted, folds_of, shrunk
from ._pairs import Pairs, pair_ndcg


def climb(scores: np.ndarray, pairs: Pairs, labels: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """Search the weights of the parts that rank the labels best, by NDCG at k; a coordinate at a time.

    Parameters
    ----------
    scores : float32 ndarray of shape (n_pairs, n_parts)
        What each part gives each pair.
    pairs : Pairs
        The pairs.
    labels : bool ndarray of shape (n_pairs,)
        Which pairs are relevant.
    n_relevant : int ndarray of shape (n_users,)
        Number of relevant items of each user.
    k : int
        Length of the lists that count.

    Returns
    -------
    ndarray of shape (n_parts,)
        Weights that sum to 1. A step is taken only if it gains a thousandth: with few users most do not.
    """
    ndcg = pair_ndcg(pairs, labels, n_relevant, k)
    filled = n_relevant > 0
    n_parts = scores.shape[1]
    weights = np.full(n_parts, 1 / n_parts)
    if not filled.any():
        return weights

    def value(tried: np.ndarray) -> float:
        return float(np.mean(ndcg(scores @ tried.astype(np.float32))[filled]))

    reached = value(weights)
    for factor in (4.0, 2.0, 1.4, 1.2):
        improved = True
        while improved:
            improved = False
            for part in range(n_parts):
                for trial in (weights[part] * factor, weights[part] / factor, 0.0):
                    tried = weights.copy()
                    tried[part] = trial
                    if not tried.any():
                        continue
                    now = value(tried)
                    if now > 1.001 * reached:
                        weights, reached, improved = tried, now, True
    return weights / weights.sum()


def choose_weights(pairs: Pairs, labels: np.ndarray, n_relevant: np.ndarray, holdout, names: list[str], k: int, rng):
    """Choose between the best part alone, equal weights and learned weights.

    Parameters
    ----------
    pairs : Pairs
        The best items of each part for held-out users.
    labels : bool ndarray of shape (n_pairs,)
        Which pairs are relevant.
    n_relevant : int ndarray of shape (n_users,)
        Number of relevant items of each user.
    holdout : int ndarray of shape (n_users,)
        Number of the holdout of each user.
    names : list of str
        Names of the parts.
    k : int
        Length of the lists that count.
    rng : RandomState
        Draws folds.

    Returns
    -------
    choice : str
        What was chosen.
    weights : ndarray of shape (n_parts,)
        Weights that sum to 1.
    scores : dict of str to ndarray of shape (n_users,)
        NDCG at k of each user, NaN where nothing is relevant; learned weights are those of other holdouts or users.
    """
    ndcg, n_parts = pair_ndcg(pairs, labels, n_relevant, k), len(names)
    if not (n_relevant > 0).any():
        return "equal weights", np.full(n_parts, 1 / n_parts), {}
    alone = {f"part {name}": one for name, one in zip(names, np.eye(n_parts), strict=True)}
    scores = {name: ndcg(pairs.scores @ one.astype(np.float32)) for name, one in alone.items()}
    best = int(np.argmax([np.nanmean(values) for values in scores.values()]))

    def learned(users: np.ndarray) -> np.ndarray:
        of_pairs = users[pairs.row]
        some = pairs.keep(users)
        chosen = climb(some.scores, some, labels[of_pairs], n_relevant[users], k)
        return shrunk(chosen, best, int(np.count_nonzero(n_relevant[users])))

    def of_others(users: np.ndarray) -> np.ndarray:
        return ndcg(pairs.scores @ learned(users).astype(np.float32))

    weights = {**alone, "equal weights": np.full(n_parts, 1 / n_parts)}
    scores["equal weights"] = ndcg(pairs.scores @ weights["equal weights"].astype(np.float32))
    scores["learned weights"] = cross_fitted(folds_of(holdout, rng), of_others)
    choice = choose(scores, [[*alone, "equal weights"], ["learned weights"]])
    if choice == "learned weights":
        weights[choice] = learned(np.ones(pairs.n_rows, dtype=bool))
    return choice, weights[choice], scores
