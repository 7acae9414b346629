"""Inputs of nets: arrays by name, sliced, counted and filled up alike."""

import numpy as np


def take(inputs, rows):
    """Return some rows of a net's inputs: an array, a dict of arrays, or anything that numpy indexes."""
    return {name: values[rows] for name, values in inputs.items()} if isinstance(inputs, dict) else inputs[rows]


def count(inputs):
    """Return the number of rows of a net's inputs."""
    return len(next(iter(inputs.values()))) if isinstance(inputs, dict) else len(inputs)


def filled_up(inputs, multiple=8):
    """Add rows of zeros up to a multiple of 8: what a row gets then does not depend on its place, to the last bit."""
    if not (missing := -count(inputs) % multiple):
        return inputs

    def fill(values):
        values = np.asarray(values)
        return np.concatenate([values, np.zeros((missing, *values.shape[1:]), dtype=values.dtype)])

    return {name: fill(values) for name, values in inputs.items()} if isinstance(inputs, dict) else fill(inputs)
