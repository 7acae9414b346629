"""The inexpensive way of requests for one user or a few: no table, no pool of threads, and the same answers."""

import weakref
from dataclasses import replace
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
import scipy.sparse as sp

from ._histories import Histories, as_passed, is_frame, read_histories
from ._prepared import SortedIds, id_table, item_order, same_items
from ._requests import Request
from ._search import LEAST_ITEMS, Products
from ._selection import dense
from ._single_rows import Scored
from ._topk import hide_seen, top_k_single, top_k_single_sparse
from ._users import Users, read_only

_FEW = range(1, 33)  # histories that are read one by one: more are faster read together
_INTEGERS = frozenset({int, np.int64, np.int32})
_MOST_IDS = 1000  # longer lists of ids are looked up together
_agreed: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class SingleUser:
    """One user as `Users` has them, who becomes a row of a matrix only where a model needs it.

    Parameters
    ----------
    model : BaseRecommender
        The model that is asked.
    X : object
        What was passed to it.
    columns : ndarray of shape (n_columns,), dtype int64
        The stored entries of the row, ascending.
    values : ndarray of shape (n_columns,), dtype float32
        Their values.
    places : list of int
        The events, oldest first, as positions in the model's `items_`, -1 for unknown items.
    read : Histories or None
        What was read of the events beside their items.
    """

    def __init__(self, model, X, columns, values, places: list[int], read: Histories | None = None):
        self.model, self.X, self.columns, self.values = model, X, columns, values
        self.places, self.read = places, read
        self.codes = [place for place in places if place >= 0]

    @cached_property
    def histories(self) -> Histories:
        """The known events as histories of one row."""
        if self.read is not None:
            codes = np.array(self.places, dtype=np.int32)
            coded = replace(self.read, ids=self.model.items_, codes=codes)
            return coded if len(self.codes) == len(codes) else coded.take_events(codes >= 0)
        codes = np.array(self.codes, dtype=np.int32)
        return Histories(self.model.items_, codes, np.array([0, len(codes)], dtype=np.int64))

    @property
    def timed(self) -> bool:
        """Whether the events have times, by which some are at the same moment."""
        return self.read is not None and self.read.time is not None

    @cached_property
    def matrix(self) -> sp.csr_array:
        """The row, CSR of shape (1, n_items)."""
        return _matrix([self], self.model.n_items_)

    @cached_property
    def users(self) -> Users:
        """The user as a model sees users."""
        users = Users(self.matrix, self.histories if self.model._ordered else None)
        return self.model._describe(users, as_passed(self.X), fitting=False)


class EnsembleUser(SingleUser):
    """One user as an ensemble has them; `parts` holds the same user for each part."""

    parts: list[SingleUser]

    @cached_property
    def described(self) -> Users:
        """The user without the forms of the parts."""
        return self.model._describe(Users(self.matrix, self.histories), as_passed(self.X), fitting=False)

    @cached_property
    def users(self) -> Users:
        """The user as the ensemble sees users."""
        parts = {f"part {number}": part.users for number, part in enumerate(self.parts)}
        return self.described.with_extra(**parts, fallback=None)


def encode_few(model, X) -> Users | None:
    """Bring a short list of histories to the form that a model scores, as its `_encode` does; None where that must."""
    if type(X) not in (list, tuple) or len(X) not in _FEW or not _is_ready(model):
        return None
    users = []
    for row in X:
        user = model._encode_single(row, X) if isinstance(row, (list, tuple, np.ndarray)) else None
        if user is None:
            return None
        users.append(user)
    histories = None
    if model._ordered:
        codes = np.array([code for user in users for code in user.codes], dtype=np.int32)
        histories = Histories(model.items_, codes, _boundaries([len(user.codes) for user in users], np.int64))
    return model._describe(Users(_matrix(users, model.n_items_), histories), X, fitting=False)


def _matrix(users: list[SingleUser], n_items: int) -> sp.csr_array:
    """Return the rows of some users, into which nobody may write."""
    columns, values = (np.concatenate(part) for part in zip(*((one.columns, one.values) for one in users), strict=True))
    indptr = _boundaries([len(user.columns) for user in users], np.int32)
    matrix = sp.csr_array((values, columns.astype(np.int32), indptr), shape=(len(users), n_items))
    matrix.has_canonical_format = True
    read_only(matrix.data, matrix.indices, matrix.indptr)
    return matrix


