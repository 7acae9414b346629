"""SessionKNN against the formula, session by session."""

import bench_sessions
import numpy as np
import pandas as pd
import protocols
import pytest
import scipy.sparse as sp
import sklearn

from skrec.datasets import make_histories
from skrec.feature_extraction import to_histories
from skrec.metrics import mrr_at_k, recall_at_k
from skrec.neighbors import SessionKNN, _session_knn
from skrec.neighbors._item_knn import ItemKNN
from skrec.testing import check_recommender

SESSIONS = [list(row) for row in make_histories(120, 30, mean_length=6, random_state=0, repeats=True)["item"]]
QUESTIONS = [list(row) for row in make_histories(40, 30, mean_length=4, random_state=1, repeats=True)["item"]]


def last_places(session):
    """The session with each item at its last place alone."""
    return [item for place, item in enumerate(session) if item not in session[place + 1 :]]


def by_hand(model, question, freshness=None):
    """Score every item by loops over the sessions; all sessions are candidates."""
    sessions = [last_places(row) for row in SESSIONS]
    frequency = {item: sum(item in row for row in sessions) for item in model.items_}
    idf = {item: np.log(1 + len(sessions) / count) ** model.idf for item, count in frequency.items()}
    asked = [item for item in last_places(question) if item in frequency]
    age = {item: len(asked) - 1 - place for place, item in enumerate(asked)}
    neighbors = []
    for number, session in enumerate(sessions):
        shared = [item for item in session if item in age]
        if shared:
            similarity = sum(model.recency ** age[item] * idf[item] for item in shared)
            similarity /= len(session) ** model.length_penalty
            neighbors.append((similarity * (1 if freshness is None else freshness[number]), number, session))
    neighbors.sort(key=lambda entry: (-entry[0], -entry[1]))
    scores = dict.fromkeys(frequency, 0.0)
    for similarity, _, session in neighbors[: model.n_neighbors]:
        anchor = session.index(min((item for item in session if item in age), key=age.get))
        for place, item in enumerate(session):
            step = place - anchor
            scores[item] += similarity * model.distance_decay ** abs(step) * (model.backward if step < 0 else 1)
    return np.array([scores[item] * idf[item] for item in model.items_])


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"recency": 1, "distance_decay": 1, "backward": 1, "length_penalty": 0, "idf": 0},
        {"recency": 0.3, "distance_decay": 0.5, "backward": 0, "length_penalty": 0.5},
        {"n_neighbors": 9},
        {"n_neighbors": 1, "idf": 0.5},
    ],
    ids=str,
)
def test_scores_equal_the_formula(parameters):
    model = SessionKNN(**parameters).fit(SESSIONS)
    expected = [by_hand(model, question) for question in QUESTIONS]
    np.testing.assert_allclose(model.decision_function(QUESTIONS), expected, rtol=1e-4, atol=1e-5)


def test_only_the_newest_sessions_of_an_item_are_candidates():
    sessions = [["a", "old"], ["a", "new"], ["a", "newest"]]
    scores = SessionKNN(n_candidates=2).fit(sessions).decision_function([["a"]])[0]
    assert dict(zip(["a", "new", "newest", "old"], scores > 0, strict=True)) == {
        "a": True,
        "new": True,
        "newest": True,
        "old": False,
    }
    events = pd.DataFrame({"user": [1, 1, 2, 2, 3, 3], "item": list("axayaz"), "time": [8, 9, 1, 2, 4, 5]})
    model = SessionKNN(n_candidates=2).fit(to_histories(events, user="user", item="item", time="time"))
    np.testing.assert_array_equal(model.decision_function([["a"]])[0] > 0, [True, True, False, True])


