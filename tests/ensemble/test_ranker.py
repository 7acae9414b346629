"""The default second stage: stored without trust, asked on one thread."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier

import skrec
from skrec.ensemble._ranker import BoostedRanker
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


def test_one_thread_gives_the_same_and_is_over_afterwards(monkeypatch):
    X = np.random.default_rng(0).normal(size=(400, 3))
    ranker = BoostedRanker(max_iter=5, early_stopping=False).fit(X, X[:, 0] > 0)
    expected = HistGradientBoostingClassifier.predict_proba(ranker, X)
    counted = []
    raw_predict = HistGradientBoostingClassifier._raw_predict

    def watched(self, *arguments, **keywords):
        counted.extend(runtime["num_threads"] for runtime in _openmp().info())
        return raw_predict(self, *arguments, **keywords)

    monkeypatch.setattr(HistGradientBoostingClassifier, "_raw_predict", watched)
    before = [runtime["num_threads"] for runtime in _openmp().info()]
    np.testing.assert_array_equal(ranker.predict_proba(X), expected)
    assert set(counted) == {1}
    assert [runtime["num_threads"] for runtime in _openmp().info()] == before
