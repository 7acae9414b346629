"""Item-to-item transitions."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp

from .._recency import RecencyMixin
from .._updates import near_new_events
from ..base import BaseRecommender
from ..utils._nearest import prune_rows
from ..utils._sklearn import Interval
from ..utils._statistics import Statistics
from ..utils._transitions import Transitions


class TransitionRecommender(RecencyMixin, BaseRecommender):
    r"""Recommend what usually follows the latest items: a Markov chain that also counts steps further apart.

    Item :math:`i` is followed by item :math:`j`, with `window` :math:`w` and `gap_decay` :math:`g`,

    .. math:: T_{ij} = \sum_{\text{pairs } (i, j) \text{ at most } w \text{ steps apart}} g^{\,\text{steps} - 1}

    times, and :math:`T + b T^\top` adds the way back by a factor `backward` :math:`b`. The transition is weakened
    where its source has many and where its target is popular (:math:`n_j` users),

    .. math:: S_{ij} = \frac{T_{ij}}{\bigl(s + \sum_l T_{il}\bigr)^{\nu} \, n_j^{\,\delta}}

    with the `smoothing` :math:`s`, the exponents `normalization` :math:`\nu` and `damping` :math:`\delta`. The score
    of a history is :math:`\sum_e r^{\text{age}_e} S_{i_e j}` over its events, aged 0, 1, ... from the newest. With
    ``window=1, recency`` near 0 and ``normalization=1, smoothing=0, damping=0, backward=0`` it is the first-order
    Markov chain; sequential rules [1]_ add the steps further apart.

    Parameters
    ----------
    window : int, default=5
        Largest number of steps between two events that counts.
    gap_decay : float, default=0.7
        Factor per further step between the two events, in (0, 1].
    recency : float, default=0.6
        Factor of an event's weight per later event of the history asked with, in (0, 1].
    backward : float, default=0.3
        Weight of transitions read backwards; 1 makes them symmetric, 0 leaves them out.
    normalization : float, default=0.5
        Exponent of the source's sum of transitions: 1 gives probabilities, 0 counts. Below 1, items that are well
        known say more than items seen a few times.
    smoothing : float, default=1.0
        Added to the source's sum of transitions, so that a single observed step is not a certainty.
    damping : float, default=0.1
        Exponent of the candidate's popularity, by which its score is divided.
    n_neighbors : int, default=None
        Number of followers kept for each item, those of the largest :math:`S_{ij}`; None keeps all. With 200, NDCG@10
        on the validation parts of Beauty, Online Retail, RetailRocket and MovieLens-1M is within 0.0005 of that with
        all, no difference beyond chance (``benchmarks/bench_followers.py``), and items with long rows are scored
        faster. Updates keep all counts.
    incremental : bool, default=False
        Whether to keep what `partial_fit` and `forget` need, 12 bytes for each pair of items that follow each other;
        `fit` raises MemoryError before it starts where this does not fit.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether a user's own items come last.

    Attributes
    ----------
    similarity_ : CSR array of shape (n_items, n_items)
        The weakened transitions :math:`S`: row = item of the history, column = candidate; `n_neighbors` entries a row
        at most. The diagonal holds repetitions.
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
    SessionKNN : Compares whole sessions; ranks better on sessions, keeps all events.

    Notes
    -----
    Cost of `fit`: ``2 * window`` operations per event, `window` with ``backward=0``. Memory: 5 bytes per event, and 8
    bytes per entry of `similarity_`, of which there are at most ``2 * window`` per event, far fewer where items recur
    (2.5 per event of a log of 100 million events and 200,000 items); the counts exist only in blocks of rows. Scoring
    adds one row of `similarity_` per event of the history. Events at the same moment have the same age when asking,
    and keep the order in which they are given when learning.

    References
    ----------
    .. [1] M. Ludewig and D. Jannach, "Evaluation of Session-Based Recommendation Algorithms", User Modeling and
       User-Adapted Interaction 28, 2018, section 3.1.

    Examples
    --------
    >>> from skrec.neighbors import TransitionRecommender
    >>> histories = [["phone", "case", "cable"], ["phone", "case"], ["tent", "stove"], ["tent", "mat", "stove"]]
    >>> model = TransitionRecommender(k=2).fit(histories)
    >>> model.predict([["phone"], ["tent"]])
    array([['case', 'cable'],
           ['stove', 'mat']], dtype=object)
    >>> model.similar_items(["phone"], k=1)
    array([['case']], dtype=object)
    """

    _updates = "exact"
    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "window": [Interval(Integral, 1, None, closed="left")],
        "gap_decay": [Interval(Real, 0, 1, closed="right")],
        "recency": [Interval(Real, 0, 1, closed="right")],
        "backward": [Interval(Real, 0, None, closed="left")],
        "normalization": [Interval(Real, 0, None, closed="left")],
        "smoothing": [Interval(Real, 0, None, closed="left")],
        "damping": [Interval(Real, 0, None, closed="left")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left"), None],
        "incremental": ["boolean"],
    }
    del _parameter_constraints["vectorizer"]

    def __init__(
        self,
        window=5,
        *,
        gap_decay=0.7,
        recency=0.6,
        backward=0.3,
        normalization=0.5,
        smoothing=1.0,
        damping=0.1,
        n_neighbors=None,
        incremental=False,
        k=10,
        exclude_seen=True,
    ):
        self.window = window
        self.gap_decay = gap_decay
        self.recency = recency
        self.backward = backward
        self.normalization = normalization
        self.smoothing = smoothing
        self.damping = damping
        self.n_neighbors = n_neighbors
        self.incremental = incremental
        self.k = k
        self.exclude_seen = exclude_seen

    def _count(self, users):
        longest = int(users.histories.lengths.max(initial=1))  # no gap is longer
        weights = float(self.gap_decay) ** np.arange(min(self.window, longest))
        histories = users.histories
        pairs = Transitions(histories.codes, histories.indptr, self.n_items_, weights, float(self.backward))
        return Statistics({"transitions": pairs})

    def _changing(self, after, before):
        return near_new_events(after, before, self.window)

    def _solve(self, statistics):
        transitions = statistics["transitions"]
        if self.n_neighbors is None:
            transitions.check_room(8, "n_neighbors=None", "keep fewer followers of each item, such as n_neighbors=200")
        target = (np.maximum(self.popularity_, 1) ** -float(self.damping)).astype(np.float32)
        rank = self._id_rank()

        def weakened(start, counts):
            total = counts.sum(axis=1) + self.smoothing
            source = (np.where(total > 0, total, 1) ** -float(self.normalization)).astype(np.float32)
            scale = np.repeat(source, np.diff(counts.indptr)) * target[counts.indices]
            arrays = counts.data.astype(np.float32) * scale, counts.indices, counts.indptr
            weak = sp.csr_array(arrays, shape=counts.shape)
            return weak if self.n_neighbors is None else prune_rows(weak, self.n_neighbors, rank)

        self.similarity_ = transitions.map_rows(weakened)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.needs_order = True
        return tags
