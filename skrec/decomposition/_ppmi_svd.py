"""PPMISVD: item vectors from the co-occurrence of items in the order of the histories."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

from .._recency import RecencyMixin
from .._updates import near_new_events
from ..base import BaseRecommender
from ..utils._cooccurrence import Cooccurrence
from ..utils._ppmi import positive_pmi, unit_vectors, window_counts
from ..utils._search import Products, of_norm_1
from ..utils._sklearn import Interval
from ..utils._statistics import Statistics
from ._embedding import EmbeddingMixin


class PPMISVD(EmbeddingMixin, RecencyMixin, BaseRecommender):
    r"""Recommend by the cosine of item vectors, a truncated SVD of positive pointwise mutual information.

    Items :math:`i` and :math:`j` co-occur :math:`c_{ij}` times: each pair of events of a history that is at most
    `window` steps apart adds 1 / distance. With :math:`c_i = \sum_j c_{ij}`, the `context_exponent` :math:`a` and the
    `shift` :math:`\log k`,

    .. math:: M_{ij} = \max\Bigl(0, \log \frac{c_{ij}}{c_i\, p_j} - \log k\Bigr), \qquad
              p_j = \frac{c_j^a}{\sum_l c_l^a}, \qquad M \approx U \Sigma V^\top .

    The vector :math:`v_i` of an item is its row of :math:`U \Sigma^p` divided by its norm, with the
    `singular_exponent` :math:`p`. The vector of a user is the mean of the vectors of the history, an event of age 0, 1,
    ... from the newest weighted by :math:`r^{\text{age}}`, and the score of an item is the cosine of both.

    The shifted matrix is what word2vec's skip-gram with :math:`k` negative samples factorizes implicitly [1]_; smoothed
    contexts and the exponent of the singular values are from [2]_.

    Parameters
    ----------
    n_components : int, default=256
        Length of the vectors, at most the number of items.
    window : int, default=5
        Largest number of steps between two events that co-occur.
    context_exponent : float, default=0.75
        Exponent of the counts of the contexts: below 1, rare contexts weigh less.
    shift : float, default=0.0
        Subtracted from the mutual information: the logarithm of the number of negative samples.
    singular_exponent : float, default=0.5
        Exponent of the singular values: 1 gives the rows of the matrix itself, 0 weighs all components alike.
    min_count : int, default=1
        Number of users that an item needs for a vector.
    recency : float, default=0.6
        Factor of an event's weight per later event of the history asked with, in (0, 1].
    incremental : bool, default=False
        Whether to keep what `partial_fit` and `forget` need, 12 bytes for each pair of items that co-occur.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether a user's own items come last.
    random_state : int, RandomState instance or None, default=None
        Seed of the randomized SVD. An integer gives the same vectors twice, and makes updates exact.

    Attributes
    ----------
    item_factors_ : ndarray of shape (n_items, n_components), dtype float32
        The item vectors, of norm 1; zeros for items that co-occur with nothing more often than by chance, that have
        fewer than `min_count` users, or whose row the components do not hold.
    items_ : ndarray of shape (n_items,)
        Item ids in the order of the scores.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users with each item.
    vectorizer_ : transformer
        Tells the seen items.

    See Also
    --------
    PureSVD : Decomposes the matrix of users and items, without order.
    skrec.neighbors.TransitionRecommender : The same counts with a direction, without vectors.

    Notes
    -----
    Cost of `fit`: `window` operations per event, and :math:`O(|M| d + |I| d^2)` for the :math:`|M|` positive entries
    and :math:`d` components. The randomized SVD makes three power iterations, so that the last components are
    approximate and depend on the seed. Scoring costs `n_components` operations per item.

    `partial_fit` and `forget` add and subtract counts and decompose anew, with the items in the order of their ids:
    an update needs the histories of its users alone, and takes the time of a decomposition. Events at the same moment
    have the same age when recommending, and keep the order in which they are given when learning.

    References
    ----------
    .. [1] O. Levy and Y. Goldberg, "Neural Word Embedding as Implicit Matrix Factorization", NeurIPS 2014.
    .. [2] O. Levy, Y. Goldberg and I. Dagan, "Improving Distributional Similarity with Lessons Learned from Word
       Embeddings", TACL 3, 2015.

    Examples
    --------
    >>> from skrec.decomposition import PPMISVD
    >>> histories = [["tea", "milk", "sugar"], ["milk", "tea", "sugar"], ["nails", "hammer", "saw"], ["saw", "nails"]]
    >>> model = PPMISVD(n_components=2, k=2, random_state=0).fit(histories)
    >>> model.predict([["tea"], ["saw"]])
    array([['milk', 'sugar'],
           ['nails', 'hammer']], dtype=object)
    >>> model.similar_items(["nails"], k=1)
    array([['saw']], dtype=object)
    >>> model.transform([["tea"], []]).shape
    (2, 2)
    """

    _updates = "exact"
    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "window": [Interval(Integral, 1, None, closed="left")],
        "context_exponent": [Interval(Real, 0, None, closed="left")],
        "shift": [Interval(Real, 0, None, closed="left")],
        "singular_exponent": [Interval(Real, 0, None, closed="left")],
        "min_count": [Interval(Integral, 1, None, closed="left")],
        "recency": [Interval(Real, 0, 1, closed="right")],
        "incremental": ["boolean"],
        "random_state": ["random_state"],
    }
    del _parameter_constraints["vectorizer"]

    def __init__(
        self,
        n_components=256,
        *,
        window=5,
        context_exponent=0.75,
        shift=0.0,
        singular_exponent=0.5,
        min_count=1,
        recency=0.6,
        incremental=False,
        k=10,
        exclude_seen=True,
        random_state=None,
    ):
        self.n_components = n_components
        self.window = window
        self.context_exponent = context_exponent
        self.shift = shift
        self.singular_exponent = singular_exponent
        self.min_count = min_count
        self.recency = recency
        self.incremental = incremental
        self.k = k
        self.exclude_seen = exclude_seen
        self.random_state = random_state

    def _count(self, users):
        longest = int(users.histories.lengths.max(initial=1))  # no pair is further apart
        dtype = np.float64 if self.incremental else np.float32  # what subtractions leave must be told from nothing
        codes, rows = users.histories.codes, users.histories.rows
        counts = window_counts(codes, rows, self.n_items_, min(self.window, longest), dtype=dtype)
        return Statistics({"counts": Cooccurrence.of(counts)})

    def _changing(self, after, before):
        return near_new_events(after, before, self.window)

    def _check_updatable(self):
        super()._check_updatable()
        counted = getattr(self, "_counted_window", self.window)
        if self.window != counted:
            raise ValueError(
                f"window must be that of fit, {counted}, for updates, got {self.window}: set it back, or fit again on "
                "all events"
            )

    def _solve(self, statistics):
        self._counted_window = self.window
        counts = statistics["counts"].tocsr()
        rank = self._id_rank()  # the randomized SVD depends on the order of the items
        if rank is not None:
            order = np.argsort(rank)
            counts = counts[order][:, order]
        frequent = self.popularity_ >= self.min_count
        if not frequent.all():
            kept = sp.diags_array((frequent if rank is None else frequent[order]).astype(counts.dtype), format="csr")
            counts = sp.csr_array(kept @ counts @ kept)
            counts.eliminate_zeros()
        factors = self._decompose(counts)
        self.item_factors_ = factors if rank is None else factors[rank]

    def _decompose(self, counts: sp.csr_array) -> np.ndarray:
        """Return the vectors of the items, each of norm 1 or 0."""
        n_components = min(self.n_components, self.n_items_)
        matrix = positive_pmi(counts, context_exponent=float(self.context_exponent), shift=float(self.shift))
        seed = check_random_state(self.random_state)
        return unit_vectors(matrix, n_components, seed, singular_exponent=float(self.singular_exponent))

    def _user_factors(self, users) -> np.ndarray:
        return self._mean(self._weigh(users))

    def _mean(self, weights: sp.csr_array) -> np.ndarray:
        total = np.asarray(weights.sum(axis=1), dtype=np.float32)
        return (weights @ self.item_factors_) / np.where(total > 0, total, 1)[:, None]

    def _query(self, users):
        return of_norm_1(self._user_factors(users))

    def _score_single(self, user, at):
        columns, values = self._weigh_single(user)
        row = sp.csr_array((values, columns, np.array([0, len(columns)])), shape=(1, self.n_items_))
        return Products(of_norm_1(self._mean(row))[0], self.item_factors_)

    def _contributions(self, users, columns):
        row = self._weigh(users)
        norm = np.linalg.norm(row @ self.item_factors_)
        parts = row.data[:, None] * self.item_factors_[row.indices] / (norm if norm > 0 else 1)
        return row.indices, parts @ self.item_factors_[columns].T

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.needs_order = True
        return tags
