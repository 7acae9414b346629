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
_STEP = 512  # rows of a block


class EASE(BaseRecommender):
    r"""Embarrassingly Shallow Autoencoder: a linear item-to-item model in closed form.

    Every item is predicted from the other items of the history by a ridge regression; all regressions share one
    matrix inverse. With :math:`X` the user x item matrix and :math:`P = (X^\top X + \lambda I)^{-1}`, the weights are

    .. math:: B_{ij} = \begin{cases} 0 & i = j \\ -P_{ij} / P_{jj} & i \ne j \end{cases}

    and the scores of a history :math:`x` are :math:`x B` [1]_. Few models of any kind rank better on purchase logs.

    `dropout` :math:`p` makes it EDLAE [3]_, the solution in closed form for histories that lose each item with
    probability :math:`p`. Two exponents normalise rows and columns, as in [4]_: items of long histories predict with
    less weight (`length_exponent` :math:`\gamma`), and scores of popular items are lowered (`popularity_exponent`
    :math:`\beta`). With :math:`n_u` items of user :math:`u`, :math:`n_j` users of item :math:`j`,
    :math:`Z = \operatorname{diag}(n_u^{-\gamma}) X` and :math:`\operatorname{diag}(Z^\top Z)` the diagonal alone,

    .. math::

        P = \Big(Z^\top Z + \tfrac{p}{1 - p} \operatorname{diag}(Z^\top Z) + \lambda I\Big)^{-1}, \quad
        W = P Z^\top X, \quad
        B_{ij} = \begin{cases} 0 & i = j \\ (W_{ij} - P_{ij} W_{jj} / P_{jj}) \, n_j^{-\beta} & i \ne j \end{cases}

    With :math:`\gamma = 0` these are :math:`-P_{ij} / P_{jj} \, n_j^{-\beta}`; with all three at 0 it is EASE.

    Parameters
    ----------
    l2 : float, default=100.0
        Strength of the ridge penalty :math:`\lambda`. More data allows less; try 10 to 5000 on a log scale. A
        `length_exponent` makes the rows shorter, so that less is needed.
    method : {"auto", "dense", "sparse"}, default="auto"
        ``"dense"`` is the closed form. ``"sparse"`` solves the regression of each item on its `n_neighbors` most
        similar items alone, for catalogues whose dense matrix does not fit. ``"auto"`` takes the closed form while
        it needs no more than `max_memory`.
    n_neighbors : int, default=128
        Number of items in a regression of the sparse method. With all other items it equals the closed form.
    max_memory : float, default=4.0
        Memory in GiB that the dense method may take while fitting: 4 GiB are enough for 26,754 items.
    dropout : float, default=0.0
        Probability :math:`p`, at least 0 and below 1, of an item of a training history to be left out.
    length_exponent : float, default=0.0
        Exponent :math:`\gamma` of the number of items of a user, by which the row that predicts is divided; what it
        predicts remains. With 0.5 and a matrix of ones, these rows have unit length. Takes 10 instead of 6 bytes for
        each pair of items while fitting.
    popularity_exponent : float, default=0.0
        Exponent :math:`\beta` of the number of users of the candidate, by which its score is divided.
    incremental : bool, default=False
        Whether to keep what `partial_fit` and `forget` need, the Gram matrix: as much memory again as the weights.
    vectorizer : transformer, "passthrough" or None, default=None
        Turns histories into the matrix; None is ``HistoryVectorizer()``. Recency, weights and BM25 go here.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether a user's own items come last. Say False where people buy again.
    verbose : int, default=0
        1 prints the progress and the time left at intervals with the sparse method.

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

    Dropout costs nothing more; a `length_exponent` adds a product of two ``n_items * n_items`` matrices. The weights
    but for :math:`n_j^{-\beta}` minimise the expected squared error: with :math:`\delta` independent numbers that are
    0 with probability :math:`p` and else :math:`1 / (1 - p)`, under the condition :math:`B_{ii} = 0`,

    .. math::

        \sum_u \mathbb{E} \lVert x_u - (\delta_u \odot z_u) B \rVert^2 + \lambda \lVert B \rVert^2
        = \lVert X - Z B \rVert^2
        + \sum_i \Big(\tfrac{p}{1 - p} (Z^\top Z)_{ii} + \lambda\Big) \lVert B_{i \cdot} \rVert^2 .

    The scores are :math:`x B`, not :math:`z B`: the order is the same.

    With `incremental`, `partial_fit` updates the inverse by the Woodbury identity where few users or few items have
    changed (with `dropout`, few items), at :math:`O(n_{items}^2)` for each of them, and solves anew where that takes
    less, where the residual on random vectors is more than three times that of the last direct solution, or with a
    `length_exponent`.

    The sparse method is the simplest of the approximations of [2]_, with one block for each item: its cost is
    :math:`O(n_{items} n_{neighbors}^3)` time, and memory for ``n_neighbors * n_items`` weights and for the pairs of
    items that occur together. Scoring costs `n_neighbors` operations per event.

    References
    ----------
    .. [1] H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019, equation 8.
    .. [2] H. Steck, "Markov Random Fields for Collaborative Filtering", NeurIPS 2019, section 3.
    .. [3] H. Steck, "Autoencoders that don't overfit towards the Identity", NeurIPS 2020.
    .. [4] S. Park, M. Yoon, H. Kim and J. Lee, "Why is Normalization Necessary for Linear Recommenders?", SIGIR 2025.

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
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "length_exponent": [Interval(Real, 0, None, closed="left")],
        "popularity_exponent": [Interval(Real, 0, None, closed="left")],
        "incremental": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        l2=100.0,
        *,
        method="auto",
        n_neighbors=128,
        max_memory=4.0,
        dropout=0.0,
        length_exponent=0.0,
        popularity_exponent=0.0,
        incremental=False,
        vectorizer=None,
        k=10,
        exclude_seen=True,
        verbose=0,
    ):
        self.l2 = l2
        self.method = method
        self.n_neighbors = n_neighbors
        self.max_memory = max_memory
        self.dropout = dropout
        self.length_exponent = length_exponent
        self.popularity_exponent = popularity_exponent
        self.incremental = incremental
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen
        self.verbose = verbose

    def _count(self, users):
        matrix = users.matrix.astype(np.float32, copy=False)
        if not self.length_exponent:
            return Statistics({"gram": Cooccurrence(matrix, matrix)})
        scaled = divided_rows(matrix, self.length_exponent)
        return Statistics({"gram": Cooccurrence(scaled, scaled), "targets": Cooccurrence(scaled, matrix)})

    def _check_updatable(self):
        super()._check_updatable()
        if self.length_exponent != getattr(self, "_counted_exponent", 0.0):
            raise ValueError(
                f"length_exponent must be that of fit, {self._counted_exponent}, for updates, got "
                f"{self.length_exponent}: set it back, or fit again on all events"
            )

    def _solve(self, statistics):
        needed = self._needed()
        self._diagonal = self._divisors = None
        self._counted_exponent = self.length_exponent
        gram, targets = statistics["gram"], statistics["targets"] if self.length_exponent else None
        if self.method == "dense" and needed > self.max_memory:
            raise ValueError(
                f"method='dense' needs {needed:.1f} GiB for {self.n_items_} items, above max_memory={self.max_memory}: "
                "raise max_memory, take method='sparse', or leave out rare items (min_df of HistoryVectorizer)"
            )
        if self.method == "sparse" or needed > self.max_memory:
            advice = "leave out rare items (min_df of HistoryVectorizer), or fit on fewer users or shorter histories"
            gram.check_room(8 * (1 if targets is None else 2), "EASE with method='sparse'", advice)
            share, wanted = self._diagonal_share(), None if targets is None else targets.tocsr()
            rank = self._id_rank()
            weights = neighborhood_weights(gram.tocsr(), self.l2, self.n_neighbors, rank, share, wanted, self)
            if self.popularity_exponent:
                weights.data /= self._damping()[weights.indices]
            self.similarity_ = weights
            return
        matrix = gram.toarray()
        matrix[np.diag_indices_from(matrix)] += self._penalty(matrix.diagonal())
        inverse = symmetric_inverse(matrix)
        if targets is not None:
            self.similarity_ = regression_weights(inverse, targets.toarray())
            if self.popularity_exponent:
                self.similarity_ /= self._damping()
            return
        if self.incremental:
            self._residual = residual(inverse, gram, self._penalty(gram.diagonal()))
        self._take(inverse)

    def _take(self, inverse: np.ndarray) -> None:
        """Make the weights of the inverse, in its memory."""
        diagonal = inverse.diagonal().copy()
        divisors = diagonal * self._damping() if self.popularity_exponent else diagonal
        self._diagonal, self._divisors = (diagonal, divisors) if self.incremental else (None, None)
        inverse /= -divisors
        np.fill_diagonal(inverse, 0)
        self.similarity_ = inverse

    def _resolve(self, statistics, after, before, changes):
        """Update the inverse where the change has few users or items, and its error is that of a direct solution."""
        n_known = self.similarity_.shape[0]
        dense = self._diagonal is not None and not sp.issparse(self.similarity_)
        if not dense or self.length_exponent or self._needed() > self.max_memory:
            return self._solve(statistics)
        factors = low_rank_factors(after["gram"].factor(), before["gram"].factor(), self._diagonal_share())
        if not worthwhile(factors[0].shape[0], self.n_items_):
            return self._solve(statistics)
        inverse = np.zeros((self.n_items_, self.n_items_), dtype=np.float32)
        np.fill_diagonal(inverse, 1 / self.l2)  # of new items
        inverse[:n_known, :n_known] = self.similarity_ * -self._divisors
        inverse[np.arange(n_known), np.arange(n_known)] = self._diagonal
        inverse = updated_inverse(inverse, *factors)
        penalty = self._penalty(statistics["gram"].diagonal())
        if residual(inverse, statistics["gram"], penalty) > _WORSE * self._residual:
            return self._solve(statistics)
        return self._take(inverse)

    def _diagonal_share(self) -> float:
        """Return the share of the Gram matrix's diagonal that dropout adds to it."""
        return self.dropout / (1 - self.dropout)

    def _penalty(self, diagonal: np.ndarray) -> np.ndarray:
        """Return what is added to the diagonal of the Gram matrix, float32 of shape (n_items,)."""
        return np.float32(self._diagonal_share()) * diagonal + np.float32(self.l2)

    def _damping(self) -> np.ndarray:
        """Return what the scores of each item are divided by, float32 of shape (n_items,)."""
        return (np.maximum(self.popularity_, 1) ** float(self.popularity_exponent)).astype(np.float32)

    def _needed(self) -> float:
        """Return the memory that the dense method takes, in GiB."""
        return (10 if self.length_exponent else 6) * self.n_items_**2 / 2**30


