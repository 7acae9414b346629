"""Cosines between a candidate and the newest items of the history, of co-occurrence vectors (PPMI + SVD)."""

import numpy as np

from ..utils._histories import Histories
from ..utils._ppmi import positive_pmi, unit_vectors, window_counts
from ._pairs import Pairs

_N_COMPONENTS = 64
_WINDOW = 5  # steps between two events that co-occur, as in PPMISVD
_N_NEWEST = 10  # events of a history with which a candidate is compared


def cooccurrence_vectors(histories: Histories, n_items: int) -> np.ndarray:
    """Return a vector of norm 1 for each item, zeros for items that co-occur with nothing more often than by chance.

    Parameters
    ----------
    histories : Histories
        Histories coded on the items.
    n_items : int
        Number of items.

    Returns
    -------
    ndarray of shape (n_items, n_components), dtype float32
        Item vectors of `PPMISVD` with its defaults.
    """
    window = min(_WINDOW, int(histories.lengths.max(initial=1)))
    counts = window_counts(histories.codes, histories.rows, n_items, window)
    return unit_vectors(positive_pmi(counts), min(_N_COMPONENTS, n_items), np.random.RandomState(0))


def with_zeros(vectors: np.ndarray | None, n_new: int) -> np.ndarray | None:
    """Append vectors of new items, of which no co-occurrence is known."""
    if vectors is None or not n_new:
        return vectors
    return np.concatenate([vectors, np.zeros((n_new, vectors.shape[1]), vectors.dtype)])


def cosines(vectors: np.ndarray, histories: Histories, pairs: Pairs) -> dict[str, np.ndarray]:
    """Return the cosine of each candidate with the newest item of its user, and the largest with the ten newest.

    Both are 0 for users without history. Products are summed pair by pair, so that the value of a pair does not depend
    on what else is in the block.
    """
    candidate, stop = vectors[pairs.column], histories.indptr[1:][pairs.row]
    length = histories.lengths[pairs.row]
    newest, largest = np.zeros((2, len(pairs.row)), dtype=np.float32)
    for back in range(min(_N_NEWEST, int(length.max(initial=0)))):
        some = np.flatnonzero(length > back)
        value = np.einsum("ij,ij->i", candidate[some], vectors[histories.codes[stop[some] - 1 - back]])
        largest[some] = value if back == 0 else np.maximum(largest[some], value)
        if back == 0:
            newest[some] = value
    return {"newest cosine": newest, "largest cosine": largest}
