"""SLIM: sparse linear item-to-item weights by elastic-net regressions."""

import warnings
from numbers import Integral, Real

import numpy as np
from joblib import effective_n_jobs
from sklearn.exceptions import ConvergenceWarning

from ..base import BaseRecommender
from ..utils._cooccurrence import Cooccurrence
from ..utils._sklearn import Interval, gram_descent
from ..utils._statistics import Statistics
from ._products import ItemProducts, largest, solve_columns

_WORKING_SET = 192  # regressors that a column starts with


class SLIM(BaseRecommender):
    r"""Sparse linear method: every item is predicted from few other items of the history.

    With :math:`x_j` the column of item :math:`j` in the user x item matrix :math:`X`, each column of the weights
    :math:`W` is an elastic-net regression on the other items,

    .. math::

        \min_{w_j} \tfrac{1}{2} \|x_j - X w_j\|^2 + \tfrac{\lambda_2}{2} \|w_j\|^2 + \lambda_1 \|w_j\|_1
        \quad \text{subject to} \quad w_{jj} = 0, \; w_j \ge 0,

    and the scores of a history :math:`x` are :math:`x W` [1]_. The weights are sparse: they show which items stand
    behind a recommendation, and asking costs little. With `n_neighbors` only the most similar items may enter a
    regression, the fsSLIM of the same paper.

    Parameters
    ----------
    l1 : float, default=1.0
        Strength :math:`\lambda_1` of the penalty that makes weights zero. Two items that fewer than `l1` users have in
        common are never connected while weights must be positive.
    l2 : float, default=200.0
        Strength :math:`\lambda_2` of the ridge penalty. More data allows less relative to it; search on a log scale.
    positive : bool, default=True
        Whether weights must not be negative. False lets an item speak against another; much slower.
    n_neighbors : int, default=None
        Number of most similar items, by cosine, that may enter the regression of an item; None is all of them.
    max_iter : int, default=1000
        Most passes of the coordinate descent over a column's regressors.
    tol : float, default=1e-4
        When a column is done: the duality gap is below `tol` times the squared norm of the item's column.
    incremental : bool, default=False
        Whether to keep what `partial_fit` and `forget` need, 12 bytes for each pair of items that occur together.
    vectorizer : transformer, "passthrough" or None, default=None
        Turns histories into the matrix; None is ``HistoryVectorizer()``. Recency, weights and BM25 go here.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether a user's own items come last. Say False where people buy again.
    n_jobs : int, default=-1
        Number of threads; -1 uses all processors. The result does not depend on it.
    verbose : int, default=0
        1 prints the progress and the time left at intervals.

    Attributes
    ----------
    similarity_ : CSR array of shape (n_items, n_items), dtype float32
        The weights :math:`W`: row = item of the history, column = item that is scored.
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
    EASE : The same regressions without sparsity, in closed form.
    skrec.neighbors.ItemKNN : Similarities that are computed instead of learned.

    Notes
    -----
    The regressions need the Gram matrix :math:`X^\top X` alone, which takes 8 bytes per pair of items that occur
    together, or ``4 * n_items**2`` bytes where more than a quarter of the pairs do. A column starts with its most
    similar items, is solved by scikit-learn's coordinate descent, and takes in those items that violate the optimality
    conditions until none does: the result is that of the full regression. Cost of a column: the square of that working
    set for every pass. Scoring costs the stored weights of the history's items.

    References
    ----------
    .. [1] X. Ning and G. Karypis, "SLIM: Sparse Linear Methods for Top-N Recommender Systems", ICDM 2011, equation 4.

    Examples
    --------
    >>> from skrec.linear_model import SLIM
    >>> histories = [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]]
    >>> model = SLIM(l1=0.1, l2=0.5, k=2).fit(histories)
    >>> model.predict([["tea"], ["saw"]])
    array([['milk', 'sugar'],
           ['hammer', 'nails']], dtype=object)
    >>> model.similarity_.nnz
    12
    """

    _updates = "exact"
    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "l1": [Interval(Real, 0, None, closed="neither")],
        "l2": [Interval(Real, 0, None, closed="left")],
        "positive": ["boolean"],
        "n_neighbors": [Interval(Integral, 1, None, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "n_jobs": [Integral],
        "verbose": ["verbose"],
        "incremental": ["boolean"],
    }

    def __init__(
        self,
        l1=1.0,
        l2=200.0,
        *,
        positive=True,
        n_neighbors=None,
        max_iter=1000,
        tol=1e-4,
        incremental=False,
        vectorizer=None,
        k=10,
        exclude_seen=True,
        n_jobs=-1,
        verbose=0,
    ):
        self.l1 = l1
        self.l2 = l2
        self.positive = positive
        self.n_neighbors = n_neighbors
        self.max_iter = max_iter
        self.tol = tol
        self.incremental = incremental
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _count(self, users):
        matrix = users.matrix.astype(np.float32, copy=False)
        return Statistics({"gram": Cooccurrence(matrix, matrix)})

    def _solve(self, statistics):
        gram = ItemProducts(statistics["gram"].tocsr())
        rng = np.random.RandomState(0)  # coordinate descent wants one; the order is cyclic
        rank = None if self.n_neighbors is None else self._id_rank()
        unfinished = []

        def solve(item):
            items, weights, converged = self._regress(gram, item, rng, rank)
            if not converged:
                unfinished.append(item)
            return items, weights

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # one for all columns follows
            self.similarity_ = solve_columns(solve, self.n_items_, effective_n_jobs(self.n_jobs), self)
        if unfinished:
            warnings.warn(
                f"SLIM stopped at max_iter={self.max_iter} in {len(unfinished)} of {self.n_items_} columns: "
                "raise max_iter, l1 or l2",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _regress(self, gram: ItemProducts, item: int, rng, rank) -> tuple[np.ndarray, np.ndarray, bool]:
        """Return the regressors of an item, their weights, and whether the descent converged."""
        descend = gram_descent()
        row = gram.row(item)
        target = np.sqrt(row[item : item + 1])  # only its squared norm is used
        allowed = self._allowed(gram, row, item, rank)
        likely = largest(row[allowed] / gram.norms[allowed], _WORKING_SET)
        working, weights, converged = allowed[likely], np.zeros(len(likely)), True
        while len(working):
            products = gram.square(working), row[working], target
            limits = self.max_iter, self.tol, rng, self.positive
            weights, converged = descend(weights, self.l1, self.l2, *products, *limits)
            if len(working) == len(allowed):
                break
            support = np.flatnonzero(weights)
            rest = row - gram.combine(working[support], weights[support])
            above = rest if self.positive else np.abs(rest)
            above = above[allowed] - self.l1 - self.tol * (gram.norms[allowed] ** 2 + self.l2)
            above[np.searchsorted(allowed, working)] = 0
            worst = largest(above, len(working))
            worst = worst[above[worst] > 0]
            if not len(worst):
                break
            merged = np.union1d(working, allowed[worst])
            start = np.zeros(len(merged))
            start[np.searchsorted(merged, working)] = weights
            working, weights = merged, start
        support = np.flatnonzero(weights)
        return working[support], weights[support], converged

    def _allowed(self, gram: ItemProducts, row: np.ndarray, item: int, rank) -> np.ndarray:
        """Return the items, ascending, that can have a weight in the regression of an item."""
        possible = row > (self.l1 if self.positive else -1)  # nothing of X is negative: more regressors lower the rest
        possible &= gram.norms > 0
        possible[item] = False
        allowed = np.flatnonzero(possible)
        if self.n_neighbors is not None:
            allowed = allowed[
                largest(row[allowed] / gram.norms[allowed], self.n_neighbors, None if rank is None else rank[allowed])
            ]
        return allowed
