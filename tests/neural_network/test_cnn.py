"""CNNEncoder: pictures, grids and texts; with labels and without; alone and beside other transformers."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import parametrize_with_checks

pytest.importorskip("tensorflow", reason="tensorflow is not installed")
pytest.importorskip("scikeras", reason="scikeras is not installed")

import skrec
from skrec.datasets import load_fashion_mnist
from skrec.neural_network import CNNEncoder
from skrec.neural_network._classifier import smoothed

SMALL = {"filters": (4,), "hidden": (6,), "epochs": 2, "random_state": 0}


def small(**parameters):
    return CNNEncoder(**{**SMALL, **parameters})


def pictures(n=96, side=9, seed=0):
    """Bright upper or lower halves, as whole pixels."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) > 0.5, "upper", "lower")
    X = rng.integers(0, 100, (n, side, side))
    X[y == "upper", : side // 2] += 120
    X[y == "lower", side // 2 :] += 120
    return X.astype(np.uint8), y


X, Y = pictures()
FLAT = X.reshape(len(X), -1)
TEXTS = ["a red shoe" if label == "upper" else "the blue hat for men" for label in Y]


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")  # scikit-learn on y of NaN
@parametrize_with_checks(
    [CNNEncoder(filters=(4,), hidden=(16,), batch_size=16, learning_rate=0.01)],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": "minibatches: a weight is not a repetition"
    },
)
def test_sklearn_check_estimator(estimator, check):
    check(estimator)


def test_it_learns_the_halves():
    net = small(epochs=12, batch_size=16, learning_rate=0.01).fit(X, Y)
    X_test, y_test = pictures(seed=1)
    assert net.score(X_test, y_test) > 0.95
    assert net.predict_proba(X_test).sum(axis=1) == pytest.approx(np.ones(len(X_test)))
    assert KNeighborsClassifier(10).fit(net.transform(X), Y).score(net.transform(X_test), y_test) > 0.95
    assert net.n_iter_ == 12 == len(net.history_["loss"])


def test_the_forms_of_pictures_agree():
    net = small().fit(X, Y)
    given = net.predict_proba(X)
    for form in (X[..., None], FLAT, X.astype(np.int64), list(X), X.tolist()):
        assert np.array_equal(net.predict_proba(form), given)
    for form in (FLAT, pd.DataFrame(FLAT), FLAT.astype(np.int64)):
        flat = small(image_shape=(9, 9)).fit(form, Y)
        assert flat.shape_ == (9, 9, 1)
        assert np.array_equal(flat.predict_proba(form), given)
    assert net.n_features_in_ == flat.n_features_in_ == 81
    assert (net.kind_, small(epochs=1).fit(FLAT, Y).kind_) == ("image", "grid")


def test_floats_have_their_own_scale():
    net = small(epochs=1).fit(X / 255, Y)
    assert net.mean_ == pytest.approx((X / 255).mean(), abs=1e-6)
    assert net.scale_ == pytest.approx((X / 255).std(), abs=1e-6)
    grid = small(epochs=1).fit(FLAT * 1e6 - 5e7, Y)
    assert grid.mean_.ravel() == pytest.approx((FLAT * 1e6 - 5e7).mean(axis=0), rel=1e-4)
    assert np.isfinite(grid.transform(FLAT * 1e6)).all()


CASES = {
    "residual": ({"architecture": "residual", "filters": (4, 6)}, np.repeat(X[..., None], 3, axis=3), Y),
    "changes": (
        {"augmentation": ["flip", "shift", "zoom", "rotate", "erase"], "batch_normalization": True, "dropout": 0.2},
        X,
        Y,
    ),
    "channels of a grid": ({"kind": "grid"}, X / 255, Y),
    "no dense layer": ({"hidden": ()}, X, Y),
    "text": ({"kind": "text", "max_length": 6}, TEXTS, Y),
    "contrastive pictures": ({"self_supervised": "contrastive"}, X, None),
    "contrastive grid": ({"self_supervised": "contrastive"}, FLAT, None),
    "contrastive text": ({"self_supervised": "contrastive", "kind": "text", "max_length": 6}, TEXTS, None),
    "autoencoder of pictures": ({}, X, None),
    "autoencoder of a grid": ({}, FLAT[:, :5], None),
    "autoencoder of text": ({"kind": "text", "max_length": 6}, TEXTS, None),
}


@pytest.mark.parametrize("name", CASES)
def test_every_net_trains_travels_and_goes_on(name, tmp_path):
    parameters, rows, y = CASES[name]
    net = small(**parameters).fit(rows, y)
    features = net.transform(rows)
    assert features.dtype == np.float32
    assert features.shape == (len(rows), len(net.get_feature_names_out()))
    assert np.array_equal(clone(net).fit(rows, y).transform(rows), features)  # the same seed, the same answer
    for copy in (pickle.loads(pickle.dumps(net)), skrec.load(skrec.save(net, tmp_path / "net.skrec"))):
        assert np.array_equal(copy.transform(rows), features)
    assert np.array_equal(copy.partial_fit(rows, y).transform(rows), net.partial_fit(rows, y).transform(rows))
    assert net.n_iter_ == 3
    assert not np.array_equal(net.transform(rows), features)


@pytest.mark.parametrize("architecture", ["plain", "residual"])
def test_pooling_before_relu_is_pooling_after_it(architecture):
    """Convolve, normalise, ReLU and pool in the usual order, by the weights of the net: the same numbers."""
    import keras

    net = small(architecture=architecture, pool_size=3, epochs=3).fit(X, Y)
    model = net.net_.model_
    x = model.get_layer("scaled")(X[..., None])
    x = model.get_layer("conv_0")(x)
    if architecture == "residual":
        normal = model.get_layer("conv_0_normal")
        normal.gamma.assign(np.abs(normal.gamma.numpy()))
        x = normal(x, training=False)
    usual = model.get_layer("pool_0")(keras.ops.relu(x))
    ours = keras.Model(model.inputs[0], model.get_layer("conv_0_relu").output)(X[..., None], training=False)
    assert np.asarray(ours) == pytest.approx(np.asarray(usual), abs=1e-6)
    assert np.asarray(ours).max() > 0


def test_smoothed_labels():
    codes = np.array([0, 2, 1])
    assert smoothed(codes, 3, 0.0) is codes
    expected = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.1, 0.8, 0.1]])
    assert smoothed(codes, 3, 0.3) == pytest.approx(expected)
    assert smoothed(codes, 3, 0.3, training=False) == pytest.approx(np.eye(3)[codes])
    assert smoothed(np.array([0, 1]), 2, 0.3) == pytest.approx(np.array([0.15, 0.85]))
    assert smoothed(np.array([0, 1]), 2, 0.3, training=False).tolist() == [0, 1]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_label_smoothing_keeps_probabilities_from_the_ends(n_classes):
    rng = np.random.default_rng(0)
    y = np.arange(90) % n_classes
    rows = (rng.integers(0, 60, (90, 6, 6)) + 60 * y[:, None, None]).astype(np.uint8)
    how = {"epochs": 40, "batch_size": 16, "learning_rate": 0.01, "hidden": (16,)}
    sharp = small(**how).fit(rows, y)
    smooth = small(label_smoothing=0.3, **how).fit(rows, y)
    assert sharp.score(rows, y) > 0.9 and smooth.score(rows, y) > 0.9
    assert smooth.predict_proba(rows).sum(axis=1) == pytest.approx(np.ones(90), abs=1e-5)
    assert sharp.predict_proba(rows).max(axis=1).mean() > smooth.predict_proba(rows).max(axis=1).mean() + 0.05
    stopped = small(label_smoothing=0.3, early_stopping=True, validation_fraction=0.2).fit(rows, y)
    assert np.isfinite(stopped.history_["val_loss"]).all()
    weighted = small(label_smoothing=0.3, class_weight="balanced").fit(rows, y, sample_weight=np.ones(90))
    assert np.isfinite(weighted.history_["loss"]).all()


