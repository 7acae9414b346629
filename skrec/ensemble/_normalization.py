"""Scores of different recommenders on one scale."""

import numpy as np
from scipy.stats import rankdata

NORMALIZATIONS = ("zscore", "rank", "softmax", "rrf")
_RRF = 60  # of Cormack et al.


def normalize(scores: np.ndarray, how: str) -> np.ndarray:
    """Bring the scores of each user, shape (n_users, n_items), to one scale, perhaps in place."""
    if how in ("rank", "rrf"):
        place = rankdata(-scores, axis=1).astype(np.float32)
        return (len(scores.T) - place) / max(1, len(scores.T) - 1) if how == "rank" else (_RRF + 1) / (_RRF + place)
    if how == "softmax":
        scores = np.exp((scores - scores.max(axis=1, keepdims=True)) / 2)
    scores -= scores.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    spread = np.sqrt(np.einsum("ij,ij->i", scores, scores) / scores.shape[1])[:, None]
    scores /= np.where(spread > 0, spread, 1)
    return scores
