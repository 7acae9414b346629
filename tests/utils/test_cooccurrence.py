from collections import Counter

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from skrec.datasets import make_histories
from skrec.decomposition import PPMISVD
from skrec.linear_model import EASE, SLIM
from skrec.neighbors import BuyAgainRecommender, ItemKNN, RP3beta, TransitionRecommender
from skrec.utils import _cooccurrence, _resources
from skrec.utils._cooccurrence import Cooccurrence
from skrec.utils._csr import as_float32
from skrec.utils._frame_parameter import shallow
from skrec.utils._statistics import Records, Statistics

MODELS = [
    EASE(l2=5),
    EASE(l2=5, method="sparse", n_neighbors=10),
    SLIM(l1=0.1, l2=1, max_iter=1000, tol=1e-8),
    ItemKNN(5),
    ItemKNN(5, metric="jaccard"),
    ItemKNN(5, metric="tversky"),
    RP3beta(5),
    TransitionRecommender(),
    PPMISVD(6, random_state=0),
    BuyAgainRecommender(),
]


def shop(timed):
    histories = make_histories(120, 25, random_state=0)
    rows = [list(row) + list(row)[:2] for row in histories["item"]]  # with repeats
    frame = pd.DataFrame({"item": rows})
    return (
        frame.assign(time=[list(range(3 * number, 3 * number + len(row))) for number, row in enumerate(rows)])
        if timed
        else frame
    )


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{type(model).__name__}-{getattr(model, 'metric', '')}")
def test_statistics_of_parts_add_up_and_can_be_taken_away(model, timed):
    X = shop(timed)
    whole = clone(model).fit(X)
    users = whole._encode(X)
    first, second = whole._count(users[:50]), whole._count(users[50:])

    def solved(statistics):
        other = shallow(whole)
        other._solve(statistics)
        return other.decision_function(X)

    expected = whole.decision_function(X)
    np.testing.assert_allclose(solved(first + second), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(solved(second + first), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(solved(first + second - second), solved(first), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(solved(whole._count(users)), expected)


pairs = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.5, 1.0, 2.0])), max_size=20)


@given(pairs, pairs)
def test_records_are_multisets(first, second):
    def records(rows):
        return Records(np.array([a for a, _ in rows], dtype=np.int32), np.array([b for _, b in rows], dtype=float))

    def rows(records):
        return Counter(zip(*(column.tolist() for column in records.columns), strict=True))

    both = records(first) + records(second)
    assert rows(both) == Counter(first) + Counter(second)
    assert rows(both - records(first)) == Counter(second)
    if Counter(second) <= Counter(first):
        assert rows(records(first) - records(second)) == Counter(first) - Counter(second)
    else:
        with pytest.raises(ValueError, match="not learned"):
            records(first) - records(second)


def test_statistics_add_by_name():
    total = Statistics({"n": 1, "sums": np.array([1.0, 2])}) + Statistics({"sums": np.array([3.0, 4]), "n": 5})
    assert total["n"] == 6
    np.testing.assert_array_equal(total["sums"], [4, 6])


@pytest.mark.parametrize("scale", [1, 3000, 0.3])
def test_sums_stay_exact_and_sorted(scale):
    """Whole numbers stay in float32 while it holds them, others are summed in float64; what is taken away is gone."""
    rng = np.random.default_rng(0)

    def users(n):
        return sp.csr_array((rng.random((n, 9)) < 0.4) * scale, dtype=np.float32)

    old, new, other = users(50), users(50), users(20)
    total = Cooccurrence(old, old).formed() + Cooccurrence(other, other)
    changed = total + (Cooccurrence(new, new) - Cooccurrence(old, old))
    exact = changed.exact()
    expected = sum((one.astype(float).T @ one.astype(float)).toarray() for one in (new, other))
    np.testing.assert_allclose(exact.toarray(), expected, rtol=1e-12)
    assert exact.dtype == (np.float32 if scale == 1 else np.float64) and exact.has_sorted_indices
    rows, columns = np.divmod(np.arange(81), 9)
    np.testing.assert_allclose(changed.entries(rows, columns), expected.ravel(), rtol=1e-6)
    nothing = changed - Cooccurrence(new, new) - Cooccurrence(other, other)
    assert nothing.exact().nnz == 0


def test_entries_of_a_product_are_estimated_before_it_is_formed():
    rng = np.random.default_rng(0)
    users = sp.csr_array(rng.random((300, 2000)) < 1 / np.arange(1, 2001), dtype=np.float32)
    product = Cooccurrence(as_float32(users), as_float32(users))
    estimate = product.estimated_entries()
    assert estimate == pytest.approx(product.exact().nnz, rel=0.1)
    assert product.estimated_entries() == product.exact().nnz


@pytest.mark.parametrize("kind", [ItemKNN, RP3beta])
def test_products_that_do_not_fit_into_memory_are_refused(kind, monkeypatch):
    for module in (_cooccurrence, _resources):
        monkeypatch.setattr(module, "free_bytes", lambda: 1000.0)
    with pytest.raises(MemoryError, match=r"^incremental=True needs about .* are free: fit with incremental=False"):
        kind(incremental=True).fit(shop(False))
    assert kind().fit(shop(False)).similarity_.nnz


def test_free_memory_is_that_of_the_system():
    assert 2**20 < _resources.free_bytes() < 2**60
    _resources.check_room(10, 12, "this", "that")
