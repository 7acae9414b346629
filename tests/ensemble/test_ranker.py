"""The default second stage: stored without trust, asked on one thread."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier

import skrec
from skrec.datasets import make_histories
from skrec.ensemble import TwoStageRecommender
from skrec.ensemble._ranker import BoostedRanker
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
