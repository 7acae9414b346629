"""The nets of CNNEncoder: convolutions in one and two dimensions, random changes, learning without labels.

Every function takes and gives Keras tensors. Only built-in layers and `keras.ops` are used, so that a stored net is
read back without running code from the file.
"""

import os
from math import ceil, prod

from skrec.neural_network._keras import load_keras

AUGMENTATIONS = {  # name of a random change of pictures: the layer that makes it
    "flip": lambda layers: layers.RandomFlip("horizontal", name="flip"),
    "shift": lambda layers: layers.RandomTranslation(0.08, 0.08, "constant", fill_value=0.0, name="shift"),
    "zoom": lambda layers: layers.RandomZoom((-0.25, 0.1), None, "constant", fill_value=0.0, name="zoom"),
    "rotate": lambda layers: layers.RandomRotation(0.03, "constant", fill_value=0.0, name="rotate"),
    "erase": lambda layers: layers.RandomErasing(0.5, 0.1, fill_value=0.0, value_range=(0, 1), name="erase"),
}
VIEWS = ("flip", "shift", "zoom", "erase")  # what makes two views of a picture where `augmentation` says nothing
TEMPERATURE = 0.2  # of the contrastive loss


def entrance(net):
    """Return the input of a net for rows of its kind."""
    name = {"image": "pixels", "grid": "grid", "text": "tokens"}[net.kind_]
    dtype = {"text": "int32"}.get(net.kind_, "float32" if net.mean_ is not None else "uint8")
    return load_keras().Input(net.shape_, dtype=dtype, name=name)


def scaled(net, x, name):
    """Return words as vectors, whole numbers as 0 to 1, other numbers with mean 0 and deviation 1."""
    layers = load_keras().layers
    if net.kind_ == "text":
        return layers.Embedding(net.tokens_.size, net.embedding_dim, name=name)(x)
    if net.mean_ is None:
        return layers.Rescaling(1 / 255, name=name)(x)
    axis = tuple(range(1, 1 + net.mean_.ndim)) if net.kind_ == "grid" else -1
    return layers.Normalization(axis, mean=net.mean_, variance=net.scale_**2, name=name)(x)


def encoder(net, alone=False):
    """Return the input of a new net and its features; `alone` changes what it sees as self-supervision needs it."""
    inputs = entrance(net)
    contrasts = alone and net.self_supervised == "contrastive"
    names = net.augmentation if net.augmentation is not None else VIEWS if contrasts else ()
    if net.pretrained is None:
        x = scaled(net, inputs, "scaled")
    else:
        x = load_keras().layers.Rescaling(1.0, name="given")(inputs)  # a trained model scales by itself
    if net.kind_ == "image" and (contrasts or not alone):
        x = _changed(x, names)
    elif alone:
        x = _corrupted(x)
    if net.pretrained is not None:
        x = _through_pretrained(x, _trained_model(net), net.fine_tune)
    else:
        x = _convolutions(
            x,
            [int(width) for width in net.filters],
            kernel_size=int(net.kernel_size),
            pool_size=int(net.pool_size),
            architecture=net.architecture,
            batch_normalization=net.batch_normalization,
            keep_positions=net.kind_ != "text",
        )
    return inputs, _dense(x, net.hidden, net.dropout)


def _trained_model(net):
    """Return the Keras model that `pretrained` means."""
    keras, model = load_keras(), net.pretrained
    if net.kind_ == "text":
        raise ValueError("pretrained takes a model of pictures or grids: leave it out for kind='text'")
    if isinstance(model, str | os.PathLike):
        model = keras.saving.load_model(model, compile=False, safe_mode=True)
    elif not isinstance(model, keras.Model):
        model = model()
    if not isinstance(model, keras.Model) or len(model.inputs) != 1 or len(model.outputs) != 1:
        raise TypeError(
            f"pretrained must be a keras.Model with one input and one output, a function that returns one, or the "
            f"path of a .keras file, got {type(model).__name__}"
        )
    return model


def _changed(x, names):
    """Change pictures at random, in training only."""
    layers = load_keras().layers
    for name in names:
        x = AUGMENTATIONS[name](layers)(x)
    return x


def _corrupted(x, rate=0.2):
    """Hide a share of the columns, tokens or pixels, in training only."""
    layers = load_keras().layers
    shape = (None, *x.shape[1:-1], 1)
    return layers.Dropout(rate, noise_shape=shape, name="hide")(layers.GaussianNoise(0.1, name="noise")(x))


def _convolutions(x, filters, *, kernel_size, pool_size, architecture, batch_normalization, keep_positions):
    """Return one vector per row: convolutions with pooling between them, then all positions or the best ones."""
    keras = load_keras()
    layers, dims = keras.layers, len(x.shape) - 2
    convolution, pooling = (layers.Conv1D, layers.MaxPooling1D) if dims == 1 else (layers.Conv2D, layers.MaxPooling2D)
    residual = architecture == "residual"

    def convolve(x, width, name, relu=True, pool=None):
        roomy = dims == 2 and min(x.shape[1:-1]) >= 3 * kernel_size
        padding = "valid" if roomy and not residual else "same"
        normal = batch_normalization or residual
        x = convolution(width, kernel_size, padding=padding, use_bias=not normal, name=name)(x)
        if pool is not None:  # the largest before ReLU is the largest after it, and the rest is a quarter of the work
            x = pooling(pool_size, padding="same", name=pool)(x)
        if normal:
            x = layers.BatchNormalization(momentum=0.9, name=f"{name}_normal")(x)
        return layers.ReLU(name=f"{name}_relu")(x) if relu else x

    for number, width in enumerate(filters):
        x = convolve(x, width, f"conv_{number}", pool=f"pool_{number}")
        if residual and number:
            inner = convolve(x, width, f"block_{number}_a")
            inner = convolve(inner, width, f"block_{number}_b", relu=False)
            x = layers.Add(name=f"block_{number}_add")([x, inner])
            x = layers.ReLU(name=f"block_{number}_relu")(x)
    if keep_positions and not residual:
        return layers.Flatten(name="flat")(x)
    best, mean = (
        (layers.GlobalMaxPooling1D, layers.GlobalAveragePooling1D)
        if dims == 1
        else (layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D)
    )
    return (
        best(name="best")(x)
        if not residual or dims == 1
        else layers.Concatenate(name="pooled")([mean(name="mean")(x), best(name="best")(x)])
    )


