"""Requests for one user: the inexpensive way gives the answers, and the errors, of the general one."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import skrec.base
from skrec.datasets import make_histories
from skrec.decomposition import ALS, BPR, PPMISVD, PureSVD
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.ensemble import BlendRecommender, TwoStageRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE, SLIM
from skrec.neighbors import TIFUKNN, BuyAgainRecommender, ItemKNN, RP3beta, SessionKNN, TransitionRecommender
from skrec.utils import _topk
from skrec.utils._single import agrees, encode_few, read_single
from skrec.utils._single_rows import product_single

N_ITEMS = 300
HISTORIES = [list(row) for row in make_histories(250, N_ITEMS, mean_length=9, random_state=0, repeats=True)["item"]]
PARTS = [("ease", EASE()), ("next", TransitionRecommender()), ("session", SessionKNN()), ("popular", ItemKNN(3))]
MODELS = {
    "popularity": PopularityRecommender(),
    "events": PopularityRecommender(count="events"),
    "random": RandomRecommender(random_state=0),
    "ease": EASE(),
    "ease recency": EASE(vectorizer=HistoryVectorizer(recency=0.6)),
    "ease counts": EASE(vectorizer=HistoryVectorizer(binary=False)),
    "ease counted recency": EASE(vectorizer=HistoryVectorizer(binary=False, recency=0.6)),
    "ease frequent": EASE(vectorizer=HistoryVectorizer(min_df=3)),
    "ease double": EASE(vectorizer=HistoryVectorizer(dtype=np.float64)),
    "slim": SLIM(),
    "knn": ItemKNN(),
    "knn of few": ItemKNN(2),
    "knn of few recency": ItemKNN(2, vectorizer=HistoryVectorizer(recency=0.6)),
    "rp3beta": RP3beta(),
    "transition": TransitionRecommender(),
    "transition of few": TransitionRecommender(window=1, backward=0),
    "session": SessionKNN(),
    "tifu": TIFUKNN(),
    "again": BuyAgainRecommender(),
    "als": ALS(8, max_iter=2, random_state=0),
    "als counts": ALS(8, max_iter=2, random_state=0, alpha=3.0, vectorizer=HistoryVectorizer(binary=False)),
    "svd": PureSVD(8, random_state=0),
    "ppmi": PPMISVD(8, random_state=0),
    "bpr": BPR(8, max_iter=2, random_state=0, n_jobs=1),
    "blend": BlendRecommender(PARTS, weights=[1, 0, 2, 1]),
    "blend of ranks": BlendRecommender(PARTS, normalization="rank"),
    "two stages": TwoStageRecommender(PARTS[:2], n_candidates=20, random_state=0, max_users=100),
    "two stages, repeats": TwoStageRecommender(PARTS[:3], n_candidates=20, exclude_seen=False, random_state=0),
}
IDS = {
    "int64": lambda item: int(item),
    "int16": lambda item: np.int16(item - 100),
    "uint8": lambda item: np.uint8(item % 251),
    "large": lambda item: 2**62 + 7 * int(item),
    "text": lambda item: f"p{int(item):03d}" if item % 2 else f"item {item}",
}


class Rows(list):
    """A list of another type, which takes the general way."""


def as_ids(rows, kind):
    """Bring histories to a kind of ids; those with a width are arrays."""
    make = IDS[kind]
    brought = [[make(item) for item in row] for row in rows]
    narrow = {"int16": np.int16, "uint8": np.uint8}.get(kind)
    return brought if narrow is None else [np.array(row, dtype=narrow) for row in brought]


@cache
def fitted(name, kind="int64"):
    return clone(MODELS[name]).fit(as_ids(HISTORIES, kind))


def outcome(model, X, **arguments):
    """Return the answer, or the error."""
    try:
        return model.recommend(X, return_scores=True, **arguments)
    except (TypeError, ValueError) as error:
        return type(error), str(error)


def require_same(model, history, **arguments):
    """Both ways give the same items, scores and types of arrays, or the same error."""
    quick, general = outcome(model, [history], **arguments), outcome(model, Rows([history]), **arguments)
    if isinstance(general[0], type):
        assert quick == general
        return
    for one, other in zip(quick, general, strict=True):
        assert one.dtype == other.dtype
        assert_array_equal(one, other)


def takes_it(model, X, monkeypatch):
    """Tell whether a request took the inexpensive way."""
    answers, way = [], skrec.base.recommend_single
    monkeypatch.setattr(skrec.base, "recommend_single", lambda *asked: answers.append(way(*asked)) or answers[-1])
    model.recommend(X)
    return answers[-1] is not None


items = st.integers(0, N_ITEMS + 20)
options = {
    "history": st.one_of(st.lists(items, max_size=25), st.lists(st.sampled_from([5, 6, 7, 400]), max_size=8)),
    "k": st.one_of(st.none(), st.integers(1, N_ITEMS + 5)),
    "candidates": st.one_of(st.none(), st.lists(items, max_size=30)),
    "exclude": st.one_of(st.none(), st.lists(items, max_size=30)),
    "exclude_seen": st.sampled_from([None, True, False]),
    "at": st.sampled_from([None, 100.0]),
}


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(**options)
def test_both_ways_give_the_same_answer(name, history, **arguments):
    require_same(fitted(name), history, **arguments)


@pytest.mark.parametrize("kind", [kind for kind in IDS if kind != "int64"])
@pytest.mark.parametrize("name", ["knn of few", "transition", "blend"])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(**options)
def test_every_kind_of_id(name, kind, history, candidates, exclude, **arguments):
    lists = {"candidates": candidates, "exclude": exclude}
    lists = {what: ids if ids is None else [IDS[kind](one) for one in ids] for what, ids in lists.items()}
    (history,) = as_ids([history], kind)
    require_same(fitted(name, kind), history, **lists, **arguments)
    require_same(fitted(name, kind), list(history), **lists, **arguments)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=10, deadline=None, derandomize=True)
@given(rows=st.lists(options["history"], min_size=2, max_size=6), exclude_seen=options["exclude_seen"])
def test_a_short_list_gets_what_a_batch_gives(name, rows, exclude_seen):
    model = fitted(name)
    few, many = (outcome(model, X, exclude_seen=exclude_seen) for X in (rows, Rows(rows)))
    for one, other in zip(few, many, strict=True):
        assert one.dtype == other.dtype
        assert_array_equal(one, other)
    assert_array_equal(model.decision_function(rows), model.decision_function(Rows(rows)))


@pytest.mark.parametrize("name", ["ease", "ease recency", "session", "als"])
def test_a_short_list_is_encoded_as_a_batch(name):
    model, rows = fitted(name), [[5, 400, 6, 5], [], [400], (7, 8), np.array([9])]
    few = encode_few(model, rows)
    many = model._encode(Rows(rows))
    for part in ("data", "indices", "indptr"):
        one, other = getattr(few.matrix, part), getattr(many.matrix, part)
        assert_array_equal(one, other)
        assert one.dtype == other.dtype
        assert not one.flags.writeable
    assert (few.histories is None) == (many.histories is None)
    if many.histories is not None:
        assert_array_equal(few.histories.ids, many.histories.ids)
        assert_array_equal(few.histories.codes, many.histories.codes)
        assert_array_equal(few.histories.indptr, many.histories.indptr)


@pytest.mark.parametrize("rows", [[[5], ["6"]], [[-1], [2**63]], [[5], None], [[5], 6], [[5], [6.0]]], ids=repr)
def test_the_same_errors_of_a_short_list(rows):
    assert encode_few(fitted("ease"), rows) is None
    few, many = outcome(fitted("ease"), rows), outcome(fitted("ease"), Rows(rows))
    for one, other in zip(few, many, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("name", MODELS)
def test_one_user_gets_what_a_batch_gives(name):
    model, rows = fitted(name), [*HISTORIES[:30], [7, 7, 400, 8], [9], list(range(40))]
    items, scores = model.recommend(Rows(rows), return_scores=True)
    for row, some, values in zip(rows, items, scores, strict=True):
        alone, own = model.recommend([row], return_scores=True)
        np.testing.assert_allclose(own[0], values, rtol=1e-4, atol=1e-6)  # BLAS sums one row and many in other orders
        if len(np.unique(values)) == len(values) and np.diff(values).max() < -1e-5:
            assert_array_equal(alone[0], some)


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"ease counted recency", "ease double"}))
def test_a_list_takes_the_inexpensive_way(name, monkeypatch):
    assert takes_it(fitted(name), [[5, 400, 6, 5]], monkeypatch)


@pytest.mark.parametrize(
    "X",
    [
        [HISTORIES[0]],
        (HISTORIES[0],),
        [tuple(HISTORIES[0])],
        [np.array(HISTORIES[0])],
        [[np.int64(one) for one in HISTORIES[0]]],
        pd.DataFrame({"item": [HISTORIES[0]], "age": [40]}, index=["u"]),
        pd.DataFrame({"item": pd.Series([HISTORIES[0]], dtype=pd.ArrowDtype(pa.list_(pa.int64())))}),
    ],
    ids=["list", "tuple", "tuple in list", "array", "NumPy integers", "frame", "Arrow frame"],
)
@pytest.mark.parametrize("name", ["ease", "session", "blend"])
def test_every_form_of_one_user(name, X, monkeypatch):
    model = fitted(name)
    assert_array_equal(model.recommend(X), model.recommend(Rows([HISTORIES[0]])))
    assert takes_it(model, X, monkeypatch)


@pytest.mark.parametrize(
    "history",
    [
        ["5", 5],
        ["5"],
        [None, 5],
        [float("nan")],
        [5.0, 6.0],
        [5.5],
        [True],
        [2**63, -1],
        [2**70],
        [[5]],
        [5, (6,)],
        [np.datetime64("2024-01-01")],
        [{"item": 5}],
        {5, 6},
        {"item": 5},
        "56",
        5,
        None,
        float("nan"),
        np.array([[5, 6]]),
        np.array([5.0, np.nan]),
        np.array([True]),
        np.array(5),
        pd.Series([5, 6]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["popularity", "transition", "blend"])
def test_the_same_errors(name, history):
    require_same(fitted(name), history)


@pytest.mark.parametrize(
    "arguments",
    [
        {"k": 0},
        {"k": True},
        {"k": 2.0},
        {"k": "3"},
        {"exclude_seen": 1},
        {"at": True},
        {"at": "soon"},
        {"candidates": []},
        {"candidates": [400]},
        {"candidates": ["5"]},
        {"candidates": [5, None]},
        {"candidates": [5, "6"]},
        {"candidates": [[5]]},
        {"candidates": 5},
        {"candidates": "5"},
        {"candidates": {5: 6}},
        {"candidates": np.array([5.0, 6.0])},
        {"candidates": {5, 6}},
        {"candidates": iter([5, 6])},
        {"candidates": pd.Series([5, 6])},
        {"candidates": np.array([5, 6, 400])},
        {"candidates": list(range(N_ITEMS)) * 4},
        {"exclude": list(range(N_ITEMS))},
        {"exclude": [5], "candidates": [5]},
        {"exclude": ["5"]},
        {"exclude": [2**70]},
        {"exclude": [[5, 6]]},
        {"exclude": [None]},
        {"exclude": {0: [5]}},
        {"exclude": {1: [5]}},
        {"exclude": iter([5, 6])},
        {"exclude": np.array([5, 6])},
        {"exclude": 5},
    ],
    ids=lambda arguments: "-".join(f"{name} {type(value).__name__}" for name, value in arguments.items()),
)
@pytest.mark.parametrize("name", ["knn of few", "ease"])
def test_unusual_arguments(name, arguments):
    fresh = [{key: iter([5, 6]) if hasattr(one, "__next__") else one for key, one in arguments.items()} for _ in "ab"]
    quick = outcome(fitted(name), [[5, 6]], **fresh[0])
    general = outcome(fitted(name), Rows([[5, 6]]), **fresh[1])
    for one, other in zip(quick, general, strict=True):
        assert_array_equal(one, other) if isinstance(other, np.ndarray) else None
        assert isinstance(other, np.ndarray) or one == other


def test_the_answer_is_the_callers_own():
    model = fitted("popularity")
    items, scores = model.recommend([[5]], return_scores=True)
    before = items.copy(), scores.copy()
    items[:], scores[:] = -1, -1
    assert_array_equal(model.recommend([[5]], return_scores=True), before)
    model.decision_function([[5]])[:] = 0
    assert_array_equal(model.recommend([[5]], return_scores=True), before)


@pytest.mark.parametrize("name", ["knn of few", "als", "blend", "two stages"])
def test_threads_share_what_is_prepared(name):
    model = clone(MODELS[name]).fit(HISTORIES)
    rows = [row[:12] for row in HISTORIES[:40]]
    expected = [model.recommend(Rows([row]), return_scores=True) for row in rows]
    again = clone(MODELS[name]).fit(HISTORIES)
    with ThreadPoolExecutor(8) as pool:
        for number, found in enumerate(pool.map(lambda row: again.recommend([row], return_scores=True), rows * 4)):
            for one, other in zip(found, expected[number % len(rows)], strict=True):
                assert_array_equal(one, other)


class HalfWeights(EASE):
    """Overrides what many users go through alone."""

    def _weigh(self, users):
        return super()._weigh(users) * np.float32(0.5)


class Doubled(ItemKNN):
    """Overrides the scores alone."""

    def _score(self, users):
        return super()._weigh(users) @ self.similarity_ * np.float32(2)


class Backwards(TransitionRecommender):
    """Overrides how users are read."""

    def _encode(self, X):
        return super()._encode([list(row)[::-1] for row in X])


@pytest.mark.parametrize("kind", [HalfWeights, Doubled, Backwards])
def test_a_subclass_is_asked_through_what_it_overrides(kind):
    model = kind().fit(HISTORIES)
    for row in HISTORIES[:10]:
        require_same(model, row)


class Halved(HistoryVectorizer):
    """A vectorizer that counts in its own way."""

    def transform(self, X):
        return super().transform(X) * np.float32(0.5)


def test_a_vectorizer_of_ones_own_is_asked(monkeypatch):
    class Renamed(HistoryVectorizer):
        pass

    model = EASE(vectorizer=Halved()).fit(HISTORIES)
    for row in HISTORIES[:5]:
        require_same(model, row)
    assert not takes_it(model, [[5]], monkeypatch)
    assert takes_it(EASE(vectorizer=Renamed()).fit(HISTORIES), [[5]], monkeypatch)
    assert not takes_it(EASE(vectorizer=make_pipeline(HistoryVectorizer())).fit(HISTORIES), [[5]], monkeypatch)


def test_a_subclass_may_override_both():
    class Both(HalfWeights):
        def _weigh_single(self, user):
            return user.columns, user.values * np.float32(0.5)

    assert agrees(Both, "_weigh_single", "_weigh")
    assert not agrees(HalfWeights, "_weigh_single", "_weigh")
    require_same(Both().fit(HISTORIES), HISTORIES[0])


def test_what_needs_more_than_a_list_takes_the_general_way():
    model = EASE(vectorizer="passthrough").fit(sp.csr_array(np.eye(4)))
    assert read_single(model, [[5, 6]]) is None
    assert read_single(fitted("ease"), [[5], [6]]) is None
    named = EASE(vectorizer="passthrough").fit(pd.DataFrame(np.eye(2), columns=["item", "time"]))
    assert named.recommend(pd.DataFrame([[1.0, 0.0]], columns=["item", "time"])).tolist() == [["time", "item"]]


def general(model, X, **arguments):
    """Ask a model with the inexpensive way closed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(skrec.base, "recommend_single", lambda *asked: None)
        return outcome(model, X, **arguments)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("arrow", [False, True], ids=["objects", "Arrow"])
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    history=st.lists(items, max_size=12),
    gaps=st.lists(st.integers(0, 2), min_size=12, max_size=12),
    columns=st.sets(st.sampled_from(["time", "weight", "event", "age"])),
    exclude=options["exclude"],
)
def test_frames_of_one_row(name, arrow, history, gaps, columns, exclude):
    n = len(history)
    table = {
        "item": [history],
        "time": [np.cumsum(gaps)[:n].tolist()],
        "weight": [[0.5] * n],
        "event": [(["view", "buy"] * 6)[:n]],
        "age": [40],
    }
    frame = pd.DataFrame({column: table[column] for column in table if column in columns | {"item"}})
    if arrow:
        kinds = {"item": pa.int64(), "time": pa.int64(), "weight": pa.float64(), "event": pa.string()}
        lists = {column: pd.ArrowDtype(pa.list_(kind)) for column, kind in kinds.items() if column in frame}
        frame = frame.astype(lists)
    model = fitted(name)
    for one, other in zip(outcome(model, frame, exclude=exclude), general(model, frame, exclude=exclude), strict=True):
        assert one.dtype == other.dtype
        assert_array_equal(one, other)


