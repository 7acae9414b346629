"""What one request passes: a matrix of users, and which items may be recommended."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_array, validate_data

from ._histories import read_histories
from ._validation import as_id_list, lookup


def check_matrix(model, X, *, reset: bool) -> sp.csr_array:
    """Return a passed-through user x item matrix as CSR, checked against the columns that the model learned."""
    if isinstance(X, (list, tuple)):
        X = check_array(X, accept_sparse="csr") if reset else X
    X = validate_data(model, X, accept_sparse="csr", dtype=[np.float32, np.float64], reset=reset)
    matrix = sp.csr_array(X) if not sp.issparse(X) else sp.csr_array(X, copy=True)
    matrix.sum_duplicates()
    if matrix.data.size and matrix.data.min() < 0:
        raise ValueError(f"Negative values in data passed to {type(model).__name__}: entries must be at least 0")
    return matrix


def allowed_columns(items: np.ndarray, candidates, exclude) -> np.ndarray:
    """Return the columns that may be recommended to anybody, ascending.

    Parameters
    ----------
    items : ndarray of shape (n_items,)
        The ids of the columns.
    candidates, exclude : array-like of ids, or None
        The only ids allowed, and ids that are not; unknown ones are passed over.
    """
    allowed = np.ones(len(items), dtype=bool)
    if candidates is not None:
        codes = lookup(as_id_list(candidates, "candidates"), items, "candidates")
        if not (codes >= 0).any():
            raise ValueError(f"candidates holds none of the {len(items)} known items: pass ids seen in fit")
        allowed[:] = False
        allowed[codes[codes >= 0]] = True
    if exclude is not None:
        codes = lookup(as_id_list(exclude, "exclude"), items, "exclude")
        allowed[codes[codes >= 0]] = False
    return np.flatnonzero(allowed)


def removed_entries(items: np.ndarray, exclude, n_users: int) -> sp.csr_array:
    """Return one list of excluded items per user as the pattern of a CSR array (n_users, n_items)."""
    lists = read_histories(exclude, "exclude")
    if len(lists) != n_users:
        raise ValueError(f"exclude has {len(lists)} lists for {n_users} users: pass one list, or one per user")
    return lists.on_items(items).to_matrix()
