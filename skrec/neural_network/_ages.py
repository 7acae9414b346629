"""Classes of age: how many events ago something came, two classes for each doubling."""

import numpy as np

from skrec.neural_network._keras import load_tensorflow

N_AGES = 16  # from the last event, of age 1, to the 182nd and all older


def age_classes(ages) -> np.ndarray:
    """Return the class of each age in events, 1 for the last event: int32, 0 to N_AGES - 1."""
    return np.minimum(2 * np.log2(ages) + 1e-4, N_AGES - 1).astype(np.int32)


def of_age(ages, table):
    """Return the row of a table, one per class, for each age; tensors."""
    tf = load_tensorflow()
    doubled = 2 * tf.math.log(tf.cast(ages, tf.float32)) / np.log(2) + 1e-4
    return tf.gather(table, tf.cast(tf.minimum(doubled, N_AGES - 1), tf.int32))
