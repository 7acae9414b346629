"""Similar items, of recommenders that learn item vectors or similarities."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .utils._arguments import check_flags
from .utils._fitting import snapshot
from .utils._prepared import item_order, prepared
from .utils._requests import check_k
from .utils._search import InnerProduct, of_norm_1
from .utils._selection import best_items
from .utils._users import Users
from .utils._validation import as_id_list, lookup


def _has_item_vectors(model) -> bool:
    if hasattr(model, "similarity_") or hasattr(model, "item_factors_"):
        return True
    raise AttributeError(
        f"{type(model).__name__} has no similar_items: it learns neither item vectors nor similarities"
    )


class SimilarItemsMixin:
    """`similar_items` of recommenders with `similarity_` or `item_factors_`."""

    items_: np.ndarray
    n_items_: int
    popularity_: np.ndarray
    k: int
    similarity_: Any
    item_factors_: Any

    @available_if(_has_item_vectors)
    @snapshot
    def similar_items(self, items, k=None, *, return_scores=False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Find the items most similar to each given item.

        Parameters
        ----------
        items : array-like of shape (n,)
            Item ids that the model knows.
        k : int, default=None
            Number of similar items; None takes the constructor's `k`.
        return_scores : bool, default=False
            Whether to return the similarities as well.

        Returns
        -------
        similar : ndarray of shape (n, min(k, n_items - 1))
            Item ids, most similar first, without the item itself.
        scores : ndarray of shape (n, min(k, n_items - 1))
            Only with ``return_scores=True``: the learned similarity, or the cosine of the item vectors.
        """
        check_is_fitted(self)
        check_flags(return_scores=return_scores)
        ids = as_id_list(items, "items")
        if not len(ids):
            raise ValueError("items is empty: pass at least one id")
        codes = lookup(ids, self.items_, "items")
        if (codes < 0).any():
            raise ValueError(f"items holds {ids[codes < 0][0]!r}, which is not among the {self.n_items_} known items")
        k = min(check_k(self.k if k is None else k), self.n_items_ - 1)
        if k < 1:
            raise ValueError("items has no other item to be similar to: the model knows one item alone")
        n = len(codes)
        itself = sp.csr_array((np.ones(n), codes, np.arange(n + 1)), shape=(n, self.n_items_))
        found, scores = best_items(
            lambda some: self._item_similarity(some.extra["codes"]),
            Users(itself, extra={"codes": codes}),
            k,
            n_items=self.n_items_,
            columns=np.arange(self.n_items_),
            order=item_order(self)[0],
            demote_seen=False,
            removed=itself,
            row_bytes=4 * self.n_items_,
            product=self._cosines(),
        )
        return (self.items_[found], scores) if return_scores else self.items_[found]

    def _item_similarity(self, codes: np.ndarray):
        """Return the similarities of some items to all, (n_codes, n_items), dense or CSR."""
        if hasattr(self, "similarity_"):
            return self.similarity_[codes]
        unit = self._unit_vectors()
        return unit[codes] @ unit.T

    def _unit_vectors(self) -> np.ndarray:
        return prepared(self, "unit vectors", of_norm_1, self.item_factors_)

    def _cosines(self) -> InnerProduct | None:
        """Return the similarities as inner products, None where they are others."""
        if hasattr(self, "similarity_") or type(self)._item_similarity is not SimilarItemsMixin._item_similarity:
            return None
        unit = self._unit_vectors()
        return InnerProduct(self, lambda some: unit[some.extra["codes"]], unit, "search of similar items")
