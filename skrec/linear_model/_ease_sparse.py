"""EASE for catalogues whose dense item matrix does not fit: a ridge regression on each item's neighbourhood."""

import time
import warnings
from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack

from ..utils._threads import n_threads, single_threaded_blas
from ._products import ItemProducts, largest, solve_columns

_MANY_ITEMS = 20_000  # from which the time is estimated
_SAMPLE = 64  # regressions that are timed
_LONG_SECONDS = 600


def neighborhood_weights(
    products: sp.csr_array,
    l2: float,
    n_neighbors: int,
    rank: np.ndarray | None = None,
    share: float = 0.0,
    targets: sp.csr_array | None = None,
    owner="EASE",
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
    share : float, default=0.0
        Share of the diagonal of `products` that is added to the penalty, for dropout.
    targets : CSR array of shape (n_items, n_items), default=None
        Products of the items that predict with those that are predicted, symmetric; None is `products`.
    owner : estimator or str, default="EASE"
        Whose progress it is.

    Returns
    -------
    CSR array of shape (n_items, n_items), dtype float32
        Row = item of the history, column = item that is scored.

    Raises
    ------
    ValueError
        If a regression is singular to working precision.

    Warns
    -----
    UserWarning
        Before it starts, if the regressions of some items tell that all will take more than 10 minutes.
    """
    gram = ItemProducts(products)
    wanted = gram if targets is None else ItemProducts(targets)

    def solve(item):
        return _regress(gram, wanted, item, l2, n_neighbors, rank, share)

    _warn_of_time(solve, gram.norms, n_neighbors)
    return solve_columns(solve, len(gram.norms), n_threads(), owner)


def _warn_of_time(solve: Callable, norms: np.ndarray, n_neighbors: int) -> None:
    """Warn where the time of some regressions, from rare to frequent items, tells that all take long."""
    if len(norms) < _MANY_ITEMS:
        return
    by_norm = np.argsort(norms, kind="stable")
    sample = by_norm[(np.arange(_SAMPLE) + 0.5).astype(np.int64) * len(norms) // _SAMPLE]
    with single_threaded_blas():
        solve(int(sample[-1]))  # loads what is loaded once
        start = time.perf_counter()
        for item in sample:
            solve(int(item))
        seconds = (time.perf_counter() - start) / _SAMPLE * len(norms) / n_threads()
    if seconds > _LONG_SECONDS:
        warnings.warn(
            f"EASE with method='sparse' will take about {seconds:,.0f} s for {len(norms):,} items with "
            f"n_neighbors={n_neighbors}: lower n_neighbors, or leave out rare items (min_df of HistoryVectorizer)",
            UserWarning,
            stacklevel=2,
        )


def _regress(
    gram: ItemProducts, wanted: ItemProducts, item: int, l2: float, n_neighbors: int, rank, share: float
) -> tuple[np.ndarray, np.ndarray]:
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
    target = row[items] if wanted is gram else wanted.row(item)[items]
    square[np.diag_indices_from(square)] += l2 + share * square.diagonal()
    _, weights, info = lapack.dposv(square.T, target, lower=False, overwrite_a=True)
    if info > 0:
        raise ValueError(
            f"the regression of column {item} is singular: raise l2, or remove items that always occur together"
        )
    return items, weights