def test_probabilities_are_averaged_over_mirror_images(tmp_path):
    rows = X.copy()
    rows[:, :, :4] //= 2
    plain, mirrored = small().fit(rows, Y), small(test_time_augmentation=True).fit(rows, Y)
    given = mirrored.predict_proba(rows)
    one, two = plain.predict_proba(rows), plain.predict_proba(rows[:, :, ::-1])
    assert np.abs(one - two).max() > 1e-3
    assert given == pytest.approx((one + two) / 2, abs=1e-6)
    assert mirrored.predict_proba(rows[:, :, ::-1]) == pytest.approx(given, abs=1e-6)
    assert np.array_equal(mirrored.transform(rows), plain.transform(rows))
    copy = skrec.load(skrec.save(mirrored, tmp_path / "net.skrec"))
    assert np.array_equal(copy.predict_proba(rows), given)
    flat = small(test_time_augmentation=True, image_shape=(9, 9)).fit(rows.reshape(len(rows), -1), Y)
    assert np.array_equal(flat.predict_proba(rows.reshape(len(rows), -1)), given)


def test_a_file_without_the_newer_parameters_has_their_defaults():
    """A file of 0.1.0 knows neither; `get_params`, `clone` and further fits need both."""
    older = skrec.load(Path(__file__).parents[1] / "data" / "saved_0.1.0" / "cnn.skrec")
    assert older.label_smoothing == 0.0
    assert older.test_time_augmentation is False
    assert clone(older).get_params() == older.get_params()
    state = small().fit(X, Y).__getstate__()
    del state["label_smoothing"], state["test_time_augmentation"]
    copy = CNNEncoder.__new__(CNNEncoder)
    copy.__setstate__(state)
    assert copy.partial_fit(X, Y).predict_proba(X).shape == (96, 2)


