"""The bonus of items that a history holds already: in the scores, in the losses, and in nets that leave Python."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from skrec.neural_network import GRU4Rec, SASRec, export_net
from skrec.neural_network._ages import N_AGES, age_classes, of_age
from skrec.neural_network._nets._losses import next_item_loss
from skrec.neural_network._nets._returns import add_bonus, history_logits, with_bonus

RNG = np.random.default_rng(0)
BONUS = RNG.normal(size=N_AGES).astype(np.float32)
CODES = np.array([[0, 0, 3, 1, 3, 2], [1, 1, 2, 1, 4, 2], [0, 0, 0, 0, 0, 0]], dtype=np.int32)
CHEAP = {
    "returns": True,
    "epochs": 12,
    "batch_size": 16,
    "learning_rate": 0.01,
    "exclude_seen": False,
    "k": 2,
    "random_state": 0,
}


def latest(row, end):
    """Return the age of each item of a row up to a place."""
    return {item: end - place + 1 for place, item in enumerate(row[: end + 1].tolist()) if item}


def returning(n_users=200, n_items=60):
    """Every other event is the one before the last again, the others are random."""
    rng = np.random.default_rng(0)
    histories = []
    for _ in range(n_users):
        row = rng.integers(0, n_items, 2).tolist()
        for _ in range(3):
            row += [row[-2], int(rng.integers(0, n_items))]
        histories.append([*row, row[-2]])
    return histories


def test_classes_of_age_are_the_same_on_both_sides():
    ages = np.arange(1, 2000)
    classes = age_classes(ages)
    np.testing.assert_array_equal(of_age(ages, BONUS), BONUS[classes])
    assert classes[:4].tolist() == [0, 2, 3, 4] and (np.diff(classes) >= 0).all() and classes[181] == N_AGES - 1


def test_bonus_goes_to_the_latest_place_of_each_item():
    events, lengths = [2, 0, 2, 1, 0, 0, 1, 0, 3, 1], np.array([4, 0, 6])
    scores, expected = np.zeros((2, 3, 5), dtype=np.float32)
    add_bonus(scores, np.array(events), lengths, BONUS)
    for user, row in ((0, events[:4]), (2, events[4:])):
        for item in set(row):
            age = 1 + row[::-1].index(item)
            expected[user, item] = BONUS[age_classes(age)]
    np.testing.assert_allclose(scores, expected)
    padded = np.array([[0, 0, *(code + 1 for code in events[:4])], [0] * 6, [code + 1 for code in events[4:]]])
    np.testing.assert_allclose(with_bonus(np.zeros((3, 5), np.float32), padded.astype(np.int32), BONUS), expected)


def test_each_position_sees_the_latest_place_of_each_item_so_far():
    hidden, vectors = RNG.normal(size=(2, 3, 6, 4)).astype(np.float32)
    logits, bonus, last = (np.asarray(part) for part in history_logits(CODES, hidden, vectors, BONUS))
    for user, row in enumerate(CODES):
        for end in range(6):
            ages = latest(row, end)
            places = np.flatnonzero(last[user, end])
            assert {row[place]: end - place + 1 for place in places} == ages
            for place in places:
                assert logits[user, end, place] == pytest.approx(hidden[user, end] @ vectors[user, place], abs=1e-5)
                assert bonus[end, place] == BONUS[age_classes(end - place + 1)]


@pytest.fixture(scope="module")
def asked():
    """Return what the losses take, for the last position of two histories: one target is a return, one is new."""
    hidden, table = RNG.normal(size=(2, 4)).astype(np.float32), RNG.normal(size=(6, 4)).astype(np.float32)
    ages = [latest(row, 5) for row in CODES[:2]]
    counts = np.zeros((2, 6), dtype=bool)
    for row, known in enumerate(ages):
        counts[row, [5 - age + 1 for age in known.values()]] = True
    target = np.array([3, 5])
    history = (
        np.einsum("ud,upd->up", hidden, table[CODES[:2]]),
        np.tile(BONUS[age_classes(np.arange(6, 0, -1))], (2, 1)),
        counts,
        counts & (CODES[:2] == target[:, None]),
    )
    return hidden, table, target, ages, history


def looked_up(table):
    return lambda codes: table[1:] if codes is None else table[codes]


def test_full_softmax_has_the_bonus_in_the_logits(asked):
    hidden, table, target, ages, history = asked
    logits = hidden @ table[1:].T
    for row, known in enumerate(ages):
        for item, age in known.items():
            logits[row, item - 1] += BONUS[age_classes(age)]
    expected = np.log(np.exp(logits).sum(axis=1)) - logits[[0, 1], target - 1]
    found = next_item_loss("softmax", hidden, target, looked_up(table), 5, None, history)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("loss", ["softmax", "gbce", "bpr_max"])
def test_sampled_losses_take_the_history_as_negatives(asked, loss):
    hidden, table, target, ages, history = asked
    negatives, log_expected = np.array([5, 2]), np.log(np.array([0.4, 0.5], dtype=np.float32))
    found = np.asarray(next_item_loss(loss, hidden, target, looked_up(table), 5, (negatives, log_expected), history))
    for row, known in enumerate(ages):

        def score(item, row=row, known=known):
            return hidden[row] @ table[item] + (BONUS[age_classes(known[item])] if item in known else 0)

        drawn = [
            (hidden[row] @ table[item], log)
            for item, log in zip(negatives, log_expected, strict=True)
            if item != target[row]
        ]
        drawn += [(score(item), 0.0) for item in known if item != target[row]]
        others, logs = np.array(drawn).T
        right = score(target[row])
        if loss == "softmax":
            expected = np.log(np.exp([right, *(others - logs)]).sum()) - right
        elif loss == "gbce":
            rate = 2 / 4
            power = rate * (0.75 * (1 - 1 / rate) + 1 / rate)
            expected = power * np.log1p(np.exp(-right)) + np.log1p(np.exp(others)).sum()
        else:
            share = np.exp(others) / np.exp(others).sum()
            expected = -np.log((share / (1 + np.exp(others - right))).sum()) + (share * others**2).sum()
        assert found[row] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("model", [SASRec(16, dropout=0.0, **CHEAP), GRU4Rec(16, n_units=16, **CHEAP)])
def test_learns_to_point_back(model):
    histories = returning()
    train, test = histories[:160], histories[160:]
    X, y = [row[:-1] for row in test], [row[-1] for row in test]
    model.fit(train)
    bonus = np.asarray(model.net_.model_.bonus)
    assert bonus[age_classes(2)] > bonus[age_classes(3)]
    found = np.mean([want in row for want, row in zip(y, model.predict(X), strict=True)])
    without = model.set_params(returns=False).fit(train)
    assert not hasattr(without.net_.model_, "bonus")
    assert found > 0.9
    assert found > 1.2 * np.mean([want in row for want, row in zip(y, without.predict(X), strict=True)])


def test_whether_own_items_may_come_changes_nothing_in_training():
    histories = returning(40)
    how = {**CHEAP, "epochs": 2, "early_stopping": False}
    free, strict = SASRec(8, **how), SASRec(8, **{**how, "exclude_seen": True})
    scores = free.fit(histories).decision_function(histories)
    np.testing.assert_array_equal(strict.fit(histories).decision_function(histories), scores)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # tf2onnx on NumPy 2
def test_exported_scores_have_the_bonus(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    model = SASRec(8, **{**CHEAP, "epochs": 2}).fit(returning(40))
    assert np.asarray(model.net_.model_.bonus).any()
    session = runtime.InferenceSession(export_net(model, tmp_path / "net.onnx"))
    rows = [[0, 1, 0, 2], [3, 4, 4, 5]]
    codes = (1 + np.searchsorted(model.items_, rows)).astype(np.int32)
    (scores,) = session.run(["scores"], {session.get_inputs()[0].name: codes})
    np.testing.assert_allclose(scores, model.decision_function(rows), rtol=1e-4, atol=1e-4)
