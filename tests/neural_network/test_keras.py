"""The bridge, through a small net: determinism, going on, stopping, storing, and what it says when Keras is missing."""

import builtins
import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.utils.validation import validate_data

import skrec

pytest.importorskip("tensorflow")

from skrec.neural_network import _keras
from skrec.neural_network._classifier import NetClassifier, classification_head


class SmallNet(NetClassifier):
    """One hidden layer on a table of numbers."""

    def __init__(
        self,
        *,
        hidden=8,
        epochs=3,
        batch_size=16,
        learning_rate=0.01,
        schedule="constant",
        optimizer="adam",
        weight_decay=0.0,
        early_stopping=False,
        validation_fraction=0.2,
        patience=1,
        class_weight=None,
        callbacks=None,
        mixed_precision=False,
        jit_compile=False,
        warm_start=False,
        random_state=0,
        verbose=0,
    ):
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.mixed_precision = mixed_precision
        self.jit_compile = jit_compile
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _read(self, X, reset):
        return validate_data(self, X, reset=reset, dtype=np.float32)

    def _build(self, inputs, n_classes):
        keras = _keras.load_keras()
        start = keras.Input((inputs.shape[1],), name="x")
        inner = keras.layers.Dense(self.hidden, "relu", name="features")(start)
        return keras.Model(start, classification_head(inner, n_classes))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5)).astype(np.float32)
    return X, np.where(X[:, 0] + X[:, 1] > 0, "buys", "leaves")


@pytest.fixture(scope="module")
def fitted(data):
    return SmallNet().fit(*data)


def same(one, two, X):
    return np.array_equal(one.predict_proba(X), two.predict_proba(X))


def test_same_seed_same_net(fitted, data):
    assert same(fitted, clone(fitted).fit(*data), data[0])
    assert not same(fitted, SmallNet(random_state=1).fit(*data), data[0])


def test_the_callers_random_numbers_and_settings_are_untouched(data):
    keras = _keras.load_keras()
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state is what is looked at
    SmallNet(epochs=1, mixed_precision=True).fit(*data)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert keras.config.dtype_policy().name == "float32"


def test_learns(data):
    assert SmallNet(epochs=20).fit(*data).score(*data) > 0.95


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_answer_alike_and_go_on_alike(fitted, data, copied):
    first, second = copied(fitted), copied(fitted)
    assert same(fitted, first, data[0])
    first.partial_fit(*data)
    second.partial_fit(*data)
    assert same(first, second, data[0])
    assert first.n_iter_ == fitted.n_iter_ + 1
    assert not same(fitted, first, data[0])


def test_saved_and_loaded_without_pickle(fitted, data, tmp_path, monkeypatch):
    import skrec.neural_network._keras as module

    monkeypatch.setattr(module, "SmallNet", SmallNet, raising=False)
    monkeypatch.setattr(SmallNet, "__module__", module.__name__)
    name = f"{module.__name__}.SmallNet"
    with pytest.warns(UserWarning, match="SmallNet"):
        skrec.save(fitted, tmp_path / "net.skrec")
    with pytest.raises(skrec.persistence.ModelFileError, match="not trusted"):  # the beginning of a name is not enough
        skrec.load(tmp_path / "net.skrec")
    assert same(fitted, skrec.load(tmp_path / "net.skrec", trusted=[name]), data[0])


def test_processes(fitted, data):
    answers = Parallel(n_jobs=2)(delayed(fitted.predict_proba)(data[0]) for _ in range(2))
    assert all(np.array_equal(answer, fitted.predict_proba(data[0])) for answer in answers)


def test_partial_fit_counts_epochs(data):
    net = SmallNet()
    for count in range(1, 4):
        net.partial_fit(*data, classes=["buys", "leaves"])
        assert net.n_iter_ == count == len(net.history_["loss"])
    with pytest.raises(ValueError, match="'browses', which is not among the classes"):
        net.partial_fit(data[0][:2], ["buys", "browses"])


def test_warm_start_goes_on(data):
    net = SmallNet(warm_start=True, epochs=2).fit(*data)
    loss = net.history_["loss"][-1]
    net.fit(*data)
    assert net.n_iter_ == 4
    assert net.history_["loss"][-1] < loss


def test_early_stopping_keeps_the_best_weights(data):
    X, y = data
    noise = np.random.default_rng(1).choice(y, len(y))
    net = SmallNet(epochs=200, early_stopping=True, patience=2, hidden=64).fit(X, noise)
    losses = net.history_["val_loss"]
    assert net.n_iter_ < 200
    assert len(losses) - 1 - int(np.argmin(losses)) == 2


def test_early_stopping_on_too_few_rows(data):
    with pytest.raises(ValueError, match="early_stopping=True holds out"):
        SmallNet(early_stopping=True).fit(data[0][:4], data[1][:4])


