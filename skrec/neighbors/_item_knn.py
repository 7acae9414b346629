"""Item k-nearest neighbours."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp

from ..base import BaseRecommender
from ..utils._cooccurrence import Cooccurrence
from ..utils._csr import as_float32, column_sums, pattern_of
from ..utils._nearest import Below
from ..utils._sklearn import Interval, StrOptions
from ..utils._statistics import Statistics
from ._nearest_items import NearestItemsMixin


class ItemKNN(NearestItemsMixin, BaseRecommender):
    r"""Recommend the items most similar to those of the history: items are similar if the same users have them.

    With :math:`x_i` the column of item :math:`i`, :math:`n_i` its users, :math:`n_{ij}` the users of both and
    :math:`s` the shrinkage, the similarity of item :math:`i` of the history to a candidate :math:`j` is

    .. math::

        \text{cosine} &: \frac{x_i \cdot x_j}{\|x_i\| \|x_j\| + s}
        & \text{asymmetric} &: \frac{x_i \cdot x_j}{\|x_i\|^{2\alpha} \|x_j\|^{2 (1 - \alpha)} + s} \\
        \text{jaccard} &: \frac{n_{ij}}{n_i + n_j - n_{ij} + s}
        & \text{tversky} &: \frac{n_{ij}}{n_{ij} + \alpha (n_i - n_{ij}) + \beta (n_j - n_{ij}) + s}

    Only the `n_neighbors` most similar items of each candidate are kept, and its score is the sum over the
    history, weighted by the entries of the user's row [1]_. The asymmetric cosine is from [2]_, the Tversky index
    from [3]_.

    Parameters
    ----------
    n_neighbors : int, default=100
        Number of similar items kept for each candidate.
    metric : {"cosine", "jaccard", "tversky", "asymmetric"}, default="cosine"
        The similarity. Jaccard and Tversky count users and ignore the values of the matrix.
    shrinkage : float, default=10.0
        Lowers similarities that rest on few users.
    alpha : float, default=0.5
        Weight of the history's item in ``"tversky"`` and ``"asymmetric"``; 0.5 in the latter is the cosine.
    beta : float, default=0.5
        Weight of the candidate in ``"tversky"``.
    incremental : bool, default=False
        Whether to keep what `partial_fit` and `forget` need, 12 bytes for each pair of items that occur together;
        `fit` raises MemoryError before it starts where this does not fit.
    vectorizer : transformer, "passthrough" or None, default=None
        Turns histories into the matrix; None is ``HistoryVectorizer()``.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether a user's own items come last.

    Attributes
    ----------
    similarity_ : CSR array of shape (n_items, n_items)
        Row = item of the history, column = candidate; `n_neighbors` entries a column at most.
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
    skrec.linear_model.EASE : Learns the weights instead of computing them; usually ranks better.

    Notes
    -----
    Cost of `fit`: the sum over users of the squared length of the history. Memory: 4 bytes per entry of the matrix, 8
    where it has values other than 1, and 16 bytes for each of ``n_items * n_neighbors`` entries; the full similarity
    matrix exists only in blocks. Scoring costs `n_neighbors` operations per event.

    References
    ----------
    .. [1] M. Deshpande and G. Karypis, "Item-Based Top-N Recommendation Algorithms", ACM TOIS 22(1), 2004.
    .. [2] F. Aiolli, "Efficient Top-N Recommendation for Very Large Scale Binary Rated Datasets", RecSys 2013.
    .. [3] A. Tversky, "Features of Similarity", Psychological Review 84(4), 1977.

    Examples
    --------
    >>> from skrec.neighbors import ItemKNN
    >>> histories = [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]]
    >>> model = ItemKNN(k=2).fit(histories)
    >>> model.predict([["tea"], ["saw"]])
    array([['milk', 'sugar'],
           ['hammer', 'nails']], dtype=object)
    >>> model.similar_items(["tea"], k=1)
    array([['milk']], dtype=object)
    """

    _updates = "exact"
    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions({"cosine", "jaccard", "tversky", "asymmetric"})],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "incremental": ["boolean"],
    }

    def __init__(
        self,
        n_neighbors=100,
        *,
        metric="cosine",
        shrinkage=10.0,
        alpha=0.5,
        beta=0.5,
        incremental=False,
        vectorizer=None,
        k=10,
        exclude_seen=True,
    ):
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.shrinkage = shrinkage
        self.alpha = alpha
        self.beta = beta
        self.incremental = incremental
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen

    def _count(self, users):
        counted = self.metric in ("jaccard", "tversky")
        matrix = pattern_of(users.matrix) if counted else as_float32(users.matrix)
        return Statistics({"together": Cooccurrence(matrix, matrix), "size": column_sums(matrix, squared=True)})

    def _divided(self, statistics):
        return "together", self._below(statistics["size"].astype(np.float32))  # squared norms, or numbers of users

    def _item_similarity(self, codes):
        return sp.csr_array(self.similarity_[:, codes].T)

    def _below(self, size: np.ndarray) -> Below:
        """Return what the product of candidate (row) and item of the history (column) is divided by."""
        none = np.zeros_like(size)
        if self.metric == "jaccard":
            return Below(size, size, none, none, slope=-1, constant=self.shrinkage)
        if self.metric == "tversky":
            own, other = np.float32(self.beta) * size, np.float32(self.alpha) * size
            return Below(own, other, none, none, slope=1 - self.alpha - self.beta, constant=self.shrinkage)
        if self.metric == "asymmetric":
            own, other = size ** (1 - self.alpha), size**self.alpha
            return Below(none, none, own, other, constant=self.shrinkage)
        return Below(none, none, size, size, root=True, constant=self.shrinkage)
