"""Losses of the nets that recommend: which item comes next, out of all of them or out of a sample."""

from functools import cache

import numpy as np

from skrec.neural_network._ages import N_AGES
from skrec.neural_network._keras import load_keras, load_tensorflow
from skrec.neural_network._nets._returns import history_logits

# the loss, and the power of the popularity by which its negatives are drawn
LOSSES = {"softmax": 1.0, "gbce": 0.0, "bpr_max": 0.5}


def next_item_loss(
    name: str,
    hidden,
    target,
    vectors,
    n_items,
    sample,
    history=None,
    calibration: float = 0.75,
    regularization: float = 1.0,
):
    """Return the loss of each position.

    Parameters
    ----------
    name : {"softmax", "gbce", "bpr_max"}
        The loss.
    hidden : tensor of shape (n_positions, n_components)
        What the net says at each position.
    target : int tensor of shape (n_positions,)
        The code of the item that came next, 1 is the first.
    vectors : callable
        Returns the vectors of some codes, a tensor (n_codes, n_components); those of all items for None.
    n_items : int
        Number of items.
    sample : tuple of tensors or None
        Codes of negative items drawn for the whole batch (n_negatives,), and the log of how often each is expected in
        the sample; None takes all items, which only "softmax" can.
    history : tuple of tensors (n_positions, length), default=None
        The logits of the items that came before, without bonus, the bonus of each, which of them count, and which of
        those are the target. They are then negatives for certain beside those drawn.
    calibration : float, default=0.75
        The `t` of gBCE: 0 is binary cross-entropy, 1 calibrates fully.
    regularization : float, default=1.0
        Weight of the negatives' squared scores in BPR-max.
    """
    tf = load_tensorflow()
    if sample is None:
        logits = tf.cast(tf.matmul(hidden, vectors(None), transpose_b=True), tf.float32)
        if history is None:
            return tf.nn.sparse_softmax_cross_entropy_with_logits(target - 1, logits)
        before, bonus, counts, right = history
        total = tf.reduce_logsumexp(logits, axis=1)
        more = tf.where(counts, tf.exp(tf.minimum(before - total[:, None], 0.0)) * tf.math.expm1(bonus), 0.0)
        total += tf.math.log1p(tf.maximum(tf.reduce_sum(more, axis=1), -1 + 1e-6))
        return total - tf.gather(logits, target - 1, batch_dims=1) - tf.reduce_sum(tf.where(right, bonus, 0.0), axis=1)
    negatives, log_expected = sample
    positive = tf.reduce_sum(hidden * vectors(target), axis=1)
    negative = tf.matmul(hidden, vectors(negatives), transpose_b=True)
    positive, negative = tf.cast(positive, tf.float32), tf.cast(negative, tf.float32)
    itself = tf.equal(target[:, None], negatives[None, :])  # drawn, but it is the positive one: no negative
    if history is not None:
        before, bonus, counts, right = history
        positive += tf.reduce_sum(tf.where(right, bonus, 0.0), axis=1)
        negative = tf.concat([negative, before + bonus], axis=1)
        itself = tf.concat([itself, right | ~counts], axis=1)
        log_expected = tf.concat([log_expected, tf.zeros(tf.shape(before)[1])], axis=0)
    if name == "softmax":
        corrected = tf.where(itself, -1e9, negative - log_expected[None, :])
        return tf.reduce_logsumexp(tf.concat([positive[:, None], corrected], axis=1), axis=1) - positive
    if name == "gbce":
        rate = tf.cast(tf.shape(negatives)[0], tf.float32) / (n_items - 1)
        power = rate * (calibration * (1 - 1 / rate) + 1 / rate)
        missed = tf.where(itself, 0.0, tf.nn.softplus(negative))
        return power * tf.nn.softplus(-positive) + tf.reduce_sum(missed, axis=1)
    share = tf.nn.softmax(tf.where(itself, -1e9, negative), axis=1)
    ranked = tf.reduce_sum(share * tf.sigmoid(positive[:, None] - negative), axis=1)
    return -tf.math.log(ranked + 1e-24) + regularization * tf.reduce_sum(share * negative**2, axis=1)


