"""Exact search for the items of largest inner product where numba is missing: products in the order of the norms.

No product with an item of norm n is above n times the norm of the user's vector (Cauchy-Schwarz inequality), so the
products end where that is below the k-th largest so far. Vectors of equal norms gain nothing.
"""

from typing import NamedTuple

import numpy as np

LEAST_ITEMS = 2**17  # below, all products are as fast
_CHUNK, _LARGEST_CHUNK = 2**13, 2**18  # items whose products are made at once: the first, and later ones
_SPREAD = 0.7  # share of the largest norm above which the median gains too little


class SortedItems(NamedTuple):
    """A copy of item vectors in the order of descending norms.

    Attributes
    ----------
    vectors : ndarray of shape (n_items, n_components), dtype float32
        The item vectors.
    order : ndarray of shape (n_items,), dtype int64
        Position of each among the vectors of the model.
    norms : ndarray of shape (n_items,), dtype float64
        Norms, negative so that they ascend.
    rounding : float
        Bound of the rounding of a product in float32, for vectors of norm 1.
    """

    vectors: np.ndarray
    order: np.ndarray
    norms: np.ndarray
    rounding: float


def sort_items(items: np.ndarray, norms: np.ndarray, rounding: float) -> SortedItems | None:
    """Copy item vectors in the order of their norms (n_items,); None where these are too equal to gain anything."""
    order = np.argsort(-norms, kind="stable")
    if norms[order[len(order) // 2]] > _SPREAD * norms[order[0]]:
        return None
    return SortedItems(items[order], order, -norms[order], rounding)


def search_sorted(index: SortedItems, query: np.ndarray, k: int, hidden: np.ndarray) -> np.ndarray:
    """Return the positions of at least the k best items but for hidden ones, all of equal product included."""
    n_wanted = k + len(hidden)
    length = np.sqrt(np.dot(query, query.astype(np.float64))) * (1 + 1e-6)
    places, lowest, highest = np.empty(0, dtype=np.int64), np.empty(0), np.empty(0)  # with bounds of their products
    least, start, stop, size = -np.inf, 0, len(index.order), _CHUNK
    while start < stop:
        products = index.vectors[start : min(start + size, stop)] @ query
        error = -index.rounding * length * index.norms[start]
        kept = np.flatnonzero(products >= np.nextafter(np.float32(least - error), np.float32(-np.inf)))
        places = np.concatenate([places, start + kept])
        lowest = np.concatenate([lowest, products[kept].astype(np.float64) - error])
        highest = np.concatenate([highest, products[kept].astype(np.float64) + error])
        if len(places) >= n_wanted:
            least = np.partition(lowest, -n_wanted)[-n_wanted]
            best = highest >= least
            places, lowest, highest = places[best], lowest[best], highest[best]
            if least > 0:
                stop = int(np.searchsorted(index.norms, -least / length, side="right"))
        start, size = start + len(products), min(4 * size, _LARGEST_CHUNK)
    found = index.order[places]
    return np.sort(found[~np.isin(found, hidden)])