def test_self_supervised_features_tell_the_halves_apart():
    X_test, y_test = pictures(seed=1)
    for how in ("contrastive", "autoencoder"):
        net = small(self_supervised=how, epochs=10, batch_size=32, learning_rate=0.01).fit(X)
        model = make_pipeline(net, LogisticRegression(C=100)).fit(X, Y)  # the labels, too, train the net of a pipeline
        assert model.score(X_test, y_test) > 0.9
        assert LogisticRegression(C=100).fit(net.transform(X), Y).score(net.transform(X_test), y_test) > 0.9


def test_a_pretrained_model_is_used_and_never_changed(tmp_path):
    import keras

    inputs = keras.Input((12, 12, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(5, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs)))
    before = [values.copy() for values in model.get_weights()]
    model.save(tmp_path / "model.keras")
    made = []
    answers = [
        small(pretrained=one, hidden=(), epochs=1).fit(X, Y).transform(X)
        for one in (model, tmp_path / "model.keras", str(tmp_path / "model.keras"), lambda: made.append(1) or model)
    ]
    assert all(np.array_equal(answer, answers[0]) for answer in answers)
    assert made
    tuned = small(pretrained=model, hidden=(), fine_tune=True).fit(X, Y)
    assert not np.array_equal(tuned.transform(X), answers[0])
    assert all(np.array_equal(one, two) for one, two in zip(before, model.get_weights(), strict=True))
    copy = skrec.load(skrec.save(tuned, tmp_path / "net.skrec"))
    assert np.array_equal(clone(copy).fit(X, Y).transform(X), tuned.transform(X))


def test_from_no_labels_to_few():
    alone = small().fit(X)
    with pytest.raises(ValueError, match="has learned without labels: it has features and no classes"):
        alone.predict(X)
    with pytest.raises(ValueError, match=r"learned without labels and cannot go on with them: give its encoder_"):
        alone.partial_fit(X, Y)
    net = small(pretrained=alone.encoder_, hidden=()).fit(X[:30], Y[:30])
    assert np.array_equal(net.transform(X), alone.transform(X))  # frozen
    alone.fit(X, Y)
    assert alone.predict(X).shape == (96,)
    assert not hasattr(alone.fit(X), "classes_")


def test_early_stopping():
    net = small(early_stopping=True, validation_fraction=0.2)
    assert "val_loss" in net.fit(X, Y).history_
    assert "val_loss" in net.fit(X).history_
    with pytest.raises(ValueError, match="early_stopping=True has no held-out loss to watch"):
        net.set_params(self_supervised="contrastive").fit(X)


@pytest.fixture(scope="module")
def catalogue():
    table = pd.DataFrame(FLAT, columns=[f"pixel_{number}" for number in range(FLAT.shape[1])])
    return table.assign(title=TEXTS, category=np.where(np.arange(len(X)) % 2, "women", "men"))


def test_an_item_matrix_of_pictures_titles_and_categories(catalogue):
    pixels = [name for name in catalogue if name.startswith("pixel_")]
    for y in (Y, None):
        columns = make_column_transformer(
            (small(image_shape=(9, 9)), pixels),
            (TfidfVectorizer(), "title"),
            (small(kind="text", max_length=5), "title"),
            (OneHotEncoder(), ["category"]),
            sparse_threshold=0,
        )
        items = columns.fit_transform(catalogue, y)
        assert items.shape == (96, 6 + 7 + 6 + 2)
        assert np.array_equal(items, columns.transform(catalogue))
    names = columns.get_feature_names_out()
    assert names[0] == "cnnencoder-1__cnnencoder0"
    net = columns.named_transformers_["cnnencoder-1"].set_output(transform="pandas")
    assert list(net.transform(catalogue[pixels])) == [f"cnnencoder{number}" for number in range(6)]


def test_grid_search():
    grid = {"hidden": [(6,), (8, 4)], "filters": [(4,)], "learning_rate": [0.01]}
    search = GridSearchCV(small(), grid, cv=2, n_jobs=2, error_score="raise").fit(X, Y)
    assert search.best_params_["hidden"] in grid["hidden"]
    assert search.predict_proba(X).shape == (96, 2)


