"""Attention of an event to itself and to those before it, which knows how far back they are."""

from functools import cache

import numpy as np

from skrec.neural_network._ages import N_AGES, of_age
from skrec.neural_network._keras import load_keras, load_tensorflow

SPEED = 5.0  # how much faster than other weights those of the distance are learned


@cache
def causal_attention():
    """Return the layer, which Keras can store."""
    keras, tf = load_keras(), load_tensorflow()

    @keras.saving.register_keras_serializable(package="skrec")
    class CausalAttention(keras.layers.Layer):
        """Multi-head attention to what came before, with a learned term for the distance in each head.

        The logit of an event for another is the product of query and key over the root of their length, as in
        `keras.layers.MultiHeadAttention`, plus a number for the class of their distance, as in Raffel et al.,
        "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", JMLR 21, 2020.
        """

        def __init__(self, n_heads, dropout=0.0, **keywords):
            super().__init__(**keywords)
            self.n_heads, self.dropout = n_heads, dropout
            self.drop = keras.layers.Dropout(dropout)

        def build(self, shape):
            size, heads = shape[-1], self.n_heads
            width = size // heads
            for name in ("query", "key", "value"):
                kernel = self.add_weight(shape=(size, heads, width), initializer="glorot_uniform", name=name)
                bias = self.add_weight(shape=(heads, width), initializer="zeros", name=f"{name}_bias")
                setattr(self, name, (kernel, bias))
            self.out = self.add_weight(shape=(heads, width, size), initializer="glorot_uniform", name="out")
            self.out_bias = self.add_weight(shape=(size,), initializer="zeros", name="out_bias")
            self.by_distance = self.add_weight(
                shape=(N_AGES, heads), initializer="zeros", autocast=False, name="by_distance"
            )
            self.built = True

        def call(self, events, real, training=False):
            """Return what each event takes from those before it, (n_users, length, size); `real` is no padding."""
            query, key, value = (
                tf.einsum("btd,dhw->bhtw", events, kernel) + bias[:, None, :]
                for kernel, bias in (self.query, self.key, self.value)
            )
            place = tf.range(tf.shape(events)[1])
            back = place[:, None] - place[None, :]
            may_look = (back >= 0)[None] & real[:, None, :]
            distance = SPEED * of_age(tf.maximum(back, 0) + 1, tf.convert_to_tensor(self.by_distance))
            logits = tf.matmul(query, key, transpose_b=True) / np.sqrt(query.shape[-1])
            logits = tf.cast(logits, tf.float32) + tf.transpose(distance, [2, 0, 1])[None]
            weights = tf.nn.softmax(tf.where(may_look[:, None], logits, -1e9))
            weights = self.drop(tf.cast(weights, events.dtype), training=training)
            return tf.einsum("bhtw,hwd->btd", tf.matmul(weights, value), self.out) + self.out_bias

        def compute_output_shape(self, events_shape, real_shape=None):
            return events_shape

        def get_config(self):
            return {**super().get_config(), "n_heads": self.n_heads, "dropout": self.dropout}

    return CausalAttention
