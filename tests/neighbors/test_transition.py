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
from skrec.utils import _cooccurrence, _resources
from skrec.utils._nearest import prune_rows

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
    "parameters",
    [{"n_neighbors": 0}, {"window": 0}, {"gap_decay": 0}, {"recency": 2}, {"smoothing": -1}, {"damping": -1}],
    ids=str,
)
def test_bad_parameters_are_named(parameters):
    with pytest.raises(ValueError, match=f"The '{next(iter(parameters))}' parameter of TransitionRecommender"):
        TransitionRecommender(**parameters).fit(HISTORIES)


@pytest.mark.parametrize("n", [1, 3, 10])
@pytest.mark.parametrize("incremental", [False, True])
def test_n_neighbors_keeps_the_largest_of_each_row(n, incremental):
    whole = TransitionRecommender(incremental=incremental).fit(HISTORIES).similarity_
    kept = TransitionRecommender(n_neighbors=n, incremental=incremental).fit(HISTORIES).similarity_
    expected = prune_rows(whole.copy(), n)
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(kept, part), getattr(expected, part))
    assert np.diff(kept.indptr).max() == n
    assert TransitionRecommender(n_neighbors=30).fit(HISTORIES).similarity_.nnz == whole.nnz


def test_updates_keep_all_counts_whatever_n_neighbors():
    known = TransitionRecommender(n_neighbors=3, incremental=True).fit([history[:3] for history in HISTORIES])
    known.partial_fit(HISTORIES, since=[min(3, len(history)) for history in HISTORIES])
    anew = TransitionRecommender(n_neighbors=3).fit(HISTORIES)
    order = np.argsort(known.items_)
    found, expected = known.similarity_.toarray()[order][:, order], anew.similarity_.toarray()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    known.forget(HISTORIES[:40])
    anew.fit(HISTORIES[40:])
    order = np.argsort(known.items_)
    np.testing.assert_allclose(known.similarity_.toarray()[order][:, order], anew.similarity_.toarray(), rtol=1e-5)


@pytest.mark.parametrize(
    ("parameters", "advice"),
    [
        ({}, "n_neighbors=None needs about .* GiB for .* entries, and 0.0 GiB are free: keep fewer .* n_neighbors=200"),
        ({"incremental": True}, "incremental=True needs about .* are free: fit with incremental=False"),
    ],
    ids=["all", "incremental"],
)
def test_what_does_not_fit_into_memory_is_refused(parameters, advice, monkeypatch):
    for module in (_cooccurrence, _resources):
        monkeypatch.setattr(module, "free_bytes", lambda: 1000.0)
    with pytest.raises(MemoryError, match=advice):
        TransitionRecommender(**parameters).fit(HISTORIES)
    assert TransitionRecommender(n_neighbors=200).fit(HISTORIES).similarity_.nnz


def test_contract():
    check_recommender(TransitionRecommender())


def test_beauty():
    if not protocols.available("s3rec_beauty_sequences"):
        pytest.skip(f"s3rec_beauty_sequences is not in {protocols.DATA.name}: set SKREC_DATA")
    task = protocols.s3rec("beauty", validation=True)
    popularity = PopularityRecommender().fit(task.X_train).score(task.X_test, task.y_test)
    reached = TransitionRecommender().fit(task.X_train).score(task.X_test, task.y_test)
    assert reached > max(0.065, 3 * popularity)
