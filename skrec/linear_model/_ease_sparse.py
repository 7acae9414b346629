"""EASE for catalogues whose dense item matrix does not fit: a ridge regression on each item's neighbourhood."""

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack

from ..utils._threads import n_threads
from ._products import ItemProducts, largest, solve_columns


def neighborhood_weights(
    products: sp.csr_array, l2: float, n_neighbors: int, rank: np.ndarray | None = None
) -> sp.csr_array:
    """Solve the regression of each item on the items most similar to it.

    With all other items as neighbours the weights are those of the closed form.

    Parameters
    ----------
    products : CSR array of shape (n_items, n_items)
        The Gram matrix of the items.
    l2 : float
        Strength of the ridge penalty.
    n_neighbors : int
        Number of other items in a regression, those with the largest cosine.
    rank : ndarray of shape (n_items,), default=None
        Which of equally similar items are taken, the smallest; None is their position.

    Returns
    -------
    CSR array of shape (n_items, n_items), dtype float32
        Row = item of the history, column = item that is scored.

    Raises
    ------
    ValueError
        If a regression is singular to working precision.
    """
    gram = ItemProducts(products)
    return solve_columns(lambda item: _regress(gram, item, l2, n_neighbors, rank), len(gram.norms), n_threads())


def _regress(gram: ItemProducts, item: int, l2: float, n_neighbors: int, rank) -> tuple[np.ndarray, np.ndarray]:
    row = gram.row(item)
    others = gram.norms > 0
    if n_neighbors < len(row) - 1:
        others &= row > 0
    others[item] = False
    items = np.flatnonzero(others)
    items = items[largest(row[items] / gram.norms[items], n_neighbors, None if rank is None else rank[items])]
    if not len(items):
        return items, np.empty(0)
    square = gram.square(items)
    square[np.diag_indices_from(square)] += l2
    _, weights, info = lapack.dposv(square.T, row[items], lower=False, overwrite_a=True)
    if info > 0:
        raise ValueError(
            f"the regression of column {item} is singular: raise l2, or remove items that always occur together"
        )
    return items, weights
