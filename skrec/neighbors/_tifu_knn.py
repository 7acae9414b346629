"""Next basket by item frequencies of the user and of similar users."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp

from ..base import BaseRecommender
from ..utils._prepared import prepared
from ..utils._single_rows import Scored, product_single
from ..utils._sklearn import Interval, StrOptions
from ..utils._statistics import Rows, Statistics, history_keys
from ._baskets import Purchases, read_baskets

_SAME = 1e-5  # relative difference below which two neighbours are equally near


class TIFUKNN(BaseRecommender):
    r"""Recommend the next basket by decayed item frequencies of the user and of the most similar users.

    The baskets of a user are cut into :math:`G` groups of equal size, but for one basket. With :math:`r_w, r_g` the
    decays and :math:`B_{gj}` the indicator of the items in basket :math:`j` (0 is the newest) of the :math:`|g|`
    baskets of group :math:`g` (0 is the newest), the user's vector and the scores are [1]_

    .. math::

        v_u = \frac{1}{G} \sum_g r_g^{\,g} \, \frac{1}{|g|} \sum_j r_w^{\,j} B_{gj}, \qquad
        s_u = \alpha \, v_u + (1 - \alpha) \frac{1}{|N(u)|} \sum_{w \in N(u)} v_w

    where :math:`N(u)` are the `n_neighbors` training users with the nearest vectors.

    Parameters
    ----------
    n_neighbors : int, default=50
        Number of similar users. Users as near as the last one count too, so that the answer does not depend on the
        order of the training rows.
    alpha : float, default=0.5
        Weight of the user's own frequencies; 1 uses them alone.
    within_decay : float, default=0.9
        Factor per basket of age inside a group.
    group_decay : float, default=0.97
        Factor per group of age.
    n_groups : int, default=None
        Number of groups of a user with at least as many baskets; others, and None, have one group per basket, so that
        `group_decay` is the decay per basket. The authors' setting is ``n_groups=7, within_decay=0.9,
        group_decay=0.7`` with ``n_neighbors=300, alpha=0.7``.
    metric : {"euclidean", "cosine"}, default="euclidean"
        How users are compared. By cosine only users with an item in common are neighbours.
    incremental : bool, default=False
        Whether to keep what `partial_fit` and `forget` need, 8 bytes a user.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=False
        Whether a user's own items come last. False, unlike in other models: next baskets are mostly repeats.

    Attributes
    ----------
    user_vectors_ : CSR array of shape (n_training_users, n_items)
        The vectors of the training users with a history, in no relation to user ids.
    mean_vector_ : ndarray of shape (n_items,)
        Their mean: the neighbourhood of a user who has no known item.
    items_ : ndarray of shape (n_items,)
        Item ids in the order of the scores.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users with each item.
    vectorizer_ : transformer
        The vectorizer that holds the items.

    See Also
    --------
    BuyAgainRecommender : The user's own purchases by time, with no memory of training users.
    ItemKNN : Similar items instead of similar users.

    Notes
    -----
    Events at one time are one basket; without times every event is its own basket. A user who was in training is
    among their own neighbours, as nothing tells them from another user with the same vector; among many neighbours
    that changes little.

    Cost of `fit`: sorting the events; memory one entry per user and item bought. Scoring compares each user with all
    training users: their number times the items in common in time, and one float32 per training user in a block. It
    suits some 100,000 training users; beyond that fit on a sample of rows, since anybody can be asked about.

    References
    ----------
    .. [1] H. Hu, X. He, J. Gao and Z.-L. Zhang, "Modeling Personalized Item Frequency Information for Next-basket
       Recommendation", SIGIR 2020.

    Examples
    --------
    >>> from skrec.neighbors import TIFUKNN
    >>> histories = [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]]
    >>> model = TIFUKNN(n_neighbors=1, k=2).fit(histories)
    >>> model.predict([["tea"], ["saw"]])
    array([['tea', 'milk'],
           ['saw', 'nails']], dtype=object)
    """

    _updates = "exact"
    _parameter_constraints: dict = {
        **{name: rule for name, rule in BaseRecommender._parameter_constraints.items() if name != "vectorizer"},
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, 1, closed="both")],
        "within_decay": [Interval(Real, 0, 1, closed="right")],
        "group_decay": [Interval(Real, 0, 1, closed="right")],
        "n_groups": [Interval(Integral, 1, None, closed="left"), None],
        "metric": [StrOptions({"euclidean", "cosine"})],
        "incremental": ["boolean"],
    }

    def __init__(
        self,
        n_neighbors=50,
        *,
        alpha=0.5,
        within_decay=0.9,
        group_decay=0.97,
        n_groups=None,
        metric="euclidean",
        incremental=False,
        k=10,
        exclude_seen=False,
    ):
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.within_decay = within_decay
        self.group_decay = group_decay
        self.n_groups = n_groups
        self.metric = metric
        self.incremental = incremental
        self.k = k
        self.exclude_seen = exclude_seen

    def _count(self, users):
        vectors = self._vectors(users)
        filled = np.diff(vectors.indptr) > 0
        keys = history_keys(users.histories, self.items_) if self.incremental else np.zeros(len(filled), np.uint64)
        rows = Rows(keys, vectors.indptr, [vectors.indices, vectors.data]).taken(filled)
        return Statistics({"vectors": rows})

    def _solve(self, statistics):
        rows = statistics["vectors"]
        codes, values = rows.events
        self.user_vectors_ = sp.csr_array((values, codes, rows.indptr), shape=(len(rows), self.n_items_))
        self.mean_vector_ = np.asarray(self.user_vectors_.mean(axis=0), dtype=np.float32).ravel()

    def _vectors(self, users) -> sp.csr_array:
        """Return the decayed item frequencies of each user, (n_users, n_items)."""
        bought, values = self._frequencies(users.histories)
        return bought.to_csr(values, users.shape)

    def _frequencies(self, histories) -> tuple[Purchases, np.ndarray]:
        """Return the purchases, and the decayed frequency of each pair of user and item."""
        bought = read_baskets(histories)
        n_baskets = np.zeros(len(histories), dtype=np.int64)
        np.maximum.at(n_baskets, bought.rows, bought.ages + 1)
        n_baskets = n_baskets[bought.rows]
        n_groups = n_baskets if self.n_groups is None else np.minimum(self.n_groups, n_baskets)
        group = bought.ages * n_groups // n_baskets
        first, after = -(-group * n_baskets // n_groups), -(-(group + 1) * n_baskets // n_groups)
        decay = np.power(self.within_decay, bought.ages - first) * np.power(self.group_decay, group)
        values = decay / ((after - first) * n_groups)
        return bought, bought.per_pair(values)

    def _score(self, users):
        vectors = self._vectors(users)
        scores = (1 - self.alpha) * self._neighborhood(vectors)
        row = np.repeat(np.arange(users.shape[0]), np.diff(vectors.indptr))
        scores[row, vectors.indices] += np.float32(self.alpha) * vectors.data
        return scores

    def _score_single(self, user, at):
        bought, values = self._frequencies(user.histories)
        columns, values = bought.codes[bought.starts].astype(np.int64), values.astype(np.float32)
        by_item, size = self._training_users()
        near = _dense(product_single(columns, values, by_item))
        if near is None:
            return None
        own = np.cumsum(values * values)[-1:] if len(values) else np.zeros(1, dtype=np.float32)
        chosen, counts = self._nearest(near[None], own, size)
        if not counts[0]:
            scores = (1 - self.alpha) * self.mean_vector_
        else:
            share = np.full(counts[0], 1 / counts[0], dtype=np.float32)
            scores = (1 - self.alpha) * _dense(product_single(np.flatnonzero(chosen[0]), share, self.user_vectors_))
        scores[columns] += np.float32(self.alpha) * values
        return scores

    def _training_users(self) -> tuple[sp.csr_array, np.ndarray]:
        return prepared(self, "users by item", _by_item_and_size, self.user_vectors_)

    def _neighborhood(self, vectors: sp.csr_array) -> np.ndarray:
        """Return the mean vector of the nearest training users of each user, (n_users, n_items)."""
        by_item, size = self._training_users()
        chosen, counts = self._nearest((vectors @ by_item).toarray(), _squared_norms(vectors), size)
        share = np.repeat(1 / np.maximum(counts, 1), counts).astype(np.float32)
        indptr = np.concatenate([[0], np.cumsum(counts)])
        weights = sp.csr_array((share, np.nonzero(chosen)[1], indptr), shape=chosen.shape)
        mean = (weights @ self.user_vectors_).toarray()
        mean[counts == 0] = self.mean_vector_
        return mean

    def _nearest(self, near: np.ndarray, own: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Choose the nearest training users: a mask (n_users, n_training_users), and their numbers (n_users,).

        `near` has the products with the training users, `own` and `size` the squared norms of both.
        """
        if self.metric == "cosine":
            near /= np.sqrt(size)  # the user's own norm changes no order
        else:
            near = 2 * near - size  # the squared distance, but for the user's own norm and the sign
        place = near.shape[1] - min(self.n_neighbors, near.shape[1])
        least = np.partition(near, place, axis=1)[:, place]
        slack = _SAME * (own + np.abs(least))  # rounding must not decide between equals
        chosen = near >= (least - slack)[:, None]
        if self.metric == "cosine":
            chosen &= near > 0
        counts = np.count_nonzero(chosen, axis=1)
        counts[own == 0] = 0
        chosen[counts == 0] = False
        return chosen, counts

    def _block_width(self) -> int:
        return 3 * self.n_items_ + 4 * self.user_vectors_.shape[0]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.needs_order = True
        # repeats come before the item that is missing, which is not a lack of taste
        tags.personalized = bool(self.exclude_seen)
        return tags


def _by_item_and_size(user_vectors: sp.csr_array) -> tuple[sp.csr_array, np.ndarray]:
    """Return the vectors as rows of items, and their squared norms."""
    return sp.csr_array(user_vectors.T), _squared_norms(user_vectors)


def _dense(scores):
    return scores.toarray() if isinstance(scores, Scored) else scores


def _squared_norms(vectors: sp.csr_array) -> np.ndarray:
    return np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
