"""Hybrids choose on held-out items, and are not below their best part."""

import numpy as np
import pandas as pd
import pytest

import skrec
from skrec.base import BaseRecommender
from skrec.datasets import make_histories
from skrec.ensemble import BlendRecommender, TwoStageRecommender, _listwise
from skrec.ensemble._choice import choose, cross_fitted, folds_of, shrunk
from skrec.ensemble._listwise import ListwiseRanker
from skrec.ensemble._pairs import Pairs, list_ndcg, pair_ndcg
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.metrics import ndcg_at_k, paired_bootstrap, ranking_scores
from skrec.model_selection import split_last, split_time
from skrec.neighbors import BuyAgainRecommender, ItemKNN, TransitionRecommender
from skrec.utils._prepared import prepared


class Noise(BaseRecommender):
    """Scores that depend on the user's events, and on nothing that helps."""

    def __init__(self, *, k=10, exclude_seen=True, vectorizer=None):
        self.k = k
        self.exclude_seen = exclude_seen
        self.vectorizer = vectorizer

    def _fit(self, users):
        return self

    def _score(self, users):
        seeds = users.matrix @ np.arange(1, users.shape[1] + 1)
        return np.array([np.random.default_rng(int(seed)).random(users.shape[1]) for seed in seeds], dtype=np.float32)


GOOD = TransitionRecommender(recency=0.9, backward=1.0)


@pytest.fixture(scope="module")
def planted():
    return split_last(make_histories(400, 60, random_state=0))


def values(model, X, y):
    return ranking_scores(y, model.recommend(X, k=10), k=10, metrics=("ndcg",))["ndcg@10"]


