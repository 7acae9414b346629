"""Blends against sums by hand, learned weights against planted ones, and every way to get it wrong."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import skrec
from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.ensemble import BlendRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.model_selection import SameUsers, split_last
from skrec.neighbors import ItemKNN, TransitionRecommender
from skrec.testing import yield_recommender_checks

PARTS = [("ease", EASE(l2=1.0)), ("next", TransitionRecommender()), ("knn", ItemKNN())]
MODELS = [
    BlendRecommender(PARTS),
    BlendRecommender(PARTS, weights="auto", normalization="rrf"),
    BlendRecommender(PARTS, weights=[1, 2, 0], normalization=["rank", "zscore", "softmax"]),
    BlendRecommender([("inner", BlendRecommender(PARTS[:2])), ("knn", ItemKNN())]),
]


@pytest.mark.parametrize(
    ("check", "model"),
    [
        pytest.param(check, model, id=f"{number}-{name}")
        for number, model in enumerate(MODELS)
        for name, check in yield_recommender_checks(model)
        if number < 2 or name in ("clone_and_storage", "checkerboard", "rows_are_independent", "seen_demoted")
    ],
)
def test_recommender_contract(check, model):
    check()


@pytest.fixture(scope="module")
def planted():
    return split_last(make_histories(300, 60, mean_length=12, n_clusters=4, random_state=0))


def zscore(scores):
    return (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)


def by_hand(how, scores):
    if how == "zscore":
        return zscore(scores)
    if how == "softmax":
        shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        return zscore(np.sqrt(shares))
    place = rankdata(-scores, axis=1)
    return (scores.shape[1] - place) / (scores.shape[1] - 1) if how == "rank" else 61 / (60 + place)


@pytest.mark.parametrize("how", ["zscore", "softmax", "rank", "rrf"])
def test_scores_are_the_weighted_sum(planted, how):
    X, _ = planted
    blend = BlendRecommender(PARTS, normalization=how, weights=[1, 2, 5]).fit(X)
    np.testing.assert_allclose(blend.weights_, [1 / 8, 2 / 8, 5 / 8])
    expected = sum(
        weight * by_hand(how, part.fit(X).decision_function(X).astype(float))
        for weight, (_, part) in zip(blend.weights_, clone(blend).recommenders, strict=True)
    )
    np.testing.assert_allclose(blend.decision_function(X), expected, rtol=1e-3, atol=1e-4)


def test_constant_scores_say_nothing():
    X = [[0, 1], [1, 2], [2, 0]] * 4
    blend = BlendRecommender([("a", EASE(l2=1.0)), ("pop", PopularityRecommender())]).fit(X)
    alone = BlendRecommender([("a", EASE(l2=1.0))]).fit(X)
    np.testing.assert_allclose(blend.decision_function(X), alone.decision_function(X) / 2, atol=1e-6)


def test_learned_weights_find_the_part_that_knows(planted):
    X, y = planted
    parts = [("noise", RandomRecommender(random_state=0)), ("ease", EASE(l2=10.0))]
    learned = BlendRecommender(parts, weights="auto", random_state=0).fit(X)
    assert learned.weights_[1] > 0.75
    assert learned.weights_.sum() == pytest.approx(1)
    assert learned.score(X, y) > 1.2 * BlendRecommender(parts).fit(X).score(X, y)
    assert learned.n_items_ == EASE().fit(X).n_items_  # refitted on everything
    again = BlendRecommender(parts, weights="auto", max_users=100, random_state=3)
    np.testing.assert_array_equal(again.fit(X).weights_, clone(again).fit(X).weights_)


def test_learning_weights_leaks_nothing(planted):
    """The held-out last item of a user has no say in the parts that are asked for it."""
    seen = []

    class Watched(PopularityRecommender):
        def fit(self, X, y=None):
            seen.append([list(row) for row in X["item"]])
            return super().fit(X)

    X, _ = planted
    BlendRecommender([("watched", Watched())], weights="auto").fit(X)
    full = [list(row) for row in X["item"]]
    assert seen[0] == [row[:-1] if len(row) > 1 else row for row in full]
    assert seen[1] == full


def test_scores_that_are_logits_are_brought_to_odds():
    class Logits(PopularityRecommender):
        _scores_are_logits = True

    X = [[1, 2], [2, 3, 1], [1], [4]]
    parts = [("plain", PopularityRecommender()), ("logits", Logits())]
    auto, given = (
        BlendRecommender(parts, normalization=how).fit(X).decision_function([[1]])
        for how in ("auto", ["zscore", "softmax"])
    )
    np.testing.assert_array_equal(auto, given)


def test_sources_are_those_of_the_moment():
    """Today the second part adds most; at a later moment it has nothing in its window and the first does."""
    X = pd.DataFrame({"item": [["a", "b"], ["a"], ["c"]], "time": [[0.0, 1.0], [2.0], [9.0]]})
    parts = [("ever", PopularityRecommender()), ("lately", PopularityRecommender(window=2))]
    model = BlendRecommender(parts, weights=[1, 3], k=1, exclude_seen=False).fit(X)
    items, source = model.recommend(X[:1], return_source=True)
    assert (items[0, 0], source[0, 0]) == ("c", "lately")
    items, source = model.recommend(X[:1], at=90, return_source=True)
    assert (items[0, 0], source[0, 0]) == ("a", "ever")


def test_holdout_by_time_needs_times(planted):
    with pytest.raises(ValueError, match="holdout='30D' needs histories with the column 'time'"):
        BlendRecommender(PARTS, weights="auto", holdout="30D").fit([[1, 2], [2, 3, 1]])
    with pytest.raises(ValueError, match="holdout='10%' needs histories with the column 'time'"):
        BlendRecommender(PARTS, weights="auto", holdout="10%").fit([[1, 2], [2, 3, 1]])
    with pytest.raises(ValueError, match="holdout must be a share between 0% and 100%"):
        BlendRecommender(PARTS, weights="auto", holdout="100%").fit([[1, 2], [2, 3, 1]])
    with pytest.raises(TypeError, match="holdout must be a number of days or a duration"):
        BlendRecommender(PARTS, weights="auto", holdout="first").fit([[1, 2], [2, 3, 1]])


def test_items_are_the_union_and_the_unknown_is_lowest():
    X = [["a", "b", "c"], ["a", "b"], ["a", "b", "c", "rare"], ["b", "a"]] * 3 + [["once", "a"]]
    few = ItemKNN(vectorizer=HistoryVectorizer(min_df=6))
    blend = BlendRecommender([("few", few), ("all", ItemKNN())]).fit(X)
    assert list(blend.items_) == ["a", "b", "c", "once", "rare"]
    only = BlendRecommender([("few", few)]).fit(X)
    assert list(only.items_) == ["a", "b", "c"]
    part = blend.recommenders_[0]
    known = part.decision_function([["a"]])[0]
    expected = np.full(5, known.min())
    expected[np.isin(blend.items_, part.items_)] = known
    rest = blend.recommenders_[1].decision_function([["a"]])
    np.testing.assert_allclose(
        blend.decision_function([["a"]]), (zscore(expected[None]) + zscore(rest)) / 2, rtol=1e-4, atol=1e-5
    )


def test_exclude_seen_is_the_ensembles(shop):
    parts = [("ease", EASE(l2=1.0, exclude_seen=False)), ("knn", ItemKNN(exclude_seen=True))]
    assert "tea" not in BlendRecommender(parts, k=2, exclude_seen=True).fit(shop).predict([["tea"]])
    free = BlendRecommender([("pop", PopularityRecommender())], k=5, exclude_seen=False).fit([["a"], ["a", "b"]])
    assert free.predict([["a"]])[0, 0] == "a"


def test_nested_parameters_and_dropped_parts(shop):
    blend = BlendRecommender(PARTS).set_params(ease__l2=7.0, knn="drop")
    assert blend.get_params()["ease__l2"] == 7.0
    assert PARTS[0][1].l2 == 7.0  # set_params reaches the very objects, as in scikit-learn
    PARTS[0][1].l2 = 1.0
    blend = BlendRecommender(PARTS, weights=[1, 1, 2]).set_params(knn="drop").fit(shop)
    assert list(blend.named_recommenders_) == ["ease", "next"]
    np.testing.assert_allclose(blend.weights_, [0.5, 0.5])
    blend.set_params(ease=EASE(l2=3.0))
    assert blend.get_params()["ease"].l2 == 3.0


def test_grid_search_in_processes(planted):
    X, y = planted
    grid = [{"ease__l2": [1.0, 100.0]}, {"knn": ["drop"], "weights": [None, [1, 2, 1]]}]
    search = GridSearchCV(BlendRecommender(PARTS), grid, cv=SameUsers(), n_jobs=2, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.1
    parallel = BlendRecommender(PARTS, n_jobs=2).fit(X)
    np.testing.assert_array_equal(parallel.predict(X), BlendRecommender(PARTS).fit(X).predict(X))


def test_prefit_parts_are_used_as_they_are(planted, tmp_path):
    X, y = planted
    known, _ = split_last(X)
    parts = [(name, clone(part).fit(known)) for name, part in PARTS]
    blend = BlendRecommender(parts, weights="auto", prefit=True, random_state=0).fit(X)
    assert blend.recommenders_[0] is parts[0][1]
    refitted = BlendRecommender(PARTS, weights="auto", random_state=0).fit(X)
    np.testing.assert_array_equal(blend.weights_, refitted.weights_)  # the same question either way
    assert blend.score(X, y) > 0.1
    loaded = skrec.load(skrec.save(blend, tmp_path / "blend.skrec"))
    np.testing.assert_array_equal(loaded.decision_function(X), blend.decision_function(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(blend)).predict(X), blend.predict(X))


def test_sources_name_the_strongest_part(planted):
    X, _ = planted
    blend = BlendRecommender(PARTS, weights=[1, 0, 0]).fit(X)
    _, source = blend.recommend(X, k=3, return_source=True)
    assert (source == "ease").all()
    _, scores, source = BlendRecommender(PARTS).fit(X).recommend([[], [1]], return_scores=True, return_source=True)
    assert scores.shape == source.shape
    assert (source[0] == "popularity").all()
    assert set(source[1]) <= {"ease", "next", "knn"}


def test_moment_of_asking_reaches_the_parts():
    X = pd.DataFrame({"item": [["coat", "coat"], ["coat"], ["sandals"]], "time": [[1, 2], [2], [9]]})
    blend = BlendRecommender([("lately", PopularityRecommender(window=5))], exclude_seen=False, k=1).fit(X)
    asked = pd.DataFrame({"item": [["coat"]], "time": [[2]]})
    assert blend.predict(asked)[0, 0] == "sandals"
    assert blend.recommend(asked, at=4)[0, 0] == "coat"


class Stubborn(PopularityRecommender):
    """Fails to fit, in a way that can be chosen."""

    def _fit(self, users):
        raise {"users": ValueError, "events": ZeroDivisionError}[self.count]("it is Monday")


def test_a_part_that_fails_is_named(shop):
    with pytest.raises(ValueError, match="recommenders has 'bad', which failed to fit: it is Monday"):
        BlendRecommender([("good", ItemKNN()), ("bad", Stubborn())]).fit(shop)
    with pytest.raises(ZeroDivisionError, match="it is Monday") as caught:
        BlendRecommender([("bad", Stubborn(count="events"))]).fit(shop)
    assert "recommenders has 'bad'" in caught.value.__notes__[0]
    with pytest.raises(ValueError, match="fallback failed to fit: it is Monday"):
        BlendRecommender(PARTS, fallback=Stubborn()).fit(shop)


@pytest.mark.parametrize(
    ("recommenders", "parameters", "error", "message"),
    [
        ([], {}, ValueError, "recommenders is empty"),
        (ItemKNN(), {}, TypeError, "recommenders must be a list of .name, recommender. pairs"),
        ([ItemKNN()], {}, TypeError, "recommenders must be a list of .name, recommender. pairs"),
        ([("a", ItemKNN()), ("a", EASE())], {}, ValueError, "recommenders has the name 'a' twice"),
        ([("a__b", ItemKNN())], {}, ValueError, "recommenders has the name 'a__b'"),
        ([("k", ItemKNN())], {}, ValueError, "recommenders has the name 'k'"),
        ([("a", "drop")], {}, ValueError, "recommenders has only dropped parts"),
        ([("a", ItemKNN)], {}, TypeError, "recommenders has 'a', which is"),
        ([("a", 5)], {}, TypeError, "recommenders has 'a', which is 5 and no recommender"),
        ([("a", ItemKNN())], {"prefit": True}, ValueError, "recommenders has 'a', which is not fitted"),
        (PARTS, {"weights": [1, 2]}, ValueError, r"weights has the shape \(2,\) for 3 recommenders"),
        (PARTS, {"weights": [0, 0, 0]}, ValueError, "weights must be finite, at least 0 and not all 0"),
        (PARTS, {"weights": [1, -1, 1]}, ValueError, "weights must be finite, at least 0"),
        (PARTS, {"weights": ["a", "b", "c"]}, TypeError, "weights must hold numbers"),
        (PARTS, {"weights": "best"}, ValueError, "weights"),
        (PARTS, {"normalization": "loud"}, ValueError, "normalization"),
        (PARTS, {"normalization": ["rank"]}, ValueError, "normalization must be one of auto, zscore"),
        (PARTS, {"n_jobs": "all"}, ValueError, "n_jobs"),
    ],
)
def test_bad_parameters(shop, recommenders, parameters, error, message):
    with pytest.raises(error, match=message):
        BlendRecommender(recommenders, **parameters).fit(shop)


def test_a_matrix_has_no_histories():
    with pytest.raises(TypeError, match="X is a matrix"):
        BlendRecommender(PARTS).fit(np.eye(3))


def test_parts_of_other_ids(shop):
    parts = [("strings", ItemKNN().fit(shop)), ("numbers", ItemKNN().fit([[1, 2]]))]
    with pytest.raises(TypeError, match="recommenders mix ids of several types"):
        BlendRecommender(parts, prefit=True).fit(shop)
