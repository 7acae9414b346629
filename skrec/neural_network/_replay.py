"""Updates of nets: what they replay of the past, and how a net grows by new items."""

import numpy as np


def reservoir(n_held: int, n_seen: int, n_more: int, n_known: int, size: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Choose which rows a uniform sample of all rows so far holds after further rows have come.

    Parameters
    ----------
    n_held : int
        Number of rows that the sample holds.
    n_seen : int
        Number of rows of which it is a sample.
    n_more : int
        Number of further rows.
    n_known : int
        How many of these are among those seen, in an earlier form that may be held as well.
    size : int
        Number of rows to hold.
    rng : RandomState
        Draws the rows.

    Returns
    -------
    held, more : int ndarray
        The rows that stay in the sample and the further ones that enter it, ascending.
    """
    n_others = max(0, n_seen - n_known)
    n_drawn = n_more if n_others + n_more <= size else 0
    if 0 < size < n_others + n_more:
        n_drawn = int(rng.hypergeometric(n_more, n_others, size))
    n_stay = min(n_held, size - n_drawn)
    return np.sort(rng.permutation(n_held)[:n_stay]), np.sort(rng.permutation(n_more)[:n_drawn])


def carry_weights(old, new) -> None:
    """Give a net the weights of another that has fewer items, whose rows and columns come first."""
    for before, now in zip(old.weights, new.weights, strict=True):
        value = np.array(now)
        value[tuple(slice(0, size) for size in before.shape)] = np.array(before)
        now.assign(value)


def near_vectors(codes: np.ndarray, vectors: np.ndarray, n_new: int) -> np.ndarray:
    """Return a vector to start from for each new item: the mean of the known items in the histories that have it.

    Parameters
    ----------
    codes : int ndarray of shape (n_rows, length)
        Histories, left-padded with 0; the codes of new items are the largest.
    vectors : ndarray of shape (n_known, n_components)
        The vectors of the known items, whose codes are 1 and more.
    n_new : int
        Number of new items.
    """
    n_known = len(vectors)
    total, count = np.zeros((n_new, vectors.shape[1])), np.zeros(n_new)
    for row in codes[(codes > n_known).any(axis=1)]:
        known = row[(row > 0) & (row <= n_known)] - 1
        new = np.unique(row[row > n_known]) - n_known - 1
        total[new] += vectors[known].sum(axis=0)
        count[new] += len(known)
    return (total / np.maximum(count, 1)[:, None]).astype(np.float32)


def same_width(*rows: np.ndarray) -> list[np.ndarray]:
    """Pad rows of several widths with 0 on the left."""
    width = max(one.shape[1] for one in rows)
    return [np.pad(one, [(0, 0), (width - one.shape[1], 0)]) for one in rows]
