"""Scorers by name: in searches, cross-validation and pipelines, equal to the metrics."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline

from skrec.advice import AutoRecommender
from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.metrics import coverage_at_k, get_scorer, ndcg_at_k, ranking_scores, recall_at_k
from skrec.model_selection import SameUsers, split_last

X, Y = split_last(make_histories(200, 40, random_state=0))
NAMES = ["hit_rate", "recall", "precision", "map", "mrr", "ndcg"]


@pytest.fixture(scope="module")
def model():
    return EASE(l2=10, k=5).fit(X)


def test_names_are_the_metrics(model):
    lists = model.recommend(X, 12)
    for name in NAMES:
        expected = np.nanmean(ranking_scores(Y, lists, k=12, metrics=name)[f"{name}@12"])
        assert get_scorer(f"{name}@12")(model, X, Y) == pytest.approx(expected)
    assert get_scorer("coverage@3")(model, X) == coverage_at_k(None, lists[:, :3], n_items=model.n_items_)
    assert get_scorer("ndcg")(model, X, Y) == model.score(X, Y)
    own = make_scorer(ndcg_at_k, k=5)(model, X, Y)
    assert get_scorer("ndcg@5")(model, X, Y) == pytest.approx(own)


def test_several_names_give_a_dict_from_one_call_of_the_model(model):
    calls = []

    class Counting(EASE):
        def recommend(self, X, k=None, **request):
            calls.append(k)
            return super().recommend(X, k, **request)

    counting = Counting(l2=10, k=5).fit(X)
    names = ["ndcg@10", "recall@20", "coverage@1", "mrr@10"]
    scores = get_scorer(names)(counting, X, Y)
    assert calls == [20]
    assert scores == {name: get_scorer(name)(model, X, Y) for name in names}
    mixed = get_scorer(["ndcg", "ndcg@2"])(model, X, Y)
    assert mixed == {"ndcg": model.score(X, Y), "ndcg@2": get_scorer("ndcg@2")(model, X, Y)}


def test_searches_and_cross_validation():
    grid = {"l2": [1.0, 1000.0]}
    search = GridSearchCV(EASE(), grid, cv=SameUsers(), scoring=get_scorer("ndcg@10")).fit(X, Y)
    plain = GridSearchCV(EASE(), grid, cv=SameUsers(), scoring=make_scorer(ndcg_at_k, k=10)).fit(X, Y)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])
    assert search.best_params_ == plain.best_params_
    assert (
        search.score(X, Y) == get_scorer("ndcg@10")(search, X, Y) == get_scorer("ndcg@10")(search.best_estimator_, X, Y)
    )
    several = GridSearchCV(EASE(), grid, cv=SameUsers(), scoring=get_scorer(["ndcg@10", "recall@5"]), refit="ndcg@10")
    several.fit(X, Y)
    np.testing.assert_allclose(several.cv_results_["mean_test_ndcg@10"], search.cv_results_["mean_test_score"])
    assert "mean_test_recall@5" in several.cv_results_
    by_key = cross_validate(EASE(), X, Y, cv=3, scoring={"a": get_scorer("ndcg@10"), "b": get_scorer("coverage@10")})
    np.testing.assert_allclose(by_key["test_a"], cross_val_score(EASE(), X, Y, cv=3, scoring=get_scorer("ndcg@10")))
    assert (by_key["test_b"] > 0).all()


def test_pipelines_recommend_as_many_items_as_the_name_says(model):
    pipeline = make_pipeline(HistoryVectorizer(), EASE(l2=10, k=2, vectorizer="passthrough")).fit(X)
    assert get_scorer("recall@10")(pipeline, X, Y) == pytest.approx(recall_at_k(Y, model.recommend(X, 10)))
    nested = make_pipeline("passthrough", make_pipeline(EASE(l2=10, k=2))).fit(X)
    assert get_scorer("recall@10")(nested, X, Y) == pytest.approx(recall_at_k(Y, model.recommend(X, 10)))


def test_a_recommender_that_holds_its_best_one_answers_itself():
    popular = AutoRecommender(recipes=["popularity"], random_state=0).fit(X).set_params(exclude_seen=False)
    scorer = get_scorer("ndcg@10")
    assert scorer(popular, X, Y) == np.nanmean(ndcg_at_k(Y, popular.recommend(X, 10), k=10))
    assert scorer(popular, X, Y) != scorer(popular.best_estimator_, X, Y)


def test_rows_without_held_out_items_and_short_catalogues():
    some = [[]] * 3 + list(Y[3:])
    model = PopularityRecommender().fit(X)
    assert get_scorer("ndcg@10")(model, X, some) == pytest.approx(ndcg_at_k(some, model.recommend(X, 10)))
    with pytest.raises(ValueError, match="no held-out item"):
        get_scorer("ndcg@10")(model, X, [[]] * len(X))
    small = EASE(k=2).fit([["a", "b"], ["b", "c"]])
    assert get_scorer("hit_rate@10")(small, [["a"]], [["c"]]) == 1
    assert get_scorer(["coverage@100"])(small, [["a"]]) == {"coverage@100": 1.0}


def test_scorers_are_copied_pickled_and_shown(model):
    for scoring in ("ndcg@10", ["ndcg@10", "recall@5"]):
        scorer = get_scorer(scoring)
        again = pickle.loads(pickle.dumps(scorer))
        assert again == scorer and again(model, X, Y) == scorer(model, X, Y)
        assert repr(scorer) == f"get_scorer({scoring!r})"
        assert clone(GridSearchCV(EASE(), {}, scoring=scorer)).scoring == scorer
    assert get_scorer(ndcg_at_k) is ndcg_at_k


def test_errors(model):
    for name in ("ndgc@10", "ndcg@0", "ndcg@-1", "NDCG@10", "ndcg@", "auc@10", "ndcg@10 ", "ndcg@99999999999999999999"):
        with pytest.raises(ValueError, match="scoring has the unknown name"):
            get_scorer(name)
    with pytest.raises(ValueError, match="at least one name, each once"):
        get_scorer([])
    with pytest.raises(ValueError, match="at least one name, each once"):
        get_scorer(["ndcg@10", "ndcg@10"])
    for wrong in (10, None, {"a": "ndcg@10"}):
        with pytest.raises(TypeError, match="scoring must be a name"):
            get_scorer(wrong)
    with pytest.raises(TypeError, match="scoring needs the held-out items as y"):
        get_scorer("ndcg@10")(model, X)
    with pytest.raises(TypeError, match="scoring needs a recommender"):
        get_scorer("ndcg@10")(HistoryVectorizer().fit(X), X, Y)

    class Two:
        def predict(self, X):
            return np.array([[1, 2]] * len(X))

    with pytest.raises(ValueError, match="scoring needs 10 recommendations a user"):
        get_scorer("ndcg@10")(Two(), X, Y)
    with pytest.raises(TypeError, match="coverage"):
        get_scorer("coverage@2")(Two(), X, Y)
