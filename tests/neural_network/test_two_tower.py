"""TwoTower: its loss by hand, its batches, items nobody had, features of users, storing, and bad input."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import protocols
import pytest
from sklearn.base import clone
from sklearn.preprocessing import OneHotEncoder

import skrec
from skrec.utils._histories import read_histories

pytest.importorskip("tensorflow")

from skrec.neural_network import TwoTower
from skrec.neural_network._nets._towers import history_means, in_batch_loss, next_item_batches
from skrec.utils._held_out import next_item_ndcg

CHEAP = {
    "n_components": 8,
    "hidden": (),
    "epochs": 30,
    "learning_rate": 0.02,
    "batch_size": 32,
    "early_stopping": False,
    "random_state": 0,
    "k": 1,
}
KINDS = pd.DataFrame({"kind": ["kitchen"] * 3 + ["tools"] * 3}, index=["tea", "milk", "jam", "nails", "hammer", "saw"])
SHOP = [["tea", "milk", "jam"], ["milk", "tea", "jam"], ["nails", "hammer"], ["hammer", "nails"]] * 8
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def shop():
    return TwoTower(**CHEAP, item_features=KINDS).fit(SHOP)


def test_loss_by_hand():
    users, vectors = RNG.normal(size=(4, 3)).astype(np.float32), RNG.normal(size=(6, 3)).astype(np.float32)
    targets, items = np.array([5, 2, 5, 0]), np.array([5, 2, 5, 0, 2, 7])
    log_expected = np.log(RNG.uniform(0.2, 2, 6)).astype(np.float32)
    loss = in_batch_loss(users, vectors, targets, items, log_expected, 0.5)
    for row in range(4):
        positive = users[row] @ vectors[row] / 0.5
        others = [np.exp(users[row] @ vectors[j] / 0.5 - log_expected[j]) for j in range(6) if items[j] != targets[row]]
        assert float(loss[row]) == pytest.approx(np.log(np.exp(positive) + sum(others)) - positive, rel=1e-4)


def test_correction_for_popularity_makes_the_sample_stand_for_all():
    """With every item drawn as often as it is expected, the loss is the softmax over the whole catalogue."""
    scores = RNG.normal(size=5).astype(np.float32)
    drawn = np.array([0] + [1] * 4 + [2] * 2 + [3] * 8 + [4])  # the user's own first, then a draw
    expected = np.array([1, 4, 2, 8, 1], dtype=np.float32)
    loss = in_batch_loss(
        np.ones((1, 1), np.float32), scores[drawn][:, None], np.array([0]), drawn, np.log(expected[drawn]), 1.0
    )
    assert float(loss[0]) == pytest.approx(np.log(np.exp(scores).sum()) - scores[0], rel=1e-5)


def test_batches_hold_each_event_with_what_came_before():
    histories = read_histories([[0, 1, 2, 3], [4], [], [2, 0]])
    seen = []
    for inputs, target in next_item_batches(
        histories, 2, 2, seed=1, features=np.arange(4.0, dtype=np.float32)[:, None]
    ):
        for codes, feature, item in zip(
            inputs["codes"].numpy(), inputs["features"].numpy(), target.numpy(), strict=True
        ):
            seen.append(
                (*histories.ids[codes[codes > 0] - 1].tolist(), "->", histories.ids[item].item(), float(feature[0]))
            )
            assert codes[-1] > 0
    wanted = [(0, "->", 1, 0.0), (0, 1, "->", 2, 0.0), (1, 2, "->", 3, 0.0), (2, "->", 0, 3.0)]
    assert sorted(map(str, seen)) == sorted(map(str, wanted))


def test_means_and_ranks_by_hand():
    vectors = RNG.normal(size=(4, 3)).astype(np.float32)
    means = history_means(np.array([[0, 1, 3], [0, 0, 0], [0, 0, 2]]), vectors, 0.5)
    np.testing.assert_allclose(means[0], (vectors[2] + 0.5 * vectors[0]) / 1.5, rtol=1e-5)
    np.testing.assert_array_equal(means[1], 0)
    np.testing.assert_allclose(means[2], vectors[1], rtol=1e-6)
    scores = np.array([[4.0, 3.0, 2.0, 1.0]], dtype=np.float32)
    reached = next_item_ndcg(np.eye(1, dtype=np.float32), scores.T, np.array([2]), None, 3)
    assert reached == pytest.approx(1 / np.log2(4))
    assert next_item_ndcg(np.eye(1, dtype=np.float32), scores.T, np.array([2]), None, 2) == 0


def test_items_nobody_had_are_found_by_their_features(shop):
    assert shop.popularity_[list(shop.items_).index("saw")] == 0
    np.testing.assert_array_equal(shop.predict([["nails", "hammer"], ["hammer"]])[0], ["saw"])
    later = pd.DataFrame({"kind": ["tools", "kitchen"]}, index=["drill", "plate"])
    items, scores = shop.recommend([["nails"], ["drill"]], k=8, item_features=later, return_scores=True)
    assert set(items[0][:3]) == {"saw", "hammer", "drill"}
    assert list(items[1]).index("saw") < list(items[1]).index("plate")
    assert shop.n_items_ == 6 and np.isfinite(scores[0][:7]).all()
    again = shop.recommend([["nails"]], k=6, item_features=KINDS)
    np.testing.assert_array_equal(again, shop.recommend([["nails"]], k=6))


def test_vectors_are_of_unit_length_and_make_the_score(shop):
    users = shop.transform([["tea", "milk"], ["what"], []])
    assert users.dtype == np.float32 and not users[1:].any()
    np.testing.assert_allclose(np.linalg.norm(shop.item_factors_, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(shop.decision_function([["tea", "milk"]]), users[:1] @ shop.item_factors_.T, rtol=1e-5)
    assert shop.similar_items(["nails"], k=2)[0].tolist() in (["hammer", "saw"], ["saw", "hammer"])


def test_stored_net_answers_in_another_process(shop, tmp_path):
    skrec.save(shop, tmp_path / "model.skrec")
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(shop))
    code = (
        "import pickle, sys, numpy as np, skrec\n"
        "folder, X = sys.argv[1], [['tea'], ['nails', 'saw']]\n"
        "one = pickle.load(open(folder + '/model.pickle', 'rb')).decision_function(X)\n"
        "two = skrec.load(folder + '/model.skrec').decision_function(X)\n"
        "np.save(folder + '/scores.npy', np.stack([one, two]))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    scores = shop.decision_function([["tea"], ["nails", "saw"]])
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), np.stack([scores, scores]))


def test_user_features_decide_where_the_history_says_nothing(df_module):
    """What follows the first item depends on the user's country alone."""
    X = df_module.DataFrame(
        {"item": [["start", "north"], ["start", "south"]] * 20, "country": ["no", "it"] * 20, "age": [30, 40] * 20}
    )
    asked = df_module.DataFrame({"item": [["start"]] * 3, "country": ["it", "no", "xx"], "age": [35, 35, 35]})
    model = TwoTower(**{**CHEAP, "hidden": (8,)}, user_features=["country", "age"], n_negatives=4, dropout=0.0).fit(X)
    assert model.predict(asked)[:2, 0].tolist() == ["south", "north"]
    with pytest.raises(TypeError, match=r"user_features=.* needs X to be a frame"):
        model.predict([["start"]])
    with pytest.raises(ValueError, match="X lacks the column 'age' of user_features"):
        model.predict(asked[["item", "country"]])