RAGGED = [np.zeros((9, 9)), np.zeros((8, 9))]


@pytest.mark.parametrize(
    ("parameters", "rows", "y", "message"),
    [
        ({}, RAGGED, ["a", "b"], r"pictures of different sizes, such as \(8, 9\) and \(9, 9\): resize"),
        ({"image_shape": (9, 9, 3)}, X, Y, r"X has pictures with 1 channels, where .* = \(9, 9, 3\) is expected"),
        ({"image_shape": (8, 9)}, X, Y, r"X has pictures with the size 9 x 9, where"),
        ({"image_shape": (8, 9)}, FLAT, Y, r"X has 81 columns, and image_shape=\(8, 9, 1\) needs 8 x 9 x 1 = 72"),
        ({"image_shape": (9,)}, FLAT, Y, r"image_shape must be \(height, width\) or"),
        ({"image_shape": (9, -9)}, FLAT, Y, r"image_shape must be .* whole numbers above 0"),
        ({"kind": "image"}, FLAT, Y, "kind='image' needs the shape of one picture: pass image_shape"),
        ({}, X[None], Y, "X has 4|inconsistent|different"),
        ({}, X.astype(int) + 200, Y, "whole numbers from .* and pixels run from 0 to 255"),
        ({}, np.where(X > 90, np.nan, X), Y, "contains NaN"),
        ({}, TEXTS, Y, "X has texts, which kind='auto' does not take: set kind='text'"),
        ({"kind": "text"}, [""] * 96, Y, "X has 96 texts without a single word"),
        ({"kind": "text"}, [*TEXTS[:-1], None], Y, "row 95 of X is missing"),
        ({"kind": "text"}, FLAT, Y, r"X must be a sequence of texts, got numpy.ndarray of shape \(96, 81\)"),
        ({"kind": "grid"}, X[..., None], Y, "kind='grid' expects"),
        ({}, X, Y[:-1], "inconsistent numbers of samples"),
        ({}, X, np.full(96, "a"), "y has one class only, 'a'"),
        ({"filters": ()}, X, Y, r"filters must hold whole numbers above 0, one for each layer, got filters=\(\)"),
        ({"filters": (4, -1)}, X, Y, "filters must hold whole numbers above 0"),
        ({"hidden": (0,)}, X, Y, "hidden must hold whole numbers above 0"),
        ({"hidden": 5}, X, Y, "'hidden' parameter"),
        ({"kernel_size": 0}, X, Y, "'kernel_size' parameter"),
        ({"label_smoothing": 1.0}, X, Y, "'label_smoothing' parameter"),
        ({"test_time_augmentation": True}, FLAT, Y, "mirror images, and X is of kind 'grid': set it to False"),
        ({"test_time_augmentation": True, "kind": "text"}, TEXTS, Y, "mirror images, and X is of kind 'text'"),
        ({"augmentation": ("flop",)}, X, Y, "augmentation has 'flop', which is none of"),
        ({"pretrained": dict}, X, Y, "pretrained must be a keras.Model .* got dict"),
        ({"kind": "text", "pretrained": dict}, TEXTS, Y, "pretrained takes a model of pictures or grids"),
    ],
)
def test_errors(parameters, rows, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        small(**parameters).fit(rows, y)


def test_errors_after_fit():
    net = small(epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match="X has other numbers as pixels and fit had whole ones"):
        net.predict(X / 255)
    with pytest.raises(ValueError, match=r"X has pictures with 3 channels, where .* \(9, 9, 1\) is expected"):
        net.predict(np.repeat(X[..., None], 3, axis=3))
    with pytest.raises(ValueError, match="X has 80 features, but CNNEncoder is expecting 81"):
        net.predict(FLAT[:, 1:])
    with pytest.raises(AttributeError, match="has no encoder_ yet"):
        small().encoder_  # noqa: B018


@pytest.fixture(scope="module")
def garments():
    try:
        return load_fashion_mnist()
    except ValueError as error:
        pytest.skip(str(error))


@pytest.mark.slow
def test_quality_on_garments(garments):
    """A fifth of what benchmarks/bench_cnn.py learns from."""
    X, y, X_test, y_test = garments.X_train[:12_000], garments.y_train[:12_000], garments.X_test, garments.y_test
    net = CNNEncoder(random_state=0).fit(X, y)
    accuracy = net.score(X_test, y_test)
    assert accuracy > 0.86
    neighbours = KNeighborsClassifier(10).fit(net.transform(X), y)
    assert abs(neighbours.score(net.transform(X_test), y_test) - accuracy) < 0.015
