"""MultVAE: its loss by hand, its batches, stopping, going on, storing, and what it says to bad input."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import protocols
import pytest
import scipy.sparse as sp

import skrec
from skrec.decomposition import PureSVD
from skrec.linear_model import EASE
from skrec.metrics import ndcg_at_k
from skrec.testing._data import checkerboard

pytest.importorskip("tensorflow")

from skrec.neural_network import MultVAE
from skrec.neural_network._nets._autoencoder import (
    code_layer,
    divergence,
    history_batches,
    multinomial_loss,
    split_rows,
)

CHEAP = {
    "n_components": 4,
    "hidden": (16,),
    "dropout": 0.5,
    "beta": 0.2,
    "annealing_epochs": 50,
    "schedule": "constant",
    "epochs": 40,
    "batch_size": 20,
    "learning_rate": 0.02,
    "early_stopping": False,
    "random_state": 0,
}
RNG = np.random.default_rng(0)
MATRIX = sp.csr_array(sp.random_array((30, 12), density=0.4, rng=RNG, data_sampler=lambda size: np.ones(size)))


def log_softmax(scores):
    shifted = scores - scores.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def batches(data):
    return [(given.numpy(), wanted.numpy()) for given, wanted in data]


@pytest.fixture(scope="module")
def board():
    X, y = checkerboard()
    return MultVAE(**CHEAP, k=1).fit(X), X, y


def test_loss_is_the_multinomial_likelihood():
    scores = RNG.normal(size=(5, 7)).astype(np.float32)
    wanted = RNG.integers(0, 3, (5, 7)).astype(np.float32)
    by_hand = -(wanted * log_softmax(scores)).sum(axis=1)
    np.testing.assert_allclose(multinomial_loss()(wanted, scores), by_hand, rtol=1e-5)
    wanted[:, :2] = -1  # given, so neither named nor in the sum of the softmax
    by_hand = -(wanted[:, 2:] * log_softmax(scores[:, 2:])).sum(axis=1)
    np.testing.assert_allclose(multinomial_loss()(wanted, scores), by_hand, rtol=1e-5)


def test_divergence_rises_to_beta():
    mean, log_variance = RNG.normal(size=(2, 6, 3)).astype(np.float32)
    variance = np.exp(log_variance.astype(float))
    by_hand = 0.5 * (variance + mean**2 - 1 - np.log(variance)).sum(axis=1)
    np.testing.assert_allclose(divergence(mean, log_variance), by_hand, rtol=1e-5)
    layer = code_layer()(0.3, 4)
    np.testing.assert_array_equal(layer(mean, log_variance), mean)
    weights = []
    for _ in range(6):
        code = layer(mean, log_variance, training=True)
        weights.append(float(layer.losses[0]) / by_hand.mean())
    np.testing.assert_allclose(weights, [0.075, 0.15, 0.225, 0.3, 0.3, 0.3], rtol=1e-5)
    draws = np.mean([layer(mean, log_variance, training=True) for _ in range(300)], axis=0)
    assert (np.abs(draws - mean) / np.sqrt(variance)).max() < 6 / np.sqrt(300)  # six standard errors
    assert (code.numpy() != mean).all()


def test_training_loss_agrees_with_the_scores():
    still = {"learning_rate": 1e-12, "epochs": 1, "dropout": 0.0, "denoising": True, "target": "all", "batch_size": 30}
    model = MultVAE(**{**CHEAP, **still}, vectorizer="passthrough").fit(MATRIX)
    by_hand = -(MATRIX.toarray() * log_softmax(model.decision_function(MATRIX))).sum(axis=1).mean()
    assert model.history_["loss"][0] == pytest.approx(by_hand, rel=1e-4)


def test_batches_hold_every_row_once_and_leave_items_out():
    data = history_batches(MATRIX, 8, 0.5, False, 3)
    first, again, other = batches(data), batches(data), batches(history_batches(MATRIX, 8, 0.5, False, 3))
    for epoch in (first, again):
        rows = np.concatenate([wanted for _, wanted in epoch])
        np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(MATRIX.toarray(), axis=0))
        assert sorted(map(tuple, rows)) == sorted(map(tuple, MATRIX.toarray()))
    given, wanted = map(np.concatenate, zip(*first, strict=True))
    assert (given <= wanted).all()
    assert 0.35 < given.sum() / wanted.sum() < 0.65
    assert any((one != two).any() for (one, _), (two, _) in zip(first, again, strict=True))
    assert all((one == two).all() for (one, _), (two, _) in zip(first, other, strict=True))
    for given, wanted in batches(history_batches(MATRIX, 8, 0.5, True, 3)):
        np.testing.assert_array_equal(wanted == -1, given > 0)
        assert not given[wanted > 0].any()


def test_split_rows_gives_and_asks():
    matrix = MATRIX[np.diff(MATRIX.indptr) >= 2]
    given, asked = split_rows(matrix, 0.2, np.random.RandomState(0))
    np.testing.assert_array_equal((given + asked).toarray(), matrix.toarray())
    sizes, n_asked = np.diff(matrix.indptr), np.diff(asked.indptr)
    np.testing.assert_array_equal(n_asked, np.clip(np.round(0.2 * sizes), 1, sizes - 1))


def test_names_the_missing_item_and_gives_codes(board):
    model, X, y = board
    np.testing.assert_array_equal(model.predict(X), y)
    codes = model.transform([*X[:2], [], [999]])
    assert codes.shape == (4, 4) and codes.dtype == np.float32
    assert not codes[2:].any() and codes[:2].all()
    popular = model.items_[np.argsort(-model.popularity_, kind="stable")[:1]]
    np.testing.assert_array_equal(model.predict([[]])[0], popular)
    assert set(model.similar_items([0], k=5)[0] % 2) == {0}
    assert list(model.get_feature_names_out()) == [f"multvae{i}" for i in range(4)]


def test_denoising_of_what_is_left_out_names_the_missing_item():
    X, y = checkerboard()
    model = MultVAE(**{**CHEAP, "hidden": ()}, denoising=True, target="left_out", k=1).fit(X)
    assert "code" not in {layer.name for layer in model.net_.model_.layers}
    np.testing.assert_array_equal(model.predict(X), y)


@pytest.mark.parametrize("n_components", [4, 30])
def test_begins_as_pure_svd(n_components):
    still = {"hidden": (), "learning_rate": 1e-12, "epochs": 1, "beta": 0.0, "n_components": n_components}
    matrix = MATRIX[np.diff(MATRIX.indptr) >= 2]
    model = MultVAE(**{**CHEAP, **still}, vectorizer="passthrough").fit(matrix)
    svd = PureSVD(min(n_components, 12), vectorizer="passthrough", random_state=0).fit(matrix)
    lengths = np.sqrt(np.diff(matrix.indptr))[:, None]
    odds = model.decision_function(matrix) - 0.5 * np.log(svd.popularity_ / matrix.shape[0])
    rest = model.transform(matrix)[:, 12:] @ model.item_factors_[:, 12:].T  # components that SVD has not, random
    np.testing.assert_allclose(odds - rest, 30 * svd.decision_function(matrix) / lengths, atol=1e-3)
    np.testing.assert_allclose(model.transform(matrix)[:, :12].std(axis=0), 1, atol=1e-3)


def test_stops_at_the_best_epoch(monkeypatch):
    X, _ = checkerboard()
    parameters = {**CHEAP, "early_stopping": True, "validation_fraction": 0.3, "patience": 3}
    model = MultVAE(**parameters, k=3)
    judged = []
    judge = MultVAE._judge

    def watched(self, given, asked):
        judged.append((given, asked))
        return judge(self, given, asked)

    monkeypatch.setattr(MultVAE, "_judge", watched)
    model.fit(X)
    scores = model.history_["val_score"]
    assert len(scores) == model.n_iter_ == len(judged) < 40
    assert model.n_iter_ - 1 - int(np.argmax(scores)) == 3
    given, asked = judged[0]
    assert given.shape[0] == 18
    rows = [model.items_[given[[row]].indices].tolist() for row in range(18)]
    wanted = [model.items_[asked[[row]].indices].tolist() for row in range(18)]
    assert ndcg_at_k(wanted, model.predict(rows)) == pytest.approx(max(scores), abs=1e-6)  # the best weights are back


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_updates_learn_new_items_and_leave_copies_as_they_were(hidden):
    X, _ = checkerboard()
    model = MultVAE(**{**CHEAP, "hidden": hidden, "epochs": 20}).partial_fit(X)  # the first one fits
    held = copy.copy(model)
    answer = held.decision_function(X)
    even = [row for row in X if row[0] % 2 == 0]
    for n_calls in range(1, 4):
        model.partial_fit([[*row, 777] for row in even], since=[len(row) if n_calls == 1 else 0 for row in even])
        assert model.n_iter_ == 20 + n_calls == len(model.history_["loss"])
    assert model.items_.tolist() == [*range(20), 777] and model.popularity_[-1] == 3 * len(even)
    scores = model.decision_function([[0, 2, 4], [1, 3, 5]])
    assert scores[0, 20] - scores[0].mean() > scores[1, 20] - scores[1].mean() + 0.5
    np.testing.assert_array_equal(held.decision_function(X), answer)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(
        again.partial_fit(X).decision_function(X), model.partial_fit(X).decision_function(X), rtol=1e-4, atol=1e-4
    )


def test_what_is_replayed_is_a_sample_of_all_histories():
    X, _ = checkerboard()
    model = MultVAE(**{**CHEAP, "epochs": 1, "replay": 10}).fit(X)
    assert model._replay.shape == (10, 20) and model._n_seen == len(X)
    model.partial_fit([[0, 1, 55]] * len(X))
    assert model._replay.shape == (10, 21) and model._n_seen == 2 * len(X)
    assert 1 <= np.count_nonzero(model._replay[:, [20]].toarray()) <= 9
    none = MultVAE(**{**CHEAP, "epochs": 1, "replay": 0}).fit(X)
    assert none.partial_fit([[3]]).n_iter_ == 1  # nothing to learn from
    with pytest.raises(ValueError, match="X has new items, and no user with two items"):
        none.partial_fit([[51]])


def test_stored_net_answers_in_another_process(board, tmp_path):
    model = board[0]
    skrec.save(model, tmp_path / "model.skrec")
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    code = (
        "import pickle, sys, numpy as np, skrec\n"
        "folder = sys.argv[1]\n"
        "X = [list(range(0, 18, 2)), [1, 3]]\n"
        "one = pickle.load(open(folder + '/model.pickle', 'rb')).decision_function(X)\n"
        "two = skrec.load(folder + '/model.skrec').decision_function(X)\n"
        "np.save(folder + '/scores.npy', np.stack([one, two]))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    scores = model.decision_function([list(range(0, 18, 2)), [1, 3]])
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), np.stack([scores, scores]))


@pytest.mark.parametrize(
    ("parameters", "X", "message"),
    [
        ({"hidden": (600, 0)}, [[1, 2]], r"hidden must hold whole numbers of at least 1, got \(600, 0\)"),
        (
            {"init": "svd"},
            [[1, 2]],
            r"init='svd' needs a net without inner layers, and hidden=\(16,\): pass hidden=\(\)",
        ),
        ({}, [[1], [2]], "X has no user with two items"),
        ({"target": "left_out", "dropout": 0.0}, [[1, 2]], "target='left_out' needs items that are left out"),
        ({"early_stopping": True}, [[1, 2]], "early_stopping=True holds out 1 of 1 users"),
        ({"n_components": 0}, [[1, 2]], "'n_components' parameter of MultVAE must be"),
        ({"batch_size": 0}, [[1, 2]], "'batch_size' parameter of MultVAE must be"),
    ],
)
def test_bad_input_is_named_before_training(parameters, X, message):
    with pytest.raises(ValueError, match=message):
        MultVAE(**{**CHEAP, **parameters}).fit(X)


def test_an_interrupted_fit_leaves_nothing():
    import keras

    def stop(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    X, _ = checkerboard()
    model = MultVAE(**CHEAP, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=stop)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    assert not hasattr(model, "items_")


def test_going_on_needs_the_same_items(board):
    model = pickle.loads(pickle.dumps(board[0])).set_params(warm_start=True)
    with pytest.raises(ValueError, match="warm_start=True goes on with a net of 20 items, and X has 3"):
        model.fit([[1, 2, 3]] * 4)


@pytest.mark.slow
@pytest.mark.skipif(not protocols.available("ml100k_ratings"), reason="ml100k_ratings is not there: set SKREC_DATA")
def test_ml100k_is_near_ease():
    task = protocols.ml100k()
    reached = [
        model.fit(task.X_train).score(task.X_test, task.y_test) for model in (MultVAE(50, random_state=0), EASE(300))
    ]
    assert reached[0] > 0.92 * reached[1] > 0.28