@cache
def layers():
    """Return the layer of item vectors and the model that is trained on next items, which Keras can store."""
    keras, tf = load_keras(), load_tensorflow()

    @keras.saving.register_keras_serializable(package="skrec")
    class ItemTable(keras.layers.Layer):
        """One vector per item; code 0 is no item. Known features of the items add their projection.

        `n_entries` is the number of stored entries of sparse features; 0 for dense ones.
        """

        def __init__(self, n_items, n_components, n_features=0, n_entries=0, **keywords):
            super().__init__(**keywords)
            self.n_items, self.n_components = n_items, n_components
            self.n_features, self.n_entries = n_features, n_entries

        def build(self, shape):
            def known(name, *size, dtype=None):
                return self.add_weight(
                    shape=size, initializer="zeros", trainable=False, dtype=dtype, autocast=False, name=name
                )

            spread = keras.initializers.RandomNormal(stddev=self.n_components**-0.5 / 2)
            size = (self.n_items + 1, self.n_components)
            self.vectors = self.add_weight(shape=size, initializer=spread, autocast=False, name="vectors")
            size = (self.n_features, self.n_components)
            if self.n_entries:
                self.ends = known("ends", self.n_items + 2, dtype="int64")
                self.columns = known("columns", self.n_entries, dtype="int32")
                self.amounts = known("amounts", self.n_entries)
                self.projection = self.add_weight(shape=size, initializer=spread, autocast=False, name="projection")
            elif self.n_features:
                self.features = known("features", self.n_items + 1, self.n_features)
                self.projection = self.add_weight(shape=size, initializer="glorot_uniform", name="projection")
            self.built = True

        def call(self, codes):
            """Return the vectors of codes of any shape; of None, those of all codes, 0 included."""
            own = self.rows(self.vectors, codes)
            if self.n_entries:
                return own + self.sum_of_features(codes)
            if self.n_features:
                return own + tf.tensordot(self.rows(self.features, codes), tf.cast(self.projection, own.dtype), 1)
            return own

        def rows(self, weight, codes):
            """Look rows up in the variable itself: its gradient is then of these rows, and nothing is copied."""
            found = tf.convert_to_tensor(weight) if codes is None else tf.gather(weight.value, codes)
            return tf.cast(found, self.compute_dtype)

        def sum_of_features(self, codes):
            """Return the weighted sum of the vectors of each code's features, each use of a code for itself.

            The codes that differ would do, and faster, but frequent words then take smaller steps (see LazyAdam).
            """
            codes = tf.range(self.n_items + 1) if codes is None else codes
            flat = tf.reshape(codes, [-1])
            start = tf.gather(self.ends.value, flat)
            size = tf.gather(self.ends.value, flat + 1) - start
            row = tf.repeat(tf.range(tf.size(flat)), size)
            first = tf.repeat(start - tf.cumsum(size, exclusive=True), size)
            place = first + tf.range(tf.size(row), dtype=tf.int64)
            vectors = tf.gather(self.projection.value, tf.gather(self.columns.value, place))
            vectors *= tf.gather(self.amounts.value, place)[:, None]
            total = tf.math.unsorted_segment_sum(vectors, row, tf.size(flat))
            shape = tf.concat([tf.shape(codes), [self.n_components]], axis=0)
            return tf.cast(tf.reshape(total, shape), self.compute_dtype)

        def compute_output_shape(self, shape):
            return (*shape, self.n_components)

        def get_config(self):
            names = ("n_items", "n_components", "n_features", "n_entries")
            return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    @keras.saving.register_keras_serializable(package="skrec")
    class NextItemModel(keras.Model):
        """An encoder of item codes, trained to name the item that follows each position."""

        def __init__(self, encoder, loss="softmax", n_negatives=0, power=1.0, tied=True, returns=False, **keywords):
            super().__init__(**keywords)
            self.returns = returns
            self.encoder, self.loss_name, self.n_negatives, self.power = encoder, loss, n_negatives, power
            self.seed_generator = keras.random.SeedGenerator(0)  # set anew when training begins
            self.tied, read = tied, encoder.get_layer("items")
            self.named = read if tied else ItemTable.from_config({**read.get_config(), "name": "named"})

        def build(self, shape=None):
            if not self.tied:
                self.named.build(shape)
            if self.returns:
                self.bonus = self.add_weight(shape=(N_AGES,), initializer="zeros", autocast=False, name="bonus")
            if self.n_negatives:
                size = (self.named.n_items,)
                self.shares = self.add_weight(shape=size, initializer="ones", trainable=False, name="shares")
            self.built = True

        def call(self, inputs, training=False):
            return self.encoder(inputs, training=training)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            real = tf.greater(y, 0)
            hidden, target = tf.boolean_mask(y_pred, real), tf.boolean_mask(y, real)
            sample = self.draw() if self.n_negatives else None

            def vectors(codes):
                found = self.named(codes) if codes is not None else self.named.call(None)[1:]
                return tf.cast(found, hidden.dtype)

            history = self.history_of(x, y, y_pred, real) if self.returns else None
            losses = next_item_loss(self.loss_name, hidden, target, vectors, self.named.n_items, sample, history)
            return tf.reduce_mean(losses)

        def history_of(self, x, y, y_pred, real):
            """Return what the loss needs to know of the items that came before each real position."""
            codes = x["codes"] if isinstance(x, dict) else x
            read = tf.cast(self.named(codes), y_pred.dtype)
            logits, bonus, last = history_logits(codes, y_pred, read, tf.convert_to_tensor(self.bonus))
            right = last & tf.equal(codes[:, None, :], y[:, :, None])
            bonus = tf.broadcast_to(bonus[None], tf.shape(logits))
            return [tf.boolean_mask(part, real) for part in (tf.cast(logits, tf.float32), bonus, last, right)]

        def set_popularity(self, popularity):
            """Let items be drawn in proportion to their popularity to the power of `power`."""
            if self.n_negatives:
                shares = np.maximum(popularity, 1).astype(np.float64) ** self.power
                self.shares.assign((shares / shares.sum()).astype(np.float32))

        @property
        def tables(self):
            """The item vectors that are read, and those that score where they are others."""
            read = self.encoder.get_layer("items")
            return [read] if self.tied else [read, self.named]

        def set_vectors(self, vectors):
            """Give the items, all codes but 0, vectors to start from, (n_items, some of the components)."""
            for table in self.tables:
                start = np.array(table.vectors)
                start[1:, : vectors.shape[1]] = vectors
                table.vectors.assign(start)

        def set_features(self, features):
            """Give the items, all codes but 0, their known features (n_items, n_features), CSR or dense."""
            for table in self.tables:
                if table.n_entries:
                    table.ends.assign(np.concatenate([[0], features.indptr]))
                    table.columns.assign(features.indices)
                    table.amounts.assign(features.data)
                else:
                    table.features.assign(np.pad(features, [(1, 0), (0, 0)]))

        def draw(self):
            """Draw codes of negatives, with replacement; return them and the log of their expected count."""
            total = tf.cumsum(self.shares)
            drawn = tf.searchsorted(
                total, keras.random.uniform((self.n_negatives,), seed=self.seed_generator) * total[-1], side="right"
            )
            drawn = tf.minimum(drawn, tf.shape(total)[0] - 1)
            return drawn + 1, tf.math.log(tf.gather(self.shares, drawn) * self.n_negatives)

        def get_config(self):
            own = {"loss": self.loss_name, "n_negatives": self.n_negatives, "power": self.power}
            own |= {"tied": self.tied, "returns": self.returns}
            return {**super().get_config(), "encoder": keras.saving.serialize_keras_object(self.encoder), **own}

        @classmethod
        def from_config(cls, config):
            return cls(keras.saving.deserialize_keras_object(config.pop("encoder")), **config)

    return ItemTable, NextItemModel