@pytest.mark.parametrize(
    "parts",
    [
        [("next", GOOD), ("noise", Noise())],
        [("noise", Noise()), ("again", Noise()), ("next", GOOD)],
        [("ease", EASE(l2=1.0)), ("next", GOOD)],
        [("knn", ItemKNN(10)), ("ease", EASE(l2=1.0)), ("noise", Noise())],
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_hybrid_is_not_below_its_best_part_beyond_chance(parts, seed):
    X, y = split_last(make_histories(500, 60, random_state=seed))
    alone = [values(part.fit(X), X, y) for _, part in parts]
    best = max(alone, key=np.nanmean)
    for model in (
        BlendRecommender(parts, weights="auto", random_state=0),
        TwoStageRecommender(parts, random_state=0),
    ):
        _, _, high, _ = paired_bootstrap(values(model.fit(X), X, y), best, random_state=0)
        assert high >= 0, model.choice_
        assert model.n_validation_users_ > 300
        assert {"equal weights", "learned weights", f"part {parts[0][0]}"} <= set(model.validation_scores_)


def test_among_noise_the_best_part_stays_alone(planted):
    X, _ = planted
    parts = [("noise", Noise()), ("next", GOOD)]
    model = BlendRecommender(parts, weights="auto", random_state=0).fit(X)
    assert model.choice_ in ("part next", "learned weights")
    assert model.weights_[1] > 0.75
    scores = model.validation_scores_
    assert scores["part next"] > scores["equal weights"]


def test_scores_of_the_choice_are_those_of_the_public_metric(planted):
    """The validation score of a part is its NDCG when it is fitted without the last events and asked for them."""
    X, _ = planted
    parts = [("ease", EASE(l2=1.0)), ("next", GOOD)]
    known, y = split_last(X)
    expected = {
        f"part {name}": ndcg_at_k(y, part.fit(known).recommend(known, k=5, exclude_seen=True)) for name, part in parts
    }
    blend = BlendRecommender(parts, weights="auto", k=5, random_state=0).fit(X)
    stages = TwoStageRecommender(parts, k=5, random_state=0).fit(X)
    for name, value in expected.items():
        assert blend.validation_scores_[name] == pytest.approx(value, abs=1e-9)
        assert stages.validation_scores_[name] == pytest.approx(value, abs=1e-9)


def test_without_a_ranker_the_scores_are_those_of_the_blend(planted, tmp_path):
    X, _ = planted
    parts = [("noise", Noise()), ("next", GOOD), ("other", Noise())]
    model = TwoStageRecommender(parts, random_state=0).fit(X)
    model.ranker_, model.weights_, model.repeats_ = None, np.array([0.2, 0.5, 0.3]), True
    blend = BlendRecommender(parts, weights=[0.2, 0.5, 0.3]).fit(X)
    np.testing.assert_array_equal(model.decision_function(X), blend.decision_function(X))
    items, sources = model.recommend(X, return_source=True)
    np.testing.assert_array_equal(items, blend.recommend(X))
    np.testing.assert_array_equal(sources, blend.recommend(X, return_source=True)[1])
    one = [list(X["item"].iloc[0])]
    np.testing.assert_array_equal(model.recommend(one), model.recommend(X.iloc[:1]))
    reasons = model.explain(X.iloc[:3], k=2)
    assert reasons.attrs["contributions"] == "weights"
    assert reasons.attrs["choice"] == model.choice_
    total = reasons.groupby(["user", "item"])["contribution"].sum()
    np.testing.assert_allclose(total, reasons.groupby(["user", "item"])["score"].first(), rtol=1e-5, atol=1e-6)


def test_a_chosen_model_is_saved_and_loaded(planted, tmp_path):
    pytest.importorskip("lightgbm", reason="LightGBM is not installed")
    X, _ = planted
    model = TwoStageRecommender([("next", GOOD), ("ease", EASE(l2=1.0))], random_state=0).fit(X)
    assert "listwise ranker" in model.validation_scores_
    again = skrec.load(skrec.save(model, tmp_path / "model.skrec"))
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
    assert again.choice_ == model.choice_


def test_a_fit_without_a_choice_forgets_the_last_one(planted):
    X, _ = planted
    parts = [("next", GOOD), ("knn", ItemKNN(10))]
    for model, fixed in (
        (BlendRecommender(parts, weights="auto", random_state=0), {"weights": None}),
        (TwoStageRecommender(parts, random_state=0), {"ranker": None}),
    ):
        assert model.fit(X).choice_ in model.validation_scores_
        model.set_params(**fixed).fit(X)
        assert not hasattr(model, "choice_")
        assert not hasattr(model, "validation_scores_")


# ---- the pieces ----------------------------------------------------------------------------------------------


def test_the_more_complex_candidate_must_be_better_beyond_chance():
    rng = np.random.default_rng(0)
    simple = rng.random(500)
    little, much = simple + rng.normal(0.001, 0.3, 500), simple + rng.normal(0.1, 0.3, 500)
    assert choose({"a": simple, "b": little}, [["a"], ["b"]]) == "a"
    assert choose({"a": simple, "b": much}, [["a"], ["b"]]) == "b"
    assert choose({"a": simple, "b": much, "c": much}, [["a"], ["b"], ["c"]]) == "b"  # no better than b
    assert choose({"a": simple - 1, "b": simple}, [["a", "b"], []]) == "b"
    unknown = np.where(np.arange(500) < 499, np.nan, much)
    assert choose({"a": simple, "b": unknown}, [["a"], ["b"]]) == "a"


def fashions(n_users, n_periods, seed):
    """Users who alternate between two items of their own, and buy an item of the month, at random each month."""
    rng = np.random.default_rng(seed)
    items, times = [], []
    for _ in range(n_users):
        own = rng.choice(60, 2, replace=False)
        items.append([])
        times.append([])
        for month in range(n_periods):
            days = 30 * month + np.sort(rng.uniform(0, 30, 4))
            fashion = np.random.default_rng(1000 * seed + month).choice(60, 3, replace=False)
            items[-1] += [own[0], fashion[month % 3], own[1], rng.integers(60)]
            times[-1] += days.tolist()
    return pd.DataFrame({"item": items, "time": times})


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_popular_in_a_holdout_is_not_learned_for_the_next(seed):
    X, y = split_time(fashions(200, 8, seed), at=210, verbose=0)
    parts = [("again", BuyAgainRecommender()), ("next", TransitionRecommender())]
    model = TwoStageRecommender(parts, holdout=30, n_holdouts=3, exclude_seen=False, random_state=seed).fit(X)
    alone = {name: part.score(X, y) for name, part in model.named_retrievers_.items()}
    reached = model.score(X, y)
    assert reached > max(alone.values()) - 0.02
    assert abs(model.validation_scores_[model.choice_] - reached) < 0.1  # by users of the same months .19


def test_folds_are_the_holdouts_where_there_are_several():
    holdout = np.repeat([0, 1, 2], [5, 3, 9])
    np.testing.assert_array_equal(folds_of(holdout, np.random.RandomState(0)), holdout)
    few = np.repeat([0, 1], [1500, 6])  # six users cannot teach what 1,500 are judged by
    assert np.bincount(folds_of(few, np.random.RandomState(0))).tolist() == [502, 502, 502]


def test_a_gap_in_time_ends_no_holdouts(caplog):
    rng = np.random.default_rng(0)
    times = [np.r_[np.sort(rng.uniform(0, 100, 8)), np.sort(rng.uniform(190, 200, 3))].tolist() for _ in range(200)]
    X = pd.DataFrame({"item": [[f"i{item}" for item in rng.integers(0, 30, 11)] for _ in times], "time": times})
    parts = [("next", TransitionRecommender()), ("ease", EASE())]
    model = BlendRecommender(parts, weights="auto", holdout=15, n_holdouts=3, random_state=0).fit(X)
    assert not caplog.records and model.n_validation_users_ > 400


def test_a_holdout_that_a_part_cannot_learn_from_ends_them(caplog):
    early = [["x1", "x2", "x3"]] + [["abcd"[(user + place) % 4] for place in range(4)] for user in range(150)]
    times = [[0.0, 0.0, 0.0]] + [[96.0, 97.0, 98.5, 99.5]] * 150
    X = pd.DataFrame({"item": early, "time": times})
    parts = [("ease", EASE(vectorizer=HistoryVectorizer(min_df=5))), ("next", TransitionRecommender())]
    for kind, learned in ((BlendRecommender, {"weights": "auto"}), (TwoStageRecommender, {})):
        model = kind(parts, holdout=2, n_holdouts=4, random_state=0, **learned).fit(X)
        assert model.n_validation_users_ == 150
    assert "can be learned from" in caplog.text


def test_equal_weights_stand_beside_the_parts():
    """Neither has learned anything on the held-out items: the better mean counts."""
    X, _ = split_last(make_histories(300, 40, random_state=3))
    parts = [("next", GOOD), ("ease", EASE(l2=1.0))]
    model = BlendRecommender(parts, weights="auto", random_state=0).fit(X)
    scores = model.validation_scores_
    if model.choice_ != "learned weights":
        assert model.choice_ == max(list(scores)[:3], key=scores.get)


def test_scores_of_a_fold_come_from_the_other_folds():
    folds = folds_of(np.zeros(10, int), np.random.RandomState(0))
    assert sorted(np.bincount(folds)) == [3, 3, 4]
    seen = []

    def fit_and_score(users):
        seen.append(users)
        return np.full(10, users.sum(), dtype=float)

    scores = cross_fitted(folds, fit_and_score)
    np.testing.assert_array_equal(scores, 10 - np.bincount(folds)[folds])
    np.testing.assert_array_equal(np.sum(seen, axis=0), 2)
    assert len(np.unique(folds_of(np.zeros(5000, int), np.random.RandomState(0)))) == 2
    assert cross_fitted(folds_of(np.zeros(1, int), np.random.RandomState(0)), fit_and_score) == [0]


def test_learned_weights_are_drawn_towards_the_best_part():
    np.testing.assert_allclose(shrunk(np.array([0.5, 0.5]), 0, 100), [0.75, 0.25])
    np.testing.assert_allclose(shrunk(np.array([0.2, 0.8]), 0, 10**9), [0.2, 0.8], atol=1e-6)


def test_lists_of_pairs_break_ties_like_lists_of_items():
    import scipy.sparse as sp

    scores = np.array([[1, 1, 0, 1], [0, 2, 2, 0]], dtype=np.float32)
    relevant = sp.csr_array(np.array([[0, 1, 0, 0], [0, 0, 1, 0]]))
    order = np.array([3, 2, 1, 0])
    row, column = np.nonzero(np.ones((2, 4)))
    pairs = Pairs(row, column, scores.reshape(-1, 1), np.argsort(order)[column], 2)
    expected = [1 / np.log2(3), 1.0]
    for k in (2, 3, 6):
        np.testing.assert_allclose(list_ndcg(scores, relevant, None, order, k), expected)
        value = pair_ndcg(pairs, pairs.labels(relevant), np.ones(2, dtype=int), k)
        np.testing.assert_allclose(value(scores.ravel()), expected)
    seen = sp.csr_array(np.array([[0, 0, 0, 1], [0, 0, 0, 0]]))
    np.testing.assert_allclose(list_ndcg(scores, relevant, seen, order, 2), [1.0, 1.0])


@pytest.mark.parametrize("few", [True, False])
def test_few_pairs_are_ranked_in_one_thread_with_the_same_trees(few, monkeypatch):
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is not installed")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 4)).astype(np.float32)
    y, group = (X[:, 0] > 1).astype(int), np.full(20, 50)
    expected = ListwiseRanker(n_estimators=3).fit(X, y, group).predict(X)
    seen, plain = [], lightgbm.LGBMRanker
    monkeypatch.setattr(lightgbm, "LGBMRanker", lambda **given: seen.append(given["n_jobs"]) or plain(**given))
    monkeypatch.setattr(_listwise, "FEW_PAIRS", 1001 if few else 1000)
    ranker = ListwiseRanker(n_estimators=3).fit(X, y, group)
    assert set(seen) == ({1} if few else {None})
    np.testing.assert_array_equal(ranker.predict(X), expected)


@pytest.mark.parametrize("missing", [False, True])
def test_the_listwise_ranker_predicts_as_lightgbm(missing, tmp_path):
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is not installed")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 6)).astype(np.float32)
    X[:, 3] = rng.integers(0, 3, len(X))
    y = (X[:, 0] + rng.normal(size=len(X)) > 1.5).astype(int)
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    group = np.full(40, 100)
    ranker = ListwiseRanker(n_estimators=10).fit(X, y, group)
    settings = ranker.get_params() | {"verbose": -1, "deterministic": True, "force_row_wise": True}
    n_members = settings.pop("n_members")
    theirs = [
        lightgbm.LGBMRanker(**(settings | {"random_state": seed})).fit(X, y, group=group) for seed in range(n_members)
    ]
    asked = X.copy()
    asked[:50, 0] = np.nan
    asked[50:90, 3] = 0
    expected = np.mean([one.predict(asked) for one in theirs], axis=0)
    assert n_members > 1 and not np.allclose(expected, theirs[0].predict(asked))
    np.testing.assert_allclose(ranker.predict(asked), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ranker.predict(asked[100:200]), expected[100:200], rtol=0, atol=1e-12)  # tables
    kept = prepared(ranker, "tables of trees", _listwise._tables_of, ranker._trees)
    ranker.predict(asked[100:200])
    assert prepared(ranker, "tables of trees", pytest.fail, ranker._trees) is kept  # made once, not for each request
    again = skrec.load(skrec.save(ranker, tmp_path / "ranker.skrec"))
    np.testing.assert_array_equal(again.predict(asked), ranker.predict(asked))
    old = {
        name: value for name, value in ranker.__getstate__().items() if name not in ("n_members", "colsample_bytree")
    }
    older = ListwiseRanker()
    older.__setstate__(old)
    assert "n_members=1" in repr(older) and older.predict(asked).tolist() == ranker.predict(asked).tolist()
    state = ranker.__getstate__()
    state["_tree_nodes"]["left"][0] = 10**6
    with pytest.raises(ValueError, match="the ranker's trees are damaged"):
        ListwiseRanker().__setstate__(state)


@pytest.mark.parametrize("kind", [BlendRecommender, TwoStageRecommender])
def test_holdouts_end_where_events_run_out(kind, caplog):
    X = [[f"i{(user + place) % 7}" for place in range(3)] for user in range(60)]
    learned = {"weights": "auto"} if kind is BlendRecommender else {}
    parts = [("next", TransitionRecommender()), ("knn", ItemKNN())]
    model = kind(parts, n_holdouts=5, random_state=0, **learned).fit(X)
    assert model.n_validation_users_ == 120  # the last event and the one before, of 60 users
    assert "n_holdouts=5, but only 2 can be learned from" in caplog.text
    with pytest.raises(ValueError, match="no history of X has the n"):
        kind(parts, n_holdouts=2, random_state=0, **learned).fit([["a"], ["b"]])
