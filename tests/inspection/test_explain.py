"""Explanations add up to the score, and name the items that were planted."""

import numpy as np
import pandas as pd
import pytest

from skrec.datasets import make_histories
from skrec.decomposition import ALS, PPMISVD, PureSVD
from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.inspection import explain
from skrec.linear_model import EASE, SLIM
from skrec.neighbors import ItemKNN, RP3beta, TransitionRecommender

HISTORIES = make_histories(200, 40, mean_length=8, repeats=True, random_state=0)
MODELS = [
    EASE(l2=5, vectorizer=HistoryVectorizer(recency=0.8)),
    ItemKNN(),
    RP3beta(),
    TransitionRecommender(),
    SLIM(l1=0.1, l2=1),
    PureSVD(6, random_state=0),
    PPMISVD(6, random_state=0),
    ALS(8, random_state=0),
    ALS(8, l2=0.3, l2_exponent=0, unobserved_weight=0.2, alpha=2, random_state=0),
]


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_contributions_add_up_to_the_score(model):
    model.fit(HISTORIES)
    some = HISTORIES.iloc[:15]
    scores = model.decision_function(some)
    frame = explain(model, some, k=4, n_reasons=1000)
    sums = frame.groupby(["user", "item"], sort=False)["contribution"].sum()
    for (user, item), total in sums.items():
        expected = scores[some.index.get_loc(user), np.flatnonzero(model.items_ == item)[0]]
        assert total == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert (frame["share"] <= 1 + 1e-6).all()
    shares = frame[frame["contribution"] > 0].groupby(["user", "item"])["share"].sum()
    np.testing.assert_allclose(shares, 1, rtol=1e-4)


def test_reasons_come_from_the_history_strongest_first(shop):
    frame = explain(EASE(l2=1).fit(shop), [["nails", "tea", "milk"]], items=["sugar", "saw"], n_reasons=2)
    assert frame["user"].tolist() == [0] * 4
    assert frame["item"].tolist() == ["sugar", "sugar", "saw", "saw"]
    assert set(frame["reason"][:2]) == {"tea", "milk"}
    assert frame["reason"][2] == "nails"
    assert (frame.groupby("item")["contribution"].diff().dropna() <= 0).all()


def test_lists_per_user_and_the_index(shop):
    X = pd.DataFrame({"item": [["tea"], ["saw"]]}, index=["ann", "bob"])
    frame = explain(ItemKNN(shrinkage=0).fit(shop), X, items=[["milk"], ["hammer"]])
    assert frame[["user", "item", "reason"]].to_numpy().tolist() == [["ann", "milk", "tea"], ["bob", "hammer", "saw"]]
    assert explain(ItemKNN().fit(shop), [[]], k=1).empty


def test_errors(shop):
    with pytest.raises(TypeError, match="PopularityRecommender cannot be explained"):
        explain(PopularityRecommender().fit(shop), [["tea"]])
    model = EASE(l2=1).fit(shop)
    with pytest.raises(ValueError, match="items holds 'beer', which the model does not know"):
        explain(model, [["tea"]], items=["beer"])
    with pytest.raises(ValueError, match="items has 1 lists for 2 users"):
        explain(model, [["tea"], ["milk"]], items=[["tea"]])
    with pytest.raises(ValueError, match="n_reasons must be at least 1, got 0"):
        explain(model, [["tea"]], n_reasons=0)
