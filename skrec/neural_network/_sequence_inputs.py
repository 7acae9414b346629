"""What the nets read that recommend the next item: left-padded rows of items and of the time between events."""

import numpy as np

_ROWS = 2**14  # users that are padded at a time


def padded(histories, length: int, values: np.ndarray | None = None) -> np.ndarray:
    """Return the last `length` items of each user as codes 1 and more, with 0 before them: int32 (n_users, longest).

    `values`, one per event, take the place of the items.
    """
    added, values = (1, histories.codes) if values is None else (0, values)
    indptr = histories.indptr
    sizes = np.minimum(np.diff(indptr), length)
    rows = np.zeros((len(sizes), max(1, int(sizes.max(initial=0)))), dtype=np.int32)
    column = np.arange(-rows.shape[1], 0)
    for start in range(0, len(rows), _ROWS):  # what a block needs beside the rows stays small
        part = slice(start, start + _ROWS)
        filled = column >= -sizes[part, None]
        rows[part][filled] = values[(indptr[1:][part, None] + column)[filled]] + added
    return rows


def thinned(inputs: dict[str, np.ndarray], share: float, rng) -> dict[str, np.ndarray]:
    """Leave out a share of the events at random, and move the others to the end of their rows."""
    keep = (inputs["codes"] > 0) & (rng.random(inputs["codes"].shape) >= share)
    order = np.argsort(keep, axis=1, kind="stable")
    return {name: np.take_along_axis(np.where(keep, values, 0), order, axis=1) for name, values in inputs.items()}


def time_gaps(histories) -> np.ndarray:
    """Return the time between each event and the one before it in its history; NaN for the first: (n_events,)."""
    gaps = np.full(len(histories.codes), np.nan)
    gaps[1:] = np.diff(histories.time)
    starts = histories.indptr[:-1]
    gaps[starts[starts < len(gaps)]] = np.nan
    return gaps
