"""How often one item follows another within some steps."""

import numpy as np
import scipy.sparse as sp


def count_transitions(codes: np.ndarray, rows: np.ndarray, n_items: int, weights) -> sp.csr_array:
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

    Returns
    -------
    CSR array of shape (n_items, n_items), dtype float32
        Row: the earlier item; column: the later one.
    """
    shape = (n_items, n_items)
    counts = sp.csr_array(shape, dtype=np.float32)
    for gap, weight in enumerate(weights, 1):
        same = rows[gap:] == rows[:-gap]
        before, after = codes[:-gap][same], codes[gap:][same]
        if not len(before):
            break
        counts = counts + sp.csr_array((np.full(len(before), weight, dtype=np.float32), (before, after)), shape=shape)
    return counts
