"""Causal attention against Keras' own, and its term for the distance by hand."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras

import skrec
from skrec.neural_network import SASRec, export_net
from skrec.neural_network._ages import age_classes
from skrec.neural_network._nets._attention import SPEED, causal_attention

RNG = np.random.default_rng(0)
EVENTS = RNG.normal(size=(3, 5, 6)).astype(np.float32)
REAL = np.array([[False, False, True, True, True], [True] * 5, [False, True, True, True, True]])


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("n_heads", [1, 3])
def test_without_distances_it_is_keras_own(n_heads):
    own = causal_attention()(n_heads)
    own(EVENTS, REAL)
    known = keras.layers.MultiHeadAttention(n_heads, 6 // n_heads)
    known(EVENTS, EVENTS)
    weights = [weight for name in ("query", "key", "value") for weight in getattr(own, name)]
    for weight, value in zip([*weights, own.out, own.out_bias], known.get_weights(), strict=True):
        weight.assign(RNG.normal(size=value.shape))
    known.set_weights([np.asarray(weight) for weight in [*weights, own.out, own.out_bias]])
    expected = known(EVENTS, EVENTS, attention_mask=REAL[:, None, :], use_causal_mask=True)
    np.testing.assert_allclose(np.asarray(own(EVENTS, REAL))[REAL], np.asarray(expected)[REAL], rtol=1e-4, atol=1e-5)


def test_distances_are_added_to_the_logits():
    own = causal_attention()(1)
    own(EVENTS, REAL)
    own.by_distance.assign(RNG.normal(size=own.by_distance.shape))
    (query, key, value), by_distance = (
        (np.asarray(part[0])[:, 0] for part in (own.query, own.key, own.value)),
        np.array(own.by_distance),
    )
    events = EVENTS[1]
    logits = (events @ query) @ (events @ key).T / np.sqrt(6)
    for end in range(5):
        for place in range(5):
            if place > end:
                logits[end, place] = -np.inf
            else:
                logits[end, place] += SPEED * by_distance[age_classes(end - place + 1), 0]
    expected = softmax(logits) @ (events @ value) @ np.asarray(own.out)[0]
    np.testing.assert_allclose(np.asarray(own(EVENTS, REAL))[1], expected, rtol=1e-4, atol=1e-5)


def test_nothing_later_and_no_padding_is_read():
    own = causal_attention()(2)
    before = np.asarray(own(EVENTS, REAL))
    other = EVENTS.copy()
    other[:, 4], other[0, :2] = 9, 9
    after = np.asarray(own(other, REAL))
    np.testing.assert_allclose(after[:, 2:4], before[:, 2:4], rtol=1e-5)
    assert (np.abs(after[:, 4] - before[:, 4]) > 1e-3).any(axis=1).all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # tf2onnx on NumPy 2
def test_net_with_distances_learns_and_leaves(tmp_path):
    histories = [[(start + step) % 12 for step in range(8)] for start in range(12)] * 4
    how = {"epochs": 60, "learning_rate": 0.01, "batch_size": 16, "early_stopping": False, "random_state": 0, "k": 1}
    model = SASRec(16, n_heads=2, distances=True, **how).fit(histories)
    assert model.predict([[3, 4, 5], [9, 10, 11]]).tolist() == [[6], [0]]
    assert np.asarray(model.net_.model_.encoder.get_layer("attention_0").by_distance).any()
    skrec.save(model, tmp_path / "model.skrec")
    again = skrec.load(tmp_path / "model.skrec")
    np.testing.assert_array_equal(again.decision_function(histories[:3]), model.decision_function(histories[:3]))
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    session = runtime.InferenceSession(export_net(model, tmp_path / "net.onnx"))
    (scores,) = session.run(["scores"], {"codes": 1 + np.array([[3, 4, 5]], dtype=np.int32)})
    np.testing.assert_allclose(scores, model.decision_function([[3, 4, 5]]), rtol=1e-4, atol=1e-4)
