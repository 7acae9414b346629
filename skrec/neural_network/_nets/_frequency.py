"""Causal low-pass and high-pass filter of a sequence of vectors: the frequency layer of BSARec."""

from functools import cache

import numpy as np

from skrec.neural_network._keras import load_keras, load_tensorflow

N_LOW = 3  # frequencies in the low part, the mean included; BSARec's c = 5 on Beauty


def low_pass(length: int, n_low: int = N_LOW) -> np.ndarray:
    r"""Return the impulse response of the ideal low-pass filter of sequences of `length` events.

    It is the inverse discrete Fourier transform of a spectrum with ones at the lowest frequencies and zeros elsewhere,

    .. math:: h_n = \frac{1}{N} \Big( 1 + 2 \sum_{f=1}^{n_{low} - 1} \cos \frac{2 \pi f n}{N} \Big).

    A filter in the frequency domain gives at the last event of a sequence of length :math:`N` the sum of
    :math:`h_n x_{t-n}` over the events up to it: the causal convolution with this response.

    Parameters
    ----------
    length : int
        The length :math:`N` of the transform, and of the response.
    n_low : int, default=3
        Number of frequencies that pass, with the mean; at most ``length // 2 + 1`` count.

    Returns
    -------
    ndarray of shape (length,), float32
        The weight of the event that is 0, 1, 2, ... events back.
    """
    passes = np.arange(length // 2 + 1) < n_low
    return np.fft.irfft(passes, length).astype(np.float32)


@cache
def frequency_filter():
    """Return the layer, which Keras can store."""
    keras, tf = load_keras(), load_tensorflow()

    @keras.saving.register_keras_serializable(package="skrec")
    class FrequencyFilter(keras.layers.Layer):
        r"""Mean of another branch and of a filter that weighs the low and the high part of a sequence.

        With :math:`l_t = \sum_{n=0}^{t} h_n x_{t-n}` the low part of the events :math:`x`, :math:`h` the response of
        `low_pass`, and :math:`\beta` one learned number a component, the output at event :math:`t` is

        .. math:: \alpha \, \operatorname{dropout}\big(l_t + \beta^2 \odot (x_t - l_t)\big) + (1 - \alpha) \, a_t,

        where :math:`\alpha` is `share` and :math:`a_t` the output of the other branch; from Y. Shin, J. Choi, H. Wi and
        N. Park, "An Attentive Inductive Bias for Sequential Recommendation beyond the Self-Attention", AAAI 2024.
        There the transform is that of the whole row, and only the output at the last event is used; the sum over the
        events up to :math:`t` gives that output at every event, and reads nothing later. Padding counts as zero.
        """

        def __init__(self, length, share, dropout=0.0, **keywords):
            super().__init__(**keywords)
            self.length, self.share, self.dropout = length, share, dropout
            self.drop = keras.layers.Dropout(dropout)

        def build(self, shape, *others):
            spread = keras.initializers.RandomNormal(stddev=1.0)
            self.beta = self.add_weight(shape=(shape[-1],), initializer=spread, name="beta")
            self.built = True

        def call(self, events, other, real, training=False):
            """Return the mean of both branches, (n_users, n_events, size); `real` is false at padding."""
            place = tf.range(tf.shape(events)[1])
            back = place[:, None] - place[None, :]
            response = tf.constant(np.append(low_pass(self.length), 0), dtype=events.dtype)
            weights = tf.gather(response, tf.where(back < 0, self.length, tf.minimum(back, self.length)))
            low = tf.einsum("ts,bsd->btd", weights, events * tf.cast(real, events.dtype)[:, :, None])
            filtered = low + tf.square(tf.cast(self.beta, events.dtype)) * (events - low)
            return self.share * self.drop(filtered, training=training) + (1 - self.share) * other

        def compute_output_shape(self, events_shape, *others):
            return events_shape

        def get_config(self):
            own = {"length": self.length, "share": self.share, "dropout": self.dropout}
            return {**super().get_config(), **own}

    return FrequencyFilter
