"""The nets of LSTMEncoder: recurrent layers, pooling that leaves padding out, and learning from what comes next.

Only built-in layers and `keras.ops` are used, so that a stored net is read back without running code from the file.
"""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import validate_data

from skrec.neural_network._batches import dropped
from skrec.neural_network._keras import load_keras
from skrec.neural_network._tokens import FIRST
from skrec.utils._validation import as_ids, lookup

POOLINGS = ("last", "mean", "max", "attention")
SPREAD = 0.3  # standard deviation of word vectors that are given or computed


def poolings(pooling) -> tuple:
    """Return the names of the poolings, one or several."""
    return (pooling,) if isinstance(pooling, str) else tuple(pooling)


def check_parameters(estimator):
    """Check what the constraints of single parameters cannot say."""
    hidden, pooling = estimator.hidden, poolings(estimator.pooling)
    if not len(hidden) or not all(isinstance(units, Integral) and units > 0 for units in hidden):
        raise ValueError(f"hidden must hold one positive size per recurrent layer, got {hidden!r}: such as (64,)")
    if not pooling or not set(pooling) <= set(POOLINGS):
        raise ValueError(f"pooling must be one or more of {POOLINGS}, got {estimator.pooling!r}")
    if estimator.embeddings is not None and estimator.kind == "series":
        raise ValueError("embeddings are vectors of words or items, which kind='series' has not: leave it out")
    if estimator.bidirectional and (estimator.objective == "next" or estimator.pretrain):
        which = "objective='next'" if estimator.objective == "next" else f"pretrain={estimator.pretrain}"
        raise ValueError(f"{which} learns what comes next, which bidirectional=True has read: set it to False")


def encoder(x, mask, *, hidden, cell, bidirectional, pooling, dropout):
    """Return all outputs of the last recurrent layer (n, n_steps, width), and what represents a row (n, n_features)."""
    layers = load_keras().layers
    if dropout:
        x = layers.SpatialDropout1D(dropout, name="dropout_in")(x)
    for number, units in enumerate(hidden):
        kind = layers.LSTM if cell == "lstm" else layers.GRU
        layer = kind(int(units), return_sequences=True, name=f"recurrent_{number}")
        if bidirectional:
            layer = layers.Bidirectional(layer, name=f"both_ways_{number}")
        if number and dropout:
            x = layers.Dropout(dropout, name=f"dropout_{number}")(x)
        x = layer(x) if mask is None else layer(x, mask=mask)
    parts = [_pooled(x, mask, name) for name in pooling]
    row = parts[0] if len(parts) == 1 else layers.Concatenate(name="pooled")(parts)
    return x, layers.Dropout(dropout, name="features")(row)


def _pooled(x, mask, pooling):
    """Return one vector per row; steps that are padding have no part in it, and a row without steps gets zeros."""
    keras = load_keras()
    ops = keras.ops
    if pooling == "last":
        return x[:, -1]
    real = None if mask is None else ops.expand_dims(ops.cast(mask, x.dtype), -1)
    if pooling == "attention":
        score = keras.layers.Dense(1, name="attention")(x)
        score = score if real is None else score + (real - 1.0) * 1e4
        share = ops.softmax(score, axis=1)
        return ops.sum(x * (share if real is None else share * real), axis=1)
    if real is None:
        return ops.mean(x, axis=1) if pooling == "mean" else ops.max(x, axis=1)
    if pooling == "mean":
        return ops.sum(x * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1.0)
    return ops.max(x * real + (real - 1.0) * 2.0, axis=1) * ops.max(real, axis=1)  # outputs lie between -1 and 1


def embedded(size, width, vectors=None):
    """Return the input of left-padded codes, which of them are not padding, and their vectors as tensors."""
    keras = load_keras()
    codes = keras.Input((None,), dtype="int32", name="codes")
    table = keras.layers.Embedding(int(size), int(width), name="embedding")
    x = table(codes)
    if vectors is not None:  # NaN leaves what chance has drawn
        start = table.get_weights()[0]
        known = start[:, : vectors.shape[1]]
        known[:] = np.where(np.isnan(vectors), known, vectors)
        table.set_weights([start])
    return codes, keras.ops.not_equal(codes, 0), x


