"""Architectures for tables: mlp, wide and deep, DeepFM, deep and cross; each also as several members in one net."""

from skrec.neural_network._keras import load_keras

ARCHITECTURES = ("mlp", "wide_deep", "deepfm", "dcn")
ACTIVATIONS = ("relu", "gelu", "silu", "elu", "tanh")
APART = (
    3.0  # how much larger the first weights of members are than usual: so they differ, chosen as bench_purchase.py says
)


def build_tabular(
    inputs,
    n_codes,
    n_classes,
    architecture,
    *,
    hidden,
    activation,
    dropout,
    normalization,
    embedding_dim,
    cross_layers,
    n_members,
):
    """Return the net for such inputs, not compiled.

    Parameters
    ----------
    inputs : dict of ndarray, or ndarray
        "numbers" of shape (n_samples, n_numeric) and "codes" of shape (n_samples, n_categorical), or one of them alone.
    n_codes : int
        Number of codes of all categorical columns together.
    n_classes : int
        Number of classes; two make one output.
    architecture : {"mlp", "wide_deep", "deepfm", "dcn"}
        Which net.
    hidden, activation, dropout, normalization, embedding_dim, cross_layers, n_members
        As in :class:`~skrec.neural_network.PurchaseClassifier`.

    Returns
    -------
    keras.Model
        Probabilities of shape (n_samples, 1) or (n_samples, n_classes); of several members (n_samples, n_members) or
        (n_samples, n_members, n_classes).
    """
    keras = load_keras()
    layers, members, n_outputs = keras.layers, _Members(int(n_members)), 1 if n_classes == 2 else n_classes
    if not isinstance(inputs, dict):
        inputs = {"codes" if inputs.dtype.kind == "i" else "numbers": inputs}
    entries = {
        name: keras.Input(values.shape[1:], dtype=values.dtype.name, name=name) for name, values in inputs.items()
    }
    numbers, codes, vectors = entries.get("numbers"), entries.get("codes"), None
    row = [] if numbers is None else [numbers]
    if codes is not None:
        vectors = layers.Embedding(int(n_codes), int(embedding_dim), name="embedding")(codes)
        row.append(layers.Flatten(name="embedded")(vectors))
    row = row[0] if len(row) == 1 else layers.Concatenate(name="row")(row)

    logits = []
    if architecture in ("wide_deep", "deepfm"):
        logits += _wide(members, numbers, codes, int(n_codes), n_outputs)
    if architecture == "deepfm":
        logits.append(members.dense(_pairs(numbers, vectors, int(embedding_dim)), n_outputs, "fm", use_bias=False))
    deep = row
    for step, width in enumerate(hidden):
        deep = members.dense(deep, int(width), f"dense_{step}")
        deep = members.normalize(deep, normalization, f"normalization_{step}")
        deep = layers.Activation(activation, name=f"activation_{step}")(deep)
        deep = layers.Dropout(float(dropout), name=f"dropout_{step}")(deep) if dropout else deep
    if architecture == "dcn":
        deep = layers.Concatenate(name="deep_and_cross")([deep, _cross(members, row, int(cross_layers))])
    deep = layers.Activation("linear", name="features")(deep)
    logits.append(members.dense(deep, n_outputs, "output"))
    logit = logits[0] if len(logits) == 1 else layers.Add(name="logit")(logits)
    if members.n > 1 and n_outputs == 1:
        logit = layers.Reshape((members.n,), name="logit_of_each")(logit)
    activation = "sigmoid" if n_outputs == 1 else "softmax"
    entries = entries if len(entries) > 1 else next(iter(entries.values()))
    return keras.Model(entries, layers.Activation(activation, dtype="float32", name="probability")(logit))


class _Members:
    """Layers that each member of an ensemble has for itself.

    One member has ordinary layers on tensors (rows, width). With several, tensors are (rows, members, width) and
    kernels (members, width in, width out).
    """

    def __init__(self, n):
        self.n = n
        self.keras = load_keras()

    def dense(self, x, width, name, use_bias=True):
        """Apply a dense layer to a tensor that the members share, or to one with a part for each."""
        limit = (6 / (x.shape[-1] + width)) ** 0.5
        if self.n > 1 and name == "dense_0":
            limit *= APART
        initializer = self.keras.initializers.RandomUniform(-limit, limit)
        if self.n == 1:
            return self.keras.layers.Dense(width, use_bias=use_bias, kernel_initializer=initializer, name=name)(x)
        return self.keras.layers.EinsumDense(
            "bi,mio->bmo" if len(x.shape) == 2 else "bmi,mio->bmo",
            output_shape=(self.n, width),
            bias_axes="mo" if use_bias else None,
            kernel_initializer=initializer,
            name=name,
        )(x)

    def normalize(self, x, kind, name):
        """Normalize over the layer, or over the rows of the batch for each member."""
        layers = self.keras.layers
        if kind is None:
            return x
        if kind == "layer":
            return layers.LayerNormalization(name=name)(x)
        if self.n == 1:
            return layers.BatchNormalization(name=name)(x)
        flat = layers.Reshape((x.shape[1] * x.shape[2],), name=f"{name}_flat")(x)
        return layers.Reshape(x.shape[1:], name=f"{name}_unflat")(layers.BatchNormalization(name=name)(flat))

    def share(self, x):
        """Give each member its copy of a tensor."""
        return x if self.n == 1 else self.keras.layers.RepeatVector(self.n, name="members")(x)


def _wide(members, numbers, codes, n_codes, n_outputs):
    """Return the linear part: a weight per number, and one per category."""
    keras, parts = members.keras, []
    if numbers is not None:
        parts.append(members.dense(numbers, n_outputs, "wide_numbers", use_bias=False))
    if codes is not None:
        weights = keras.layers.Embedding(n_codes, members.n * n_outputs, "zeros", name="wide_codes")(codes)
        shape = (n_outputs,) if members.n == 1 else (members.n, n_outputs)
        parts.append(keras.layers.Reshape(shape, name="wide_sum")(keras.ops.sum(weights, axis=1)))
    return parts


def _pairs(numbers, vectors, size):
    """Return the sum over all pairs of fields of the products of their vectors, shape (rows, size)."""
    keras = load_keras()
    fields = [] if vectors is None else [vectors]
    if numbers is not None:
        field_vectors = keras.layers.EinsumDense(
            "bj,jd->bjd", output_shape=(numbers.shape[-1], size), kernel_initializer="uniform", name="field_vectors"
        )
        fields.append(field_vectors(numbers))
    fields = fields[0] if len(fields) == 1 else keras.layers.Concatenate(axis=1, name="fields")(fields)
    square = keras.ops.square
    return 0.5 * (square(keras.ops.sum(fields, axis=1)) - keras.ops.sum(square(fields), axis=1))


def _cross(members, row, n_layers):
    """Return cross layers of the second version: x0 * (W x + b) + x."""
    layers, width = members.keras.layers, row.shape[-1]
    x = first = members.share(row)
    for step in range(n_layers):
        product = layers.Multiply(name=f"product_{step}")([first, members.dense(x, width, f"cross_{step}")])
        x = layers.Add(name=f"crossed_{step}")([product, x])
    return x
