"""What a recipe costs: processor seconds and memory of a fit, milliseconds of a request."""

import time

import numpy as np

_SIZE = 384
_SORTED = 200_000
_REPEATS = 7


def machine_unit() -> float:
    """Return the processor seconds that a fixed piece of work takes here: a matrix product and a sort.

    Returns
    -------
    float
        The least of seven repetitions, some milliseconds each, so that other work on the machine counts little.
    """
    rng = np.random.default_rng(0)
    matrix = rng.random((_SIZE, _SIZE), dtype=np.float32)
    values = rng.random(_SORTED)
    seconds = []
    for _ in range(_REPEATS):
        start = time.process_time()
        matrix @ matrix
        np.sort(values)
        seconds.append(time.process_time() - start)
    return min(seconds)
