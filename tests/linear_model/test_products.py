"""Products of item columns: both ways to read a square of a sparse Gram matrix."""

import numpy as np
import pytest
import scipy.sparse as sp

from skrec.linear_model import _products
from skrec.linear_model._products import ItemProducts


@pytest.mark.parametrize("long", [0, 10**9])
@pytest.mark.parametrize("ordered", [True, False])
def test_a_square_equals_that_of_the_dense_matrix(monkeypatch, long, ordered):
    monkeypatch.setattr(_products, "_LONG", long)
    rng = np.random.default_rng(0)
    users = sp.random_array((60, 200), density=0.02, rng=rng, dtype=np.float32).tocsr()
    gram = sp.csr_array(users.T @ users)
    dense = gram.toarray()
    if not ordered:  # the same entries, each row from its end
        for start, stop in zip(gram.indptr[:-1], gram.indptr[1:], strict=True):
            gram.indices[start:stop] = gram.indices[start:stop][::-1]
            gram.data[start:stop] = gram.data[start:stop][::-1]
        gram.has_sorted_indices = False
    products = ItemProducts(gram)
    assert sp.issparse(products.products)
    for _ in range(20):
        items = np.sort(rng.choice(200, rng.integers(1, 30), replace=False))
        np.testing.assert_array_equal(products.square(items), dense[np.ix_(items, items)])