def _boundaries(lengths: list[int], kind) -> np.ndarray:
    return np.array([0, *accumulate(lengths)], dtype=kind)


def codes_of(ids, table: dict | SortedIds | None) -> list[int] | None:
    """Return the position of each id, -1 where the table lacks it; None where `lookup` is to say what is wrong.

    Parameters
    ----------
    ids : list, tuple, ndarray or Histories
        Ids of one user or one argument; histories of one row.
    table : dict, SortedIds or None
        Positions by id, see `id_table`.
    """
    if isinstance(ids, Histories):
        found = codes_of(ids.ids, table)
        return None if found is None else [found[code] for code in ids.codes.tolist()]
    if isinstance(ids, np.ndarray) and (ids.ndim != 1 or ids.dtype.kind not in "iO"):
        return None
    if table is None or len(ids) > _MOST_IDS:
        return None
    ids = ids.tolist() if isinstance(ids, np.ndarray) else ids
    kinds = set(map(type, ids))
    if not kinds:
        return []
    whole = kinds <= _INTEGERS
    if not whole and kinds != {str}:
        return None
    if type(next(iter(table), 0)) is not (int if whole else str):
        return None
    find = table.get
    codes = [find(one, -1) for one in ids]
    if whole and -1 in codes and not all(-(2**63) <= one < 2**63 for one in ids):
        return None
    return codes


def agrees(kind: type, quick: str, *general: str) -> bool:
    """Tell whether a method for one user belongs to methods for many: no subclass has overridden these alone."""
    known = _agreed.get(kind)
    if known is None:
        known = _agreed.setdefault(kind, {})
    names = quick, *general
    if names not in known:
        place = _owner(kind, quick)
        known[names] = all(place <= _owner(kind, name) for name in general)
    return known[names]


def _owner(kind: type, name: str) -> int:
    """Return the place, in the order of method resolution, of the class that defines a method."""
    return next(place for place, one in enumerate(kind.__mro__) if name in vars(one))


def read_single(model, X) -> SingleUser | None:
    """Read X if it is one user whom a model can take the inexpensive way, else return None."""
    if not _is_ready(model):
        return None
    row = _history_of(X)
    return None if row is None else model._encode_single(row, X)


def encode_single(model, row, X, places: list[int] | None = None) -> SingleUser | None:
    """Read one history, the only row of X, where a model can take it the inexpensive way, else return None.

    `places` are the positions of its events in the model's `items_`, where they are known.
    """
    return model._encode_single(row, X, places) if _is_ready(model) else None


def plain_user(model, row, X, places: list[int] | None = None) -> SingleUser | None:
    """Read one history for a model with a vectorizer of histories; None where its `transform` is to be asked."""
    vectorizer: Any = getattr(model, "vectorizer_", None)
    kind, general = type(vectorizer), ("transform", "_matrix", "_counted", "_values", "_decay")
    quick = hasattr(kind, "_transform_single") and agrees(kind, "_transform_single", *general)
    if not quick or not hasattr(model, "_ordered"):
        return None
    places = codes_of(row, id_table(model)) if places is None else places
    if places is None or not same_items(model, vectorizer):
        return None
    read = row if isinstance(row, Histories) else None
    stored = vectorizer._transform_single(places, read)
    if stored is None:
        return None
    columns, values = stored
    return SingleUser(model, X, columns, values, places, read)


def _is_ready(model) -> bool:
    known = agrees(type(model), "_encode_single", "_encode", "_read", "_users") and not model._is_passthrough()
    return known and id_table(model) is not None


def _history_of(X):
    """Return the history of the only user in X: a list, tuple, array or Histories; None for anything else."""
    if isinstance(X, Histories):
        return X if len(X) == 1 else None
    if type(X) in (list, tuple):
        row = X[0] if len(X) == 1 else None
    elif is_frame(X) and len(X) == 1 and "item" in X.columns:
        row = _history_in(X)
    else:
        return None
    return row if isinstance(row, (list, tuple, np.ndarray, Histories)) else None


def _history_in(frame):
    """Return the history in a frame of one row; as Histories where it has more list columns, or is none of pandas."""
    names = frame.columns
    if not hasattr(frame, "iloc") or any(name in names for name in ("time", "weight", "event")):
        return read_histories(frame)
    column = frame["item"]
    return column.iloc[0] if column.ndim == 1 else None  # a list, from an Arrow list column as well


