"""Histories as baskets: what was bought together counts once."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ..feature_extraction._vectorizer import event_ages
from ..utils._histories import Histories


@dataclass(frozen=True)
class Purchases:
    """The items of the baskets, each once a basket, sorted by user, item and age; newest first.

    Attributes
    ----------
    rows, codes : ndarray of shape (n_purchases,)
        User and item of each purchase.
    ages : ndarray of shape (n_purchases,)
        Number of later baskets of the user.
    time : ndarray of shape (n_purchases,), or None
        Moment of the basket.
    starts : ndarray of shape (n_pairs,)
        First purchase of each pair of user and item.
    """

    rows: np.ndarray
    codes: np.ndarray
    ages: np.ndarray
    time: np.ndarray | None
    starts: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Number of baskets of each pair, shape (n_pairs,)."""
        return np.diff(np.append(self.starts, len(self.codes)))

    def per_pair(self, values: np.ndarray) -> np.ndarray:
        """Sum the values of the purchases of each pair, shape (n_pairs,)."""
        return np.add.reduceat(values, self.starts) if len(self.starts) else np.empty(0, dtype=values.dtype)

    def to_csr(self, values: np.ndarray, shape: tuple[int, int]) -> sp.csr_array:
        """Put one value per pair into a users x items array."""
        indptr = np.concatenate([[0], np.cumsum(np.bincount(self.rows[self.starts], minlength=shape[0]))])
        return sp.csr_array((values.astype(np.float32), self.codes[self.starts], indptr), shape=shape)


_FEW = 1000  # events from which sorting one number for each is faster


def read_baskets(histories: Histories) -> Purchases:
    """Read the purchases of coded histories: events at one time are one basket; without times each is its own."""
    rows, ages = histories.rows, event_ages(histories)
    order = np.lexsort((ages, histories.codes, rows)) if len(rows) < _FEW else _newest_first(histories, rows)
    rows, codes, ages = rows[order], histories.codes[order], ages[order]
    new_pair = np.ones(len(rows), dtype=bool)
    new_pair[1:] = (np.diff(rows) != 0) | (np.diff(codes) != 0)
    once = new_pair.copy()
    once[1:] |= np.diff(ages) != 0
    time = None if histories.time is None else histories.time[order][once]
    return Purchases(rows[once], codes[once], ages[once], time, np.flatnonzero(new_pair[once]))


def _newest_first(histories: Histories, rows: np.ndarray) -> np.ndarray:
    """Return the positions of the events by user, item and age."""
    ends = np.repeat(histories.indptr[1:], histories.lengths) - 1
    back = ends - np.arange(len(rows))
    n_bits = int(back.max(initial=0)).bit_length()
    n_items = max(1, len(histories.ids))
    if len(histories) * n_items << n_bits >= 2**63:
        return np.lexsort((back, histories.codes, rows))
    keys = ((rows * n_items + histories.codes) << n_bits) | back
    keys.sort()
    return ends - (keys & ((1 << n_bits) - 1))
