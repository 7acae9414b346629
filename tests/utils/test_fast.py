"""The compiled loop against NumPy: the same neighbours, the same recommendations, tie by tie."""

import subprocess
import sys
import types

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline

from skrec.base import BaseRecommender
from skrec.datasets import make_histories
from skrec.feature_extraction import BM25Transformer, HistoryVectorizer
from skrec.neighbors import ItemKNN
from skrec.utils import _fast
from skrec.utils._csr import as_float32, transposed
from skrec.utils._nearest import Below, nearest_rows
from skrec.utils._topk import mask_scores, popularity_order, top_k

HISTORIES = list(make_histories(150, 40, mean_length=8, random_state=0, repeats=True)["item"])
SETTINGS = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(params=["compiled", "as Python"])
def loop(request, monkeypatch):
    """Take the loop however small the work: compiled where numba is installed, and as the Python that it is."""
    monkeypatch.setattr(_fast, "worthwhile", lambda seconds: True)
    if request.param == "as Python":
        monkeypatch.setattr(_fast, "kernels", lambda: _fast._best_of_product)
    elif not _fast.available():
        pytest.skip("numba is not installed")


def without(monkeypatch):
    """Make it so that numba is not installed."""
    monkeypatch.setattr(_fast, "available", lambda: False)
    monkeypatch.setattr(_fast, "worthwhile", lambda seconds: False)


def random_csr(rng, shape, density, levels):
    values = np.round(rng.random(shape) * levels).astype(np.float32)
    return sp.csr_array(values * (rng.random(shape) < density))


@SETTINGS
@given(
    n_items=st.integers(2, 60),
    k=st.integers(1, 30),
    levels=st.sampled_from([1, 3, 1000]),
    density=st.sampled_from([0.02, 0.2, 0.9]),
    allowed=st.sampled_from([0.5, 1.0]),
    seed=st.integers(0, 2**16),
)
def test_the_best_of_a_product_equal_those_of_the_dense_array(loop, n_items, k, levels, density, allowed, seed):
    rng = np.random.default_rng(seed)
    left, right = random_csr(rng, (9, 12), density, levels), random_csr(rng, (12, n_items), density, levels)
    seen, removed = random_csr(rng, (9, n_items), 0.3, 1), random_csr(rng, (9, n_items), 0.1, 1)
    order = popularity_order(rng.integers(0, 4, n_items))
    order = order[rng.random(n_items) < allowed]
    k = min([k, *(len(order) - np.isin(removed[[row]].indices, order).sum() for row in range(9))])
    if k < 1:
        return
    dense = (left @ right).toarray()
    mask_scores(dense, seen)
    mask_scores(dense, removed, remove=True)
    columns, values, counts = _fast.best_of_product(left, right, k, order=order, seen=seen, removed=removed)
    found, expected = top_k(dense[:, order], k, np.arange(len(order)))
    np.testing.assert_array_equal(columns, order[found])
    np.testing.assert_array_equal(values, expected)
    assert (counts == k).all()


@SETTINGS
@given(
    n=st.integers(1, 50),
    density=st.sampled_from([0.01, 0.2, 0.8]),
    formula=st.sampled_from(["none", "root", "times", "plus"]),
    seed=st.integers(0, 2**16),
)
def test_nearest_rows_equal_scipy(loop, n, density, formula, seed):
    rng = np.random.default_rng(seed)
    matrix = random_csr(rng, (15, 30), density, 3)
    size, none = np.asarray(matrix.sum(axis=0)), np.zeros(30, dtype=np.float32)
    below = {
        "none": None,
        "root": Below(none, none, size, size, root=True),
        "times": Below(none, none, size**0.3, size**0.7, constant=2.5),
        "plus": Below(size, size, none, none, slope=-1),
    }[formula]
    ours = nearest_rows(sp.csr_array(matrix.T), matrix, n, below)
    with pytest.MonkeyPatch.context() as patch:
        without(patch)
        expected = nearest_rows(sp.csr_array(matrix.T), matrix, n, below)
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(ours, part), getattr(expected, part))


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("which", ["both", "left", "right"])
def test_factors_of_ones_need_no_values(loop, which, transpose):
    rng = np.random.default_rng(0)
    matrix = random_csr(rng, (15, 30), 0.4, 1)
    matrix.data[:] = 1
    values = random_csr(rng, (15, 30), 0.4, 7)
    left, right = (matrix if which in (side, "both") else values for side in ("left", "right"))
    expected = nearest_rows(sp.csr_array(left.T), right, 7)
    factors = transposed(as_float32(left)), as_float32(right)
    found = nearest_rows(*factors, 7, transpose=transpose)
    with pytest.MonkeyPatch.context() as patch:
        without(patch)
        with_scipy = nearest_rows(*factors, 7, transpose=transpose)
    if transpose:
        expected = sp.csr_array(expected.T)
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))
        np.testing.assert_array_equal(getattr(with_scipy, part), getattr(expected, part))


