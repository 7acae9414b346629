"""What one request passes: a matrix of users, and which items may be recommended."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_array, validate_data

from ._arguments import check_flags
from ._containers import count_rows, row_ids
from ._histories import is_frame, read_histories
from ._time import as_moment
from ._validation import LARGEST_WEIGHT, as_collection, as_id_list, is_nested, lookup, plain, type_name


@dataclass(frozen=True)
class Request:
    """The options of one request, checked.

    Attributes
    ----------
    k : int
        Number of items.
    candidates : collection of ids, or None
        The only items that may be recommended.
    exclude : collection of ids, or None
        Items that must not be recommended to anybody.
    exclude_by_user : list of collections of ids, or None
        Items that must not be recommended, one collection per user.
    exclude_seen : bool
        Whether the user's own items come last.
    at : float or None
        The moment of asking, in days; None is the latest that the model knows.
    """

    k: int
    candidates: object = None
    exclude: object = None
    exclude_by_user: list | None = None
    exclude_seen: bool = True
    at: float | None = None

    @classmethod
    def read(cls, model, X, k, candidates, exclude, exclude_seen, at) -> "Request":
        """Check what a call passes; what it leaves out is the model's own."""
        exclude_seen = model.exclude_seen if exclude_seen is None else exclude_seen
        check_flags(exclude_seen=exclude_seen)
        by_user = None
        if candidates is not None:
            candidates = as_collection(candidates, "candidates")
        if exclude is not None:
            if is_frame(exclude):
                raise TypeError("exclude must hold ids, got a frame: pass one of its columns, or a list per user")
            exclude = _by_row(exclude, X) if isinstance(exclude, Mapping) else as_collection(exclude, "exclude")
            if is_nested(exclude) or (len(exclude) and all(one is None for one in exclude)):
                by_user, exclude = _lists_of(exclude), None
        return cls(
            check_k(model.k if k is None else k),
            candidates,
            exclude,
            by_user,
            bool(exclude_seen),
            None if at is None else as_moment(at, "at", dated=getattr(model, "_dated", None)),
        )

    def columns(self, items: np.ndarray) -> np.ndarray:
        """Return the positions of the items that may be recommended to anybody, ascending."""
        return allowed_columns(items, self.candidates, self.exclude)

    def removed(self, items: np.ndarray, n_users: int) -> sp.csr_array | None:
        """Return what each user must not get as the pattern of a CSR array (n_users, n_items), None for nothing."""
        return None if self.exclude_by_user is None else removed_entries(items, self.exclude_by_user, n_users)


def check_k(k) -> int:
    """Return a number of items as an integer."""
    if not isinstance(k, Integral) or isinstance(k, (bool, np.bool_, np.timedelta64)) or k < 1:
        raise ValueError(f"k must be an integer of at least 1, got {k!r}")
    return int(k)


def _by_row(exclude: Mapping, X) -> list:
    """Return the lists of a dict by user in the order of X: users are named by its index, else by their row number."""
    ids = row_ids(X)
    users = range(count_rows(X)) if ids is None else list(ids)
    known = set(users)
    if unknown := [user for user in exclude if user not in known]:
        raise ValueError(
            f"exclude names the user {plain(unknown[0])!r}, who is not in X: keys are the index of X, or row numbers"
        )
    return [exclude.get(user) for user in users]


def _lists_of(exclude) -> list:
    """Return one list of ids per user, empty where there is None."""
    rows = exclude.to_pylist() if hasattr(exclude, "to_pylist") else list(exclude)
    lists: list = []
    for number, row in enumerate(rows):
        if row is None or (isinstance(row, float) and row != row):
            lists.append([])
        elif isinstance(row, (str, bytes, dict)) or not hasattr(row, "__iter__"):
            raise TypeError(
                f"exclude has one list of ids per user, but {plain(row)!r} ({type_name(row)}) for user {number}: "
                "wrap it in a list, or pass None for nothing"
            )
        else:
            lists.append(row if isinstance(row, np.ndarray) else list(row))
    return lists


def read_matrix(model, X, *, reset: bool, dtype=(np.float32, np.float64)):
    """Return X as scikit-learn's `validate_data` does for a matrix of numbers; its errors name X."""
    try:
        if isinstance(X, (list, tuple)) and reset:
            X = check_array(X, accept_sparse="csr")
        return validate_data(model, X, accept_sparse="csr", dtype=list(dtype), reset=reset)
    except (TypeError, ValueError, OverflowError, AttributeError, IndexError, NotImplementedError) as error:
        text = str(error)
        if text.startswith(("X ", "The feature names")):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"X must be a user x item matrix of finite numbers, and cannot be read as one: {text}") from error


def check_matrix(model, X, *, reset: bool) -> sp.csr_array:
    """Return a passed-through user x item matrix as CSR without stored zeros, checked against the learned columns."""
    if is_frame(X) and any(not isinstance(name, str) for name in X.columns):  # scikit-learn knows names of text alone
        known, ids = getattr(model, "_column_ids", None), column_ids(X)
        if not reset and (known or ids is not None) and list(X.columns) != known:
            raise ValueError(f"X has other columns than in fit, such as {list(X.columns)[:5]}: pass the same, in order")
        X = X.to_numpy()
    X = read_matrix(model, X, reset=reset)
    matrix = sp.csr_array(X) if not sp.issparse(X) else sp.csr_array(X, copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    if matrix.data.size and matrix.data.min() < 0:
        raise ValueError(f"Negative values in data passed to {type(model).__name__}: entries must be at least 0")
    if matrix.data.size and matrix.data.max() > LARGEST_WEIGHT:
        raise ValueError(
            f"X has the entry {matrix.data.max():g}, and entries must be at most {LARGEST_WEIGHT:g}: divide all entries"
        )
    return matrix


def column_ids(X) -> np.ndarray | None:
    """Return the ids that the columns of a matrix frame name, None where it names none."""
    if not is_frame(X):
        return None
    names = list(X.columns)
    if all(isinstance(name, (Integral, np.integer)) and not isinstance(name, bool) for name in names):
        ids = as_id_list(names, "the columns of X")
        if len(np.unique(ids)) < len(ids):
            raise ValueError("X has a column twice: each item needs one column")
        return None if np.array_equal(ids, np.arange(len(ids))) else ids
    return None


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
