"""Rows of compressed histories: cut into blocks, into kept events, and into baskets."""

from collections.abc import Iterator

import numpy as np

BLOCK = 2**22  # events that are worked on at once where copies of all would take too much memory


def row_blocks(indptr: np.ndarray, n_events: int = BLOCK) -> Iterator[slice]:
    """Cut rows into consecutive blocks of at most `n_events` events, a row that is longer alone.

    Parameters
    ----------
    indptr : ndarray of shape (n_rows + 1,)
        Row boundaries.
    n_events : int, default=4194304
        Events of a block.

    Yields
    ------
    slice
        The rows of a block; one that is empty where there are no rows.
    """
    n_rows, start = len(indptr) - 1, 0
    while True:
        stop = int(np.searchsorted(indptr, indptr[start] + n_events, side="right")) - 1
        stop = min(max(stop, start + 1), n_rows)
        yield slice(start, stop)
        if stop >= n_rows:
            return
        start = stop


def kept_boundaries(keep: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    """Return the row boundaries, shape (n_rows + 1,), of the events where a boolean mask is true."""
    kept = np.zeros(len(indptr), dtype=np.int64)
    for rows in row_blocks(indptr):
        bounds = indptr[rows.start : rows.stop + 1]
        total = np.concatenate([[0], np.cumsum(keep[bounds[0] : bounds[-1]], dtype=np.int64)])
        kept[rows.start : rows.stop + 1] = kept[rows.start] + total[bounds - bounds[0]]
    return kept


def number_baskets(indptr: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the baskets of all users: events of one user at one time.

    Returns the basket of each event, and the first basket of each user with one more at the end, (n_users + 1,).
    """
    begins = np.ones(len(times), dtype=bool)
    begins[1:] = times[1:] != times[:-1]
    begins[indptr[:-1][np.diff(indptr) > 0]] = True
    total = np.concatenate([[0], np.cumsum(begins)])
    return total[1:] - 1, total[indptr]


def are_basket_numbers(indptr: np.ndarray, times: np.ndarray) -> bool:
    """Tell whether times number the baskets of each user: 1, 2, 3 and so on for every user, or 0, 1, 2."""
    if not len(times):
        return False
    begins = np.zeros(len(times), dtype=bool)
    begins[indptr[:-1][np.diff(indptr) > 0]] = True
    steps = np.diff(times)[~begins[1:]]
    return bool(
        times[0] in (0, 1) and (times[begins] == times[0]).all() and np.isin(steps, (0, 1)).all() and steps.any()
    )