@pytest.mark.parametrize("threads", [1, 3])
def test_neighbours_do_not_depend_on_the_number_of_threads(threads, monkeypatch):
    rng = np.random.default_rng(0)
    matrix = random_csr(rng, (60, 900), 0.05, 1)
    expected = nearest_rows(sp.csr_array(matrix.T), matrix, 4)
    monkeypatch.setattr(_fast, "worthwhile", lambda seconds: _fast.available())
    monkeypatch.setattr(_fast, "n_threads", lambda: threads)
    found = nearest_rows(sp.csr_array(matrix.T), matrix, 4)
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))


@pytest.mark.parametrize("metric", ["cosine", "asymmetric", "jaccard", "tversky"])
@pytest.mark.parametrize("weighted", [False, True])
def test_item_knn_answers_alike_with_and_without_numba(loop, metric, weighted, monkeypatch):
    vectorizer = make_pipeline(HistoryVectorizer(binary=False, recency=0.7), BM25Transformer())
    model = ItemKNN(5, metric=metric, shrinkage=2.0, vectorizer=vectorizer if weighted else None)
    users = [*HISTORIES, []]
    requests = [
        {},
        {"k": 40},
        {"exclude_seen": False},
        {"candidates": np.unique(np.concatenate(HISTORIES))[::3]},
        {"exclude": [history[:1] for history in users]},
    ]

    def answers():
        model.fit(HISTORIES)
        return [model.recommend(users, return_scores=True, **request) for request in requests]

    fast = answers()
    without(monkeypatch)
    for (items, scores), (expected_items, expected_scores) in zip(fast, answers(), strict=True):
        np.testing.assert_array_equal(items, expected_items)
        np.testing.assert_array_equal(scores, expected_scores)


class Given(BaseRecommender):
    """A model whose similarities are given."""

    def __init__(self, similarity=None, vectorizer=None, k=5, exclude_seen=True):
        self.similarity = similarity
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen

    def _fit(self, users):
        self.similarity_ = self.similarity


@pytest.mark.parametrize("lowest", [0.0, -0.5])
def test_a_model_with_similarities_needs_no_scoring_of_its_own(loop, lowest):
    rng = np.random.default_rng(0)
    matrix = random_csr(rng, (30, 20), 0.3, 1)
    similarity = random_csr(rng, (20, 20), 0.5, 1000)
    similarity.data += lowest * 1000
    sparse = Given(similarity, vectorizer="passthrough").fit(matrix)
    dense = Given(similarity.toarray(), vectorizer="passthrough").fit(matrix)
    np.testing.assert_array_equal(sparse.predict(matrix), dense.predict(matrix))


def test_the_loop_is_taken_where_it_pays(monkeypatch):
    loaded = types.SimpleNamespace(cache_info=lambda: types.SimpleNamespace(currsize=1))
    fresh = types.SimpleNamespace(cache_info=lambda: types.SimpleNamespace(currsize=0))
    monkeypatch.setattr(_fast, "available", lambda: True)
    monkeypatch.setattr(_fast, "kernels", loaded)
    assert _fast.worthwhile(0.0)
    monkeypatch.setattr(_fast, "kernels", fresh)
    monkeypatch.setattr(_fast, "is_compiled", lambda loop: True)
    assert not _fast.worthwhile(0.1)
    assert _fast.worthwhile(1.0)
    monkeypatch.setattr(_fast, "is_compiled", lambda loop: False)
    assert not _fast.worthwhile(1.0)
    assert _fast.worthwhile(10.0)
    monkeypatch.setattr(_fast, "available", lambda: False)
    assert not _fast.worthwhile(10.0)


def test_small_work_does_not_import_numba():
    code = (
        "import sys; from skrec.neighbors import ItemKNN; from skrec.datasets import make_histories;"
        "h = make_histories(50, 20, random_state=0); ItemKNN().fit(h).predict(h); print('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_without_a_folder_to_cache_in_it_compiles_each_time(monkeypatch):
    numba = pytest.importorskip("numba")
    asked = []

    def njit(signature, cache=False, **options):
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(numba, "njit", njit)
    assert _fast.kernels.__wrapped__() is _fast._best_of_product
    assert asked == [True, False]
