"""The two towers: what makes a vector of an item, what makes one of a user, and how both are trained."""

from functools import cache
from numbers import Integral

import numpy as np
import scipy.sparse as sp

from skrec.neural_network._keras import load_keras, load_tensorflow


def widths_of(hidden) -> list[int]:
    """Return the widths of inner layers, or say what is wrong with them."""
    widths = np.asarray(hidden, dtype=object).ravel()
    if not all(isinstance(width, Integral) and int(width) >= 1 for width in widths):
        raise ValueError(f"hidden must hold whole numbers of at least 1, got {hidden!r}: (128,) for instance")
    return [int(width) for width in widths]


@cache
def layers():
    """Return the tower of the items and the model of both towers, which Keras can store."""
    keras, tf = load_keras(), load_tensorflow()

    @keras.saving.register_keras_serializable(package="skrec")
    class ItemTower(keras.layers.Layer):
        """The vector of an item: its own, where it had events, plus what a small net makes of its features."""

        def __init__(self, n_items, n_components, n_features=0, hidden=(), id_dropout=0.0, **keywords):
            super().__init__(**{**keywords, "dtype": "float32"})
            self.n_items, self.n_components, self.n_features = n_items, n_components, n_features
            self.hidden, self.id_dropout = tuple(hidden), id_dropout
            self.seed_generator = keras.random.SeedGenerator()
            self.dense = []
            if n_features:
                self.dense = [keras.layers.Dense(width, "relu", name=f"dense_{i}") for i, width in enumerate(hidden)]
                self.dense.append(keras.layers.Dense(n_components, name="out"))

        def build(self, shape=None):
            spread = keras.initializers.RandomNormal(stddev=self.n_components**-0.5)
            size = (self.n_items, self.n_components)
            self.vectors = self.add_weight(shape=size, initializer=spread, name="vectors")
            self.known = self.add_weight(shape=(self.n_items, 1), initializer="ones", trainable=False, name="known")
            width = self.n_features
            if width:
                size = (self.n_items, width)
                self.features = self.add_weight(shape=size, initializer="zeros", trainable=False, name="features")
                for layer in self.dense:
                    layer.build((None, width))
                    width = layer.units
            self.built = True

        def call(self, codes, training=False):
            own = tf.gather(tf.convert_to_tensor(self.vectors), codes)
            own *= tf.gather(tf.convert_to_tensor(self.known), codes)
            if not self.n_features:
                return self.finish(own)
            if training and self.id_dropout:
                drawn = keras.random.uniform((tf.shape(codes)[0], 1), seed=self.seed_generator)
                own *= tf.cast(drawn >= self.id_dropout, tf.float32)
            return self.finish(own + self.described(tf.gather(tf.convert_to_tensor(self.features), codes)))

        def described(self, features):
            """Return what the features alone say."""
            for layer in self.dense:
                features = layer(features)
            return features

        def finish(self, vectors):
            """Return the vectors at unit length, so that the score is a cosine."""
            return tf.math.l2_normalize(vectors, axis=1)

        def get_config(self):
            names = ("n_items", "n_components", "n_features", "hidden", "id_dropout")
            return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    @keras.saving.register_keras_serializable(package="skrec")
    class TwoTowerModel(keras.Model):
        """Both towers, trained to find the next item of each user among those of the batch and a uniform sample."""

        def __init__(self, items, users, recency, temperature, n_negatives=0, **keywords):
            super().__init__(**keywords)
            self.items, self.users, self.recency = items, users, recency
            self.temperature, self.n_negatives = temperature, n_negatives
            self.seed_generator = keras.random.SeedGenerator()

        def build(self, shape=None):
            if not self.items.built:
                self.items.build()
            size = (self.items.n_items,)
            self.shares = self.add_weight(shape=size, initializer="ones", trainable=False, name="shares")
            self.built = True

        def get_build_config(self):
            return {"built": True}

        def build_from_config(self, config):
            self.build()

        def call(self, inputs, training=False):
            codes = inputs["codes"]
            distinct, place = tf.unique(tf.reshape(codes, [-1]))
            vectors = self.items(tf.maximum(distinct - 1, 0), training=training)
            vectors = tf.gather(vectors, tf.reshape(place, tf.shape(codes)))
            length = tf.shape(codes)[1]
            age = tf.cast(tf.range(length - 1, -1, -1), tf.float32)
            weight = tf.cast(codes > 0, tf.float32) * tf.pow(self.recency, age)
            weight /= tf.maximum(tf.reduce_sum(weight, axis=1, keepdims=True), 1e-9)
            mean = tf.reduce_sum(weight[:, :, None] * vectors, axis=1)
            return self.users({**{n: v for n, v in inputs.items() if n != "codes"}, "mean": mean}, training=training)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            shares = tf.convert_to_tensor(self.shares)
            negatives = y
            expected = shares * tf.cast(tf.shape(y)[0] - 1, tf.float32)
            if self.n_negatives:
                trained = tf.where(shares > 0)[:, 0]
                size = tf.shape(trained)[0]
                drawn = keras.random.randint((self.n_negatives,), 0, size, seed=self.seed_generator)
                negatives = tf.concat([y, tf.gather(tf.cast(trained, y.dtype), drawn)], axis=0)
                expected += self.n_negatives / tf.cast(size, tf.float32)
            vectors = self.items(negatives, training=training)
            log_expected = tf.math.log(tf.gather(expected, negatives))
            return tf.reduce_mean(in_batch_loss(y_pred, vectors, y, negatives, log_expected, self.temperature))

        def get_config(self):
            parts = {n: keras.saving.serialize_keras_object(getattr(self, n)) for n in ("items", "users")}
            names = ("recency", "temperature", "n_negatives")
            return {**super().get_config(), **parts, **{name: getattr(self, name) for name in names}}

        @classmethod
        def from_config(cls, config):
            parts = {n: keras.saving.deserialize_keras_object(config.pop(n)) for n in ("items", "users")}
            return cls(**parts, **config)

    return ItemTower, TwoTowerModel


