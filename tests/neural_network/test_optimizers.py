"""LazyAdam against Adam."""

import pickle

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from skrec.neural_network import SASRec
from skrec.neural_network._keras import load_keras, load_tensorflow
from skrec.neural_network._nets._optimizers import alone, lazy_adam


@pytest.fixture
def table_step():
    """Return a function that takes steps of an optimizer on a table of 5 rows, each with the rows it reads."""
    keras, tf = load_keras(), load_tensorflow()

    def train(optimizer, *reads):
        table = keras.Variable(np.arange(10, dtype=np.float32).reshape(5, 2))
        optimizer.build([table])
        for rows in reads:
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.gather(tf.convert_to_tensor(table), rows) ** 2)
            slope = tape.gradient(loss, table.value)
            assert isinstance(slope, tf.IndexedSlices)
            optimizer.apply([slope], [table])
        return table.numpy()

    return train


@pytest.mark.parametrize("rows", [[1, 3], [1, 3, 1, 1]], ids=["once", "more than once"])
def test_lazy_adam_moves_read_rows_as_adam_moves_them(table_step, rows):
    moved = table_step(lazy_adam()(0.1), rows, rows)
    np.testing.assert_allclose(moved, table_step(load_keras().optimizers.Adam(0.1), rows, rows), rtol=1e-6)


def test_lazy_adam_leaves_other_rows_alone(table_step):
    before = np.arange(10, dtype=np.float32).reshape(5, 2)
    once = table_step(lazy_adam()(0.1), [1])
    twice = table_step(lazy_adam()(0.1), [1], [3])
    np.testing.assert_array_equal(np.flatnonzero((twice != before).any(axis=1)), [1, 3])
    np.testing.assert_array_equal(once[1], twice[1])


def test_dense_gradients_move_everything_in_lazy_adam():
    keras, tf = load_keras(), load_tensorflow()
    tables = [keras.Variable(np.ones((3, 2), dtype=np.float32)) for _ in range(2)]
    for table, optimizer in zip(tables, (lazy_adam()(0.1), keras.optimizers.Adam(0.1)), strict=True):
        optimizer.build([table])
        optimizer.apply([tf.ones((3, 2))], [table])
    np.testing.assert_array_equal(tables[0].numpy(), tables[1].numpy())


def test_a_net_stores_its_lazy_adam_and_goes_on():
    circle = [[(start + step) % 12 for step in range(8)] for start in range(12)] * 4
    small = {"epochs": 2, "batch_size": 16, "n_negatives": 4, "early_stopping": False, "random_state": 0}
    model = SASRec(8, optimizer="lazy_adam", **small).fit(circle)
    again = pickle.loads(pickle.dumps(model))
    assert type(again.net_.model_.optimizer).__name__ == "LazyAdam"
    for one in (model, again):
        one.partial_fit(circle)
    np.testing.assert_allclose(again.item_factors_, model.item_factors_, rtol=1e-5)


def test_a_training_step_calls_the_private_hook_that_alone_replaces():
    """Tried with Keras 3.15; if this fails, every fit keeps a graph of 6 MB again: see `alone`."""
    keras = load_keras()
    optimizer = alone(keras.optimizers.Adam())
    assert hasattr(keras.optimizers.Adam(), "_all_reduce_sum_gradients")
    called, skip = [], optimizer._all_reduce_sum_gradients
    optimizer._all_reduce_sum_gradients = lambda pairs: called.append(True) or skip(pairs)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(optimizer=optimizer, loss="mse")
    model.fit(np.ones((8, 2), dtype=np.float32), np.ones(8, dtype=np.float32), epochs=1, shuffle=False, verbose=0)
    assert called
