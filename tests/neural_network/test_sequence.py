"""SASRec and GRU4Rec: losses against NumPy, training, storing, exporting."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import protocols
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

pytest.importorskip("tensorflow")

import skrec
from skrec.neural_network import GRU4Rec, SASRec, _neighbours, export_net
from skrec.neural_network import _sequence as sequence
from skrec.neural_network._batches import length_batches
from skrec.neural_network._nets._losses import layers, next_item_loss
from skrec.neural_network._sequence_inputs import padded, time_gaps
from skrec.utils._histories import read_histories

N_ITEMS = 12
CIRCLE = [[(start + step) % N_ITEMS for step in range(8)] for start in range(N_ITEMS)] * 4
PLAIN = {"batch_size": 16, "early_stopping": False, "schedule": "constant", "event_dropout": 0.0, "random_state": 0}
QUICK = {"epochs": 2, **PLAIN}
KINDS = pd.DataFrame({"kind": ["even", "odd"] * (N_ITEMS // 2)}, index=range(N_ITEMS))
OWN_NAMES = pd.DataFrame({"name": [f"name{item}" for item in range(N_ITEMS)]}, index=range(N_ITEMS))
LEARNS = {"epochs": 60, "learning_rate": 0.01, "k": 1, **PLAIN}


def next_of(histories):
    return [(history[-1] + 1) % N_ITEMS for history in histories]


# ---- losses --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scored():
    rng = np.random.default_rng(0)
    hidden, table = rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=(10, 4)).astype(np.float32)
    target, negatives = np.array([1, 3, 9, 3, 5]), np.array([3, 2, 7, 7])
    return hidden, table, target, negatives, np.log(np.array([0.3, 0.2, 0.9, 0.9], dtype=np.float32))


def looked_up(table):
    return lambda codes: table[1:] if codes is None else table[codes]


def log_sigmoid(x):
    return -np.log1p(np.exp(-x))


def test_full_softmax_is_the_cross_entropy_over_all_items(scored):
    hidden, table, target, _, _ = scored
    logits = hidden @ table[1:].T
    expected = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(5), target - 1]
    np.testing.assert_allclose(
        next_item_loss("softmax", hidden, target, looked_up(table), 9, None), expected, rtol=1e-5
    )


def test_sampled_softmax_corrects_by_the_expected_count_and_drops_hits(scored):
    hidden, table, target, negatives, log_expected = scored
    expected = []
    for row, item in zip(hidden, target, strict=True):
        positive = row @ table[item]
        others = [row @ table[one] - log for one, log in zip(negatives, log_expected, strict=True) if one != item]
        expected.append(np.log(np.exp([positive, *others]).sum()) - positive)
    found = next_item_loss("softmax", hidden, target, looked_up(table), 9, (negatives, log_expected))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_sampled_softmax_tends_to_the_full_one(scored):
    hidden, table, target, _, _ = scored
    rng = np.random.default_rng(0)
    shares = rng.random(9) + 0.2
    shares /= shares.sum()
    drawn = rng.choice(9, 200_000, p=shares)
    sample = (drawn + 1, np.log(shares[drawn] * len(drawn)).astype(np.float32))
    full = next_item_loss("softmax", hidden, target, looked_up(table), 9, None)
    np.testing.assert_allclose(next_item_loss("softmax", hidden, target, looked_up(table), 9, sample), full, rtol=0.02)


@pytest.mark.parametrize("calibration", [0.0, 0.75, 1.0])
def test_gbce(scored, calibration):
    hidden, table, target, negatives, log_expected = scored
    rate = len(negatives) / (9 - 1)
    power = rate * (calibration * (1 - 1 / rate) + 1 / rate)
    expected = []
    for row, item in zip(hidden, target, strict=True):
        missed = [log_sigmoid(-(row @ table[one])) for one in negatives if one != item]
        expected.append(-power * log_sigmoid(row @ table[item]) - np.sum(missed))
    found = next_item_loss(
        "gbce", hidden, target, looked_up(table), 9, (negatives, log_expected), calibration=calibration
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_bpr_max(scored):
    hidden, table, target, negatives, log_expected = scored
    expected = []
    for row, item in zip(hidden, target, strict=True):
        scores = np.array([row @ table[one] for one in negatives if one != item])
        share = np.exp(scores) / np.exp(scores).sum()
        ranked = (share / (1 + np.exp(scores - row @ table[item]))).sum()
        expected.append(-np.log(ranked) + 0.5 * (share * scores**2).sum())
    found = next_item_loss(
        "bpr_max", hidden, target, looked_up(table), 9, (negatives, log_expected), regularization=0.5
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)


# ---- what goes in --------------------------------------------------------------------------------------------


def test_padded_keeps_the_last_events_and_pads_before():
    histories = read_histories([[1, 2, 3], [4], []]).on_items(np.arange(1, 5))
    assert padded(histories, 2).tolist() == [[2, 3], [0, 4], [0, 0]]
    assert padded(histories, 9, np.array([7, 8, 9, 5])).tolist() == [[7, 8, 9], [0, 0, 5], [0, 0, 0]]


def test_time_gaps_are_those_inside_a_history():
    frame = pd.DataFrame({"item": [["a", "b", "c"], [], ["a"]], "time": [[1.0, 4.0, 4.0], [], [9.0]]})
    np.testing.assert_array_equal(time_gaps(read_histories(frame)), [np.nan, 3.0, 0.0, np.nan])


@pytest.mark.parametrize(("n_rows", "batch_size"), [(500, 16), (7, 1), (9, 4)])
def test_packed_batches_hold_as_many_tokens_and_every_row_once(n_rows, batch_size):
    rng = np.random.default_rng(0)
    rows = np.zeros((n_rows, 30), dtype=np.int32)
    for number, length in enumerate(rng.geometric(0.2, n_rows).clip(2, 30)):
        rows[number, -length:] = number + 1
    examples = lambda part, codes, rng: (part, codes)  # noqa: E731
    data = length_batches(rows, batch_size, examples, seed=lambda: 0, packed=True)
    batches = list(data.as_numpy_iterator())
    assert len(batches) == len(data)
    np.testing.assert_array_equal(np.sort(np.concatenate([part for part, _ in batches])), np.arange(n_rows))
    tokens = np.array([np.count_nonzero(codes) for _, codes in batches])
    assert (tokens > 0).all()
    assert tokens.sum() == np.count_nonzero(rows)
    if n_rows > 9:
        assert np.ptp(tokens) <= 60  # two rows of the longest


def test_an_epoch_draws_as_many_rows_as_it_is_told():
    rows = np.random.default_rng(0).integers(0, 9, (200, 6)).astype(np.int32)
    rows[:, -1] = np.arange(200)
    rows[0, -1] = 9
    data = length_batches(rows, 8, lambda part, codes, rng: (part,), seed=lambda: 0, packed=True, n_drawn=50)
    epochs = [np.concatenate([part for (part,) in data.as_numpy_iterator()]) for _ in range(2)]
    assert len(data) == 7
    assert all(len(drawn) == len(set(drawn.tolist())) == 50 for drawn in epochs)
    assert set(epochs[0].tolist()) != set(epochs[1].tolist())


# ---- training ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        SASRec(16, dropout=0.1, **LEARNS),
        SASRec(16, n_blocks=2, n_heads=2, dropout=0.0, n_negatives=6, **LEARNS),
        SASRec(16, tied=False, dropout=0.0, loss="bpr_max", n_negatives=8, **LEARNS),
        GRU4Rec(16, n_units=16, **LEARNS),
        GRU4Rec(16, n_units=16, cell="lstm", dropout=0.0, loss="gbce", n_negatives=8, **LEARNS),
    ],
    ids=["softmax", "sampled, two blocks", "bpr_max, not tied", "gru", "lstm, gbce"],
)
def test_learns_what_follows(model):
    asked = [[3, 4, 5], [9, 10, 11], [7]]
    assert model.fit(CIRCLE).predict(asked)[:, 0].tolist() == next_of(asked)
    assert model.item_factors_.shape == (N_ITEMS, 16)
    assert model.transform(asked).shape == (3, 16)
    assert not model.transform([[], [99]]).any()
    assert model.history_["loss"][-1] < model.history_["loss"][0]


def test_early_stopping_keeps_the_best_weights():
    told = {"learning_rate": 0.02, "validation_fraction": 0.5, **PLAIN, "early_stopping": True}
    model = SASRec(8, epochs=12, patience=2, **told)
    model.fit(CIRCLE)
    scores = model.history_["val_score"]
    best = int(np.argmax(scores))
    assert model.n_iter_ == len(scores) == min(12, best + 1 + 2)
    again = SASRec(8, epochs=best + 1, **told)
    np.testing.assert_array_equal(again.fit(CIRCLE).item_factors_, model.item_factors_)


class Stopper:
    """Press Ctrl-C at the beginning of an epoch."""

    def __new__(cls, epoch):
        import keras

        def begin(number, logs=None):
            if number == epoch:
                raise KeyboardInterrupt

        return keras.callbacks.LambdaCallback(on_epoch_begin=begin)


def test_an_interrupted_fit_leaves_the_model_as_it_was():
    model = GRU4Rec(8, n_units=8, **{**QUICK, "epochs": 5}, callbacks=[Stopper(2)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(CIRCLE)
    assert not hasattr(model, "net_")
    with pytest.raises(NotFittedError):
        check_is_fitted(model, "item_factors_")
    model.set_params(callbacks=None, epochs=1).fit(CIRCLE)
    before = model.decision_function(CIRCLE[:5])
    for warm_start in (False, True):
        model.set_params(callbacks=[Stopper(1), Stopper(2)], epochs=4, warm_start=warm_start)
        with pytest.raises(KeyboardInterrupt):
            model.fit(CIRCLE)
        assert model.n_iter_ == 1 and len(model.history_["loss"]) == 1
        np.testing.assert_array_equal(model.decision_function(CIRCLE[:5]), before)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_net_that_goes_on_is_put_back_wherever_the_fit_ends(monkeypatch, method):
    model = GRU4Rec(8, n_units=8, **{**QUICK, "epochs": 1}, warm_start=True).fit(CIRCLE)
    before = model.decision_function(CIRCLE[:5])

    def late(self, keras_model):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(GRU4Rec, "_item_vectors", late)
        with pytest.raises(KeyboardInterrupt):
            getattr(model.set_params(epochs=3), method)(CIRCLE)
    assert model.n_iter_ == 1
    np.testing.assert_array_equal(model.decision_function(CIRCLE[:5]), before)
    assert getattr(model, method)(CIRCLE).n_iter_ > 1 and not hasattr(model, "_undo")


def test_fits_leave_no_net_behind():
    import gc

    def alive():
        for _ in range(3):
            gc.collect()
        return sum(type(one) is GRU4Rec for one in gc.get_objects())  # isinstance fails on dead weak proxies

    model = GRU4Rec(8, n_units=8, **{**QUICK, "epochs": 1})
    before = alive()
    for _ in range(3):
        GRU4Rec(**model.get_params()).fit(CIRCLE)
    assert alive() == before


def test_a_fit_that_diverges_is_an_error_and_leaves_the_model_as_it_was():
    model = SASRec(8, **{**QUICK, "epochs": 1}).fit(CIRCLE)
    before = model.predict(CIRCLE[:3])
    with pytest.raises(ValueError, match=r"training diverged.*lower learning_rate"):
        model.set_params(learning_rate=1e14, epochs=5).fit(CIRCLE)
    np.testing.assert_array_equal(model.predict(CIRCLE[:3]), before)


def test_updates_learn_new_behaviour_and_replay_keeps_the_old():
    kept = []
    for replay in (0, 1000):
        model = SASRec(16, replay=replay, **{**QUICK, "learning_rate": 0.01}).fit(CIRCLE)
        factors, before = model.item_factors_.copy(), model.decision_function([[5, 4, 3]])[0]
        backwards = [history[::-1] for history in CIRCLE]
        for _ in range(8):
            model.partial_fit([*backwards, [5]])
        assert model.n_iter_ == len(model.history_["loss"]) == 10
        back, forth = model.decision_function([[5, 4, 3], [3, 4, 5]])
        assert back[2] - back.mean() > before[2] - before.mean() + 0.1
        assert not np.array_equal(factors, model.item_factors_)
        kept.append(forth[6] - forth.mean())
    assert kept[1] > kept[0] + 0.1
    assert SASRec(8, replay=0, **QUICK).fit(CIRCLE).partial_fit([[9]]).n_iter_ == 2  # nothing to learn from


@pytest.mark.parametrize("features", [False, True])
@pytest.mark.parametrize("tied", [True, False])
def test_an_update_learns_new_items(features, tied):
    kinds = {"item_features": KINDS} if features else {}
    model = GRU4Rec(16, n_units=16, tied=tied, **{**QUICK, "learning_rate": 0.02, "epochs": 8}, **kinds).fit(CIRCLE)
    held = copy.copy(model)
    answer = held.decision_function(CIRCLE[:3])
    if features:
        more = KINDS.iloc[:1].set_axis([99])
        model.set_params(item_features=pd.concat([KINDS, more]))
    new = [[one, two, three, 99] for one, two, three in [(2, 3, 4), (1, 2, 3), (3, 4, 5)] * 12]
    for _ in range(3):
        model.partial_fit(new)
    assert model.items_.tolist() == [*range(N_ITEMS), 99] and model.item_factors_.shape == (N_ITEMS + 1, 16)
    scores = model.decision_function([[2, 3, 4], [8, 9]])
    assert (scores[0] > scores[0, -1]).sum() < 3 < (scores[1] > scores[1, -1]).sum()
    np.testing.assert_array_equal(held.decision_function(CIRCLE[:3]), answer)
    stored = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(
        stored.partial_fit(new).item_factors_, model.partial_fit(new).item_factors_, rtol=1e-4, atol=1e-5
    )


def test_what_is_replayed_is_a_sample_of_all_histories():
    model = GRU4Rec(4, n_units=4, replay=20, **{**QUICK, "epochs": 1}).fit(CIRCLE)
    assert model._replay["codes"].shape[0] == 20 and model._n_seen == len(CIRCLE)
    model.partial_fit([[7, 7, 7]] * len(CIRCLE))
    share = (model._replay["codes"][:, -2:] == 8).all(axis=1).mean()
    assert model._n_seen == 2 * len(CIRCLE) and 0.2 < share < 0.8
    model.partial_fit([[7, 7, 7, 7]] * 5, since=[3] * 5)
    assert model._n_seen == 2 * len(CIRCLE)
    none = GRU4Rec(4, n_units=4, replay=0, **{**QUICK, "epochs": 1}).fit(CIRCLE)
    assert len(none._replay["codes"]) == 0 and none.partial_fit([[1, 50]]).n_items_ == N_ITEMS + 1
    with pytest.raises(ValueError, match="X has new items, and no user with two events"):
        none.partial_fit([[51]])


def test_users_per_epoch_is_a_number_or_a_share(monkeypatch):
    histories = [[(start + step) % N_ITEMS for step in range(6)] for start in range(N_ITEMS)] * 4
    drawn = []
    how = {"epochs": 2, "random_state": 0, "early_stopping": False}
    batches = sequence.length_batches
    monkeypatch.setattr(
        sequence, "length_batches", lambda *a, **more: drawn.append(more["n_drawn"]) or batches(*a, **more)
    )
    vectors = {
        users: SASRec(8, users_per_epoch=users, **how).fit(histories).item_factors_
        for users in (None, 1.0, 10**6, 2, 0.25)
    }
    assert drawn == [None, len(histories), len(histories), 2, len(histories) // 4]
    np.testing.assert_array_equal(vectors[1.0], vectors[None])
    np.testing.assert_array_equal(vectors[10**6], vectors[None])
    assert (vectors[0.25] != vectors[None]).any()
    model = SASRec(8, users_per_epoch=5, **how).fit(histories)
    model.partial_fit(histories[:20], since=np.full(20, 5))
    assert drawn[-1] is None  # an update learns from all users passed


def test_item_vectors_of_a_long_log_begin_from_a_sample_of_users(monkeypatch):
    codes = np.ones((1000, 4), dtype=np.int32)
    assert _neighbours.sampled_rows(codes, 0) is codes
    monkeypatch.setattr(_neighbours, "_COUNTED", 400)
    assert _neighbours.sampled_rows(codes, 0).shape == (100, 4)


def test_warm_start_needs_the_same_items():
    model = SASRec(8, warm_start=True, **QUICK).fit(CIRCLE)
    with pytest.raises(ValueError, match="warm_start=True goes on with the net of 12 items"):
        model.fit([[1, 2, 99]] * 3)


def test_batches_of_long_histories_are_smaller():
    long = [np.arange(step, step + 600) % 700 for step in range(300)]
    settings = {"max_length": 600, "epochs": 1, "early_stopping": False, "n_negatives": 16, "random_state": 0}
    model = SASRec(4, **settings).fit(long)
    assert model.net_.model_.optimizer.iterations.numpy() == 38  # 8 users of 300 a step: 2,048 events are 3.4 users
    assert SASRec(4, **settings).fit([one[:8] for one in long]).net_.model_.optimizer.iterations.numpy() == 3


# ---- features and times --------------------------------------------------------------------------------------


def test_item_features_bring_alike_items_together():
    model = SASRec(8, item_features=KINDS, **QUICK).fit(CIRCLE)
    factors = model.item_factors_ / np.linalg.norm(model.item_factors_, axis=1, keepdims=True)
    alike = factors @ factors.T
    even = np.arange(N_ITEMS) % 2 == 0
    assert alike[np.ix_(even, even)].mean() > alike[np.ix_(even, ~even)].mean() + 0.2
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.decision_function(CIRCLE[:5]), model.decision_function(CIRCLE[:5]))
    np.testing.assert_allclose(
        again.partial_fit(CIRCLE).item_factors_, model.partial_fit(CIRCLE).item_factors_, rtol=1e-5
    )
    with pytest.raises(ValueError, match=r"no row for 2 of 12 items, such as 10, 11"):
        SASRec(8, item_features=KINDS.iloc[:10], **QUICK).fit(CIRCLE)


@pytest.mark.parametrize("tied", [True, False])
def test_an_item_is_its_vector_and_those_of_its_features(tied):
    marks = pd.DataFrame({"marks": [["a", "b"], ["b", "c"], ["c"], []] * 3}, index=range(N_ITEMS))
    model = GRU4Rec(8, item_features=marks, tied=tied, **QUICK).fit(CIRCLE)
    table = model.net_.model_.named
    entries = [np.asarray(part) for part in (table.amounts, table.columns, table.ends)]
    features = sp.csr_array(tuple(entries), shape=(N_ITEMS + 1, 3)).toarray()
    assert not features[0].any() and not features[4].any()
    np.testing.assert_allclose(np.linalg.norm(features[[1, 2, 3]], axis=1), 1, rtol=1e-6)
    expected = np.asarray(table.vectors) + features @ np.asarray(table.projection)
    np.testing.assert_allclose(model.item_factors_, expected[1:], rtol=1e-5, atol=1e-6)
    codes = np.array([[3, 1, 3], [0, 12, 5]])
    np.testing.assert_allclose(table(codes), expected[codes], rtol=1e-5, atol=1e-6)


def test_features_with_many_entries_are_reduced():
    numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(N_ITEMS, 150)), index=range(N_ITEMS)).add_prefix("n")
    model = SASRec(8, item_features=numbers, item_encoder=StandardScaler(), **QUICK).fit(CIRCLE)
    table = model.net_.model_.named
    assert not table.n_entries and table.n_features == N_ITEMS
    expected = np.asarray(table.vectors) + np.asarray(table.features) @ np.asarray(table.projection)
    np.testing.assert_allclose(model.item_factors_, expected[1:], rtol=1e-5, atol=1e-6)


def test_time_gaps_tell_what_follows():
    rng = np.random.default_rng(0)
    items, times = [], []
    for _ in range(200):  # after a long pause people return to item 0, else they go on
        walk, clock = [int(rng.integers(1, 10))], [0.0]
        for _ in range(6):
            long = rng.random() < 0.4
            clock.append(clock[-1] + (50.0 if long else 1.0))
            walk.append(walk[-1] % 10 + 1 if clock[-1] - clock[-2] < 10 else 0)
        items.append(walk)
        times.append(clock)
    frame = pd.DataFrame({"item": items, "time": times})
    told = {**PLAIN, "n_components": 16, "epochs": 15, "learning_rate": 0.01, "batch_size": 64}
    with_gaps = GRU4Rec(n_units=16, time_gaps=True, **told).fit(frame)
    asked = pd.DataFrame({"item": [[4, 5], [4, 5]], "time": [[0.0, 1.0], [0.0, 50.0]]})
    assert np.abs(np.diff(with_gaps.decision_function(asked), axis=0)).max() > 0.1
    with pytest.raises(ValueError, match="time_gaps=True needs histories with the column 'time'"):
        with_gaps.predict([[4, 5]])
    again = pickle.loads(pickle.dumps(with_gaps))
    np.testing.assert_array_equal(again.decision_function(asked), with_gaps.decision_function(asked))


# ---- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "X", "error", "message"),
    [
        ({}, [[1], [2], []], ValueError, "X has no user with two events"),
        ({}, np.ones((3, 4)), TypeError, "X is a matrix, which has no order"),
        ({"max_length": 1}, CIRCLE, ValueError, "'max_length' parameter"),
        ({"n_negatives": 13}, CIRCLE, ValueError, "n_negatives=13 is more than the 12 items"),
        ({"loss": "gbce", "n_negatives": 0}, CIRCLE, ValueError, "loss='gbce' needs a sample"),
        ({"epochs": 0}, CIRCLE, ValueError, "'epochs' parameter"),
        ({"item_features": "no frame"}, CIRCLE, TypeError, "item_features must be a pandas frame"),
        ({"item_features": OWN_NAMES}, CIRCLE, ValueError, "no word, label or number that two items share"),
        ({"time_gaps": True}, CIRCLE, ValueError, "time_gaps=True needs histories with the column 'time'"),
    ],
)
@pytest.mark.parametrize("kind", [SASRec, GRU4Rec])
def test_bad_input(kind, parameters, X, error, message):
    model = kind(**parameters)
    with pytest.raises(error, match=message):
        model.fit(X)
    assert not hasattr(model, "net_")


def test_heads_must_divide_the_components():
    with pytest.raises(ValueError, match="n_heads=3 does not divide n_components=64: choose a divisor"):
        SASRec(n_heads=3).fit(CIRCLE)


# ---- storing and exporting -----------------------------------------------------------------------------------


def test_a_new_process_loads_the_model(tmp_path):
    model = SASRec(8, tied=False, n_negatives=4, **QUICK).fit(CIRCLE)
    skrec.save(model, tmp_path / "model.skrec")
    code = (
        "import sys, numpy, skrec; model = skrec.load(sys.argv[1]); "
        "numpy.save(sys.argv[2], model.decision_function([[1, 2], [5]])); "
        "numpy.save(sys.argv[3], model.partial_fit([[1, 2, 3]] * 4).item_factors_)"
    )
    files = [tmp_path / name for name in ("model.skrec", "scores.npy", "factors.npy")]
    subprocess.run([sys.executable, "-c", code, *files], check=True)
    np.testing.assert_array_equal(np.load(files[1]), model.decision_function([[1, 2], [5]]))
    np.testing.assert_allclose(model.partial_fit([[1, 2, 3]] * 4).item_factors_, np.load(files[2]), atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [SASRec(8, n_heads=2, **QUICK), GRU4Rec(8, n_units=8, **QUICK), SASRec(8, item_features=KINDS, **QUICK)],
    ids=["sasrec", "gru", "features"],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # tf2onnx on NumPy 2
def test_onnx_gives_the_same_scores(model, tmp_path):
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    histories = [[1, 2, 3], [7], [0, 1, 2, 3, 4, 5]]
    model.fit(CIRCLE)
    session = runtime.InferenceSession(export_net(model, tmp_path / "net.onnx"))
    codes = padded(read_histories(histories).on_items(model.items_), model.max_length)
    user, scores = session.run(["user", "scores"], {"codes": codes})
    np.testing.assert_allclose(scores, model.decision_function(histories), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(user, model.transform(histories), rtol=1e-4, atol=1e-5)


def test_saved_model_gives_the_same_scores(tmp_path):
    import tensorflow as tf

    model = GRU4Rec(8, n_units=8, **QUICK).fit(CIRCLE)
    served = tf.saved_model.load(str(export_net(model, tmp_path / "net", format="saved_model")))
    codes = padded(read_histories(CIRCLE[:3]).on_items(model.items_), model.max_length)
    found = served.signatures["serving_default"](codes=tf.constant(codes))["scores"]
    np.testing.assert_allclose(found, model.decision_function(CIRCLE[:3]), rtol=1e-4, atol=1e-5)


def test_layers_are_registered_once():
    assert layers() is layers()


# ---- real data -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not protocols.available("s3rec_beauty_sequences"), reason="needs s3rec_beauty_sequences")
@pytest.mark.parametrize(
    ("model", "floor"), [(SASRec(epochs=12, random_state=0), 0.05), (GRU4Rec(epochs=8, random_state=0), 0.038)]
)
def test_quality_floor(model, floor):
    task = protocols.s3rec("beauty")
    assert model.fit(task.X_train).score(task.X_test, task.y_test) > floor
