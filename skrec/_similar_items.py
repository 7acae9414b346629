"""Similar items, of recommenders that learn item vectors or similarities."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .utils._arguments import check_flags
from .utils._fitting import snapshot
from .utils._prepared import item_order
from .utils._requests import check_k
from .utils._selection import dense
from .utils._topk import map_blocks, mask_scores, top_k
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
        order, _ = item_order(self)

        def best(block):
            scores = dense(self._item_similarity(codes[block]))
            mask_scores(scores, itself[block], remove=True)
            return top_k(scores, k, order)

        blocks = map_blocks(best, n, 4 * self.n_items_)
        similar = self.items_[np.concatenate([b[0] for b in blocks])]
        return (similar, np.concatenate([b[1] for b in blocks])) if return_scores else similar

    def _item_similarity(self, codes: np.ndarray):
        if hasattr(self, "similarity_"):
            return self.similarity_[codes]
        norms = np.linalg.norm(self.item_factors_, axis=1)
        unit = self.item_factors_ / np.where(norms > 0, norms, 1)[:, None]
        return unit[codes] @ unit.T
