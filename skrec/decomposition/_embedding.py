"""What all models with a vector per user share."""

import warnings

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..utils._fitting import snapshot
from ..utils._search import products


class EmbeddingMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Turn users into vectors by `_user_factors`, which a model defines beside `item_factors_`.

    The scores are inner products of two vectors, `_query` of a user and one of `_searched`, unless a model overrides
    `_score`.
    """

    @snapshot
    def transform(self, X) -> np.ndarray:
        """Return the vector of each user.

        Parameters
        ----------
        X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
            One row per user.

        Returns
        -------
        ndarray of shape (n_users, n_components)
            The vectors; zeros for a history without known items.
        """
        check_is_fitted(self)
        return self._user_factors(self._encode(X))

    def _query(self, users) -> np.ndarray:
        """Return the vectors (n_users, n) whose inner products with those of `_searched` are the scores."""
        return self._user_factors(users)

    def _searched(self) -> np.ndarray:
        """Return the item vectors (n_items, n) of the inner products; the same array each time."""
        return self.item_factors_

    def _inner_product(self):
        return self._query, self._searched()

    def _score(self, users):
        return products(self._query(users), self._searched())

    @property
    def _n_features_out(self) -> int:
        return self.item_factors_.shape[1]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def gpu_solver(name: str):
    """Return a class of ``implicit.gpu``, such as "als.AlternatingLeastSquares"; an error where there is no GPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # implicit says so where it finds no GPU
        import implicit.gpu.als
        import implicit.gpu.bpr
    if not implicit.gpu.HAS_CUDA:
        raise ValueError("use_gpu=True needs a CUDA GPU and the package rmm, and implicit finds none: use_gpu=False")
    module, kind = name.split(".")
    return getattr(getattr(implicit.gpu, module), kind)
