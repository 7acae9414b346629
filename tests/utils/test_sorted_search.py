"""The exact search for inner products where numba is missing: products in the order of the norms."""

import numpy as np
import pytest

from skrec.datasets import make_histories
from skrec.decomposition import PureSVD
from skrec.utils import _fast, _search, _single, _sorted_search
from skrec.utils._search import build_index, search


@pytest.fixture(autouse=True)
def without_numba(monkeypatch):
    monkeypatch.setattr(_fast, "available", lambda: False)
    monkeypatch.setattr(_sorted_search, "_CHUNK", 64)


def vectors(kind, n_items, rng):
    items = rng.standard_normal((n_items, 12)) * rng.pareto(1.2, n_items)[:, None]
    if kind == "ties":
        items = items[rng.integers(0, n_items // 9, n_items)]
    elif kind == "zeros":
        items[rng.random(n_items) < 0.7] = 0
    elif kind == "opposite":
        items = -np.abs(items)
    return items.astype(np.float32)


@pytest.mark.parametrize("kind", ["plain", "ties", "zeros", "opposite"])
def test_nothing_of_the_best_is_missed(kind):
    rng = np.random.default_rng(0)
    items = vectors(kind, 3000, rng)
    queries = np.abs(rng.standard_normal((40, 12))).astype(np.float32)
    index = build_index(items)
    assert isinstance(index, _sorted_search.SortedItems)
    for k in (1, 10, 300):
        hidden = [rng.permutation(3000)[: 5 * row] for row in range(40)]
        for query, some, gone in zip(queries, search(index, queries, k, hidden), hidden, strict=True):
            exact = items.astype(np.float64) @ query.astype(np.float64)
            shown = np.setdiff1d(np.arange(3000), gone)
            assert set(shown[exact[shown] >= np.sort(exact[shown])[-k]]) <= set(some.tolist())
            assert not set(some.tolist()) & set(gone.tolist())
            assert (np.diff(some) > 0).all()
            if kind == "plain":
                assert len(some) <= k + len(gone) + 5


def test_vectors_that_gain_nothing_have_no_index():
    items = vectors("plain", 1000, np.random.default_rng(0))
    assert build_index(items / np.linalg.norm(items, axis=1, keepdims=True)) is None
    items[3, 3] = np.nan
    assert build_index(items) is None


@pytest.mark.parametrize("query", [np.zeros(12), np.full(12, np.nan), np.full(12, np.inf), np.full(12, 1e20)])
def test_vectors_that_decide_nothing_are_left_to_the_full_product(query):
    index = build_index(vectors("plain", 1000, np.random.default_rng(0)))
    assert search(index, query[None].astype(np.float32), 5) == [None]


def test_a_model_answers_as_with_the_full_product(monkeypatch):
    histories = make_histories(400, 3000, mean_length=12, random_state=0)["item"].tolist()
    model = PureSVD(16, random_state=0).fit(histories)
    asked = [*histories[:40], []]
    variants = [{}, {"exclude_seen": False}, {"exclude": model.items_[:40].tolist()}]
    variants += [{"candidates": model.items_[5:2500].tolist()}]

    def answers():
        together = [model.recommend(asked, 12, return_scores=True, **how) for how in variants]
        return together + [model.recommend([one], 12, return_scores=True, **how) for one in asked for how in variants]

    before = answers()
    for module, name in ((_search, "LEAST_SORTED"), (_single, "LEAST_ITEMS")):
        monkeypatch.setattr(module, name, 1000)
    _search.warm(model, model.item_factors_)
    assert _search.index_of(model, model.item_factors_) is not None
    for (items, scores), (found, values) in zip(before, answers(), strict=True):
        np.testing.assert_allclose(values, scores, rtol=2e-5, atol=1e-6)
        rows = (found != items).any(axis=1)
        assert rows.mean() <= 0.1 or len(rows) == 1


def test_fewer_items_than_wanted_are_left_to_the_full_product():
    items = vectors("plain", 50, np.random.default_rng(0))
    assert search(build_index(items), items[:1], 5, [np.arange(47)]) == [None]