def divided_rows(matrix: sp.csr_array, exponent: float) -> sp.csr_array:
    """Divide each row by its number of entries to the power of `exponent`.

    Parameters
    ----------
    matrix : CSR array of shape (n_users, n_items), dtype float32
        The users x items matrix.
    exponent : float
        At least 0.

    Returns
    -------
    CSR array of shape (n_users, n_items), dtype float32
        With the index arrays of `matrix`.
    """
    lengths = np.diff(matrix.indptr)
    scale = np.repeat(np.maximum(lengths, 1) ** -float(exponent), lengths).astype(np.float32)
    return sp.csr_array((matrix.data * scale, matrix.indices, matrix.indptr), shape=matrix.shape)


def regression_weights(inverse: np.ndarray, targets: np.ndarray) -> np.ndarray:
    r"""Return the weights of all ridge regressions of items on the other items.

    Parameters
    ----------
    inverse : ndarray of shape (n, n), dtype float32
        The symmetric :math:`P`, the inverse of the penalised Gram matrix; overwritten.
    targets : ndarray of shape (n, n), dtype float32
        The symmetric :math:`Z^\top X`.

    Returns
    -------
    ndarray of shape (n, n), dtype float32
        :math:`W - P \operatorname{diag}(W_{jj} / P_{jj})` with :math:`W = P Z^\top X`, 0 on the diagonal, in the memory
        of `inverse`.
    """
    multipliers = np.einsum("ij,ij->i", inverse, targets.T, dtype=np.float64) / inverse.diagonal()
    multipliers = multipliers.astype(np.float32)
    for start in range(0, len(inverse), _STEP):  # a row of weights needs no other row of the inverse
        rows = inverse[start : start + _STEP]
        rows[:] = rows @ targets - rows * multipliers
    np.fill_diagonal(inverse, 0)
    return inverse


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
    for start in range(0, len(inverse), _STEP):  # mirror in blocks: no second full matrix
        stop = min(start + _STEP, len(inverse))
        inverse[stop:, start:stop] = inverse[start:stop, stop:].T
        square = inverse[start:stop, start:stop]
        lower = np.tril_indices(stop - start, -1)
        square[lower] = square.T[lower]
    return inverse
