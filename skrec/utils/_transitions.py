"""How often one item follows another within some steps."""

import numpy as np
import scipy.sparse as sp


def count_transitions(codes: np.ndarray, rows: np.ndarray, n_items: int, weights, *, dtype=np.float32) -> sp.csr_array:
    """Return how often each item follows each other one in a history, pairs weighted by the steps between them.

    Parameters
    ----------
    codes : int ndarray of shape (n_events,)
        Items, history after history, in their order.
    rows : int ndarray of shape (n_events,)
        The history of each event.
    n_items : int
        Number of items.
    weights : sequence of float
        Weight of a pair one step apart, two steps apart, and so on.
    dtype : dtype, default=numpy.float32
        Type of the sums.

    Returns
    -------
    CSR array of shape (n_items, n_items)
        Row: the earlier item; column: the later one.
    """
    shape = (n_items, n_items)
    counts = sp.csr_array(shape, dtype=dtype)
    for gap, weight in enumerate(weights, 1):
        same = rows[gap:] == rows[:-gap]
        before, after = codes[:-gap][same], codes[gap:][same]
        if not len(before):
            break
        counts = counts + sp.csr_array((np.full(len(before), weight, dtype=dtype), (before, after)), shape=shape)
    return counts
