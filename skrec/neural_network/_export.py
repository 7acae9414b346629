"""Fitted nets for other runtimes: ONNX and TensorFlow's SavedModel."""

from copy import copy
from pathlib import Path

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skrec.neural_network._keras import NetMixin, load_tensorflow
from skrec.neural_network._nets._returns import with_bonus
from skrec.neural_network._sequence import SequenceRecommender
from skrec.utils._optional import import_optional

from ..utils._sklearn import StrOptions, validate_params


@validate_params(
    {"estimator": [NetMixin], "path": [str, Path], "format": [StrOptions({"onnx", "saved_model"})]},
    prefer_skip_nested_validation=True,
)
def export_net(estimator, path, format: str = "onnx") -> Path:
    """Write the net of a fitted estimator for ONNX Runtime or TensorFlow Serving.

    A sequence recommender reads ``codes``, int32 of shape (n_users, length): the last events of each user, an item as
    its position in `items_` plus 1, and 0 *before* the events of the shorter histories. It gives ``user``, the vectors
    (n_users, n_components), and ``scores`` (n_users, n_items) in the order of `items_`; items that the user has are
    not pushed down, and a history without events has no meaningful score. With ``time_gaps=True`` it also reads
    ``gaps``, the class of time between an event and the one before. Any other net reads what its layers read, after
    scaling and coding, and gives what they give: the members of a `PurchaseClassifier` one by one, the probabilities
    of a `CNNEncoder` without `test_time_augmentation`.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator of `skrec.neural_network`.
    path : str or Path
        The file to write, or for a SavedModel the folder.
    format : {"onnx", "saved_model"}, default="onnx"
        What to write. ONNX needs the package ``tf2onnx``.

    Returns
    -------
    Path
        Where it stands.

    See Also
    --------
    skrec.save : The whole estimator, to be loaded by this library.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skrec.neural_network import GRU4Rec, export_net
    >>> histories = [[(start + step) % 12 for step in range(8)] for start in range(12)]
    >>> model = GRU4Rec(8, n_units=8, epochs=1, early_stopping=False).fit(histories)
    >>> temporary = tempfile.TemporaryDirectory()
    >>> export_net(model, pathlib.Path(temporary.name, "net"), format="saved_model").name
    'net'
    >>> temporary.cleanup()
    """
    check_is_fitted(estimator, "net_")
    tf, path = load_tensorflow(), Path(path)
    function, signature = _served(estimator, tf)
    if format == "saved_model":
        module = tf.Module()
        module.net, module.serve = (
            estimator.net_.model_,
            tf.function(function, input_signature=signature, autograph=False),
        )
        tf.saved_model.save(module, str(path), signatures=module.serve)
        return path
    converter = import_optional("tf2onnx", "format='onnx'")
    compiled = tf.function(function, autograph=False)
    proto, _ = converter.convert.from_function(compiled, input_signature=signature, opset=18)
    path.write_bytes(proto.SerializeToString())
    return path


def _served(estimator, tf):
    """Return the function to write and the signature of what it takes."""
    model = estimator.net_.model_
    if isinstance(estimator, SequenceRecommender):
        names = ["codes", "gaps"] if estimator.time_gaps else ["codes"]
        encoder = _encoder_without_features(estimator)
        bonus = np.asarray(model.bonus) if model.returns else None

        def function(*values):
            said = encoder(dict(zip(names, values, strict=True)) if len(names) > 1 else values[0], training=False)
            user = tf.cast(said[:, -1], tf.float32)
            scores = tf.matmul(user, tf.constant(estimator.item_factors_), transpose_b=True)
            return {"user": user, "scores": with_bonus(scores, values[0], bonus) if model.returns else scores}

        return function, [tf.TensorSpec((None, None), tf.int32, name=name) for name in names]
    names = [entry.name for entry in model.inputs]

    def function(*values):
        given = dict(zip(names, values, strict=True)) if len(names) > 1 else values[0]
        return {"output": tf.cast(model(given, training=False), tf.float32)}

    return function, [tf.TensorSpec(entry.shape, entry.dtype, name=entry.name) for entry in model.inputs]


def _encoder_without_features(estimator):
    """Return the encoder with what the items' features say inside the item vectors, as other runtimes can look up."""
    encoder = estimator.net_.model_.encoder
    if estimator._features is None:
        return encoder
    bare = copy(estimator)
    bare._features = None
    plain = bare._next_item_model().encoder
    for layer in encoder.layers:
        if layer.name == "items":
            plain.get_layer("items").vectors.assign(np.pad(estimator._vectors_in(layer), [(1, 0), (0, 0)]))
        else:
            plain.get_layer(layer.name).set_weights(layer.get_weights())
    return plain
