"""EASE: a linear autoencoder in closed form."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack

from ..base import BaseRecommender
from ..utils._cooccurrence import Cooccurrence
from ..utils._sklearn import Interval, StrOptions
from ..utils._statistics import Statistics
from ._ease_sparse import neighborhood_weights
from ._ease_update import low_rank_factors, residual, updated_inverse, worthwhile

_WORSE = 3  # times the residual of the last direct solution, from which an update is solved anew


class EASE(BaseRecommender):
    r"""Embarrassingly Shallow Autoencoder: a linear item-to-item model in closed form.

    Every item is predicted from the other items of the history by a ridge regression; all regressions share one
    matrix inverse. With :math:`X` the user x item matrix and :math:`P = (X^\top X + \lambda I)^{-1}`, the weights are

    .. math:: B_{ij} = \begin{cases} 0 & i = j \\ -P_{ij} / P_{jj} & i \ne j \end{cases}

    and the scores of a history :math:`x` are :math:`x B` [1]_. Few models of any kind rank better on purchase logs.

    Parameters
    ----------
    l2 : float, default=100.0
        Strength of the ridge penalty :math:`\lambda`. More data allows less; try 10 to 5000 on a log scale.
    method : {"auto", "dense", "sparse"}, default="auto"
        ``"dense"`` is the closed form. ``"sparse"`` solves the regression of each item on its `n_neighbors` most
        similar items alone, for catalogues whose dense matrix does not fit. ``"auto"`` takes the closed form while
        it needs no more than `max_memory`.
    n_neighbors : int, default=128
        Number of items in a regression of the sparse method. With all other items it equals the closed form.
    max_memory : float, default=4.0
        Memory in GiB that the dense method may take while fitting: 4 GiB are enough for 26,754 items.
    incremental : bool, default=False
        Whether to keep what `partial_fit` and `forget` need, the Gram matrix: as much memory again as the weights.
    vectorizer : transformer, "passthrough" or None, default=None
        Turns histories into the matrix; None is ``HistoryVectorizer()``. Recency, weights and BM25 go here.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether a user's own items come last. Say False where people buy again.

    Attributes
    ----------
    similarity_ : ndarray or CSR array of shape (n_items, n_items), dtype float32
        The weights :math:`B`: row = item of the history, column = item that is scored. CSR with the sparse method.
    items_ : ndarray of shape (n_items,)
        Item ids in the order of the scores.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users with each item.
    vectorizer_ : transformer
        The fitted vectorizer.

    See Also
    --------
    SLIM : Sparse positive weights.
    skrec.neighbors.ItemKNN : Similarities without an inverse, for larger catalogues.
    skrec.decomposition.ALS : Factors instead of weights; memory linear in the items.

    Notes
    -----
    Cost of `fit`: :math:`O(n_{items}^3)` time and ``4 * n_items**2`` bytes, once for the weights and half as much
    again while fitting; the number of users hardly matters. The inverse is computed in float32 from a Cholesky
    factor. Scoring costs ``n_items`` operations per event of the history.

    With `incremental`, `partial_fit` updates the inverse by the Woodbury identity where few users or few items have
    changed, at :math:`O(n_{items}^2)` for each of them, and solves anew where that takes less, or where the residual on
    random vectors is more than three times that of the last direct solution.

    The sparse method is the simplest of the approximations of [2]_, with one block for each item: its cost is
    :math:`O(n_{items} n_{neighbors}^3)` time, and memory for ``n_neighbors * n_items`` weights and for the pairs of
    items that occur together. Scoring costs `n_neighbors` operations per event.

    References
    ----------
    .. [1] H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019, equation 8.
    .. [2] H. Steck, "Markov Random Fields for Collaborative Filtering", NeurIPS 2019, section 3.

    Examples
    --------
    >>> from skrec.linear_model import EASE
    >>> histories = [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]]
    >>> model = EASE(l2=0.5, k=2).fit(histories)
    >>> model.predict([["tea"], ["saw"]])
    array([['milk', 'sugar'],
           ['hammer', 'nails']], dtype=object)
    """

    _updates = "exact"
    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "l2": [Interval(Real, 0, None, closed="neither")],
        "method": [StrOptions({"auto", "dense", "sparse"})],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "max_memory": [Interval(Real, 0, None, closed="neither")],
        "incremental": ["boolean"],
    }

    def __init__(
        self,
        l2=100.0,
        *,
        method="auto",
        n_neighbors=128,
        max_memory=4.0,
        incremental=False,
        vectorizer=None,
        k=10,
        exclude_seen=True,
    ):
        self.l2 = l2
        self.method = method
        self.n_neighbors = n_neighbors
        self.max_memory = max_memory
        self.incremental = incremental
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen

    def _count(self, users):
        matrix = users.matrix.astype(np.float32, copy=False)
        return Statistics({"gram": Cooccurrence(matrix, matrix)})

    def _solve(self, statistics):
        needed = self._needed()
        self._diagonal = None
        if self.method == "dense" and needed > self.max_memory:
            raise ValueError(
                f"method='dense' needs {needed:.1f} GiB for {self.n_items_} items, above max_memory={self.max_memory}: "
                "raise max_memory, take method='sparse', or leave out rare items (min_df of HistoryVectorizer)"
            )
        if self.method == "sparse" or needed > self.max_memory:
            self.similarity_ = neighborhood_weights(
                statistics["gram"].tocsr(), self.l2, self.n_neighbors, self._id_rank()
            )
            return
        gram = statistics["gram"].toarray()
        gram[np.diag_indices_from(gram)] += np.float32(self.l2)
        inverse = symmetric_inverse(gram)
        if self.incremental:
            self._residual = residual(inverse, statistics["gram"], self.l2)
        self._take(inverse)

    def _take(self, inverse: np.ndarray) -> None:
        """Make the weights of the inverse, in its memory."""
        self._diagonal = inverse.diagonal().copy() if self.incremental else None
        inverse /= -inverse.diagonal().copy()
        np.fill_diagonal(inverse, 0)
        self.similarity_ = inverse

    def _resolve(self, statistics, after, before, changes):
        """Update the inverse where the change has few users or items, and its error is that of a direct solution."""
        n_known = self.similarity_.shape[0]
        factors = low_rank_factors(after["gram"].factor(), before["gram"].factor())
        dense = self._diagonal is not None and not sp.issparse(self.similarity_)
        if not dense or self._needed() > self.max_memory or not worthwhile(factors[0].shape[0], self.n_items_):
            return self._solve(statistics)
        inverse = np.zeros((self.n_items_, self.n_items_), dtype=np.float32)
        np.fill_diagonal(inverse, 1 / self.l2)  # of new items
        inverse[:n_known, :n_known] = self.similarity_ * -self._diagonal
        inverse[np.arange(n_known), np.arange(n_known)] = self._diagonal
        inverse = updated_inverse(inverse, *factors)
        if residual(inverse, statistics["gram"], self.l2) > _WORSE * self._residual:
            return self._solve(statistics)
        return self._take(inverse)

    def _needed(self) -> float:
        """Return the memory that the dense method takes, in GiB."""
        return 6 * self.n_items_**2 / 2**30


def symmetric_inverse(matrix: np.ndarray) -> np.ndarray:
    """Invert a symmetric positive definite matrix in place by its Cholesky factor.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), Fortran order, float32 or float64
        Overwritten.

    Returns
    -------
    ndarray of shape (n, n), C order
        The full inverse, in the memory of `matrix`.

    Raises
    ------
    ValueError
        If the matrix is not positive definite to working precision.
    """
    potrf, potri = (lapack.spotrf, lapack.spotri) if matrix.dtype == np.float32 else (lapack.dpotrf, lapack.dpotri)
    factor, info = potrf(matrix, lower=True, overwrite_a=True, clean=False)
    if info > 0:
        raise ValueError(
            f"the item matrix is singular in column {info - 1}: raise l2, or remove items that always occur together"
        )
    inverse, _ = potri(factor, lower=True, overwrite_c=True)
    inverse = inverse.T  # C order; the upper triangle now holds the values
    step = 512
    for start in range(0, len(inverse), step):  # mirror in blocks: no second full matrix
        stop = min(start + step, len(inverse))
        inverse[stop:, start:stop] = inverse[start:stop, stop:].T
        square = inverse[start:stop, start:stop]
        lower = np.tril_indices(stop - start, -1)
        square[lower] = square.T[lower]
    return inverse
