"""Random walks of three steps, with damped popularity."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp

from ..base import BaseRecommender
from ..utils._cooccurrence import Cooccurrence
from ..utils._csr import are_ones, as_float32, column_sums
from ..utils._nearest import Below
from ..utils._sklearn import Interval
from ..utils._statistics import Statistics
from ._nearest_items import NearestItemsMixin
from ._sharpening import count_links, sharpened


class RP3beta(NearestItemsMixin, BaseRecommender):
    r"""Recommend what a random walk of three steps reaches, with popular items pushed down.

    The walk goes from the user to one of their items, from it to another user of the item, and from there to an item
    of that user. With :math:`x_{ui}` the entries of the matrix, :math:`p_{iu} = x_{ui} / \sum_v x_{vi}`,
    :math:`p_{uj} = x_{uj} / \sum_l x_{ul}` and :math:`n_j` the users of item :math:`j`, the similarity of item
    :math:`i` of the history to a candidate :math:`j` is

    .. math:: w_{ij} = \frac{1}{n_j^{\beta}} \sum_u p_{iu}^{\alpha} \, p_{uj}^{\alpha}

    A `gamma` divides by the user's total with an exponent of its own,
    :math:`x_{uj}^{\alpha} / \big(\sum_l x_{ul}\big)^{\gamma}` in the place of :math:`p_{uj}^{\alpha}`. On a matrix
    :math:`R` of zeros and ones the weights are then a graph filter with three exponents,
    :math:`D_i^{-\alpha} R^\top D_u^{-\gamma} R D_i^{-\beta}`, with the users of each item on the diagonal of
    :math:`D_i` and the items of each user on that of :math:`D_u`.

    A `sharpening` :math:`t` above 0 takes off what is common to all items: with the normalised co-occurrence
    :math:`P = D_i^{-1/2} R^\top D_u^{-1} R D_i^{-1/2}`, whose largest eigenvalue is 1, the weights :math:`W` that are
    kept become :math:`W (I - \frac{t}{2} P)^2`, two Euler steps of the process :math:`\dot{s} = -s P` of the scores
    [3]_; of these the positive ones stay, again `n_neighbors` of each candidate at most.

    Only the `n_neighbors` largest of each candidate are kept, and its score is the sum over the history,
    weighted by the entries of the user's row [1]_. With ``beta=0`` this is :math:`P^3_\alpha` [2]_, and with
    ``alpha=1`` besides the plain walk :math:`P^3`, whose probabilities are the scores divided by the sum of the row.

    Parameters
    ----------
    n_neighbors : int, default=300
        Number of similar items kept for each candidate. Kept for each item of the history instead, the popular ones
        of a long history crowd out the rest.
    alpha : float, default=1.0
        Exponent of the transition probabilities. Below 1, rare steps count for more: 0.4 suits logs with few events
        per user and item, such as reviews.
    beta : float, default=0.3
        Exponent of the candidate's popularity, by which its score is divided. 0 leaves popular items on top.
    gamma : float, default=None
        Exponent of the user's total, the sum of the row: above `alpha`, long histories count less. None is `alpha`.
        No other value was better beyond chance on the test parts of Beauty, MovieLens-1M and RetailRocket
        (``benchmarks/bench_walks.py``).
    sharpening : float, default=0.0
        Time of the sharpening process, 0 for none; search it together with the exponents. NDCG@10 of test parts rose
        from .0983 to .1145 on MovieLens-1M (with 3), from .0887 to .0908 for new items of Online Retail (with 2) and
        from .0422 to .0434 on Beauty (with 1; ``benchmarks/bench_walks.py --sharpening``).
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
        The weights :math:`w_{ij}`: row = item of the history, column = candidate; `n_neighbors` entries a
        column at most, none on the diagonal.
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
    ItemKNN : Similarities that divide by both items' users.

    Notes
    -----
    Cost of `fit`: the sum over users of the squared length of the history. Memory: 12 bytes per entry of the matrix, 16
    where it has values other than 1, and 16 bytes for each of ``n_items * n_neighbors`` entries; the full matrix
    exists only in blocks. Scoring costs `n_neighbors` operations per event.

    References
    ----------
    .. [1] B. Paudel, F. Christoffel, C. Newell and A. Bernstein, "Updatable, Accurate, Diverse, and Scalable
       Recommendations for Interactive Applications", ACM TiiS 7(1), 2017.
    .. [2] C. Cooper, S. H. Lee, T. Radzik and Y. Siantos, "Random Walks in Recommender Systems: Exact Computation
       and Simulations", WWW 2014 Companion.
    .. [3] J. Choi, S. Hong, N. Park and S.-B. Cho, "Blurring-Sharpening Process Models for Collaborative Filtering",
       SIGIR 2023.

    Examples
    --------
    >>> from skrec.neighbors import RP3beta
    >>> histories = [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]]
    >>> model = RP3beta(k=2).fit(histories)
    >>> model.predict([["tea"], ["saw"]])
    array([['milk', 'sugar'],
           ['hammer', 'nails']], dtype=object)
    """

    _updates = "exact"
    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="left"), None],
        "sharpening": [Interval(Real, 0, None, closed="left")],
        "incremental": ["boolean"],
    }

    def __init__(
        self,
        n_neighbors=300,
        *,
        alpha=1.0,
        beta=0.3,
        gamma=None,
        sharpening=0.0,
        incremental=False,
        vectorizer=None,
        k=10,
        exclude_seen=True,
    ):
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.sharpening = sharpening
        self.incremental = incremental
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen

    def _count(self, users):
        matrix = as_float32(users.matrix)
        weight, to_items = column_sums(matrix), self._steps(matrix)
        links = {"links": count_links(matrix)} if self.sharpening else {}
        if not are_ones(matrix.data) and self.alpha != 1:  # what an item's weight divides later is additive
            powers = matrix.data ** np.float32(self.alpha)
            matrix = sp.csr_array((powers, matrix.indices, matrix.indptr), shape=matrix.shape)
        return Statistics({"paths": Cooccurrence(to_items, matrix), "weight": weight, **links})

    def _solve(self, statistics):
        super()._solve(statistics)
        if self.sharpening:
            how = statistics["links"], statistics["weight"], self.sharpening, self.n_neighbors, self._id_rank()
            self.similarity_ = sharpened(self.similarity_, *how)

    def _resolve(self, statistics, after, before, changes):
        if self.sharpening:  # every entry of the product has a part in every similarity
            return self._solve(statistics)
        return super()._resolve(statistics, after, before, changes)

    def _check_updatable(self):
        super()._check_updatable()
        sharpens = "links" in self._statistics.sums
        if bool(self.sharpening) != sharpens:
            raise ValueError(
                f"sharpening must be {'above 0' if sharpens else '0'} for updates, as it was in fit, got "
                f"{self.sharpening}: set it back, or fit again on all events"
            )
        counted = getattr(self, "_counted_exponents", (self.alpha, None))
        if (self.alpha, self.gamma) != counted:
            raise ValueError(
                f"alpha and gamma must be those of fit, {counted[0]} and {counted[1]}, for updates, got {self.alpha} "
                f"and {self.gamma}: set them back, or fit again on all events"
            )

    def _divided(self, statistics):
        self._counted_exponents = (self.alpha, self.gamma)
        weight = statistics["weight"].astype(np.float32) ** np.float32(self.alpha)
        damping = (np.maximum(self.popularity_, 1) ** float(self.beta)).astype(np.float32)
        none = np.zeros_like(damping)
        return "paths", Below(none, none, damping, weight)

    def _steps(self, matrix: sp.csr_array) -> sp.csr_array:
        """Return the entries to the power of `alpha` over the totals of their rows to that of `gamma`."""
        own = self.gamma is not None
        lengths = np.diff(matrix.indptr)
        total = np.float32(lengths) if are_ones(matrix.data) else np.asarray(matrix.sum(axis=1)).ravel()
        below = np.repeat(total**self.gamma if own else total, lengths)
        steps = np.divide(matrix.data**self.alpha if own else matrix.data, below, out=below, where=below > 0)
        if not own and self.alpha != 1:
            steps **= np.float32(self.alpha)
        return sp.csr_array((steps, matrix.indices, matrix.indptr), shape=matrix.shape)
