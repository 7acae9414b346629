"""Base of the recommenders around one other, which answers what they do not answer themselves."""

import numpy as np
from sklearn.base import MetaEstimatorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..base import BaseRecommender
from ..utils._frame_parameter import FrameParameter, shallow


def _has_similar_items(self) -> bool:
    return hasattr(getattr(self, "recommender_", getattr(self, "recommender", None)), "similar_items")


class MetaRecommender(FrameParameter, MetaEstimatorMixin, BaseRecommender):
    """Scores, similar items, updates and new items are those of `recommender_`, the fitted recommender inside."""

    recommender_: BaseRecommender

    def _bind(self) -> None:
        """Take over what the recommender inside has learned of items."""
        inner = self.recommender_
        self.items_, self.n_items_, self.popularity_ = inner.items_, inner.n_items_, inner.popularity_

    @available_if(_has_similar_items)
    def similar_items(self, items, k=None, *, return_scores=False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Find the items most similar to each given item, as the recommender inside does.

        Parameters
        ----------
        items : array-like of shape (n,)
            Item ids.
        k : int, default=None
            Number of similar items; None takes the constructor's `k`.
        return_scores : bool, default=False
            Whether to return the similarities as well.

        Returns
        -------
        similar : ndarray of shape (n, min(k, n_items - 1))
            Item ids, most similar first.
        scores : ndarray of shape (n, min(k, n_items - 1))
            Only with ``return_scores=True``.
        """
        check_is_fitted(self)
        return self.recommender_.similar_items(items, self.k if k is None else k, return_scores=return_scores)

    def _read_update(self, X, since):
        self.recommender_ = shallow(self.recommender_).partial_fit(X, since=since)
        return None, None

    def _update(self, after, before):
        self._bind()

    def _read_forget(self, X):
        self.recommender_ = shallow(self.recommender_).forget(X)

    def _unlearn(self, users):
        """Nothing is left to unlearn."""

    def _drop_items(self):
        return None

    def _relearn(self, positions):
        self._bind()

    def _encode(self, X):
        return self.recommender_._encode(X)

    def _scorer(self, at):
        return self.recommender_._scorer(at)

    def _block_width(self):
        return self.recommender_._block_width()

    def _contributions(self, users, columns):
        return self.recommender_._contributions(users, columns)

    def _takes_new_items(self):
        return self.recommender_._takes_new_items()

    def _with_new_items(self, item_features):
        wider = shallow(self)
        wider.recommender_ = self.recommender_._with_new_items(item_features)
        wider._bind()
        return wider
