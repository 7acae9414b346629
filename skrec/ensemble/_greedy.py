"""Lists built one place at a time from the candidates of each user, for all users at once."""

import numpy as np

_CAPPED, _LAST = 1e3, 1e6  # what an item loses that should not come, and one that comes last; gains are below 100
_SMOOTHING = 0.01  # share of the history's mix in that of the list, so that no category is impossible


class Plain:
    """The relevance alone."""

    def __init__(self, relevance: np.ndarray):
        self.relevance = relevance

    def gain(self, place: int) -> np.ndarray:
        """Return what each candidate is worth at a place (counted from 0), shape (n_users, n_candidates)."""
        return self.relevance

    def take(self, picked: np.ndarray) -> None:
        """Note which candidate each user got, shape (n_users,)."""


class Dissimilar(Plain):
    """The relevance, less the largest or the mean cosine with what is in the list."""

    def __init__(self, relevance, trade_off, vectors, *, largest: bool):
        self.relevance, self.trade_off, self.largest = relevance * (1 - trade_off), trade_off, largest
        self.vectors = vectors  # (n_users, n_candidates, n_components), of unit length
        self.near = np.zeros(relevance.shape)

    def gain(self, place):
        """Return the relevance less the largest, or the mean, cosine."""
        return self.relevance - self.trade_off * (self.near if self.largest else self.near / max(1, place))

    def take(self, picked):
        """Compare all candidates with the one that was taken."""
        chosen = np.take_along_axis(self.vectors, picked[:, None, None], axis=1)
        cosine = np.matmul(self.vectors, chosen.transpose(0, 2, 1))[:, :, 0]
        self.near = np.maximum(self.near, cosine) if self.largest else self.near + cosine


class Calibrated(Plain):
    """The relevance, and how near the mix of labels of the list comes to that of the history."""

    def __init__(self, relevance, trade_off, labels, mix):
        self.relevance, self.trade_off = relevance * (1 - trade_off), trade_off
        self.labels = labels  # (n_users, n_candidates, n) codes, -1 where an item has fewer
        self.share = 1 / np.maximum(1, (labels >= 0).sum(axis=2, keepdims=True))
        self.mix = np.pad(mix, [(0, 0), (0, 1)])  # (n_users, n_labels + 1); the last column is no label
        self.in_list = np.zeros(self.mix.shape)
        self.rows = np.arange(len(mix))[:, None, None]

    def gain(self, place):
        """Return the relevance and the negative Kullback-Leibler divergence of the list with each candidate."""
        scale = (1 - _SMOOTHING) / (place + 1)
        floor = _SMOOTHING * self.mix
        with np.errstate(divide="ignore", invalid="ignore"):
            now = np.where(self.mix > 0, self.mix * np.log((scale * self.in_list + floor) / self.mix), 0)
            mix, here = self.mix[self.rows, self.labels], self.in_list[self.rows, self.labels]
            low = scale * here + _SMOOTHING * mix
            change = np.where(mix > 0, mix * np.log1p(scale * self.share / low), 0)
        divergence = now.sum(axis=1)[:, None] + change.sum(axis=2)
        return self.relevance + self.trade_off * divergence

    def take(self, picked):
        """Add the labels of what was taken to the list."""
        users = np.arange(len(picked))
        np.add.at(self.in_list, (users[:, None], self.labels[users, picked]), self.share[users, picked])
        self.in_list[:, -1] = 0


def build_lists(
    worth: Plain,
    k: int,
    *,
    last: np.ndarray,
    absent: np.ndarray,
    labels: np.ndarray | None = None,
    n_labels: int = 0,
    max_per_label: int | None = None,
    forced: np.ndarray | None = None,
    explore: np.ndarray | None = None,
    lottery: np.ndarray | None = None,
) -> np.ndarray:
    """Choose k candidates for each user, each time the one worth most.

    Parameters
    ----------
    worth : Plain
        What a candidate is worth, given what is in the list.
    k : int
        Number of places; no user may have fewer candidates.
    last : ndarray of shape (n_users, n_candidates), dtype bool
        Candidates that come after all others, in the order of their columns.
    absent : ndarray of shape (n_users, n_candidates), dtype bool
        Columns that hold no candidate.
    labels : ndarray of shape (n_users, n_candidates, n), default=None
        Label codes of the candidates, -1 where there are fewer.
    n_labels : int, default=0
        Number of labels.
    max_per_label : int, default=None
        Number of items with one label after which others come first.
    forced : ndarray of shape (n_users, n_candidates), dtype bool, default=None
        Candidates that the list must have.
    explore : ndarray of shape (n_users, k), dtype bool, default=None
        Places that are drawn from the candidates behind the k-th.
    lottery : ndarray of shape (n_users, n_candidates), default=None
        Random numbers between 0 and 1 for the draw.

    Returns
    -------
    ndarray of shape (n_users, k)
        Columns of the candidates, in the order of the list.
    """
    n_users, n_candidates = last.shape
    users = np.arange(n_users)
    taken, found = absent.copy(), np.empty((n_users, k), dtype=np.int64)
    penalty = np.where(last, _LAST + np.arange(n_candidates), 0.0)
    behind = np.arange(n_candidates) >= k
    counts = np.zeros((n_users, n_labels + 1), dtype=np.int64)
    for place in range(k):
        value = worth.gain(place)
        if explore is not None and lottery is not None:
            value = np.where(explore[:, place, None] & behind, 50 + lottery, value)
        value = value - penalty
        if labels is not None and max_per_label is not None:
            full = counts >= max_per_label
            full[:, -1] = False  # no label
            value -= _CAPPED * full[users[:, None, None], labels].any(axis=2)
        value[taken] = -np.inf
        if forced is not None:
            waiting = forced & ~taken
            due = waiting.sum(axis=1) >= k - place
            value[due[:, None] & ~waiting] = -np.inf
        picked = value.argmax(axis=1)
        found[:, place] = picked
        taken[users, picked] = True
        worth.take(picked)
        if labels is not None and max_per_label is not None:
            np.add.at(counts, (users[:, None], labels[users, picked]), 1)
    return found


def lottery_numbers(candidates: np.ndarray, seed: int, n: int) -> np.ndarray:
    """Return n random numbers for each user that depend on the candidates alone, not on the rows beside it.

    Parameters
    ----------
    candidates : ndarray of shape (n_users, n_candidates)
        Codes of the candidates.
    seed : int
        Other seeds give other numbers.
    n : int
        How many numbers each user gets.

    Returns
    -------
    ndarray of shape (n_users, n), dtype float64
        Between 0 and 1.
    """
    places = np.arange(1, candidates.shape[1] + 1, dtype=np.uint64)
    key = _mix(candidates.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + places).sum(axis=1, dtype=np.uint64)
    key = _mix(key ^ _mix(np.array([seed], dtype=np.uint64)))
    numbers = _mix(key[:, None] + np.arange(n, dtype=np.uint64) * np.uint64(0xD1B54A32D192ED03))
    return (numbers >> np.uint64(11)).astype(np.float64) / 2**53


def _mix(values: np.ndarray) -> np.ndarray:
    """Scramble 64-bit integers (the finalizer of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
