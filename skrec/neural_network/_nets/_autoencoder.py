"""What an autoencoder of histories is made of: the layer of its code, its loss, and batches of histories."""

from functools import cache

import numpy as np

from skrec.decomposition import PureSVD
from skrec.neural_network._keras import load_keras, load_tensorflow

_SHARPNESS = 30.0  # factor of PureSVD's scores of a history of unit length, as logits
_CERTAINTY = -4.0  # log-variance of the code


@cache
def code_layer():
    """Return the layer that draws the code, which Keras can store."""
    keras, tf = load_keras(), load_tensorflow()

    @keras.saving.register_keras_serializable(package="skrec")
    class GaussianCode(keras.layers.Layer):
        """Draw a code around its mean in training, and add what its divergence from the standard normal costs."""

        def __init__(self, beta, rise=1, **keywords):
            super().__init__(**{**keywords, "dtype": "float32"})
            self.beta, self.rise = beta, rise
            self.seed_generator = keras.random.SeedGenerator()

        def build(self, mean_shape, log_variance_shape):
            self.step = self.add_weight(shape=(), initializer="zeros", trainable=False, name="step")
            self.built = True

        def call(self, mean, log_variance, training=False):
            if not training:
                return mean
            self.step.assign_add(1.0)
            weight = self.beta * tf.minimum(1.0, tf.convert_to_tensor(self.step) / self.rise)
            self.add_loss(weight * tf.reduce_mean(divergence(mean, log_variance)))
            noise = keras.random.normal(tf.shape(mean), seed=self.seed_generator)
            return mean + tf.exp(0.5 * log_variance) * noise

        def compute_output_shape(self, mean_shape, log_variance_shape):
            return mean_shape

        def get_config(self):
            return {**super().get_config(), "beta": self.beta, "rise": self.rise}

    return GaussianCode


def divergence(mean, log_variance):
    """Return the Kullback-Leibler divergence of each row's normal distribution from the standard one."""
    tf = load_tensorflow()
    return 0.5 * tf.reduce_sum(tf.exp(log_variance) + mean**2 - 1 - log_variance, axis=1)


@cache
def multinomial_loss():
    """Return the loss: minus the log-likelihood of a history as draws from the softmax of the scores."""
    keras, tf = load_keras(), load_tensorflow()

    @keras.saving.register_keras_serializable(package="skrec")
    def multinomial(wanted, scores):
        scores = tf.where(wanted < 0, -1e9, scores)  # given, and not to be named again
        wanted = tf.maximum(wanted, 0.0)
        total = tf.reduce_sum(wanted, axis=1) * tf.reduce_logsumexp(scores, axis=1)
        return total - tf.reduce_sum(wanted * scores, axis=1)

    return multinomial


def history_batches(matrix, batch_size: int, dropout: float, hidden_only: bool, seed: int):
    """Return a dataset of (what is given, what is wanted), in a new order each epoch; only the batch at hand is dense.

    An item is given, or left out with probability `dropout`. Wanted are all items, or with `hidden_only` those left out
    alone, where -1 stands for those given.

    Parameters
    ----------
    matrix : CSR array of shape (n_users, n_items)
        The histories.
    batch_size : int
        Rows of a batch.
    dropout : float
        Share of the items that is not given.
    hidden_only : bool
        Whether only the items that are not given are wanted.
    seed : int
        Seed of the order and of what is given.
    """
    tf = load_tensorflow()
    n_rows, n_items = matrix.shape
    splits = tf.constant(matrix.indptr, dtype=tf.int64)
    items = tf.RaggedTensor.from_row_splits(tf.constant(matrix.indices, dtype=tf.int64), splits, validate=False)
    values = tf.RaggedTensor.from_row_splits(tf.constant(matrix.data, dtype=tf.float32), splits, validate=False)

    def batch(rows, seed):
        part, value = tf.gather(items, rows), tf.gather(values, rows).values
        place = tf.stack([part.value_rowids(), part.values], axis=1)
        shape = tf.stack([tf.size(rows, out_type=tf.int64), tf.constant(n_items, dtype=tf.int64)])

        def dense(numbers):
            return tf.ensure_shape(tf.scatter_nd(place, numbers, shape), (None, n_items))

        kept = tf.random.stateless_uniform(tf.shape(value), seed) >= dropout
        given = dense(tf.where(kept, value, 0.0))
        return given, dense(tf.where(kept, -1.0, value) if hidden_only else value)

    order = tf.data.Dataset.range(n_rows).shuffle(n_rows, seed=seed).batch(batch_size)
    seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)
    return tf.data.Dataset.zip(order, seeds).map(batch).prefetch(2)


def set_svd_start(model, matrix, seed: int):
    """Let a net without inner layers begin as PureSVD: the code is its vector of a user, the scores are its scores.

    Parameters
    ----------
    model : Keras model
        With the layers `mean`, `scores` and, unless it is denoising, `log_variance`.
    matrix : CSR array of shape (n_users, n_items)
        The histories.
    seed : int
        Seed of the decomposition.
    """
    mean, scores = model.get_layer("mean"), model.get_layer("scores")
    svd = PureSVD(mean.units, vectorizer="passthrough", random_state=seed).fit(matrix)
    read = svd.item_weights_[:, None] * svd.item_factors_
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    codes = (matrix @ read) / lengths[:, None]
    spread = np.maximum(codes.std(axis=0), 1e-6)
    size = read.shape[1]  # components past the rank of the matrix stay random
    start = np.array(mean.kernel)
    start[:, :size] = read / spread
    mean.kernel.assign(start)
    start = np.array(scores.kernel)
    start[:size] = _SHARPNESS * (svd.item_factors_ * spread).T
    scores.kernel.assign(start)
    scores.bias.assign(0.5 * np.log(np.maximum(svd.popularity_, 1) / matrix.shape[0]))
    if any(layer.name == "log_variance" for layer in model.layers):
        width = model.get_layer("log_variance")
        width.kernel.assign(0.1 * np.array(width.kernel))
        width.bias.assign(np.full(width.units, _CERTAINTY))


def split_rows(matrix, share: float, rng):
    """Split the entries of each row at random into those given and those asked for; both parts get one at least.

    Parameters
    ----------
    matrix : CSR array of shape (n_users, n_items)
        Rows of at least two entries.
    share : float
        Share of the entries asked for.
    rng : RandomState
        Draws the entries.

    Returns
    -------
    given, asked : CSR array of shape (n_users, n_items)
        The parts.
    """
    sizes = np.diff(matrix.indptr)
    row = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((rng.uniform(size=matrix.nnz), row))
    place = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], sizes)
    is_asked = np.zeros(matrix.nnz, dtype=bool)
    is_asked[order] = place < np.repeat(np.clip(np.round(share * sizes), 1, sizes - 1), sizes)
    given, asked = matrix.copy(), matrix.copy()
    given.data[is_asked], asked.data[~is_asked] = 0, 0
    given.eliminate_zeros()
    asked.eliminate_zeros()
    return given, asked