def test_half_life_lets_old_sessions_fade():
    ends = np.random.default_rng(0).integers(0, 100, len(SESSIONS))
    frame = pd.DataFrame(
        {"item": SESSIONS, "time": [[end] * len(row) for end, row in zip(ends, SESSIONS, strict=True)]}
    )
    model = SessionKNN(half_life=20).fit(frame)
    freshness = 2.0 ** ((ends - ends.max()) / 20)
    expected = [by_hand(model, question, freshness) for question in QUESTIONS]
    np.testing.assert_allclose(model.decision_function(QUESTIONS), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="half_life needs histories with the column 'time'"):
        SessionKNN(half_life=20).fit(SESSIONS)


def test_events_of_one_moment_have_one_age():
    model = SessionKNN().fit([["a", "x"], ["b", "y"], ["c", "z"]])
    together = pd.DataFrame({"item": [["a", "b"]], "time": [[1.0, 1.0]]})
    scores = dict(zip(model.items_, model.decision_function(together)[0], strict=True))
    assert scores["x"] == pytest.approx(scores["y"])
    scores = dict(zip(model.items_, model.decision_function([["a", "b"]])[0], strict=True))
    assert scores["x"] < scores["y"]


def test_blocks_give_the_same_scores():
    model = SessionKNN().fit(SESSIONS)
    whole = model.decision_function(QUESTIONS)
    with sklearn.config_context(working_memory=1e-3):
        np.testing.assert_allclose(model.decision_function(QUESTIONS), whole, rtol=1e-6)


def test_a_matrix_has_no_order():
    with pytest.raises(TypeError, match="a matrix, which has no order"):
        SessionKNN().fit(sp.eye_array(5, format="csr"))


@pytest.mark.parametrize(
    "parameters",
    [{"n_neighbors": 0}, {"n_candidates": 0}, {"recency": 0}, {"distance_decay": 1.5}, {"backward": -1}, {"idf": -1}],
    ids=str,
)
def test_bad_parameters_are_named(parameters):
    with pytest.raises(ValueError, match=f"The '{next(iter(parameters))}' parameter of SessionKNN"):
        SessionKNN(**parameters).fit(SESSIONS)


def test_contract():
    check_recommender(SessionKNN())


@pytest.mark.parametrize(("name", "recall", "mrr"), [("retailrocket", 0.55, 0.29), ("diginetica", 0.48, 0.16)])
def test_real_sessions(name, recall, mrr):
    if not protocols.available(f"{name}_sessions"):
        pytest.skip(f"{name}_sessions is not in {protocols.DATA.name}: set SKREC_DATA")
    task = bench_sessions.sessions(name, validation=True, n_test=500)
    session, item = (
        model(k=20, exclude_seen=False).fit(task.X_train).predict(task.X_test) for model in (SessionKNN, ItemKNN)
    )
    assert recall_at_k(task.y_test, session) > max(recall, 1.1 * recall_at_k(task.y_test, item))
    assert mrr_at_k(task.y_test, session) > max(mrr, 1.3 * mrr_at_k(task.y_test, item))


def test_blocks_of_fit_give_the_same_model(monkeypatch):
    frame = make_histories(200, 40, mean_length=7, random_state=3, repeats=True)
    questions = frame.iloc[:40]
    for parameters in ({"n_candidates": 4}, {"n_candidates": 30, "half_life": 50}):
        whole = SessionKNN(**parameters).fit(frame)
        with monkeypatch.context() as patch:
            patch.setattr(_session_knn, "_BLOCK", 16)
            parts = SessionKNN(**parameters).fit(frame)
        for mine, other in zip(whole._candidates, parts._candidates, strict=True):
            np.testing.assert_array_equal(mine, other)
        np.testing.assert_array_equal(whole.decision_function(questions), parts.decision_function(questions))


def test_candidates_are_the_newest_sessions_of_each_item():
    model = SessionKNN(n_candidates=3).fit(SESSIONS)
    of_item, sessions, events = model._candidates
    newest_first = [set(row) for row in SESSIONS[::-1]]
    for code, item in enumerate(model.items_):
        part = slice(of_item[code], of_item[code + 1])
        expected = [number for number, row in enumerate(newest_first) if item in row][:3]
        assert sessions[part].tolist() == expected
        assert (model._items[events[part]] == code).all()
