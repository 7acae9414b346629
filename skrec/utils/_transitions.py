"""How often one item follows another within some steps."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from . import _fast_transitions
from ._cooccurrence import Cooccurrence
from ._csr import counts_of, estimated_sum, stacked_rows

_PAIR_SECONDS = 1e-7  # of NumPy for a pair of events


class Transitions(Cooccurrence):
    r"""How often each item follows each other one, pairs weighted by the steps between them; formed where needed.

    Row :math:`i` and column :math:`j` hold :math:`T_{ij} + b T_{ji}` with
    :math:`T_{ij} = \sum_{\text{pairs } (i, j)} w_{\text{steps}}`. Rows that are only looked at in blocks are summed in
    float64 with weights rounded to float32: these sums are exact, in any order, as long as they are below about
    :math:`10^8` times the smallest weight.

    Parameters
    ----------
    codes : int ndarray of shape (n_events,)
        Items, history after history, in their order.
    indptr : int ndarray of shape (n_users + 1,)
        Boundaries of the histories.
    n_items : int
        Number of items.
    weights : ndarray of shape (n_steps,)
        Weight of a pair one step apart, two steps apart, and so on.
    backward : float, default=0
        Factor :math:`b` of the way back.
    """

    def __init__(self, codes: np.ndarray, indptr: np.ndarray, n_items: int, weights, backward: float = 0.0):
        self._factors, self._parts = None, None
        weights = np.asarray(weights, dtype=np.float64)
        self._codes, self._indptr, self._n_items = np.require(codes, np.int32, ["C", "A"]), indptr, n_items
        self._forward, self._backward = weights, weights * backward

    def exact(self) -> sp.csr_array:
        """Return the sums as a float64 CSR array."""
        if self._parts is None:
            self._parts = (self._mapped(lambda start, block: block, np.float64), None)
        return super().exact()

    def _most_entries(self) -> float:
        if self._parts is not None:
            return super()._most_entries()
        n_steps = np.count_nonzero(self._forward) + np.count_nonzero(self._backward)
        return min(float(n_steps) * len(self._codes), float(self._n_items) ** 2)

    def estimated_entries(self) -> float:
        """Estimate the number of entries, from some rows where they have not been formed."""
        if self._parts is not None:
            return super().estimated_entries()
        block_of, _ = _counter(self._codes, self._indptr, self._n_items, *self._weights(np.float32))
        rows = counts_of(self._codes, self._n_items)
        return estimated_sum(rows, lambda items: np.array([block_of(item, item + 1).nnz for item in items]))

    def map_rows(self, function: Callable[[int, sp.csr_array], sp.csr_array]) -> sp.csr_array:
        """Return the rows that a function makes of blocks of rows; rows that have not been formed never are at once."""
        return self._mapped(function, np.float32) if self._parts is None else super().map_rows(function)

    def _mapped(self, function, dtype) -> sp.csr_array:
        block_of, bounds = _counter(self._codes, self._indptr, self._n_items, *self._weights(dtype))
        return stacked_rows(lambda start, stop: function(start, block_of(start, stop)), bounds, self._n_items)

    def _weights(self, dtype) -> list[np.ndarray]:
        return [np.trim_zeros(w.astype(dtype).astype(np.float64), "b") for w in (self._forward, self._backward)]


def _counter(codes, indptr, n_items: int, forward, backward):
    """Return the function that counts the pairs of a block of items, and the most entries of the rows before each."""
    n_events = len(codes)
    n_own = counts_of(codes, n_items)
    own = np.concatenate([[0], np.cumsum(n_own)])
    bounds = np.concatenate([[0], np.cumsum(np.minimum(n_own * (len(forward) + len(backward)), n_items))])
    begins = np.zeros(n_events, dtype=bool)
    begins[indptr[:-1][indptr[:-1] < indptr[1:]]] = True
    seconds = _PAIR_SECONDS * n_events * (len(forward) + len(backward))
    if n_events < 2**32 and _fast_transitions.worthwhile(seconds):
        order, count = _fast_transitions.kernels()
        positions = np.empty(n_events, dtype=np.uint32)
        order(codes, own[:-1].copy(), positions)

        def block_of(start, stop):
            most = int(bounds[stop] - bounds[start])
            ends, columns, values = np.zeros(stop - start + 1, np.int64), np.empty(most, np.int32), np.empty(most)
            count(codes, begins, positions, own[start : stop + 1], forward, backward, n_items, ends, columns, values)
            return sp.csr_array((values[: ends[-1]], columns[: ends[-1]], ends), shape=(stop - start, n_items))

        return block_of, bounds
    sorted_events, history = np.argsort(codes, kind="stable"), np.cumsum(begins)

    def block_with_scipy(start, stop):
        events = sorted_events[own[start] : own[stop]]
        rows, columns, values = [events[:0]], [events[:0]], [np.empty(0)]
        for sign, weights in ((1, forward), (-1, backward)):
            for steps, weight in enumerate(weights, 1):
                others = events + sign * steps
                there = (others >= 0) & (others < n_events)
                there[there] = history[events[there]] == history[others[there]]
                rows.append(codes[events[there]] - start)
                columns.append(codes[others[there]])
                values.append(np.full(len(rows[-1]), weight))
        entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
        return sp.csr_array(entries, shape=(stop - start, n_items))

    return block_with_scipy, bounds


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