def in_batch_loss(users, vectors, targets, items, log_expected, temperature):
    """Return the cross-entropy of each user's next item, with the other items of the batch to stand for all.

    Parameters
    ----------
    users : tensor of shape (n_users, n_components)
        Vectors of the users.
    vectors : tensor of shape (n_sampled, n_components)
        Vectors of the sampled items; the first n_users are the users' own next items.
    targets : int tensor of shape (n_users,)
        The next items.
    items : int tensor of shape (n_sampled,)
        The sampled items.
    log_expected : tensor of shape (n_sampled,)
        Log of how often each is expected in the sample, which corrects for popular items coming often.
    temperature : float
        What the scores are divided by.
    """
    tf = load_tensorflow()
    scores = tf.matmul(users, vectors, transpose_b=True) / temperature
    n_users = tf.shape(targets)[0]
    positive = tf.reduce_sum(users * vectors[:n_users], axis=1) / temperature
    corrected = tf.where(targets[:, None] == items[None, :], -1e9, scores - log_expected[None, :])
    return tf.reduce_logsumexp(tf.concat([positive[:, None], corrected], axis=1), axis=1) - positive


def history_means(codes: np.ndarray, vectors: np.ndarray, recency: float) -> np.ndarray:
    """Return the mean of the vectors of each user's items, an item weighing `recency` of the one after it.

    Parameters
    ----------
    codes : ndarray of shape (n_users, length)
        Left-padded items, 1 is the first and 0 none.
    vectors : ndarray of shape (n_items, n_components)
        Vectors of the items.
    recency : float
        Weight of an item relative to the one after it.
    """
    real = codes > 0
    weight = np.where(real, float(recency) ** np.arange(codes.shape[1])[::-1], 0)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
    row, column = np.nonzero(real)
    entries = weight[row, column].astype(np.float32), (row, codes[row, column] - 1)
    return sp.csr_array(entries, shape=(len(codes), len(vectors))) @ vectors


def next_item_batches(histories, max_length: int, batch_size: int, seed: int, features=None):
    """Return a dataset of histories and what came next, in a new order each epoch, made without a copy per event.

    Parameters
    ----------
    histories : Histories
        Coded by position in the items.
    max_length : int
        Events of a history that are read.
    batch_size : int
        Events of a batch; the rest that fills no batch waits for the next epoch's order.
    seed : int
        Seed of the order.
    features : ndarray of shape (n_users, n_features), default=None
        Features of the users.
    """
    tf = load_tensorflow()
    rows = histories.rows
    place = np.flatnonzero(np.arange(len(rows)) > histories.indptr[rows])  # all but the first event of each user
    batch_size = min(batch_size, len(place))
    codes = tf.constant(histories.codes, dtype=tf.int32)
    places, starts = tf.constant(place), tf.constant(histories.indptr[rows[place]])
    users = tf.constant(rows[place])
    described = None if features is None else tf.constant(features)
    back = tf.range(-max_length, 0, dtype=tf.int64)

    def batch(numbers):
        read = tf.gather(places, numbers)[:, None] + back
        real = read >= tf.gather(starts, numbers)[:, None]
        inputs = {"codes": tf.where(real, tf.gather(codes, tf.maximum(read, 0)) + 1, 0)}
        if described is not None:
            inputs["features"] = tf.gather(described, tf.gather(users, numbers))
        return inputs, tf.gather(codes, tf.gather(places, numbers))

    data = tf.data.Dataset.range(len(place)).shuffle(len(place), seed=seed)
    return data.batch(batch_size, drop_remainder=True).map(batch).prefetch(2)
