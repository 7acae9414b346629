"""Recommend by what items are: the features of the history against the features of every item."""

from dataclasses import replace
from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from ..base import BaseRecommender
from ..feature_extraction import HistoryVectorizer
from ..feature_extraction._item_features import (
    encode_items,
    encode_more,
    item_ids,
    read_item_features,
    row_numbers,
    with_catalogue,
)
from ..feature_extraction._vectorizing import default_vectorizer, with_vocabulary
from ..utils._frame_parameter import FrameParameter, shallow
from ..utils._selection import dense
from ..utils._sklearn import HasMethods, Interval, StrOptions
from ..utils._validation import as_kind, join_ids, lookup

_RECENCY = 0.6  # of vectorizer=None
_DENSE = 0.25  # share of stored entries from which features are kept as an array


class ContentRecommender(FrameParameter, BaseRecommender):
    r"""Recommend items whose features are like those of the history; also items that nobody has had yet.

    Every item is a row :math:`f_i` of unit length, made from its title, category, price and whatever else
    `item_features` says. A user is the weighted sum of the rows of the history, as in Rocchio's relevance feedback
    [1]_, and an item scores by the product with it, raised by its popularity (:math:`n_i` users):

    .. math:: s_{ui} = \Bigl(\frac{1 + n_i}{1 + \bar n}\Bigr)^{p} \, f_i \cdot \sum_{j \in u} w_{uj} f_j

    An item without any user counts as one of mean popularity :math:`\bar n`, the mean over the items that have users.

    Parameters
    ----------
    item_features : pandas or polars DataFrame of shape (n_catalogue, n_columns)
        A row per item; ids in the index (polars: in the column `item`). Items that the training histories lack are
        recommended too. The frame is neither copied nor changed.
    item_encoder : transformer, default=None
        Turns the frame into a row of numbers per item, a ColumnTransformer for instance. None chooses by the types of
        the columns: words and pairs of words of texts, labels, lists of labels, quantiles of numbers, all weighted by
        rarity.
    vectorizer : transformer, "passthrough" or None, default=None
        Turns histories into the weights :math:`w`; None is ``HistoryVectorizer(recency=0.6)``.
    column_weights : dict, default=None
        Factor of each column's part of a row, by column name, for ``item_encoder=None``; 1 where it names none, and 0
        leaves a column out.
    popularity_power : float, default=0.2
        The exponent :math:`p`; 0 leaves popularity out.
    missing_features : {"error", "ignore"}, default="error"
        What to do with items of the histories that have no row: raise, or never score them.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether a user's own items come last.

    Attributes
    ----------
    item_factors_ : CSR array or ndarray of shape (n_items, n_features), dtype float32
        The rows :math:`f_i`; an array if the encoder gives dense features.
    item_encoder_ : transformer
        The fitted encoder.
    items_ : ndarray of shape (n_items,)
        Item ids of the catalogue and the histories, in the order of the scores.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users with each item.
    vectorizer_ : transformer
        The fitted vectorizer.

    See Also
    --------
    ItemKNN : Similar by who has the items; needs no features, and knows no new item.
    skrec.ensemble.BlendRecommender : Adds this model to others.

    Notes
    -----
    ``recommend(X, item_features=frame)`` also ranks the items of another frame, encoded as in `fit`, without a refit.

    `partial_fit` and `forget` are exact. Events change `popularity_`, at one operation per stored feature. New items
    come with their features: ``set_params(item_features=grown)`` with a frame of all items, and then `partial_fit`,
    which fits the encoder again, since the rarity of words and labels depends on all items.

    Cost of `fit`: that of the encoder. Scoring costs one operation for each pair of a stored feature of the user and an
    item that has the feature; words that most items share cost most and say least. Memory is that of the features.

    References
    ----------
    .. [1] P. Lops, M. de Gemmis and G. Semeraro, "Content-based Recommender Systems: State of the Art and Trends",
       Recommender Systems Handbook, 2011, section 3.3.1.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.neighbors import ContentRecommender
    >>> titles = ["green tea", "black tea", "white tea", "steel hammer", "steel nails"]
    >>> catalogue = pd.DataFrame({"title": titles}, index=["green", "black", "white", "hammer", "nails"])
    >>> model = ContentRecommender(catalogue, k=2).fit([["green", "black"], ["hammer"]])
    >>> model.predict([["green"], ["hammer"]])
    array([['black', 'white'],
           ['nails', 'black']], dtype=object)

    An item that came after `fit`:

    >>> model.recommend([["nails"]], k=1, candidates=["saw"], item_features=pd.DataFrame(
    ...     {"title": ["steel saw"]}, index=["saw"]))
    array([['saw']], dtype=object)
    """

    _updates = "exact"
    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "item_features": "no_validation",  # read_item_features says more
        "item_encoder": [HasMethods(["fit_transform", "transform"]), None],
        "column_weights": [dict, None],
        "popularity_power": [Interval(Real, 0, None, closed="left")],
        "missing_features": [StrOptions({"error", "ignore"})],
    }

    def __init__(
        self,
        item_features,
        item_encoder=None,
        *,
        vectorizer=None,
        column_weights=None,
        popularity_power=0.2,
        missing_features="error",
        k=10,
        exclude_seen=True,
    ):
        self.item_features = item_features
        self.item_encoder = item_encoder
        self.vectorizer = vectorizer
        self.column_weights = column_weights
        self.popularity_power = popularity_power
        self.missing_features = missing_features
        self.k = k
        self.exclude_seen = exclude_seen

    def _catalogue(self):
        return item_ids(read_item_features(self.item_features))

    def _fit(self, users):
        if not users.matrix.nnz:
            raise ValueError("X holds no event of an item: pass one history with an item at least")
        if self.vectorizer is None:  # the decay acts when asking only, so that it may be set here
            self.vectorizer_.set_params(recency=_RECENCY)
        self._learn_features()
        self._prepare()

    def _learn_features(self):
        """Fit the encoder on `item_features` and take the rows of the items from it."""
        self.item_encoder_, features = encode_items(
            self.item_features,
            self.item_encoder,
            self.items_,
            column_weights=self.column_weights,
            unit_norm=True,
            missing=self.missing_features,
        )
        is_dense = features.nnz > _DENSE * np.prod(features.shape)
        self.item_factors_ = features.toarray() if is_dense else features
        self._known_features = self.item_features

    def _prepare(self):
        """Make what scoring multiplies with: the columns of all items, raised by popularity."""
        users = self.popularity_.astype(np.float64)
        mean = users[users > 0].mean()
        users[users == 0] = mean
        self._boost = (((1 + users) / (1 + mean)) ** self.popularity_power).astype(np.float32)
        columns = self.item_factors_.T
        self._columns = sp.csr_array(columns.multiply(self._boost)) if sp.issparse(columns) else columns * self._boost

    def _grown_items(self, histories):
        items = super()._grown_items(histories)
        return items if self.item_features is self._known_features else with_catalogue(items, self._catalogue())

    def _update(self, after, before):
        new = self.items_[len(self._old_items) :]
        if self.item_features is not self._known_features:
            self._learn_features()
            named = default_vectorizer() if self.vectorizer is None else clone(self.vectorizer)
            self.vectorizer_ = shallow(self.vectorizer_)
            self.vectorizer_.vocabulary = with_vocabulary(named, self._catalogue()).vocabulary
        elif len(new):
            row_numbers(read_item_features(self.item_features), new, missing=self.missing_features)
            nothing = sp.csr_array((len(new), self.item_factors_.shape[1]), dtype=self.item_factors_.dtype)
            self.item_factors_ = _stacked(self.item_factors_, nothing)
        self._prepare()

    def _unlearn(self, users):
        pass  # what users did is in `popularity_` alone

    def _relearn(self, positions):
        self.item_factors_ = self.item_factors_[positions >= 0]
        self._prepare()

    def __getstate__(self):
        state = super().__getstate__()
        if hasattr(self, "item_factors_"):
            state["_known_features"] = self._known_features is self.item_features  # no frame is stored twice
        return {name: value for name, value in state.items() if name not in ("_boost", "_columns")}

    def __setstate__(self, state):
        super().__setstate__(state)
        if hasattr(self, "item_factors_"):
            self._known_features = self.item_features if getattr(self, "_known_features", True) else None
            self._prepare()

    def _with_new_items(self, item_features):
        frame = read_item_features(item_features)
        ids = item_ids(frame)
        new = lookup(ids, self.items_, "item_features") < 0
        if not new.any():
            return self
        more = encode_more(self.item_encoder_, frame[new], unit_norm=True)
        wider = shallow(self)
        wider.items_ = join_ids([self.items_, as_kind(ids[new], self.items_.dtype)], "item_features")
        wider.n_items_ = len(wider.items_)
        wider.popularity_ = np.concatenate([self.popularity_, np.zeros(int(new.sum()), self.popularity_.dtype)])
        wider.item_factors_ = _stacked(self.item_factors_, more)
        if isinstance(self.vectorizer_, HistoryVectorizer):  # histories may hold the new items as well
            wider.vectorizer_ = shallow(self.vectorizer_)
            wider.vectorizer_.items_ = wider.items_
        wider._prepare()
        return wider

    def _describe(self, users, X, *, fitting):
        matrix = users.matrix
        if fitting or matrix.shape[1] == self.n_items_:
            return users
        shape = (len(users), self.n_items_)  # a vectorizer that does not know the items which came after `fit`
        return replace(users, matrix=sp.csr_array((matrix.data, matrix.indices, matrix.indptr), shape=shape))

    def _score(self, users):
        return (self._weigh(users) @ self.item_factors_) @ self._columns

    def _sources(self, users, found, at):
        profile = np.abs(self._weigh(users) @ self.item_factors_).sum(axis=1)
        by_user = np.where(profile > 0, type(self).__name__, "popularity").astype(object)
        return np.repeat(by_user[:, None], found.shape[1], axis=1)

    def _item_similarity(self, codes):
        return self.item_factors_[codes] @ self.item_factors_.T

    def _contributions(self, users, columns):
        weights = self._weigh(users)
        parts = dense(self.item_factors_[weights.indices] @ self.item_factors_[columns].T)
        return weights.indices, weights.data[:, None] * parts * self._boost[columns]


def _stacked(features, more: sp.csr_array):
    """Put rows behind others, which are a CSR array or an ndarray."""
    if sp.issparse(features):
        return sp.csr_array(sp.vstack([features, more], format="csr"))
    return np.concatenate([features, more.toarray()])