def _dense(x, hidden, dropout):
    """Return the inner layer, named "features", after the dense layers before it."""
    layers = load_keras().layers
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    for number, width in enumerate(hidden):
        last = number == len(hidden) - 1
        x = layers.Dense(int(width), activation="relu", name="features" if last else f"dense_{number}")(x)
        if dropout and not last:
            x = layers.Dropout(dropout, name=f"dropout_{number}")(x)
    return x if len(hidden) else layers.Identity(name="features")(x)


def _through_pretrained(x, model, fine_tune):
    """Return one vector per picture from a copy of a trained model, at the size and with the channels it takes."""
    keras = load_keras()
    layers, wanted = keras.layers, model.input_shape[1:]
    if len(wanted) == len(x.shape) - 1 == 3:
        if None not in wanted[:2] and wanted[:2] != x.shape[1:3]:
            x = layers.Resizing(*wanted[:2], name="resize")(x)
        if wanted[2] == 3 and x.shape[3] == 1:
            x = layers.Concatenate(name="three_channels")([x, x, x])
    fits = len(wanted) == len(x.shape) - 1
    if not fits or any(one not in (None, two) for one, two in zip(wanted, x.shape[1:], strict=True)):
        raise ValueError(
            f"pretrained takes inputs of shape {wanted}, and X gives {tuple(x.shape[1:])}: choose a model for such "
            "inputs, or convert X"
        )
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    copy.trainable = bool(fine_tune)
    x = copy(x) if fine_tune else copy(x, training=False)
    if len(x.shape) == 4:
        x = layers.GlobalAveragePooling2D(name="mean")(x)
    return layers.Flatten(name="flat")(x)


def contrastive(encoder, inputs):
    """Return a net that gives each row's loss: how far two changed views of it are apart, beside all other rows."""
    keras = load_keras()
    layers, ops = keras.layers, keras.ops
    width = encoder.output.shape[-1]
    head = [
        layers.Dense(max(width, 128), activation="relu", name="projection_0"),
        layers.Dense(64, dtype="float32", name="projection_1"),
        layers.UnitNormalization(dtype="float32", name="projection"),
    ]
    views = []
    for _ in range(2):
        x = encoder(inputs)
        for layer in head:
            x = layer(x)
        views.append(x)
    one, two = views
    across = ops.exp(ops.matmul(one, ops.transpose(two)) / TEMPERATURE)
    itself = ops.exp(ops.ones_like(one[:, 0]) / TEMPERATURE)
    rest = [ops.sum(ops.exp(ops.matmul(x, ops.transpose(x)) / TEMPERATURE), axis=1) - itself for x in views]
    alike = ops.sum(one * two, axis=1) / TEMPERATURE
    first = ops.log(rest[0] + ops.sum(across, axis=1))
    second = ops.log(rest[1] + ops.sum(across, axis=0))
    return keras.Model(inputs, ops.expand_dims((first + second) / 2 - alike, 1))


def autoencoder(encoder, inputs, clean):
    """Return a net that gives each row's loss: how far the row told from its features is from the clean one."""
    keras = load_keras()
    layers, ops = keras.layers, keras.ops
    x, shape = encoder(inputs), clean.shape[1:]
    if len(shape) == 3:
        start = (ceil(shape[0] / 4), ceil(shape[1] / 4), 32)
        x = layers.Dense(prod(start), activation="relu", name="decode_dense")(x)
        x = layers.Reshape(start, name="decode_shape")(x)
        x = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu", name="decode_0")(x)
        x = layers.Conv2DTranspose(shape[2], 3, strides=2, padding="same", dtype="float32", name="decode_1")(x)
        surplus = [(0, 4 * start[axis] - shape[axis]) for axis in (0, 1)]
        x = layers.Cropping2D(surplus, name="decode_crop")(x)
    else:
        x = layers.Dense(128, activation="relu", name="decode_dense")(x)
        x = layers.Dense(prod(shape), dtype="float32", name="decode_0")(x)
        x = layers.Reshape(shape, name="decode_shape")(x)
    error = layers.Flatten(name="error")(ops.square(x - ops.cast(clean, "float32")))
    return keras.Model(inputs, ops.mean(error, axis=1, keepdims=True))


def told_words(encoder, inputs, size):
    """Return a net that gives each text's loss: how unlikely its words are, told from its features."""
    keras = load_keras()
    ops = keras.ops
    logits = keras.layers.Dense(size, dtype="float32", name="decode_words")(encoder(inputs))
    log_probability = logits - ops.logsumexp(logits, axis=(1,), keepdims=True)  # Keras 3.9 takes no int here
    here = ops.cast(ops.not_equal(inputs, 0), "float32")
    told = ops.take_along_axis(log_probability, ops.cast(inputs, "int32"), axis=1)
    total = ops.sum(told * here, axis=1, keepdims=True) / ops.maximum(ops.sum(here, axis=1, keepdims=True), 1.0)
    return keras.Model(inputs, ops.negative(total))