def test_cosine_schedule_ends_near_zero(data):
    net = SmallNet(schedule="cosine", epochs=4, weight_decay=0.01).fit(*data)
    assert float(net.net_.model_.optimizer.learning_rate) == pytest.approx(0.0001, rel=0.05)
    assert float(SmallNet().fit(*data).net_.model_.optimizer.learning_rate) == pytest.approx(0.01)


def test_mixed_precision_computes_in_bfloat16(data):
    layer = SmallNet(mixed_precision=True, epochs=1).fit(*data).net_.model_.get_layer("features")
    assert layer.compute_dtype == "bfloat16"
    assert layer.kernel.dtype == "float32"


def test_weights(data):
    X, y = data
    heavy = SmallNet(epochs=10).fit(X, y, sample_weight=np.where(y == "buys", 20.0, 1.0))
    by_class = SmallNet(epochs=10, class_weight={"buys": 20.0, "leaves": 1.0}).fit(X, y)
    assert np.allclose(heavy.predict_proba(X), by_class.predict_proba(X))
    assert heavy.predict_proba(X)[:, 0].mean() > SmallNet(epochs=10).fit(X, y).predict_proba(X)[:, 0].mean() + 0.05
    alone = SmallNet().fit(X, y, sample_weight=(np.arange(len(y)) < 100).astype(float))
    assert same(alone, SmallNet().fit(X[:100], y[:100], sample_weight=np.ones(100)), X)
    with pytest.raises(ValueError, match="sample_weight must not be negative"):
        SmallNet().fit(X, y, sample_weight=np.full(len(y), -1.0))
    with pytest.raises(ValueError, match="at least one non-zero"):
        SmallNet().fit(X, y, sample_weight=np.zeros(len(y)))
    with pytest.raises(ValueError, match="at least one non-zero"):
        SmallNet(class_weight={"buys": 0.0, "leaves": 0.0}).fit(X, y)


def test_several_classes(data):
    X, _ = data
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    net = SmallNet(epochs=30).fit(X, y)
    assert net.predict_proba(X).shape == (len(X), 3)
    assert net.score(X, y) > 0.9


def test_callbacks_of_keras_and_of_scikit_learn(data):
    keras = _keras.load_keras()
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    SmallNet(callbacks=[callback]).fit(*data)
    assert seen == [0, 1, 2]

    pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 and later have callbacks")

    class Recorder:
        def __init__(self):
            self.tasks = []

        def setup(self, estimator, context):
            self.tasks.append("setup")

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, *, metadata=None):
            self.tasks.append((context.task_name, sorted(metadata or ())))

        def teardown(self, estimator, context):
            self.tasks.append("teardown")

    recorder = Recorder()
    SmallNet().set_callbacks(recorder).fit(*data)
    assert recorder.tasks == ["setup", *[("epoch", ["loss"])] * 3, ("fit", []), "teardown"]


def test_verbose_prints_a_line_an_epoch(data, capsys):
    SmallNet(verbose=1).fit(*data)
    assert capsys.readouterr().out.count("loss:") == 3
    SmallNet(verbose=0).fit(*data)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "parameters", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"validation_fraction": 1.0}]
)
def test_sizes_that_make_no_sense(data, parameters):
    with pytest.raises(ValueError, match=f"The '{next(iter(parameters))}' parameter of SmallNet must be"):
        SmallNet(**parameters).fit(*data)


def test_one_class(data):
    with pytest.raises(ValueError, match="y has one class only, 'buys', and SmallNet needs two"):
        SmallNet().fit(data[0], np.full(len(data[0]), "buys"))


def test_without_tensorflow(monkeypatch):
    real = builtins.__import__

    def missing(name, *arguments, **keywords):
        if name.partition(".")[0] == "tensorflow":
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", missing)
    monkeypatch.delitem(sys.modules, "tensorflow")
    monkeypatch.setattr("importlib.import_module", lambda name: missing(name))
    with pytest.raises(
        ImportError, match=r"needs tensorflow, which is not installed: pip install 'skrec-hybrid\[deep\]'"
    ):
        _keras.load_keras()


def test_importing_the_package_does_not_import_tensorflow():
    code = (
        "import sys, skrec.neural_network; print([m for m in ('tensorflow', 'keras', 'scikeras') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_many_fits_leave_little_behind(data):
    """TensorFlow keeps a graph of every optimizer step that sums over replicas; ours does not make one."""
    from tensorflow.python.framework import ops

    SmallNet(epochs=1).fit(*data)
    before = len(ops.gradient_registry._registry)
    SmallNet(epochs=1).fit(*data)
    assert len(ops.gradient_registry._registry) == before
