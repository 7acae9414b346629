"""Batches of rows of similar length, so that a net reads little padding."""

import weakref
from collections import defaultdict

import numpy as np

from skrec.neural_network._keras import load_tensorflow
from skrec.neural_network._tokens import PADDING, UNKNOWN

POOL = 32  # batches whose rows are sorted by length together: more of them, less padding and less chance


def lengths_of(rows: np.ndarray) -> np.ndarray:
    """Return the number of tokens of each left-padded row."""
    return np.count_nonzero(rows != PADDING, axis=1)


def trimmed(rows: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return left-padded rows without the columns that are padding in all of them; one column stays."""
    return rows[:, rows.shape[1] - max(1, int(lengths.max(initial=0))) :]


def by_length(rows: np.ndarray, size: int):
    """Yield (row numbers, trimmed rows) in blocks of `size` rows of similar length, the shortest first."""
    lengths = lengths_of(rows)
    order = np.argsort(lengths, kind="stable")
    for start in range(0, max(1, len(order)), size):
        part = order[start : start + size]
        yield part, trimmed(rows[part], lengths[part])


def dropped(codes: np.ndarray, share: float, rng) -> np.ndarray:
    """Return codes of which a share, drawn anew, is read as unknown."""
    return np.where((codes != PADDING) & (rng.random(codes.shape) < share), UNKNOWN, codes) if share else codes


class _Source:
    """A dataset of what a function yields that may be set anew.

    TensorFlow keeps the graphs of every `from_generator` in its default graph for as long as Python runs, half a
    megabyte each, so that one that is no longer read is used again.
    """

    def __init__(self, signature):
        self.read = None
        reference = weakref.ref(self)

        def batches():
            source = reference()
            function = source and source.read and source.read()
            if function is None:
                raise RuntimeError("the dataset is read after it was given up")
            return function()

        self.data = load_tensorflow().data.Dataset.from_generator(batches, output_signature=signature)


_free: dict[str, list[_Source]] = defaultdict(list)  # by what their batches look like


def _give_back(key: str, source: _Source) -> None:
    source.read = None
    _free[key].append(source)


def _dataset_of(batches, n_batches: int, signature):
    """Return a dataset of the batches that a function yields; as long as it lives, so does the function."""
    tf, key = load_tensorflow(), str(signature)
    try:
        source = _free[key].pop()
    except IndexError:
        source = _Source(signature)
    source.read = weakref.ref(batches)
    data = source.data.apply(tf.data.experimental.assert_cardinality(n_batches)).prefetch(2)
    data.read = batches
    weakref.finalize(data, _give_back, key, source).atexit = False
    return data


def length_batches(rows: np.ndarray, batch_size: int, examples, *, seed=None, packed=False, n_drawn=None):
    """Return a dataset of batches of left-padded rows, trimmed to the longest row of the batch.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, max_length)
        Left-padded codes.
    batch_size : int
        Rows of a batch.
    examples : callable
        Makes what Keras trains on, such as (inputs, target), of (row numbers, trimmed codes, random generator).
    seed : callable, default=None
        Returns the seed when training begins; None keeps the rows in the order of their length.
    packed : bool, default=False
        Whether a batch has as many tokens as `batch_size` rows have on average, and so more of the short rows: where
        the loss is a mean over tokens, all tokens then weigh the same.
    n_drawn : int, default=None
        Rows of an epoch, drawn anew for each with `seed`; None takes all.
    """
    tf = load_tensorflow()
    lengths = lengths_of(rows)
    state: dict = {}
    n_drawn = len(rows) if n_drawn is None else n_drawn
    n_batches = -(-n_drawn // batch_size)

    def batches():
        if seed is None:
            rng, order = np.random.default_rng(0), np.argsort(lengths, kind="stable")
        else:
            rng = state.setdefault("rng", None) or np.random.default_rng(seed())
            state["rng"] = rng
            order = rng.permutation(len(rows))[:n_drawn]
            pool = POOL * batch_size
            order = np.concatenate(
                [
                    part[np.argsort(lengths[part], kind="stable")]
                    for part in (order[start : start + pool] for start in range(0, len(order), pool))
                ]
            )
        bounds = np.minimum(np.arange(n_batches + 1) * batch_size, len(order))
        if packed:
            ends = np.cumsum(lengths[order])
            bounds = np.searchsorted(ends, np.arange(n_batches + 1) * (ends[-1] / n_batches), side="right")
            steps = np.arange(n_batches + 1)  # no batch may be empty
            bounds = np.minimum(np.maximum.accumulate(bounds - steps) + steps, len(order) - steps[::-1])
            bounds[0], bounds[-1] = 0, len(order)
        for number in range(n_batches) if seed is None else rng.permutation(n_batches):
            part = order[bounds[number] : bounds[number + 1]]
            yield examples(part, trimmed(rows[part], lengths[part]), rng)

    rng = np.random.default_rng(0)
    sample = examples(np.arange(1), trimmed(rows[:1], lengths[:1]), rng)
    flat = lambda value: tf.TensorSpec((None,) * np.ndim(value), np.asarray(value).dtype)  # noqa: E731
    return _dataset_of(batches, n_batches, tf.nest.map_structure(flat, sample))
