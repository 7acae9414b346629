"""Sharpening of item similarities: what the normalised co-occurrence of items has smoothed is taken off again."""

import numpy as np
import scipy.sparse as sp

from ..utils._cooccurrence import Cooccurrence
from ..utils._nearest import prune_rows
from ..utils._topk import map_blocks, stored_rows

_DENSE = 8  # a product of which more than one in so many entries is stored is multiplied dense


def count_links(matrix: sp.csr_array) -> Cooccurrence:
    """Return :math:`R^T D_u^{-1} R`, a sum over users, with the totals of the users on the diagonal of D_u."""
    lengths = np.diff(matrix.indptr)
    below = np.repeat(np.asarray(matrix.sum(axis=1)).ravel(), lengths).astype(np.float32)
    shares = np.divide(matrix.data, below, out=np.zeros_like(below), where=below > 0)
    return Cooccurrence(sp.csr_array((shares, matrix.indices, matrix.indptr), shape=matrix.shape), matrix)


def sharpened(similarity, links: Cooccurrence, weight: np.ndarray, time: float, n: int, rank) -> sp.csr_array:
    r"""Return the similarities after two Euler steps of a sharpening process, the n largest of each candidate.

    With :math:`W` the similarities and :math:`P = D_i^{-1/2} R^T D_u^{-1} R D_i^{-1/2}`, whose largest eigenvalue is
    1, these are the positive ones of :math:`W (I - \frac{t}{2} P)^2`, without the diagonal.

    Parameters
    ----------
    similarity : CSR array of shape (n_items, n_items)
        Row = item of the history, column = candidate.
    links : Cooccurrence
        :math:`R^T D_u^{-1} R`.
    weight : ndarray of shape (n_items,)
        The totals of the items, on the diagonal of :math:`D_i`.
    time : float
        The time :math:`t` of the process.
    n : int
        Number of similarities that each candidate keeps.
    rank : int ndarray of shape (n_items,) or None
        Of equal similarities those to items of smaller rank are kept.
    """
    links.check_room(2 * 12, "sharpening", "set sharpening=0, or leave rare items out, as HistoryVectorizer(min_df=)")
    product, n_items = links.exact(), len(weight)
    scale = np.maximum(weight, np.finfo(np.float32).tiny).astype(np.float64) ** -0.5
    values = (product.data * scale[stored_rows(product)] * scale[product.indices]).astype(np.float32)
    cooccurrence = sp.csr_array((values, product.indices, product.indptr), shape=product.shape)
    if cooccurrence.nnz > n_items**2 / _DENSE:
        cooccurrence = cooccurrence.toarray()
    half = np.float32(time / 2)

    def candidates(block):
        columns = cooccurrence[block]  # of the symmetric product
        steps = -half * (columns.toarray() if sp.issparse(columns) else columns).T
        place = np.arange(block.start, block.stop), np.arange(block.stop - block.start)
        steps[place] += 1
        steps -= half * (cooccurrence @ steps)
        found = similarity @ steps
        found[place] = 0
        return prune_rows(sp.csr_array(np.maximum(found.T, 0)), n, rank)

    nearest = sp.vstack(map_blocks(candidates, n_items, 4 * 4 * n_items), format="csr")
    return sp.csr_array(nearest.T)
