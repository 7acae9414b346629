import numpy as np
import pytest
import scipy.sparse as sp

from skrec.utils._cooccurrence import Cooccurrence
from skrec.utils._nearest import Below
from skrec.utils._nearest_update import NearestRows


def rows_of(rng, n_users, n_items, weighted):
    matrix = (rng.random((n_users, n_items)) < 0.6 * rng.random(n_items) ** 2).astype(np.float32)
    return sp.csr_array(matrix * (rng.random(matrix.shape) + 0.5 if weighted else 1), dtype=np.float32)


def cosine(size, shrinkage):
    none = np.zeros_like(size)
    return Below(none, none, size, size, root=True, constant=shrinkage)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [1, 3, 8])
def test_updates_keep_the_nearest_of_a_product_that_is_looked_at_anew(n, weighted):
    """60 updates by new and growing users, with new items, ties, and ranks other than the positions."""
    rng = np.random.default_rng(n)
    n_items, untouched = 40, 0
    users = rows_of(rng, 150, n_items, weighted)
    total = Cooccurrence(users, users).formed()
    size = users.multiply(users).sum(axis=0).astype(np.float64)
    rank = rng.permutation(70)
    held, _ = NearestRows.build(total, n, cosine(size.astype(np.float32), 2.0), rank[:n_items])
    for step in range(60):
        if step % 20 == 10:
            n_items += 7
            total = total.moved(np.arange(len(size)), n_items)
            size = np.append(size, np.zeros(n_items - len(size)))
        after = rows_of(rng, 3, n_items, weighted)
        before = sp.csr_array(after.multiply(rng.random(after.shape) < 0.7 * (step % 2)), dtype=np.float32)
        change = Cooccurrence(after, after) - Cooccurrence(before, before)
        total = total + change
        size = size + after.multiply(after).sum(axis=0) - before.multiply(before).sum(axis=0)
        below = cosine(size.astype(np.float32), 2.0)
        before_update = held.bound
        held, nearest = held.update(total, change.exact(), below, rank[:n_items])
        untouched += np.count_nonzero(held.bound[: len(before_update)] == before_update)
        expected = total.nearest(n, below, rank[:n_items])
        np.testing.assert_allclose(nearest.data, expected.data, rtol=1e-5)
        if not weighted:  # rounding decides no tie
            np.testing.assert_array_equal(nearest.indices, expected.indices)
        np.testing.assert_array_equal(nearest.indptr, expected.indptr)
    assert untouched > 0.2 * 60 * 40  # rows are not all looked up again


def test_what_shrinks_the_divisors_is_solved_anew():
    rng = np.random.default_rng(0)
    users = rows_of(rng, 50, 12, False)
    total = Cooccurrence(users, users).formed()
    size = users.sum(axis=0).astype(np.float32)
    held, _ = NearestRows.build(total, 2, cosine(size, 1.0), None)
    change = sp.csr_array((12, 12), dtype=np.float32)
    assert held.update(total, change, cosine(size - (np.arange(12) == 3), 1.0), None) is None
    assert held.update(total, change, cosine(size, 2.0), None) is None
    assert held.update(total, change, cosine(size, 1.0), None) is not None
