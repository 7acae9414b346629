"""The default second stage: stored without trust, asked on one thread."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier

import skrec
from skrec.datasets import make_histories
from skrec.ensemble import TwoStageRecommender
from skrec.ensemble._ranker import BoostedRanker, tables_of
from skrec.neighbors import TransitionRecommender
from skrec.utils._threads import _openmp


def test_trees_of_the_default_ranker_are_checked(tmp_path):
    X = np.random.default_rng(0).normal(size=(400, 3))
    ranker = BoostedRanker(max_iter=5, early_stopping=False).fit(X, X[:, 0] > 0)
    again = skrec.load(skrec.save(ranker, tmp_path / "r.skrec"))
    np.testing.assert_array_equal(again.predict_proba(X), ranker.predict_proba(X))
    np.testing.assert_array_equal(clone(ranker).fit(X, X[:, 0] > 0).predict_proba(X), ranker.predict_proba(X))
    for field, value in (("left", 10**6), ("right", 0), ("feature_idx", 3)):
        state = ranker.__getstate__()
        state["_tree_nodes"][field][0] = value
        with pytest.raises(ValueError, match="the ranker's trees are damaged"):
            BoostedRanker().__setstate__(state)
    state = ranker.__getstate__()
    state["_tree_sizes"][0] += 1
    with pytest.raises(ValueError, match="the ranker's trees are damaged"):
        BoostedRanker().__setstate__(state)


def test_rankers_are_asked_on_one_thread(monkeypatch):
    threads = []
    raw_predict = HistGradientBoostingClassifier._raw_predict

    def watched(self, *arguments, **keywords):
        threads.extend(runtime["num_threads"] for runtime in _openmp().info())
        return raw_predict(self, *arguments, **keywords)

    X = make_histories(80, 30, random_state=0)
    for ranker in (None, HistGradientBoostingClassifier(max_iter=5)):
        model = TwoStageRecommender([("next", TransitionRecommender())], ranker=ranker, random_state=0).fit(X)
        before = [runtime["num_threads"] for runtime in _openmp().info()]
        with monkeypatch.context() as patch:
            patch.setattr(HistGradientBoostingClassifier, "_raw_predict", watched)
            model.predict(X)
        assert threads and set(threads) == {1}
        assert [runtime["num_threads"] for runtime in _openmp().info()] == before
        threads.clear()


@pytest.mark.parametrize("leaves", [2, 7, 9, 10])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_tables_give_the_numbers_of_the_trees(leaves, kind):
    rng = np.random.default_rng(leaves)
    X = rng.normal(size=(900, 5)).astype(kind)
    X[:, 4] = rng.integers(0, 3, 900)
    y = X[:, 0] + X[:, 1] * X[:, 4] + rng.normal(size=900) > 0
    ranker = BoostedRanker(max_iter=40, max_leaf_nodes=leaves, min_samples_leaf=5, early_stopping=False).fit(X, y)
    assert (tables_of(ranker._predictors) is None) == (leaves == 10)
    for rows in (1, 2, 3, 110, 512, 513):
        expected = HistGradientBoostingClassifier.predict_proba(ranker, X[:rows])
        np.testing.assert_array_equal(ranker.predict_proba(X[:rows]), expected)
    odd = X[:9].copy()
    odd[3, 1], odd[4, 4], odd[5, 0] = np.inf, -np.inf, np.nan
    np.testing.assert_array_equal(ranker.predict_proba(odd), HistGradientBoostingClassifier.predict_proba(ranker, odd))
    odd[5, 0] = 1e300 if kind == np.float64 else 1e38
    np.testing.assert_array_equal(ranker.predict_proba(odd), HistGradientBoostingClassifier.predict_proba(ranker, odd))
    with pytest.raises(ValueError, match="features"):
        ranker.predict_proba(X[:9, :3])


def test_tables_follow_the_trees():
    X = np.random.default_rng(0).normal(size=(300, 3))
    ranker = BoostedRanker(max_iter=5, early_stopping=False).fit(X, X[:, 0] > 0)
    ranker.predict_proba(X[:9])
    ranker.fit(X, X[:, 1] > 0)
    np.testing.assert_array_equal(
        ranker.predict_proba(X[:9]), HistGradientBoostingClassifier.predict_proba(ranker, X[:9])
    )
