"""BPR against implicit, whose solver it uses, its fold-in by hand, and a floor on real data."""

import numpy as np
import protocols
import pytest
import scipy.sparse as sp

from skrec.datasets import make_histories
from skrec.decomposition import BPR
from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import HistoryVectorizer

HISTORIES = make_histories(200, 50, mean_length=10, random_state=0)
MATRIX = HistoryVectorizer().fit_transform(HISTORIES)


@pytest.mark.parametrize("verify", [True, False])
def test_item_vectors_equal_implicit(verify):
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    peer = BayesianPersonalizedRanking(
        8, 0.03, 0.02, iterations=20, num_threads=1, verify_negative_samples=verify, random_state=3
    )
    peer.fit(sp.csr_matrix(MATRIX), show_progress=False)
    ours = BPR(8, learning_rate=0.03, l2=0.02, max_iter=20, verify_negative_samples=verify, random_state=3)
    ours.fit(HISTORIES)
    np.testing.assert_array_equal(ours.item_factors_, peer.item_factors[:, :8])
    np.testing.assert_array_equal(ours.item_biases_, peer.item_factors[:, 8])


def test_users_are_weighted_means():
    model = BPR(8, max_iter=5, vectorizer=HistoryVectorizer(recency=0.5), random_state=0).fit(HISTORIES)
    code = {item: number for number, item in enumerate(model.items_)}
    history = list(dict.fromkeys(HISTORIES["item"].iloc[0]))
    last = [code[item] for item in history[-2:]]
    vector = (0.5 * model.item_factors_[last[0]] + model.item_factors_[last[1]]) / 1.5
    np.testing.assert_allclose(model.transform([history[-2:]])[0], vector, rtol=1e-4, atol=1e-6)
    scores = model.decision_function([history[-2:], []])
    np.testing.assert_allclose(scores[0], model.item_factors_ @ vector + model.item_biases_, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(scores[1], model.item_biases_)


def test_a_seed_repeats_whatever_the_threads():
    one, two = (BPR(8, max_iter=5, n_jobs=jobs, random_state=0).fit(HISTORIES) for jobs in (1, 2))
    np.testing.assert_array_equal(one.item_factors_, two.item_factors_)
    other = BPR(8, max_iter=5, random_state=1).fit(HISTORIES)
    assert np.abs(one.item_factors_ - other.item_factors_).max() > 0.01
    assert BPR(8, max_iter=5, n_jobs=2).fit(HISTORIES).item_factors_.shape == (50, 8)


def test_zeros_that_are_stored_are_no_entries():
    matrix = sp.csr_array(MATRIX)
    zeros = sp.csr_array(matrix, copy=True)
    zeros.data[::3] = 0
    without = zeros.copy()
    without.eliminate_zeros()
    one, two = (
        BPR(4, max_iter=5, vectorizer="passthrough", random_state=0).fit(form).item_factors_
        for form in (zeros, without)
    )
    np.testing.assert_array_equal(one, two)
    empty = BPR(4, vectorizer="passthrough", random_state=0).fit(sp.csr_array((3, 5), dtype=np.float32))
    np.testing.assert_array_equal(empty.item_factors_, np.zeros((5, 4)))


def test_names_out_progress_and_errors(capsys):
    model = BPR(2, max_iter=2, random_state=0).fit(HISTORIES)
    assert capsys.readouterr() == ("", "")
    assert list(model.get_feature_names_out()) == ["bpr0", "bpr1"]
    BPR(2, max_iter=2, random_state=0, verbose=1).fit(HISTORIES)
    assert "[BPR] epoch 2 of 2" in capsys.readouterr().out
    with pytest.raises(ValueError, match="The 'learning_rate' parameter of BPR must be a float"):
        BPR(2, learning_rate=0).fit(HISTORIES)


@pytest.mark.skipif(not protocols.available("ml100k_ratings"), reason="ml100k_ratings is absent: set SKREC_DATA")
def test_movielens_beats_popularity():
    task = protocols.ml100k()
    popularity = PopularityRecommender().fit(task.X_train).score(task.X_test, task.y_test)
    assert BPR(random_state=0).fit(task.X_train).score(task.X_test, task.y_test) > 1.5 * popularity


def test_an_update_learns_new_items_and_leaves_the_others():
    rows = [[0, 1, 2, 3], [1, 2, 3, 4], [0, 2, 4]] * 10 + [[10, 11, 12, 13], [11, 12, 13, 14], [10, 12, 14]] * 10
    model = BPR(8, max_iter=200, random_state=0).fit(rows)
    factors, biases = model.item_factors_.copy(), model.item_biases_.copy()
    now = [[*row, 20] for row in rows[:15]] + [[*row, 21] for row in rows[40:50]]
    model.partial_fit(now, since=[len(row) - 1 for row in now])
    assert model.items_[-2:].tolist() == [20, 21] and model.popularity_[-2:].tolist() == [15, 10]
    np.testing.assert_array_equal(model.item_factors_[:-2], factors)
    np.testing.assert_array_equal(model.item_biases_[:-2], biases)
    scores = model.decision_function([[0, 1, 3], [10, 11, 13]])[:, -2:]
    assert scores[0, 0] > scores[0, 1] and scores[1, 1] > scores[1, 0]
    model.partial_fit([[0, 4]] * 3)
    np.testing.assert_array_equal(model.item_factors_[:-2], factors)
    assert model.popularity_[0] == 23
