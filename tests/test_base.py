"""What the common checks leave open: requests, errors, and the promise of a light import."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skrec
from skrec.base import BaseRecommender
from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import BM25Transformer, HistoryVectorizer
from skrec.linear_model import EASE
from skrec.model_selection import SameUsers


def test_import_is_light():
    heavy = "tensorflow keras pandas pyarrow sklearn implicit matplotlib"
    code = f"import skrec, sys; print([m for m in '{heavy}'.split() if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_every_public_name_can_be_reached():
    for name in skrec.__all__:
        assert getattr(skrec, name) is not None
        assert name in dir(skrec)
    with pytest.raises(AttributeError, match="module 'skrec' has no attribute 'nothing'"):
        _ = skrec.nothing


def test_an_unfitted_model_says_so(shop):
    for call in (EASE().predict, EASE().decision_function, EASE().recommend):
        with pytest.raises(NotFittedError):
            call(shop)
    assert not hasattr(EASE(), "similar_items")
    assert not hasattr(PopularityRecommender().fit(shop), "similar_items")


def test_a_model_must_say_how_it_learns_and_scores(shop):
    class Nothing(BaseRecommender):
        def __init__(self, vectorizer=None, k=10, exclude_seen=True):
            self.vectorizer, self.k, self.exclude_seen = vectorizer, k, exclude_seen

    with pytest.raises(NotImplementedError, match="Nothing must override _fit"):
        Nothing().fit(shop)


def test_request_arguments(shop):
    model = EASE(l2=1).fit(shop)
    with pytest.raises(ValueError, match="k must be an integer of at least 1, got 0"):
        model.recommend(shop, k=0)
    with pytest.raises(ValueError, match=r"k must be an integer of at least 1, got 2\.5"):
        model.recommend(shop, k=2.5)
    with pytest.raises(TypeError, match="candidates must be a list of ids, got 'tea'"):
        model.recommend(shop, candidates="tea")
    with pytest.raises(ValueError, match="exclude has 2 lists for 4 users"):
        model.recommend(shop, exclude=[["tea"], ["milk"]])
    with pytest.raises(TypeError, match="candidates has item ids such as 3"):
        model.recommend(shop, candidates=[3])
    with pytest.raises(ValueError, match="exclude leaves no item to recommend"):
        model.recommend(shop[:1], candidates=["tea"], exclude=[["tea"]])
    assert model.recommend(shop[:1], candidates=pd.Series(["milk", "saw"]), exclude={"saw"}).tolist() == [["milk"]]


def test_the_narrowest_exclusion_bounds_the_width(shop):
    answer = EASE(l2=1).fit(shop).recommend(shop, k=6, exclude=[["tea"], [], ["milk", "saw", "beer"], []])
    assert answer.shape == (4, 4)


def test_demoted_items_show_minus_infinity(shop):
    _, scores = EASE(l2=1, k=6).fit(shop).recommend([["tea", "milk"]], return_scores=True)
    assert np.isneginf(scores[0, -2:]).all()
    assert np.isfinite(scores[0, :-2]).all()


def test_small_working_memory_gives_the_same_answer():
    X = [[user % 17, (3 * user) % 23, (5 * user) % 29] for user in range(300)]
    model = EASE(l2=1).fit(X)
    whole, scores = model.predict(X), model.decision_function(X)
    with sklearn.config_context(working_memory=1e-3):
        np.testing.assert_array_equal(model.predict(X), whole)
        np.testing.assert_allclose(model.decision_function(X), scores, rtol=1e-6)


def test_nested_parameters_are_searched(shop):
    y = [["sugar"], ["tea"], ["saw"], ["nails"]]
    model = EASE(l2=1, k=2, vectorizer=make_pipeline(HistoryVectorizer(), BM25Transformer()))
    grid = {"vectorizer__bm25transformer__k1": [0.5, 2], "vectorizer__historyvectorizer__recency": [None, 0.6]}
    search = GridSearchCV(model, grid, cv=SameUsers(), error_score="raise").fit(shop, y)
    assert set(search.best_params_) == set(grid)


def test_works_in_a_plain_pipeline(shop):
    pipeline = make_pipeline(HistoryVectorizer(), EASE(l2=1, k=1, vectorizer="passthrough")).fit(shop)
    assert pipeline.predict([["tea"]]).shape == (1, 1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"k": 0}, "The 'k' parameter of EASE must be an int in the range"),
        ({"exclude_seen": "yes"}, "The 'exclude_seen' parameter of EASE"),
        ({"vectorizer": 3}, "The 'vectorizer' parameter of EASE"),
    ],
)
def test_bad_constructor_parameters(shop, parameters, message):
    with pytest.raises(ValueError, match=message):
        EASE(**parameters).fit(shop)


def test_one_user_and_one_item():
    assert EASE().fit([["tea"]]).predict([["tea"]]).tolist() == [["tea"]]
    with pytest.raises(ValueError, match="the model knows one item alone"):
        EASE().fit([["tea"]]).similar_items(["tea"])
    with pytest.raises(ValueError, match="no item is left"):
        EASE().fit([])
