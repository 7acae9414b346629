"""TransitionRecommender against its formula, pair by pair."""

import numpy as np
import pandas as pd
import protocols
import pytest
import scipy.sparse as sp

from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender
from skrec.neighbors import TransitionRecommender
from skrec.testing import check_recommender

HISTORIES = [list(row) for row in make_histories(120, 30, mean_length=6, random_state=0, repeats=True)["item"]]


def by_hand(model):
    place = {item: number for number, item in enumerate(model.items_)}
    counts = np.zeros((len(place), len(place)))
    for history in HISTORIES:
        for early, item in enumerate(history):
            for gap, follower in enumerate(history[early + 1 : early + 1 + model.window]):
                counts[place[item], place[follower]] += model.gap_decay**gap
    counts += model.backward * counts.T
    users = np.array([sum(item in history for history in HISTORIES) for item in model.items_])
    total = (counts.sum(axis=1) + model.smoothing) ** model.normalization
    return counts / np.where(total > 0, total, 1)[:, None] / users**model.damping


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"window": 1, "backward": 0, "normalization": 1, "smoothing": 0, "damping": 0},
        {"window": 50, "gap_decay": 1, "backward": 1, "normalization": 0},
        {"window": 3, "gap_decay": 0.5, "recency": 0.9, "damping": 1.0, "smoothing": 7.5},
    ],
    ids=str,
)
def test_scores_equal_the_formula(parameters):
    model = TransitionRecommender(**parameters).fit(HISTORIES)
    expected = by_hand(model)
    np.testing.assert_allclose(model.similarity_.toarray(), expected, rtol=1e-4, atol=1e-6)
    place = {item: number for number, item in enumerate(model.items_)}
    scores = [
        sum(model.recency**age * expected[place[item]] for age, item in enumerate(reversed(history)))
        for history in HISTORIES
    ]
    np.testing.assert_allclose(model.decision_function(HISTORIES), scores, rtol=1e-4, atol=1e-5)


def test_a_first_order_chain_gives_probabilities():
    model = TransitionRecommender(1, backward=0, normalization=1, smoothing=0, damping=0)
    model.fit([["a", "b", "a", "c"], ["a", "b"]])
    np.testing.assert_allclose(model.similarity_.toarray(), [[0, 2 / 3, 1 / 3], [1, 0, 0], [0, 0, 0]], rtol=1e-6)


def test_backward_one_is_symmetric():
    counts = TransitionRecommender(backward=1, normalization=0, damping=0).fit(HISTORIES).similarity_
    assert abs(counts - counts.T).max() < 1e-5


def test_events_of_one_moment_have_one_age():
    model = TransitionRecommender(backward=0, normalization=0, damping=0).fit([["a", "x"], ["b", "y"]])
    together = pd.DataFrame({"item": [["a", "b"]], "time": [[1.0, 1.0]]})
    np.testing.assert_allclose(model.decision_function(together), [[0, 0, 1, 1]])
    np.testing.assert_allclose(model.decision_function([["a", "b"]]), [[0, 0, 0.6, 1]], rtol=1e-6)


def test_histories_of_one_event_give_popularity():
    model = TransitionRecommender(k=2).fit([["a"], ["b"], ["b"]])
    assert model.similarity_.nnz == 0
    assert model.predict([["a"], []]).tolist() == [["b", "a"], ["b", "a"]]


def test_a_matrix_has_no_order():
    with pytest.raises(TypeError, match="a matrix, which has no order"):
        TransitionRecommender().fit(sp.eye_array(5, format="csr"))


@pytest.mark.parametrize(
    "parameters", [{"window": 0}, {"gap_decay": 0}, {"recency": 2}, {"smoothing": -1}, {"damping": -1}], ids=str
)
def test_bad_parameters_are_named(parameters):
    with pytest.raises(ValueError, match=f"The '{next(iter(parameters))}' parameter of TransitionRecommender"):
        TransitionRecommender(**parameters).fit(HISTORIES)


def test_contract():
    check_recommender(TransitionRecommender())


def test_beauty():
    if not protocols.available("s3rec_beauty_sequences"):
        pytest.skip(f"s3rec_beauty_sequences is not in {protocols.DATA.name}: set SKREC_DATA")
    task = protocols.s3rec("beauty", validation=True)
    popularity = PopularityRecommender().fit(task.X_train).score(task.X_test, task.y_test)
    reached = TransitionRecommender().fit(task.X_train).score(task.X_test, task.y_test)
    assert reached > max(0.065, 3 * popularity)
