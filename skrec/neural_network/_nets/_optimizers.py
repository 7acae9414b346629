"""Optimizers of the nets: by Keras' names, and an Adam that moves only the item vectors of a step."""

from functools import cache


def make_optimizer(keras, name: str, learning_rate: float, schedule: str, weight_decay: float, n_steps: int):
    """Return an optimizer whose learning rate follows `schedule` over `n_steps` training steps."""
    if schedule == "cosine":
        warmup = max(1, n_steps // 20)
        learning_rate = keras.optimizers.schedules.CosineDecay(
            learning_rate / 10, max(1, n_steps - warmup), 0.01, warmup_target=learning_rate, warmup_steps=warmup
        )
    kind = lazy_adam() if name == "lazy_adam" else type(keras.optimizers.get(name))
    return alone(kind(learning_rate=learning_rate, weight_decay=weight_decay or None))


def alone(optimizer):
    """Let an optimizer skip the sum over replicas.

    There is one replica here, and TensorFlow keeps that step's graph for ever: 6 MB a fit, see bench_keras.py.
    """
    optimizer._all_reduce_sum_gradients = lambda pairs: [pair for pair in pairs if pair[0] is not None]
    return optimizer


@cache
def lazy_adam():
    """Return the class of an Adam that leaves rows without a gradient, and their moments, as they are.

    Adam moves every row of a table in every step, by what its moments remember; with a million items that is nearly
    all of a step. The rows that a step reads move as in Keras' Adam, whose second moment of a row that a step reads
    more than once is the sum of the squares, not the square of the sum: frequent items take larger steps.
    """
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable(package="skrec")
    class LazyAdam(keras.optimizers.Adam):
        """Adam for tables of which a step reads a few rows."""

        def update_step(self, gradient, variable, learning_rate):
            if not isinstance(gradient, tf.IndexedSlices):
                super().update_step(gradient, variable, learning_rate)
                return
            rows, place = tf.unique(gradient.indices)
            slope = tf.math.unsorted_segment_sum(gradient.values, place, tf.size(rows))
            index = self._get_variable_index(variable)
            first, second = self._momentums[index].value, self._velocities[index].value
            step = tf.cast(self.iterations + 1, slope.dtype)
            rate = tf.cast(learning_rate, slope.dtype)
            rate *= tf.sqrt(1 - tf.pow(self.beta_2, step)) / (1 - tf.pow(self.beta_1, step))
            mean = tf.gather(first, rows)
            mean += (slope - mean) * (1 - self.beta_1)
            square = tf.gather(second, rows)
            squares = tf.math.unsorted_segment_sum(tf.square(gradient.values), place, tf.size(rows))
            square += (squares - square) * (1 - self.beta_2)
            first.scatter_update(tf.IndexedSlices(mean, rows))
            second.scatter_update(tf.IndexedSlices(square, rows))
            variable.scatter_sub(tf.IndexedSlices(rate * mean / (tf.sqrt(square) + self.epsilon), rows))

    return LazyAdam
