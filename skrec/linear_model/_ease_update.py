"""Low-rank updates of the inverse that EASE needs."""

import numpy as np
import scipy.linalg as la
import scipy.sparse as sp
from scipy.linalg import blas

from ..utils._cooccurrence import Cooccurrence
from ..utils._topk import stored_rows

_WORTH = 0.15  # share of the items up to which the rank of a change is worth an update
_PROBES = 4


def low_rank_factors(
    after: sp.csr_array, before: sp.csr_array, share: float = 0.0
) -> tuple[sp.csr_array, sp.csr_array]:
    r"""Return sparse factors :math:`N, M` of few rows with :math:`N^T M + M^T N = D + s \operatorname{diag}(D)`.

    :math:`D = A^T A - B^T B` is the change of the Gram matrix, :math:`\operatorname{diag}(D)` its diagonal alone.

    Parameters
    ----------
    after, before : CSR arrays of shape (n_users, n_items)
        The rows :math:`A` of users as they are, and :math:`B` as they were.
    share : float, default=0.0
        The share :math:`s` of the diagonal that the penalty takes up, for dropout.

    Returns
    -------
    pair of CSR arrays of shape (rank, n_items), dtype float64
        By user, or by item where fewer items than users have changed or `share` is not 0.
    """
    new, old = after.astype(np.float64), before.astype(np.float64)
    change = sp.csr_array(new - old)
    change.eliminate_zeros()
    rows = np.flatnonzero(np.diff(change.indptr))
    items = np.unique(change.indices)
    change, mean = change[rows], sp.csr_array((new + old)[rows] / 2)
    if len(rows) <= len(items) and not share:
        return change, mean
    at_items = sp.csr_array(change[:, items].T @ mean + mean[:, items].T @ change)  # these rows of the change
    inside = np.zeros(change.shape[1], dtype=bool)
    inside[items] = True
    at_items.data[inside[at_items.indices]] /= 2  # they are columns of the change as well
    if share:
        at_items.data[at_items.indices == items[stored_rows(at_items)]] *= 1 + share
    pick = sp.csr_array((np.ones(len(items)), items, np.arange(len(items) + 1)), shape=(len(items), change.shape[1]))
    return pick, at_items


def updated_inverse(inverse: np.ndarray, left: sp.csr_array, right: sp.csr_array) -> np.ndarray:
    r"""Update an inverse by the Woodbury identity, in place.

    Parameters
    ----------
    inverse : ndarray of shape (n_items, n_items), dtype float32, C order
        The symmetric inverse of :math:`G`; overwritten.
    left, right : CSR arrays of shape (rank, n_items)
        The factors :math:`N, M`.

    Returns
    -------
    ndarray of shape (n_items, n_items)
        The inverse of :math:`G + N^T M + M^T N`, in the memory of `inverse`.
    """
    rank = left.shape[0]
    factors = sp.csr_array(sp.vstack([left, right]), dtype=np.float64)
    product = factors @ inverse  # (2 rank, n_items)
    capacitance = np.asarray(factors @ product.T)
    steps = np.arange(rank)
    capacitance[steps, steps + rank] += 1
    capacitance[steps + rank, steps] += 1
    solved = la.inv(capacitance) @ product
    return blas.sgemm(-1.0, solved.T.astype(np.float32), product.astype(np.float32), 1.0, inverse.T, overwrite_c=True).T


def worthwhile(rank: int, n_items: int) -> bool:
    """Tell whether an update of so many factors takes less than a new inverse."""
    return rank <= _WORTH * n_items


def residual(inverse: np.ndarray, gram: Cooccurrence, penalty: np.ndarray) -> float:
    """Return the largest residual of an inverse of ``gram + diag(penalty)`` on random vectors, which bounds errors."""
    probes = np.random.default_rng(0).standard_normal((len(inverse), _PROBES))
    solved = (inverse @ probes.astype(np.float32)).astype(np.float64)
    return float(np.abs(gram.dot(solved) + penalty[:, None] * solved - probes).max())
