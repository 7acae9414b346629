"""Updates: models with options beyond the common checks, and the arguments of `partial_fit` and `forget`."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skrec import persistence
from skrec.decomposition import PPMISVD
from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender, Reranker, TwoStageRecommender
from skrec.feature_extraction import BM25Transformer, HistoryVectorizer
from skrec.linear_model import EASE, SLIM
from skrec.neighbors import TIFUKNN, BuyAgainRecommender, ItemKNN, RP3beta, SessionKNN, TransitionRecommender
from skrec.testing import _updates

WEIGHTED = HistoryVectorizer(binary=False, weight="use", recency=0.7)
MODELS = [
    PopularityRecommender(window=8),
    PopularityRecommender(half_life=5.0),
    PopularityRecommender(count="events", window=20, half_life=5.0, vectorizer=WEIGHTED),
    PopularityRecommender(count="events", vectorizer=WEIGHTED),
    ItemKNN(5, vectorizer=WEIGHTED),
    ItemKNN(5, vectorizer=HistoryVectorizer(half_life=3.0, vocabulary=[500, 3])),
    ItemKNN(5, metric="jaccard"),
    RP3beta(5, alpha=0.6, vectorizer=WEIGHTED),
    RP3beta(5, alpha=0.6, gamma=1.2, vectorizer=WEIGHTED),
    RP3beta(5, gamma=0),
    EASE(5, vectorizer=WEIGHTED),
    EASE(5, method="sparse", n_neighbors=6),
    EASE(5, dropout=0.3, popularity_exponent=0.2),
    EASE(5, dropout=0.3, length_exponent=0.5, popularity_exponent=0.2, vectorizer=WEIGHTED),
    EASE(5, dropout=0.3, length_exponent=0.5, popularity_exponent=0.2, method="sparse", n_neighbors=6),
    SLIM(0.1, 1, vectorizer=WEIGHTED),
    TransitionRecommender(3, gap_decay=0.37),
    PPMISVD(4, window=2, min_count=3),
    SessionKNN(8, n_candidates=6, half_life=9.0),
    TIFUKNN(7, n_groups=2),
    BlendRecommender(
        [("knn", ItemKNN(5, incremental=True)), ("next", TransitionRecommender(incremental=True))], weights=[0.3, 0.7]
    ),
    Reranker(EASE(5, incremental=True), n_candidates=1),
    TwoStageRecommender(
        [("knn", ItemKNN(5, incremental=True)), ("next", TransitionRecommender(incremental=True))],
        windows=(3, 9),
        random_state=0,
    ),
    BuyAgainRecommender(half_life=10.0, window=6.0, cooldown=0.3),
]
IDS = [f"{number}-{type(model).__name__}" for number, model in enumerate(MODELS)]


@pytest.mark.parametrize("check", _updates.UPDATE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_update_checks_with_options(model, check):
    check(model)


def frame(rows, **columns):
    return pd.DataFrame({"item": pd.Series(rows, dtype=object), **columns})


def test_segments_are_updated_and_forgotten():
    known = frame([["a"], ["a", "b"], ["c"], ["c", "d"]], city=["x", "x", "y", "y"])
    new = frame([["a", "e"], ["e"], ["e"]], city=["x", "z", None])
    X = frame([[], [], [], []], city=["x", "y", "z", None])
    model = (
        PopularityRecommender(by="city", shrinkage=2, k=5)
        .fit(known)
        .partial_fit(new.iloc[:1])
        .partial_fit(new.iloc[1:])
    )
    both = clone(model).fit(pd.concat([known, new], ignore_index=True))
    assert model.items_.tolist() == both.items_.tolist()
    np.testing.assert_allclose(model.decision_function(X), both.decision_function(X), rtol=1e-6)
    model.forget(new)
    np.testing.assert_allclose(model.decision_function(X), clone(model).fit(known).decision_function(X), rtol=1e-6)


def test_event_kinds_that_do_not_count_bring_no_items():
    vectorizer = HistoryVectorizer(event_weights={"buy": 2.0})
    X = frame([["a", "b"], ["b", "c"]], event=[["buy", "buy"], ["buy", "view"]])
    model = ItemKNN(incremental=True, vectorizer=vectorizer).fit(X)
    model.partial_fit(frame([["c", "b", "z"]], event=[["view", "buy", "buy"]]))
    assert model.items_.tolist() == ["a", "b", "z"]
    assert model.popularity_.tolist() == model.vectorizer_.item_counts_.tolist() == [1, 3, 1]


def test_an_item_that_counts_later_changes_no_known_history():
    vectorizer = HistoryVectorizer(event_weights={"buy": 1.0})
    X = frame([["a", "z"], ["a"]], event=[["buy", "view"], ["buy"]], time=[[1.0, 2.0], [1.0]])
    model = PopularityRecommender(window=50, vectorizer=vectorizer).fit(X)
    model.partial_fit(frame([["z"]], event=[["buy"]], time=[[3.0]]))  # z becomes an item
    grown = frame([["a", "z", "a"]], event=[["buy", "view", "buy"]], time=[[1.0, 2.0, 4.0]])
    model.partial_fit(grown, since=[2])
    assert dict(zip(model.items_, model.scores_, strict=True)) == {"a": 2.0, "z": 1.0}
    assert model.forget(grown).popularity_.tolist() == [1, 1]


def test_matrices_are_updated_and_forgotten():
    rng = np.random.default_rng(0)
    matrix = sp.csr_array(rng.integers(0, 3, (40, 12)) * (rng.random((40, 12)) < 0.3), dtype=np.float32)
    for model in (ItemKNN(4), RP3beta(4), EASE(3.0), SLIM(0.1, 1.0, tol=1e-10), PopularityRecommender(count="events")):
        model = model.set_params(vectorizer="passthrough", k=12)
        if "incremental" in model.get_params():
            model.set_params(incremental=True)
        whole = clone(model).fit(matrix).decision_function(matrix)
        model.fit(matrix[:20]).partial_fit(matrix[20:])
        np.testing.assert_allclose(model.decision_function(matrix), whole, rtol=1e-5, atol=1e-5)
        part = clone(model).fit(matrix[:20]).decision_function(matrix)
        np.testing.assert_allclose(model.forget(matrix[20:]).decision_function(matrix), part, rtol=1e-5, atol=1e-5)
        with pytest.raises(ValueError, match="since needs histories"):
            model.partial_fit(matrix, since=[0] * 40)


def test_a_model_without_statistics_says_what_to_do(tmp_path):
    rows = [["a", "b"], ["b", "c"]]
    with pytest.raises(AttributeError, match="partial_fit") as caught:
        _ = ItemKNN().fit(rows).partial_fit
    assert "ItemKNN(incremental=True)" in str(caught.value.__cause__)
    model = ItemKNN().fit(rows).set_params(incremental=True)
    with pytest.raises(ValueError, match="fitted without statistics"):
        model.partial_fit(rows)
    small = persistence.save(ItemKNN().fit(rows), tmp_path / "small.skrec")
    assert not hasattr(persistence.load(small), "_statistics")
    refit = ItemKNN(incremental=True).fit(rows).set_params(incremental=False).fit(rows)
    assert not hasattr(refit, "_statistics")


@pytest.mark.parametrize(
    "vectorizer",
    [
        HistoryVectorizer(min_df=2),
        HistoryVectorizer(max_items=2),
        make_pipeline(HistoryVectorizer(), BM25Transformer()),
    ],
)
def test_vectorizers_that_need_the_whole_log_are_refused(vectorizer):
    rows = [["a", "b"], ["b", "a"], ["c", "b", "a"]]
    model = EASE(vectorizer=vectorizer, incremental=True).fit(rows)
    for update in (model.partial_fit, model.forget):
        with pytest.raises(TypeError, match="cannot be updated with"):
            update(rows)


def test_histories_that_were_never_learned_cannot_be_forgotten():
    rows = [["a", "b"], ["b", "c"], ["c", "d", "a"]]
    for model in (ItemKNN(incremental=True), SessionKNN(incremental=True), TIFUKNN(incremental=True)):
        model.fit(rows)
        before = model.decision_function(rows)
        for wrong in ([["d", "b"], ["d"]], [["a", "b"]] * 3):
            with pytest.raises(ValueError, match="learned"):
                model.forget(wrong)
        with pytest.raises(ValueError, match="none is left"):
            model.forget(rows)
        np.testing.assert_array_equal(model.decision_function(rows), before)
    with pytest.raises(ValueError, match="has not learned"):
        SessionKNN(incremental=True).fit(rows).forget([["b", "a"]])  # the order is another


def test_since_reads_moments_and_numbers():
    days = pd.to_datetime(["2011-11-01", "2011-11-05", "2011-11-09"])
    X = frame([["a", "b", "c"]], time=pd.Series([list(days)], dtype=object))
    models = [ItemKNN(incremental=True).fit(X.assign(item=[["a", "b"]], time=[list(days[:2])])) for _ in range(4)]
    for model, since in zip(models, ["2011-11-09", days[2], np.array([2]), pd.Series([2])], strict=True):
        assert model.partial_fit(X, since=since).popularity_.tolist() == [1, 1, 1]
    with pytest.raises(TypeError, match="since must be a moment or integers"):
        models[0].partial_fit(X, since=[2.5])
    for wrong in ("yesterday", True, object()):
        with pytest.raises(TypeError, match="since"):
            models[0].partial_fit(X, since=wrong)


def test_ids_of_other_widths_and_kinds():
    model = ItemKNN(incremental=True).fit([np.array([1, 2], dtype=np.int8)])
    model.partial_fit([np.array([2**40, 2])])
    assert model.items_.tolist() == [1, 2, 2**40]
    model.partial_fit([[2**63 + 5, 1]])
    assert model.items_.tolist() == [1, 2, 2**40, 2**63 + 5]
    with pytest.raises(TypeError, match="string"):
        model.partial_fit([["tea"]])
    with pytest.raises(TypeError, match="integer type"):
        model.partial_fit([[-1]])


def test_two_stages_update_what_the_features_say_of_items():
    rows = _updates.shop_log()
    parts = [("knn", ItemKNN(5, incremental=True)), ("next", TransitionRecommender(incremental=True))]
    model = TwoStageRecommender(parts, ranker=None, windows=(3, 9), random_state=0)
    whole = clone(model).fit(_updates.as_frame(rows))
    _updates.learned_in_steps(model, rows, [20.0, 28.0, 33.0])
    assert model.n_updates_ == 3 and whole.n_updates_ == 0
    place = [model.items_.tolist().index(item) for item in whole.items_]
    for name, values in whole._pairs.item_table.items():
        np.testing.assert_allclose(model._pairs.item_table[name][place], values, rtol=1e-6, err_msg=name)
    for one, other in zip(model.retrievers_, whole.retrievers_, strict=True):
        assert set(one.items_) == set(other.items_)
    frozen = TwoStageRecommender([("knn", ItemKNN(5))], random_state=0).fit(_updates.as_frame(rows))
    assert not hasattr(frozen, "partial_fit") and frozen._pairs.events is None


def test_blends_name_the_part_that_fails_and_stay_as_they_were():
    rows = _updates.shop_log()
    X = _updates.as_frame(rows)
    vectorizer = HistoryVectorizer(min_df=2)
    model = BlendRecommender([("ease", EASE(incremental=True, vectorizer=vectorizer))]).fit(X)
    before = model.decision_function(X)
    with pytest.raises(
        TypeError, match="recommenders has 'ease', which failed to fit: EASE cannot be updated with min_df"
    ):
        model.partial_fit(X)
    np.testing.assert_array_equal(model.decision_function(X), before)
    assert not hasattr(BlendRecommender([("ease", EASE())]), "partial_fit")
    learned = BlendRecommender([("ease", EASE(incremental=True))], weights="auto")
    assert hasattr(learned, "partial_fit") and not hasattr(learned, "forget")


@pytest.mark.parametrize(
    "name",
    ["als", "bpr", "ease", "item_knn", "popularity", "popularity_by", "popularity_window", "pure_svd", "tifu_knn"],
)
def test_models_of_earlier_versions_say_that_they_must_be_fitted_again(name):
    model = persistence.load(Path(__file__).parent / "data" / "saved_0.1.0" / f"{name}.skrec")
    repr(model), clone(model)  # parameters that are new since have their defaults
    if "incremental" in model.get_params():
        assert model.incremental is False and not hasattr(model, "partial_fit")
        model.set_params(incremental=True)
    with pytest.raises(ValueError, match="earlier version"):
        model.partial_fit([model.items_[:2].tolist()])


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_readers_during_500_updates(model):
    _updates.check_threads_during_updates(model, 500)


def test_equal_histories_of_other_segments_weights_and_kinds_are_told_apart():
    X = frame([["a"], ["a"], ["b"]], time=[[1.0]] * 3, city=["x", "y", "y"])
    model = PopularityRecommender(by="city", window=10, shrinkage=1)
    rest = clone(model).fit(X.iloc[[0, 2]])
    np.testing.assert_allclose(model.fit(X).forget(X.iloc[[1]]).decision_function(X), rest.decision_function(X))
    X = frame([["a", "b"]] * 2, time=[[1.0, 2.0]] * 2, weight=[[1.0, 5.0], [5.0, 1.0]])
    weighted = HistoryVectorizer(binary=False, weight="use")
    model = PopularityRecommender(count="events", window=10, vectorizer=weighted).fit(X).forget(X.iloc[[1]])
    assert model.scores_.tolist() == [1, 5]


def test_a_changed_number_of_neighbors_counts_from_the_next_update():
    rng = np.random.default_rng(0)
    rows = [rng.choice(60, 8, replace=False).tolist() for _ in range(200)]
    for model in (ItemKNN(20, incremental=True), RP3beta(20, incremental=True)):
        model.fit(rows[:150]).set_params(n_neighbors=5).partial_fit(rows[150:])
        whole = clone(model).fit(rows)
        assert model.similarity_.nnz == whole.similarity_.nnz == 300


def test_views_of_items_that_are_bought_later_count_in_no_part_of_a_blend():
    buys = HistoryVectorizer(event_weights={"buy": 1.0})
    A = frame([["a", "z", "b"], ["b", "a"]], event=[["buy", "view", "buy"], ["buy", "buy"]])
    B = frame([["z", "a"]], event=[["buy", "buy"]])
    parts = [("knn", ItemKNN(incremental=True, vectorizer=buys)), ("pop", PopularityRecommender(vectorizer=buys))]
    model = BlendRecommender(parts, fallback=PopularityRecommender(vectorizer=buys))
    whole = clone(model).fit(pd.concat([A, B], ignore_index=True))
    model.fit(A).partial_fit(B)
    assert model.items_.tolist() == whole.items_.tolist()
    assert model.popularity_.tolist() == whole.popularity_.tolist()
    model.forget(A.iloc[[0]]).forget(B)
    assert model.popularity_.tolist() == [1, 1]


@pytest.mark.parametrize("model", [ItemKNN(5), EASE(5), RP3beta(5), SLIM(0.1), TransitionRecommender()])
def test_pairs_that_nobody_had_cannot_be_forgotten(model):
    rows = [["a"], ["b"], ["a"], ["b"], ["a", "c"]]
    model.set_params(incremental=True).fit(rows)
    with pytest.raises(ValueError, match="has not learned"):
        model.forget([["a", "b"]])


def test_a_user_who_only_looked_is_learned_and_forgotten():
    buys = HistoryVectorizer(event_weights={"buy": 1.0})
    X = frame([["a", "b"], ["b", "c"], ["c"]], event=[["buy", "buy"], ["buy", "buy"], ["view"]])
    model = ItemKNN(incremental=True, vectorizer=buys).fit(X)
    looked = frame([["c", "d"]], event=[["view", "view"]])
    assert model.partial_fit(looked).forget(looked).popularity_.tolist() == [1, 2, 1]
    assert model.recommend(looked, k=2).shape == (1, 2)
    with pytest.raises(ValueError, match="event_weights names"):
        clone(model).fit(looked)


@pytest.mark.parametrize("model", [SessionKNN(), BuyAgainRecommender(), TIFUKNN(), PopularityRecommender(window=3)])
def test_empty_histories_change_nothing(model):
    X = frame([["a", "b"], ["b", "c"]], time=[[1.0, 2.0]] * 2)
    if "incremental" in model.get_params():
        model.set_params(incremental=True)
    before = model.fit(X).decision_function(X)
    for nothing in ([[]], [], X.iloc[:0]):
        model.partial_fit(nothing).forget(nothing)
    np.testing.assert_array_equal(model.decision_function(X), before)