def next_token_model(model, start):
    """Return a model of (codes, next codes, negative codes) that gives logits: the next code first, then the others.

    The vectors of what comes next are a table of their own, which begins as the embedding `start` (n_codes, width):
    Keras does not read back a layer that a model shares with a model inside it.
    """
    keras = load_keras()
    ops, layers = keras.ops, keras.layers
    codes = keras.Input((None,), dtype="int32", name="codes")
    following = keras.Input((None,), dtype="int32", name="following")
    negatives = keras.Input(batch_shape=(None,), dtype="int32", name="negatives")
    table = layers.Embedding(*start.shape, name="following_vectors")
    said = layers.Dense(start.shape[1], name="query")(model(codes)[0])
    right = ops.sum(said * table(following), axis=-1, keepdims=True)
    wrong = ops.einsum("btd,kd->btk", said, table(negatives))
    itself = ops.cast(ops.equal(ops.expand_dims(following, -1), negatives), wrong.dtype)
    logits = ops.concatenate([right, wrong - 1e4 * itself], axis=-1)
    logits = layers.Activation("linear", dtype="float32", name="logits")(logits)
    table.set_weights([start])
    return keras.Model({"codes": codes, "following": following, "negatives": negatives}, logits)


def next_token_examples(size: int, n_negatives: int, word_dropout: float = 0.0):
    """Return the function that makes examples of `next_token_model` from a batch of codes.

    Negatives are drawn evenly from the vocabulary, once for the batch; 0 takes all of it.
    """

    def examples(part, codes, rng):
        codes = codes if codes.shape[1] > 1 else np.pad(codes, ((0, 0), (1, 0)))
        before, following = codes[:, :-1], codes[:, 1:]
        sampled = n_negatives and n_negatives < size - 1
        negatives = rng.integers(1, size, n_negatives) if sampled else np.arange(1, size)
        before = dropped(before, word_dropout, rng)
        inputs = {"codes": before, "following": following, "negatives": negatives.astype(np.int32)}
        return inputs, np.zeros_like(following), (before > 0).astype(np.float32)

    return examples


def next_value_model(model):
    """Return a model of a series that says its next values at each step."""
    keras = load_keras()
    series = keras.Input(model.input_shape[1:], name="series")
    said = keras.layers.Dense(model.input_shape[-1], dtype="float32", name="next")(model(series)[0])
    return keras.Model(series, said)


def given_vectors(embeddings, vocabulary) -> np.ndarray:
    """Return the vectors (n_codes, width) that a user gives for words of the vocabulary, NaN for the other codes."""
    words, matrix = embeddings if isinstance(embeddings, tuple) else (list(embeddings), list(embeddings.values()))
    matrix = np.asarray(matrix, dtype=np.float32)
    if matrix.ndim != 2 or not len(words) or len(words) != len(matrix) or not np.isfinite(matrix).all():
        raise ValueError(
            f"embeddings must hold one finite vector per word, got {len(words)} words and an array of shape "
            f"{matrix.shape}"
        )
    where = lookup(vocabulary, as_ids(words, "embeddings"))
    if not (where >= 0).any():
        raise ValueError(f"embeddings has none of the {len(vocabulary)} words of X: look at how both are written")
    vectors = np.full((len(vocabulary) + FIRST, matrix.shape[1]), np.nan, dtype=np.float32)
    vectors[FIRST:][where >= 0] = matrix[where[where >= 0]]
    return vectors


def read_series(estimator, X, reset):
    """Check a matrix or an array of series and return it as (n, n_steps, n_channels), each channel standardised."""
    values = validate_data(estimator, X, reset=reset, dtype=np.float32, allow_nd=True)
    values = values[..., None] if values.ndim == 2 else values
    if values.ndim != 3 or (not reset and values.shape[1:] != estimator.shape_):
        expected = "(n, n_steps) or (n, n_steps, n_channels)" if reset else f"(n, *{estimator.shape_})"
        raise ValueError(f"X has the shape {values.shape}, and kind='series' expects {expected}: reshape X")
    if reset:
        estimator.shape_ = tuple(map(int, values.shape[1:]))
        estimator.mean_ = values.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
        deviation = values.std(axis=(0, 1), dtype=np.float64)
        estimator.scale_ = np.where(deviation > 0, deviation, 1).astype(np.float32)
    return (values - estimator.mean_) / estimator.scale_
