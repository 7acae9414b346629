"""Cosines of co-occurrence vectors between candidates and the newest items of a history."""

import numpy as np
import pytest

from skrec.datasets import make_histories
from skrec.decomposition import PPMISVD
from skrec.dummy import PopularityRecommender
from skrec.ensemble import TwoStageRecommender, _item_vectors
from skrec.ensemble._item_vectors import cooccurrence_vectors, cosines, with_zeros
from skrec.ensemble._pair_features import PairFeatures
from skrec.ensemble._pairs import Pairs
from skrec.neighbors import ItemKNN, TransitionRecommender
from skrec.utils._histories import read_histories
from skrec.utils._users import Users


def lists(n_users, n_items, seed):
    return [
        list(one) for one in make_histories(n_users, n_items, mean_length=9, n_clusters=3, random_state=seed)["item"]
    ]


@pytest.fixture(scope="module")
def rows():
    """Histories of 0 to 30 events, as lists and coded on their items, and their vectors."""
    X = lists(200, 40, 0)
    X = [*X, [], X[0][:1]]
    items = np.unique(np.concatenate(X[:-2]))
    histories = read_histories(X).on_items(items)
    return X, histories, cooccurrence_vectors(histories, len(items))


def pairs_of(row, column, n_rows):
    row, column = np.asarray(row), np.asarray(column)
    return Pairs(row, column, np.zeros((len(row), 1), np.float32), column, n_rows)


def test_vectors_are_those_of_ppmisvd(rows):
    X, histories, vectors = rows
    model = PPMISVD(vectors.shape[1], random_state=0).fit(X)
    assert model.items_.tolist() == histories.ids.tolist()
    np.testing.assert_array_equal(vectors, model.item_factors_)


def test_cosines_by_hand(rows):
    _, histories, vectors = rows
    everything = np.arange(len(vectors))
    row = np.repeat(np.arange(len(histories)), len(vectors))
    found = cosines(vectors, histories, pairs_of(row, np.tile(everything, len(histories)), len(histories)))
    for number in range(len(histories)):
        codes = histories.codes[histories.indptr[number] : histories.indptr[number + 1]][::-1][:10]
        wanted = vectors @ vectors[codes].T if len(codes) else np.zeros((len(vectors), 1))
        mine = row == number
        np.testing.assert_allclose(found["newest cosine"][mine], wanted[:, 0], atol=0.0501)
        np.testing.assert_allclose(found["largest cosine"][mine], wanted.max(axis=1), atol=0.0501)


def test_a_pair_does_not_depend_on_the_others(rows, monkeypatch):
    _, histories, vectors = rows
    rng = np.random.RandomState(0)
    row = np.sort(rng.randint(len(histories), size=500))
    column = rng.randint(len(vectors), size=500)
    together = cosines(vectors, histories, pairs_of(row, column, len(histories)))
    for one in range(0, 500, 7):
        alone = cosines(vectors, histories, pairs_of(row[[one]], column[[one]], len(histories)))
        assert {name: values[0] for name, values in alone.items()} == {
            name: values[one] for name, values in together.items()
        }
    monkeypatch.setattr(_item_vectors, "_BLOCK_BYTES", 3000)
    for name, values in cosines(vectors, histories, pairs_of(row, column, len(histories))).items():
        np.testing.assert_array_equal(values, together[name])


def test_new_items_have_no_cosine():
    vectors = with_zeros(np.eye(3, dtype=np.float32), 2)
    found = cosines(vectors, read_histories([["a", "b", "c"]]), pairs_of([0, 0], [3, 4], 1))
    assert all((values == 0).all() for values in found.values())
    assert with_zeros(None, 2) is None


def test_items_without_a_vector_get_the_cosines_of_the_next_known_candidate_above():
    vectors = with_zeros(np.eye(4, dtype=np.float32), 2)
    histories = read_histories([[0, 1], [2, 1], [3]]).on_items(np.arange(6))
    row, column = np.array([0, 0, 0, 0, 1, 1, 2]), np.array([1, 4, 2, 5, 5, 1, 4])
    scores = np.array([[2.0], [3.0], [0.0], [1.0], [9.0], [8.0], [7.0]], np.float32)  # by place: 4, 1, 5, 2; 5, 1; 4
    found = cosines(vectors, histories, Pairs(row, column, scores, column, 3))
    assert found["newest cosine"].tolist() == [1, 1, 0, 1, 1, 1, 0]
    assert found["largest cosine"].tolist() == [1, 1, 0, 1, 1, 1, 0]


def test_nothing_co_occurs():
    histories = read_histories([["a"], ["b"], ["c"]])
    assert not cooccurrence_vectors(histories, 3).any()


@pytest.mark.parametrize(("holdout", "there"), [("last", True), ("sessions", True), ("basket", False), (2.0, False)])
def test_only_where_the_next_event_is_held_out(holdout, there):
    X = make_histories(300, 30, mean_length=9, n_clusters=3, random_state=1)
    model = TwoStageRecommender([("next", TransitionRecommender())], ranker=None, holdout=holdout, random_state=0).fit(
        X
    )
    assert ("newest cosine" in model.feature_names_) == there


def test_updates_and_older_files_keep_the_features():
    X = lists(300, 30, 1)
    parts = [("next", TransitionRecommender(incremental=True)), ("knn", ItemKNN(incremental=True))]
    model = TwoStageRecommender(parts, ranker=None, fallback=PopularityRecommender(), random_state=0).fit(X)
    names = list(model.feature_names_)
    assert names.count("newest cosine") == names.count("largest cosine") == 1
    n_before = model.n_items_
    model.partial_fit([[-1, X[0][0], -1]])
    assert model.n_items_ == n_before + 1
    vectors = model._pairs.vectors
    assert vectors.shape[0] == model.n_items_ and not vectors[-1].any()
    assert model.predict([X[0], [-1]]).shape == (2, 10)
    older = PairFeatures(["next"], [], True, next_event=True)
    histories = read_histories(X)
    older.fit(histories, len(histories.ids), None)
    del older.vectors  # files of skrec 0.2.0 have none
    users = Users(histories.to_matrix(), histories)
    pairs = Pairs(np.array([0]), np.array([0]), np.zeros((1, 2), np.float32), np.array([0]), len(histories))
    names, _ = older.table(users, pairs, [], None)
    assert "newest cosine" not in names
