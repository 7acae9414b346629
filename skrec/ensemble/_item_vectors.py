"""Cosines between a candidate and the newest items of the history, of co-occurrence vectors (PPMI + SVD)."""

import numpy as np

from ..utils._histories import Histories
from ..utils._ppmi import positive_pmi, unit_vectors, window_counts
from ..utils._topk import block_slices
from ._pairs import Pairs

_N_COMPONENTS = 64
_WINDOW = 5  # steps between two events that co-occur, as in PPMISVD
_N_NEWEST = 10  # events of a history with which a candidate is compared
_BLOCK_BYTES = 2**20  # of vectors at a time
_LEVELS = 10  # per unit of cosine: finer ones tell single items apart


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

    Both are 0 for users without history. An item without a vector, of which no co-occurrence is known, gets the values
    of the candidate with a vector that stands next above it by the sum of the retrievers' scores, or next below: a
    value of its own would tell rankers that it is new, which they learn to mean not wanted. Products are summed pair by
    pair, so that the values of a user do not depend on who else is in the block.
    """
    stop, length = histories.indptr[1:][pairs.row], histories.lengths[pairs.row]
    newest, largest = np.zeros((2, len(pairs.row)), dtype=np.float32)
    known = np.empty(len(pairs.row), dtype=bool)
    for block in block_slices(len(pairs.row), 2 * vectors[:1].nbytes, cap=_BLOCK_BYTES):
        candidate = vectors[pairs.column[block]]
        known[block] = candidate.any(axis=1)
        for back in range(min(_N_NEWEST, int(length[block].max()))):
            some = np.flatnonzero(length[block] > back)
            event = stop[block][some] - 1 - back
            value = np.einsum("ij,ij->i", candidate[some], vectors[histories.codes[event]])
            largest[block][some] = value if back == 0 else np.maximum(largest[block][some], value)
            if back == 0:
                newest[block][some] = value
    newest, largest = (np.round(_LEVELS * one) / np.float32(_LEVELS) for one in (newest, largest))
    neighbours = _known_neighbours(known, pairs)
    return {"newest cosine": newest[neighbours], "largest cosine": largest[neighbours]}


def _known_neighbours(known: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Return the pair whose cosines each pair gets, itself where its item is `known` to have a vector, (n_pairs,)."""
    pair = np.arange(len(known))
    if known.all():
        return pair
    order = np.lexsort((pairs.places(pairs.scores[:, -1]), pairs.row))
    start, stop = pairs.starts[pairs.row], pairs.starts[pairs.row + 1]
    above = np.maximum.accumulate(np.where(known[order], pair, -1))
    below = np.minimum.accumulate(np.where(known[order], pair, len(pair))[::-1])[::-1]
    chosen = np.where(above >= start, above, np.where(below < stop, below, pair))
    neighbours = np.empty_like(pair)
    neighbours[order] = order[chosen]
    return neighbours
