"""The bridge to Keras: the only file that knows SciKeras, how a net is trained and how it is stored.

An estimator *holds* a SciKeras wrapper (`net_`) that is made in `fit` from a module-level build function, and never
derives from it: the estimators stay cloneable scikit-learn estimators, and another bridge could take the place of this
one without a change to them.
"""

import os
import tempfile
from functools import cache
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from sklearn.utils import check_random_state

from skrec.neural_network._inputs import count, filled_up, take
from skrec.neural_network._nets._optimizers import alone, lazy_adam, make_optimizer
from skrec.utils._keras_archive import check_keras
from skrec.utils._optional import import_optional

from ..utils._progress import CallbackSupportMixin, Progress
from ..utils._sklearn import Interval, StrOptions
from ..utils._state import fill_parameters

BLOCK = 1024  # rows that go through a net at once when it answers
_REGISTERED = frozenset(
    f"skrec>{name}"
    for name in (
        "CausalAttention",
        "FrequencyFilter",
        "GaussianCode",
        "ItemTable",
        "ItemTower",
        "LazyAdam",
        "NextItemModel",
        "TwoTowerModel",
        "multinomial",
    )
)
STEPS_PER_CALL = 16  # training steps between two returns to Python: 4 times faster for small nets, see bench_keras.py


def load_tensorflow():
    """Import TensorFlow, or say in one sentence how to get it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow prints its start-up on stderr unless told not to
    return import_optional("tensorflow", "A neural network")


def load_keras():
    """Import Keras with TensorFlow behind it, or say in one sentence how to get them."""
    load_tensorflow()
    keras = import_optional("keras", "A neural network")
    import_optional("scikeras", "A neural network")
    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            f"The nets of skrec train with TensorFlow, and Keras runs on {keras.backend.backend()!r}: "
            "set the environment variable KERAS_BACKEND=tensorflow before Python starts"
        )
    return keras


class _Identity:
    """The target and feature encoder of a wrapper whose owner has encoded X and y already."""

    def fit(self, values):
        return self

    def transform(self, values):
        return values


@cache
def _wrapper():
    """Return SciKeras' wrapper without its checks: the estimator that holds it has checked X and y."""
    load_keras()
    from scikeras.wrappers import BaseWrapper

    class Net(BaseWrapper):
        target_encoder = feature_encoder = _Identity()

        def _validate_data(self, X=None, y=None, reset=False, y_numeric=False):
            return X, y

        @staticmethod
        def _validate_sample_weight(X, y, sample_weight):
            return X, y, sample_weight

        def _check_model_compatibility(self, y):
            pass

    return Net


class _Precision:
    """Layers built inside compute in bfloat16 and keep their weights in float32."""

    def __init__(self, mixed):
        self.config = load_keras().config
        self.name = "mixed_bfloat16" if mixed else "float32"

    def __enter__(self):
        self.before = self.config.dtype_policy()
        self.config.set_dtype_policy(self.name)

    def __exit__(self, *error):
        self.config.set_dtype_policy(self.before)


def _judge(function, net):
    """Return a callback that puts the score of the model into the log of each epoch, where early stopping looks."""

    def look(epoch, logs):
        logs["val_score"] = function(net.model_)

    return look


def _reporter(keras, progress: Progress):
    """Return a callback that reports each epoch."""

    def begin(epoch, logs=None):
        progress.begin()

    def end(epoch, logs=None):
        progress.step(**(logs or {}))

    return keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=end)


def _reseed(net):
    """Let the random layers of a net that goes on begin from its seed: Keras does not store how far they were."""
    for number, layer in enumerate(net.model_._flatten_layers() if net.initialized_ else ()):
        if (generator := getattr(layer, "seed_generator", getattr(layer, "generator", None))) is not None:
            generator.state.assign([net._random_state, number])  # names inside layers differ between processes


