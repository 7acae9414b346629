"""Held-out validation inside a fit: how many users are held out, and the NDCG that a model reaches on them."""

import numpy as np

from ._topk import mask_scores

MOST_HELD_OUT = 2000  # users whose held-out items decide when training stops
_SCORES = 2**25  # scores of held-out users at once


def n_held_out(n_users: int, fraction: float) -> int:
    """Return the number of held-out users: the fraction, rounded up, of at most 2,000."""
    return min(MOST_HELD_OUT, int(np.ceil(fraction * n_users)))


def discounts(k: int) -> np.ndarray:
    """Return what a hit gains at each of k positions, 1 / log2(position + 1) with positions from 1."""
    return 1 / np.log2(np.arange(k) + 2)


def ndcg(is_hit: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Return the NDCG of each user, NaN where nothing is relevant.

    Parameters
    ----------
    is_hit : ndarray of shape (n_users, k), dtype bool
        Whether the item at each position of the list is relevant.
    n_relevant : ndarray of shape (n_users,)
        Number of relevant items of each user, in the list or not.
    """
    gains = discounts(is_hit.shape[1])
    ideal = np.concatenate([[np.nan], np.cumsum(gains)])[np.minimum(n_relevant, is_hit.shape[1])]
    return is_hit @ gains / ideal


def next_item_ndcg(users, vectors, target, seen, k: int, adjust=None) -> float:
    """Return the NDCG at k of one relevant item of each user.

    Parameters
    ----------
    users : ndarray of shape (n_users, n_components)
        Vectors of the users.
    vectors : ndarray of shape (n_items, n_components)
        Vectors of the items.
    target : ndarray of shape (n_users,)
        The relevant items.
    seen : CSR array of shape (n_users, n_items) or None
        Items that come last; the relevant one may be among them.
    k : int
        Length of the list.
    adjust : callable, default=None
        Changes scores in place, given those of some users and the slice of the users.
    """
    ranks, size = [], int(np.clip(_SCORES // len(vectors), 16, 256))
    for start in range(0, len(users), size):
        block = slice(start, start + size)
        scores = users[block] @ vectors.T
        if adjust is not None:
            adjust(scores, block)
        relevant = scores[np.arange(len(scores)), target[block]][:, None].copy()
        if seen is not None:
            mask_scores(scores, seen[block])
        ranks.append(np.count_nonzero(scores > relevant, axis=1))
    rank = np.concatenate(ranks)
    return float(np.mean(np.where(rank < k, 1 / np.log2(rank + 2), 0)))
