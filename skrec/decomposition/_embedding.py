"""What all models with a vector per user share."""

import warnings
from contextlib import nullcontext

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..utils._fitting import snapshot
from ..utils._threads import single_threaded_blas

_THREADED = 2**16  # numbers from which BLAS may take several threads for a product with a vector


class EmbeddingMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Turn users into vectors by `_user_factors`, which a model defines beside `item_factors_`."""

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

    @property
    def _n_features_out(self) -> int:
        return self.item_factors_.shape[1]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def products(users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the products of user and item vectors, (n_users, n_items).

    The products of one user are read from memory faster than threads are woken, and take one thread.
    """
    if len(users) != 1:
        return users @ items.T
    with single_threaded_blas() if items.size > _THREADED else nullcontext():
        return (items @ users[0])[None]


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