def scores_single(model, user: SingleUser, at: float | None):
    """Score one user: an array (n_items,) that may be changed, `Scored` or `Products`."""
    if agrees(type(model), "_score_single", "_score", "_scorer"):
        scores = model._score_single(user, at)
        if scores is not None:
            return scores
    if (inner := model._inner_product_of_scores()) is not None:
        return Products(inner.query(user.users)[0], inner.items)
    return dense(model._scorer(at)(user.users))[0]


def dense_single(model, user: SingleUser, at: float | None) -> np.ndarray:
    """Score one user: an array (n_items,) that may be changed."""
    scores = scores_single(model, user, at)
    return scores.toarray() if isinstance(scores, Scored | Products) else scores


def recommend_single(model, X, request: Request) -> tuple[np.ndarray, np.ndarray] | None:
    """Answer a request for one user the inexpensive way.

    Parameters
    ----------
    model : BaseRecommender
        The model, fitted.
    X : object
        What was passed to it.
    request : Request
        The options, checked.

    Returns
    -------
    pair of ndarray of shape (1, k), or None
        Positions of the items, best first, and their scores; None where the general way must answer, or complain.
    """
    if request.exclude_by_user is not None:
        return None
    allowed = gone = None
    n_allowed = model.n_items_
    if request.exclude is not None:
        if (codes := _codes_of_argument(request.exclude, model)) is None:
            return None
        gone = set(codes)
        gone.discard(-1)
        n_allowed -= len(gone)
    if request.candidates is not None:
        codes = _codes_of_argument(request.candidates, model)
        known = set() if codes is None else set(codes)
        known.discard(-1)
        if not known:
            return None
        allowed = sorted(known - gone if gone else known)
        n_allowed = len(allowed)
    user = read_single(model, X) if n_allowed > 0 else None
    if user is None:
        return None
    scores = scores_single(model, user, request.at)
    columns, values = _best(model, user, scores, min(request.k, n_allowed), allowed, gone, request.exclude_seen)
    return columns[None], values[None]


def _codes_of_argument(ids, model) -> list[int] | None:
    return codes_of(ids, id_table(model)) if isinstance(ids, (list, tuple, np.ndarray)) else None


def _best(model, user, scores, k: int, allowed, gone, exclude_seen: bool) -> tuple[np.ndarray, np.ndarray]:
    order, rank = item_order(model)
    removed = np.array(sorted(gone), dtype=np.int64) if gone else None
    if isinstance(scores, Scored):
        if allowed is None and not (scores.values < 0).any():
            hidden = user.columns if exclude_seen else user.columns[:0]
            if removed is not None:
                hidden = np.concatenate([hidden, removed])
            found = top_k_single_sparse(scores.columns, scores.values, k, order, rank, hidden)
            if found is not None:
                return found
        scores = scores.toarray()
    some = None if allowed is None else np.array(allowed, dtype=np.int64)
    if isinstance(scores, Products):
        found = _best_products(model, user, scores, k, some, removed, exclude_seen)
        if found is not None:
            return found
        scores = scores.toarray()
    if exclude_seen and len(user.columns):
        hide_seen(scores, user.columns)
    if some is not None:
        places = rank[some]
        columns, values = top_k_single(scores[some], k, np.argsort(places), places)
        return some[columns], values
    if removed is not None:
        hide_seen(scores, removed, remove=True)
    return top_k_single(scores, k, order, rank)


def _best_products(model, user, products: Products, k: int, some, removed, exclude_seen: bool):
    """Find the k best columns without all products; None where these must be computed."""
    if len(products.items) < LEAST_ITEMS:
        return None
    if some is not None:
        return _best_of(model, user, products, k, some, exclude_seen) if 4 * len(some) < len(products.items) else None
    hidden = user.columns if exclude_seen else user.columns[:0]
    if removed is not None:
        hidden = np.union1d(hidden, removed)
    columns = products.best(model, k, hidden)
    if columns is None:
        return None
    values = products.of(columns)
    best = np.lexsort((item_order(model)[1][columns], -values))[:k]
    return columns[best], values[best]


def _best_of(model, user, products: Products, k: int, some: np.ndarray, exclude_seen: bool):
    values = products.of(some)
    if exclude_seen:
        hide_seen(values, np.flatnonzero(np.isin(some, user.columns, assume_unique=True)))
    places = item_order(model)[1][some]
    columns, values = top_k_single(values, k, np.argsort(places), places)
    return some[columns], values
