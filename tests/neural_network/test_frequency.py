"""The frequency layer: its response against the FFT, causality, padding, storing, and the net with it."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import skrec
from skrec.neural_network import SASRec, export_net
from skrec.neural_network._nets._frequency import frequency_filter, low_pass

RNG = np.random.default_rng(0)
EVENTS = RNG.normal(size=(3, 7, 4)).astype(np.float32)
OTHER = RNG.normal(size=(3, 7, 4)).astype(np.float32)
REAL = np.arange(7) >= np.array([[0], [2], [6]])
CIRCLE = [[(start + step) % 12 for step in range(8)] for start in range(12)] * 4
QUICK = {"epochs": 2, "batch_size": 16, "early_stopping": False, "random_state": 0, "learning_rate": 0.02}


def layer_of(length, share=0.6):
    layer = frequency_filter()(length, share)
    layer(EVENTS, OTHER, REAL)
    layer.beta.assign(RNG.normal(size=4))
    return layer


def test_the_last_event_gets_what_the_fft_of_the_whole_row_gives():
    layer = layer_of(7)
    spectrum = np.fft.rfft(EVENTS[0], axis=0)
    spectrum[3:] = 0
    low = np.fft.irfft(spectrum, 7, axis=0)
    filtered = low + np.asarray(layer.beta) ** 2 * (EVENTS[0] - low)
    expected = 0.6 * filtered[-1] + 0.4 * OTHER[0, -1]
    np.testing.assert_allclose(np.asarray(layer(EVENTS, OTHER, REAL))[0, -1], expected, rtol=1e-4, atol=1e-5)


def test_every_event_gets_what_the_row_up_to_it_gives():
    layer = layer_of(10)
    whole = np.asarray(layer(EVENTS, OTHER, REAL))
    for end in range(1, 8):
        row = np.zeros((10, 4))
        row[10 - end :] = EVENTS[0, :end]
        spectrum = np.fft.rfft(row, axis=0)
        spectrum[3:] = 0
        low = np.fft.irfft(spectrum, 10, axis=0)[-1]
        expected = 0.6 * (low + np.asarray(layer.beta) ** 2 * (row[-1] - low)) + 0.4 * OTHER[0, end - 1]
        np.testing.assert_allclose(whole[0, end - 1], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [2, 3, 4, 5, 50])
def test_low_pass_keeps_a_constant_and_sums_to_one(length):
    response = low_pass(length)
    assert response.shape == (length,) and response.dtype == np.float32
    np.testing.assert_allclose(response.sum(), 1, rtol=1e-5)
    slow, fast = np.cos(2 * np.pi * np.outer([1, 4], np.arange(50)) / 50)
    np.testing.assert_allclose(np.fft.rfft(low_pass(50))[:6].real, [1, 1, 1, 0, 0, 0], atol=1e-5)
    np.testing.assert_allclose((low_pass(50) @ slow, low_pass(50) @ fast), [1, 0], atol=1e-5)


def test_nothing_later_and_no_padding_is_read():
    layer = layer_of(7)
    before = np.asarray(layer(EVENTS, OTHER, REAL))
    other = EVENTS.copy()
    other[:, 5:], other[1, :2], other[2, :6] = 9, -9, 7
    after = np.asarray(layer(other, OTHER, REAL))
    np.testing.assert_array_equal(after[0, :5], before[0, :5])
    np.testing.assert_array_equal(after[1, 2:5], before[1, 2:5])
    assert (np.abs(after[:2, 5:] - before[:2, 5:]) > 1e-3).any(axis=2).all()


@pytest.mark.parametrize("width", [0, 1, 3])
def test_the_width_of_the_padding_changes_nothing(width):
    layer = layer_of(12)
    short = np.asarray(layer(EVENTS, OTHER, REAL))
    pad = [(0, 0), (width, 0), (0, 0)]
    wide = layer(np.pad(EVENTS, pad, constant_values=5), np.pad(OTHER, pad), np.pad(REAL, pad[:2]))
    np.testing.assert_allclose(np.asarray(wide)[:, width:][REAL], short[REAL], rtol=1e-5, atol=1e-6)


def test_encoder_reads_nothing_later_and_no_padding():
    model = SASRec(8, n_blocks=2, frequency=0.5, max_length=10, **QUICK).fit(CIRCLE)
    encoder = model.net_.model_.encoder
    ages = encoder.get_layer("ages")
    ages.set_weights([np.tile(ages.get_weights()[0][:1], (12, 1))])  # ages count from the last event of the row
    whole = np.asarray(encoder(np.array([[1, 2, 3, 4, 5, 6]], dtype=np.int32), training=False))
    later = np.asarray(encoder(np.array([[1, 2, 3, 9, 8, 7]], dtype=np.int32), training=False))
    wide = np.asarray(encoder(np.array([[0, 0, 1, 2, 3, 4, 5, 6]], dtype=np.int32), training=False))
    np.testing.assert_allclose(later[:, :3], whole[:, :3], rtol=1e-5, atol=1e-6)
    assert np.abs(later[:, 3:] - whole[:, 3:]).max() > 1e-2
    np.testing.assert_allclose(wide[:, 2:], whole, rtol=1e-4, atol=1e-5)


def test_answers_do_not_depend_on_the_others_in_a_call():
    model = SASRec(8, n_blocks=2, frequency=0.5, max_length=10, **QUICK).fit(CIRCLE)
    rows = [[3], [3, 4], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [5, 5, 5]]
    together = model.decision_function(rows)
    for row, scores in zip(rows, together, strict=True):
        np.testing.assert_allclose(model.decision_function([row])[0], scores, rtol=1e-4, atol=1e-5)


def test_zero_is_the_net_without_it():
    plain, zero = (SASRec(8, **QUICK, **how).fit(CIRCLE) for how in ({}, {"frequency": 0.0}))
    assert not any(layer.name.startswith("filter") for layer in zero.net_.model_.encoder.layers)
    np.testing.assert_array_equal(plain.decision_function(CIRCLE), zero.decision_function(CIRCLE))
    assert SASRec(8, frequency=0.5, **QUICK).fit(CIRCLE).net_.model_.encoder.get_layer("filter_0").share == 0.5


def test_a_file_without_the_parameter_is_the_net_without_it():
    model = SASRec(8, **QUICK).fit(CIRCLE)
    state = model.__getstate__()
    del state["frequency"]
    again = SASRec.__new__(SASRec)
    again.__setstate__(state)
    assert again.frequency == 0.0
    np.testing.assert_array_equal(again.decision_function(CIRCLE[:3]), model.decision_function(CIRCLE[:3]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # tf2onnx on NumPy 2
def test_net_with_a_filter_learns_and_leaves(tmp_path):
    how = {**QUICK, "epochs": 60, "learning_rate": 0.01, "k": 1}
    model = SASRec(16, frequency=0.5, **how).fit(CIRCLE)
    assert model.predict([[3, 4, 5], [9, 10, 11]]).tolist() == [[6], [0]]
    skrec.save(model, tmp_path / "model.skrec")
    again = skrec.load(tmp_path / "model.skrec")
    np.testing.assert_array_equal(again.decision_function(CIRCLE[:3]), model.decision_function(CIRCLE[:3]))
    np.testing.assert_allclose(
        again.partial_fit([*CIRCLE, [1, 2, 99]]).item_factors_,
        model.partial_fit([*CIRCLE, [1, 2, 99]]).item_factors_,
        rtol=1e-4,
        atol=1e-5,
    )
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    session = runtime.InferenceSession(export_net(model, tmp_path / "net.onnx"))
    (scores,) = session.run(["scores"], {"codes": 1 + np.array([[3, 4, 5]], dtype=np.int32)})
    np.testing.assert_allclose(scores, model.decision_function([[3, 4, 5]]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("share", [-0.1, 1.0, True])
def test_share_out_of_range(share):
    with pytest.raises(ValueError, match="'frequency' parameter"):
        SASRec(8, frequency=share).fit(CIRCLE)
