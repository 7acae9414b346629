"""The exact search for inner products: the items of the full product, whatever the vectors are."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skrec.datasets import make_histories
from skrec.decomposition import ALS, BPR, PPMISVD, PureSVD
from skrec.utils import _fast, _search, _selection, _single
from skrec.utils._search import build_index, search

pytestmark = pytest.mark.skipif(not _fast.available(), reason="needs numba")


def vectors_of(kind, n_items, n_components, rng):
    """Return item vectors of different character."""
    items = rng.standard_normal((n_items, n_components))
    if kind == "unit":
        items /= np.linalg.norm(items, axis=1, keepdims=True)
    elif kind == "skewed":
        items *= rng.pareto(1.2, n_items)[:, None]
    elif kind == "zeros":
        items[rng.random(n_items) < 0.7] = 0
    elif kind == "ties":
        items = items[rng.integers(0, max(1, n_items // 9), n_items)]
    elif kind == "one large component":
        items[:, 0] *= 1000
    elif kind == "tiny":
        items *= 1e-12
    elif kind == "huge":
        items *= 1e12
    elif kind == "opposite":
        items = -np.abs(items)
    return items.astype(np.float32)


KINDS = ["plain", "unit", "skewed", "zeros", "ties", "one large component", "tiny", "huge", "opposite"]


def check_complete(items, query, k, found, hidden=()):
    """What was found holds every item that can be among the k best by the exact product, in float64."""
    exact = items.astype(np.float64) @ query.astype(np.float64)
    shown = np.setdiff1d(np.arange(len(items)), hidden)
    kth = np.sort(exact[shown])[-k]
    assert set(shown[exact[shown] >= kth]) <= set(found.tolist())
    assert not set(found.tolist()) & set(np.asarray(hidden).tolist())
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_components", [1, 7, 32, 33, 200])
def test_nothing_of_the_best_is_missed(kind, n_components):
    rng = np.random.default_rng(n_components)
    items = vectors_of(kind, 3000, n_components, rng)
    queries = rng.standard_normal((40, n_components)).astype(np.float32)
    index, k = build_index(items), 10
    found = search(index, queries, k)
    answered = 0
    for query, some in zip(queries, found, strict=True):
        if some is not None:
            check_complete(items, query, k, some)
            answered += 1
    assert answered == 40 or kind in ("zeros", "ties") or n_components == 1


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_vectors(data):
    n_items, n_components = data.draw(st.integers(1, 200)), data.draw(st.integers(1, 70))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    items = vectors_of(data.draw(st.sampled_from(KINDS)), n_items, n_components, rng)
    query = vectors_of(data.draw(st.sampled_from(KINDS)), 1, n_components, rng)[0]
    hidden = rng.permutation(n_items)[: data.draw(st.integers(0, n_items - 1))]
    k = data.draw(st.integers(1, n_items - len(hidden)))
    found = search(build_index(items), query[None], k, [hidden])[0]
    if found is not None:
        check_complete(items, query, k, found, hidden)


def test_few_items_are_in_question():
    rng = np.random.default_rng(0)
    items = vectors_of("unit", 50_000, 64, rng)
    queries = rng.standard_normal((20, 64)).astype(np.float32)
    assert max(len(found) for found in search(build_index(items), queries, 10)) < 200


def test_together_and_one_by_one_in_any_order():
    rng = np.random.default_rng(1)
    items = vectors_of("skewed", 5000, 40, rng)
    queries = rng.standard_normal((100, 40)).astype(np.float32)
    hidden = [rng.permutation(5000)[: rng.integers(0, 50)] for _ in range(100)]
    index = build_index(items)
    together = search(index, queries, 10, hidden)
    backwards = search(index, queries[::-1].copy(), 10, hidden[::-1])[::-1]
    for row in range(100):
        (alone,) = search(index, queries[row : row + 1], 10, [hidden[row]])
        exact = np.float64(items[together[row]]) @ np.float64(queries[row])
        for other in (alone, backwards[row]):
            check_complete(items, queries[row], 10, other, hidden[row])
        assert len(exact) >= 10


@pytest.mark.parametrize("query", [np.zeros(8), np.full(8, np.nan), np.full(8, np.inf), np.full(8, 1e20)])
def test_vectors_that_decide_nothing_are_left_to_the_full_product(query):
    items = vectors_of("plain", 1000, 8, np.random.default_rng(0))
    assert search(build_index(items), query[None].astype(np.float32), 5) == [None]


def test_one_vector_that_decides_nothing_leaves_the_others_as_they_are():
    rng = np.random.default_rng(0)
    index = build_index(vectors_of("plain", 1000, 8, rng))
    queries = rng.standard_normal((5, 8)).astype(np.float32)
    alone = search(index, queries, 5)
    queries[2] = np.nan
    together = search(index, queries, 5)
    assert together[2] is None
    for row in (0, 1, 3, 4):
        np.testing.assert_array_equal(together[row], alone[row])


def test_items_that_are_not_finite_have_no_index():
    items = np.ones((10, 4), dtype=np.float32)
    items[3, 2] = np.nan
    assert build_index(items) is None


def test_too_many_ties_are_left_to_the_full_product():
    items = np.ones((20_000, 8), dtype=np.float32)
    assert search(build_index(items), np.ones((1, 8), np.float32), 10) == [None]


MODELS = {
    "als": ALS(16, max_iter=3, random_state=0),
    "bpr": BPR(16, max_iter=5, random_state=0, exclude_seen=False),
    "pure svd": PureSVD(16, random_state=0),
    "ppmi svd": PPMISVD(16, random_state=0),
}


@pytest.fixture(params=MODELS)
def fitted(request, monkeypatch):
    """A model on 3,000 items, its answers by the full product, and the search made ready."""
    histories = make_histories(400, 3000, mean_length=12, random_state=0)["item"].tolist()
    model = MODELS[request.param].fit(histories)
    asked = [*histories[:60], [], [-5], [histories[0][0]]]
    variants = [{}, {"exclude_seen": False}, {"exclude": model.items_[:40].tolist()}]
    variants += [{"candidates": model.items_[5:2500].tolist()}, {"candidates": model.items_[3:60].tolist()}]
    variants += [{"exclude": [model.items_[:n].tolist() for n in range(len(asked))]}]
    before = [[model.recommend(asked, 12, return_scores=True, **how) for how in variants]]
    singly = [
        how for how in variants if not (isinstance(how.get("exclude"), list) and isinstance(how["exclude"][0], list))
    ]
    before += [[model.recommend([one], 12, return_scores=True, **how) for one in asked for how in singly]]
    before += [[model.similar_items(model.items_[:70], 9, return_scores=True)]]
    for module in (_search, _single):
        monkeypatch.setattr(module, "LEAST_ITEMS", 1000)
    _search.warm(model, model._inner_product_of_scores().items)
    _search.warm(model, model._unit_vectors(), "search of similar items")

    def after():
        found = [[model.recommend(asked, 12, return_scores=True, **how) for how in variants]]
        found += [[model.recommend([one], 12, return_scores=True, **how) for one in asked for how in singly]]
        return [*found, [model.similar_items(model.items_[:70], 9, return_scores=True)]]

    return model, before, after


def test_models_answer_as_with_the_full_product(fitted, monkeypatch):
    _model, before, after = fitted
    used, way = [], _search.search
    for module in (_search, _selection):
        monkeypatch.setattr(module, "search", lambda *asked: used.append(way(*asked)) or used[-1])
    for ones, others in zip(before, after(), strict=True):
        for (items, scores), (found, values) in zip(ones, others, strict=True):
            np.testing.assert_allclose(values, scores, rtol=2e-5, atol=1e-6)
            for row in np.flatnonzero((found != items).any(axis=1)):  # only items of nearly equal score change places
                moved = found[row] != items[row]
                np.testing.assert_allclose(values[row, moved], scores[row, moved], rtol=2e-5, atol=1e-6)
                assert len(set(found[row])) == len(found[row])
    assert sum(some is not None for found in used for some in found) > 300


def test_threads_ask_at_the_same_time(fitted):
    _model, _, after = fitted
    expected, found = after(), [None] * 4

    def ask(number):
        found[number] = after()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answers in found:
        for ones, others in zip(expected, answers, strict=True):
            for one, other in zip(ones, others, strict=True):
                np.testing.assert_array_equal(one[0], other[0])


def test_an_update_drops_the_index(monkeypatch):
    for module in (_search, _single):
        monkeypatch.setattr(module, "LEAST_ITEMS", 1000)
    histories = make_histories(400, 2000, mean_length=12, random_state=0)["item"].tolist()
    model = PureSVD(8, random_state=0).fit(histories)
    _search.warm(model, model.item_factors_)
    before = model.recommend(histories[:5], 5)
    model.fit([[one + 10**6 for one in row] for row in histories])
    after = model.recommend([[one + 10**6 for one in row] for row in histories[:5]], 5)
    assert (after >= 10**6).all()
    np.testing.assert_array_equal(after - 10**6, before)


def test_the_search_begins_when_it_pays(monkeypatch):
    monkeypatch.setattr(_search, "LEAST_ITEMS", 1000)
    monkeypatch.setattr(_search, "_PER_SECOND", 1e4)
    histories = make_histories(300, 2000, mean_length=12, random_state=0)["item"].tolist()
    model = PureSVD(8, random_state=0).fit(histories)
    states = []
    for _ in range(5):
        model.recommend(histories[:1], 5)
        states.append(_search.index_of(model, model.item_factors_) is not None)
    assert states[-1]
    assert model.__getstate__().keys() == PureSVD(8, random_state=0).fit(histories).__getstate__().keys()


def test_codes_longer_than_the_vector_do_not_hide_it():
    # zeros are coded as half a level, which lengthens this item's code, and the rounding of the query points along it
    query = np.full(64, 1 / 30 - 34)
    query[1:9] -= 1
    query[0] = 0.499
    query[-1] = -(32700 - 7.5 * 64) / 15 - query[1:-1].sum()  # with this sum a step is 1
    query = query.astype(np.float32)
    best, rival = np.zeros((2, 64), dtype=np.float32)
    best[0], rival[0] = 7.5, 7.1
    rival[1], rival[2] = 12, -12 * query[1] / query[2]
    items = np.stack([rival] * 64 + [best] + [0 * best] * 9)
    check_complete(items, query, 1, search(build_index(items), query[None], 1)[0])


def test_vectors_too_small_for_float32_are_left_to_the_full_product():
    rng = np.random.default_rng(0)
    items = (rng.standard_normal((300, 1)) * 1e14).astype(np.float32)
    queries = (rng.standard_normal((50, 1)) * 2e-41).astype(np.float32)
    queries[-1] = 1e-20
    found = search(build_index(items), queries, 5)
    assert found[:-1] == [None] * 49
    check_complete(items, queries[-1], 5, found[-1])


def test_vectors_of_any_size_come_to_norm_1():
    vectors = np.array([[3e-25, 4e-25], [3e25, 4e25], [3, 4], [0, 0]], dtype=np.float32)
    unit = _search.of_norm_1(vectors)
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, [[0.6, 0.8]] * 3 + [[0, 0]], rtol=1e-6)