def to_bytes(model):
    """Return a Keras model as the bytes of a `.keras` file, an array of uint8."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.keras"
        model.save(path)
        return np.frombuffer(path.read_bytes(), dtype=np.uint8)


def from_bytes(stored):
    """Return the Keras model of such bytes; no code in them is run, and only known parts of nets are built."""
    keras = load_keras()
    lazy_adam()  # Keras finds it by its name
    whole = check_keras(stored, _REGISTERED | frozenset(keras.saving.get_custom_objects()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.keras"
        path.write_bytes(whole)
        return keras.saving.load_model(path, safe_mode=True)


def part_up_to(model, layer):
    """Return the part of a model that ends in a named layer, its own or one of a model inside it."""
    if all(one.name != layer for one in model.layers):
        model = next(one for one in model.layers if any(inner.name == layer for inner in getattr(one, "layers", ())))
    return load_keras().Model(model.input, model.get_layer(layer).output)


def _restorer(net):
    """Return a function that puts the weights of a trained wrapper, and the state of its optimizer, back."""
    kept = [(one, one.numpy()) for one in (*net.model_.weights, *net.model_.optimizer.variables)]

    def restore():
        for one, value in kept:
            one.assign(value)

    return restore


class NetMixin(CallbackSupportMixin):
    """Training, answering and storing a Keras net, for estimators that have the parameters named below."""

    _training_constraints = {
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "schedule": [StrOptions({"constant", "cosine"})],
        "optimizer": [str],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, None],
        "mixed_precision": ["boolean"],
        "jit_compile": ["boolean"],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _goes_on(self, partial=False):
        """Return whether this fit continues the net that is there."""
        return (partial or self.warm_start) and hasattr(self, "net_")

    def _fit_net(self, build, inputs, target=None, weight=None, validation=None, *, loss, metrics=(), **how):
        """Build and compile the net unless this fit goes on, train it, and keep its log.

        Parameters
        ----------
        build : callable
            Returns the Keras model, not compiled; called only for a new net.
        inputs : array, dict of arrays or Keras dataset
            What the net reads; a dataset yields (inputs, target, weight) and knows its number of steps.
        target, weight : array, default=None
            What it learns, and the weight of each row.
        validation : tuple or Keras dataset, default=None
            Held-out (inputs, target, weight): training stops when their loss has not fallen for `patience` epochs, and
            the best weights are kept.
        loss : str or callable
            Any loss Keras knows.
        metrics : sequence, default=()
            What else the log keeps.
        **how
            `epochs`, where they are not the estimator's; `partial=True` to train on the net that is there; `renew`, a
            function of the old and the new Keras model, to train on a new net in its place that this function has given
            weights, while others go on reading the old one; `judge`, a function of the Keras model that says how good
            it is after an epoch, in place of the held-out loss.
        """
        keras, epochs = load_keras(), how.get("epochs", self.epochs)
        is_data = target is None and not isinstance(inputs, dict | np.ndarray)
        n_steps = len(inputs) if is_data else -(-count(inputs) // self.batch_size)
        goes_on, renew = self._goes_on(how.get("partial", False)), how.get("renew")
        if not goes_on:
            self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            self.n_iter_, self.history_ = 0, {}
        if not goes_on or renew:
            schedule = "constant" if how.get("partial") else self.schedule  # a stream has no end to decay towards

            def compiled():
                with _Precision(self.mixed_precision):
                    model = build()
                if goes_on:
                    renew(before, model)
                model.compile(
                    optimizer=make_optimizer(
                        keras, self.optimizer, self.learning_rate, schedule, self.weight_decay, epochs * n_steps
                    ),
                    loss=loss,
                    weighted_metrics=list(metrics),
                    jit_compile=self.jit_compile,
                    steps_per_execution=max(1, min(STEPS_PER_CALL, n_steps)),
                )
                return model

            before = self.net_.model_ if goes_on else None
            self.net_ = self._hold(compiled() if goes_on else compiled)
        net = self.net_
        net._random_state = (self._seed + self.n_iter_) % 2**31  # another order of the rows in every further call
        _reseed(net)
        net.batch_size = None if is_data else self.batch_size
        net.verbose = {0: 0, 1: 2}.get(int(self.verbose), 1)
        net.shuffle = not is_data
        judge = _judge(how["judge"], net) if how.get("judge") else None
        net.callbacks = [*(self.callbacks or ()), *self._keras_callbacks(keras, validation is not None, judge)]
        progress = Progress(self, "epoch", epochs)
        net.callbacks.append(_reporter(keras, progress))
        if net.initialized_:
            net._initialize_callbacks()
        n_before = self.n_iter_
        if n_before and not renew:
            self._undo = _restorer(net)  # fit_context calls it where the fit does not end well
        try:
            arguments = {} if validation is None else {"validation_data": validation}
            with progress:
                net.fit(inputs, target, weight, epochs=epochs, initial_epoch=n_before, **arguments)
            log = {name: [float(value) for value in values] for name, values in net.model_.history.history.items()}
            if bad := next((name for name, values in log.items() if not np.isfinite(values).all()), None):
                raise ValueError(
                    f"training diverged: {bad} is {log[bad][-1]} after {len(log[bad])} epochs; lower learning_rate, "
                    f"got {self.learning_rate}, or scale the inputs: numbers beyond 1e6 are too large for a net"
                )
            if any(not np.isfinite(one.numpy()).all() for one in net.model_.weights):
                raise ValueError(f"training diverged to infinite weights: lower learning_rate={self.learning_rate}")
        finally:
            net.callbacks = net._fit_callbacks = []
        self.history_ = {name: [*self.history_.get(name, []), *values] for name, values in log.items()}
        self.n_iter_ = len(self.history_["loss"])
        return self

    def _hold(self, model):
        """Return a wrapper around a function that builds the model, or around a model that is there."""
        net = _wrapper()(model=model, random_state=self._seed, warm_start=True, verbose=0)
        net.calls = {}
        if not callable(getattr(model, "get_layer", None)):
            return net
        net.model_, net._random_state = model, self._seed
        net.target_encoder_ = net.feature_encoder_ = net.target_encoder
        return net

    def _keras_callbacks(self, keras, held_out, judge):
        """Return the callbacks that stop a training early."""
        callbacks, stopping = [], {"patience": self.patience, "restore_best_weights": True}
        if judge is not None:
            callbacks.append(keras.callbacks.LambdaCallback(on_epoch_end=judge))
            callbacks.append(keras.callbacks.EarlyStopping("val_score", mode="max", **stopping))
        elif held_out:
            callbacks.append(keras.callbacks.EarlyStopping("val_loss", **stopping))
        return callbacks

    def _outputs(self, inputs, layer=None):
        """Return what the net, or a named layer of it, gives for some inputs, in blocks of rows, as a float32 array."""
        call = self._call(layer)
        blocks = (take(inputs, slice(start, start + BLOCK)) for start in range(0, max(1, count(inputs)), BLOCK))
        parts = [call(filled_up(block)).numpy()[: count(block)] for block in blocks]
        return (parts[0] if len(parts) == 1 else np.concatenate(parts)).astype(np.float32, copy=False)

    def _call(self, layer):
        """Return the compiled function from inputs to the output of a layer (None: of the net), made once."""
        calls = self.net_.calls
        if layer not in calls:
            tensorflow = import_optional("tensorflow", "A neural network")
            model = self.net_.model_
            part = model if layer is None else part_up_to(model, layer)
            specs = {entry.name: tensorflow.TensorSpec(entry.shape, entry.dtype) for entry in part.inputs}
            alone = next(iter(specs)) if len(specs) == 1 else None  # several inputs are a dict, by the convention here

            @tensorflow.function
            def answer(values):
                return part(values if alone is None else values[alone], training=False)

            compiled = answer.get_concrete_function(specs)

            def call(block):
                block = block if isinstance(block, dict) else {alone: block}
                return compiled(
                    {name: tensorflow.constant(block[name], dtype=spec.dtype) for name, spec in specs.items()}
                )

            calls[layer] = call
        return calls[layer]

    def __getstate__(self):
        """The net leaves as the bytes of a `.keras` file: layers, weights and the state of its optimizer."""
        state = dict(super().__getstate__())
        if "net_" in state:
            state["net_"] = to_bytes(state["net_"].model_)
        return state

    def __setstate__(self, state):
        """Read the net back; no code in the file is run (`safe_mode`)."""
        state = dict(state)
        stored = state.pop("net_", None)
        super().__setstate__(state)
        fill_parameters(self)
        if stored is not None:
            model = from_bytes(stored)
            alone(model.optimizer)
            self.net_ = self._hold(model)