def test_stops_early_and_same_seed_same_answer():
    circle = [[(start + step) % 12 for step in range(8)] for start in range(12)] * 3
    parameters = {**CHEAP, "early_stopping": True, "patience": 3, "recency": 0.3, "epochs": 40}
    one, two = (TwoTower(**parameters, item_encoder=OneHotEncoder()).fit(circle) for _ in range(2))
    np.testing.assert_array_equal(one.decision_function(circle), two.decision_function(circle))
    scores = one.history_["val_score"]
    assert len(scores) == one.n_iter_ < 40
    assert max(scores) > 0.5
    np.testing.assert_array_equal(one.predict([[3, 4, 5], [9, 10, 11]]), [[6], [0]])


def test_an_interrupted_fit_leaves_nothing():
    import keras

    def stop(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    model = TwoTower(**CHEAP, item_features=KINDS, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=stop)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(SHOP)
    assert not hasattr(model, "items_")


def test_clone_holds_the_frame_and_ids_leave_as_they_came():
    model = TwoTower(**{**CHEAP, "epochs": 1}, item_features=KINDS)
    assert clone(model).item_features is KINDS
    numbered = KINDS.set_axis(np.arange(6))
    short = [np.array(row, dtype=np.int16) for row in [[0, 1], [1, 2], [3, 4]]]
    assert model.set_params(item_features=numbered).fit(short).predict(short).dtype == np.int16


@pytest.mark.parametrize(
    ("parameters", "X", "message"),
    [
        ({"hidden": (0,)}, SHOP, r"hidden must hold whole numbers of at least 1, got \(0,\)"),
        ({}, [["tea"], ["milk"]], "X has no user with two events"),
        ({}, [["tea", "milk"], ["milk"]], "X has less than two events to learn from"),
        ({"batch_size": 1}, SHOP, "'batch_size' parameter of TwoTower must be an int in the range"),
        ({"n_components": 0}, SHOP, "'n_components' parameter of TwoTower must be"),
        ({"item_features": KINDS[:4]}, SHOP, "item_features has no row for 1 of 5 items, such as 'hammer'"),
        ({"item_features": {"tea": 1}}, SHOP, "item_features must be a pandas frame"),
        (
            {"item_features": KINDS.assign(price=np.nan)[["price"]], "item_encoder": "passthrough"},
            SHOP,
            "item_encoder",
        ),
    ],
)
def test_bad_input_is_named_before_training(parameters, X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        TwoTower(**{**CHEAP, **parameters}).fit(X)


def test_features_that_are_not_numbers_are_named():
    from sklearn.preprocessing import FunctionTransformer

    prices = pd.DataFrame({"price": [1.0, np.nan, 2, 3, 4, 5]}, index=KINDS.index)
    with pytest.raises(ValueError, match="item_encoder gives NaN or infinity for 1 of 6 items"):
        TwoTower(**CHEAP, item_features=prices, item_encoder=FunctionTransformer()).fit(SHOP)


@pytest.mark.slow
@pytest.mark.skipif(
    not protocols.available("s3rec_beauty_sequences", "s3rec_beauty_items"),
    reason="s3rec_beauty_sequences, s3rec_beauty_items are not there: set SKREC_DATA",
)
def test_beauty_items_without_events():
    import bench_two_tower

    from skrec.metrics import hit_rate_at_k

    X_train, X_test, y_test, removed, features = bench_two_tower.cold(False)
    assert not set(removed) & {item for row in X_train["item"] for item in row}
    model = TwoTower(item_features=features, epochs=6, early_stopping=False, random_state=0).fit(X_train)
    assert hit_rate_at_k(y_test, model.recommend(X_test, 10, candidates=removed)) > 10 * 10 / len(removed)
    assert hit_rate_at_k(y_test, model.predict(X_test)) > 0.03


def test_updates_learn_new_items_by_events_and_by_features():
    model = TwoTower(**{**CHEAP, "epochs": 10}, item_features=KINDS).fit(SHOP)
    held = copy.copy(model)
    answer = held.decision_function(SHOP[:4])
    more = pd.DataFrame({"kind": ["tools", "kitchen"]}, index=["drill", "salt"])
    model.set_params(item_features=pd.concat([KINDS, more]))
    for number in range(3):
        model.partial_fit(
            [["nails", "hammer", "drill"], ["hammer", "nails", "drill"]] * 8, since=[2 * (number == 0)] * 16
        )
    assert model.items_.tolist() == [*sorted(KINDS.index), "drill", "salt"]
    assert model.popularity_[-2:].tolist() == [48, 0] and model.n_iter_ == 13
    tools, kitchen = model.decision_function([["nails", "hammer"], ["tea", "milk"]])[:, -2:]
    assert tools[0] > tools[1] + 0.3 and kitchen[1] > kitchen[0] + 0.3
    np.testing.assert_array_equal(held.decision_function(SHOP[:4]), answer)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(
        again.partial_fit(SHOP).item_factors_, model.partial_fit(SHOP).item_factors_, rtol=1e-4, atol=1e-5
    )
    with pytest.raises(ValueError, match=r"item_features has no row for 1 of 1 items, such as 'axe'"):
        model.partial_fit([["nails", "axe"]])


def test_updates_with_features_of_users_replay_them_too():
    X = pd.DataFrame({"item": SHOP, "town": [["a", "b"][row[0] in ("nails", "hammer")] for row in SHOP]})
    model = TwoTower(**{**CHEAP, "epochs": 2}, user_features=["town"], replay=10).fit(X)
    rows, about = model._replay
    assert len(rows) == len(about) == 10 and model._n_seen == len(SHOP)
    model.partial_fit(X.iloc[:8])
    assert len(model._replay[0]) == len(model._replay[1]) == 10 and model._n_seen == len(SHOP) + 8
    tools = np.isin(model._replay[0] - 1, np.flatnonzero(np.isin(model.items_, ["nails", "hammer"]))).any(axis=1)
    assert (model._replay[1][tools] == model._replay[1][tools][0]).all()
    none = TwoTower(**{**CHEAP, "epochs": 1}, replay=0).fit(SHOP)
    assert none.partial_fit([["tea"]]).n_iter_ == 1  # nothing to learn from
    with pytest.raises(ValueError, match="X has less than two events to learn from that follow another"):
        none.partial_fit([["axe"]])