@pytest.mark.parametrize(
    "bad",
    [
        {"time": [[2.0, 1.0]]},
        {"time": [[1.0]]},
        {"time": [["x", "y"]]},
        {"weight": [[1.0, -1.0]]},
        {"event": [[None, "view"]]},
        {"item": [[1, None]]},
        {"item": [5]},
        {"other": [[1, 2]]},
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["ease", "transition", "blend"])
def test_the_same_errors_of_frames(name, bad):
    items = {"item": [[5, 6]]} if "other" not in bad else {}
    frame = pd.DataFrame({**items, **bad})
    assert outcome(fitted(name), frame) == general(fitted(name), frame)


def test_a_model_that_knows_times(monkeypatch):
    log = make_histories(200, 50, mean_length=8, random_state=0)
    for model in (PopularityRecommender(half_life="30D"), BlendRecommender(PARTS), SessionKNN(half_life="90D")):
        model.fit(log)
        for row in (log.iloc[[3]], log.iloc[[4]]):
            for at in (None, "2024-06-01"):
                for one, other in zip(outcome(model, row, at=at), general(model, row, at=at), strict=True):
                    assert_array_equal(one, other)
            assert takes_it(model, row, monkeypatch)


def test_negative_and_missing_scores_of_sparse_models():
    model = clone(MODELS["knn of few"]).fit(HISTORIES)
    values = model.similarity_.data.copy()
    values[::3] *= -1
    values[::5] = 0
    model.similarity_ = sp.csr_array((values, model.similarity_.indices, model.similarity_.indptr))
    for row in HISTORIES[:20]:
        require_same(model, row[:3], k=8)
        require_same(model, row[:3], k=N_ITEMS)


@pytest.mark.parametrize("weights", [1.0, 0.3])
def test_products_are_summed_as_scipy_sums_them(weights):
    rng = np.random.default_rng(0)
    similarity = sp.random_array((900, 900), density=0.005, rng=rng, dtype=np.float32, format="csr")
    columns = np.sort(rng.choice(900, 8, replace=False))
    values = np.full(8, weights, dtype=np.float32)
    row = sp.csr_array((values, columns, [0, 8]), shape=(1, 900))
    scored = product_single(columns, values, similarity)
    assert len(np.unique(scored.columns)) == len(scored.columns)
    assert_array_equal(scored.toarray(), (row @ similarity).toarray()[0])
    dense = similarity.toarray()
    assert_array_equal(product_single(columns, values, dense), (row @ dense)[0])
    assert product_single(columns, values, dense.astype(np.float64)) is None


@given(
    n_items=st.integers(1, 400),
    levels=st.sampled_from([1, 3, 1000]),
    k=st.integers(1, 60),
    pushed=st.integers(0, 30),
    seed=st.integers(0, 2**16),
)
def test_the_best_of_one_row_are_those_of_many(n_items, levels, k, pushed, seed):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.random((1, n_items)) * levels).astype(np.float32) - np.float32(levels // 2)
    scores[0, rng.integers(0, n_items, pushed)] = np.finfo(np.float32).min
    order = _topk.popularity_order(rng.integers(0, 4, n_items))
    rank = np.argsort(order)
    k = min(k, n_items)
    columns, values = _topk.top_k(scores, k, order)
    one, own = _topk.top_k_single(scores[0], k, order, rank)
    assert_array_equal(one, columns[0])
    assert_array_equal(own, values[0])
