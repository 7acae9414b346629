"""Held-out items and recommendations, read once and matched."""

import numbers
from collections.abc import Iterable, Mapping, Set, Sized
from dataclasses import dataclass

import numpy as np

from ..utils._arguments import check_whole
from ..utils._histories import Histories, is_arrow_table, is_frame, read_histories
from ..utils._validation import as_id_list, as_ids, factorize, id_kind, lookup, type_name


@dataclass(frozen=True)
class RankedLists:
    """The first k recommendations of each user.

    Attributes
    ----------
    ids : ndarray of shape (n_ids,)
        The distinct item ids.
    codes : ndarray of shape (n_users, k)
        Position of each recommendation in `ids`, best first; -1 after the end of a shorter list.
    """

    ids: np.ndarray
    codes: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Number of recommendations of each user, shape (n_users,)."""
        return np.count_nonzero(self.codes >= 0, axis=1)


@dataclass(frozen=True)
class Hits:
    """Which recommendations were held out.

    Attributes
    ----------
    is_hit : ndarray of shape (n_users, k), dtype bool
        True where the recommendation is one of the user's held-out items.
    n_relevant : ndarray of shape (n_users,)
        Number of distinct held-out items of each user.
    n_ranked : ndarray of shape (n_users,)
        Number of recommendations of each user.
    """

    is_hit: np.ndarray
    n_relevant: np.ndarray
    n_ranked: np.ndarray

    def first(self, k: int) -> "Hits":
        """Keep the first k recommendations."""
        return Hits(self.is_hit[:, :k], self.n_relevant, np.minimum(self.n_ranked, k))


def read_lists(y_pred, k: int | None) -> RankedLists:
    """Read the first k recommendations from an array of shape (n_users, n) or from one list per user."""
    if k is not None:
        check_whole(k, "k")
    _refuse_mappings(y_pred, "y_pred")
    if hasattr(y_pred, "tocsr"):
        raise TypeError("y_pred is a sparse matrix, but item ids are expected: pass what predict returns")
    if is_frame(y_pred) and "item" not in y_pred.columns:
        y_pred = y_pred.to_numpy()
    if getattr(y_pred, "ndim", 1) == 2 and not is_frame(y_pred):
        k = _check_width(y_pred.shape[1], k)
        codes, ids = factorize(as_ids(y_pred[:, :k].reshape(-1), "y_pred"))
        return RankedLists(ids, codes.reshape(-1, k))
    lists = read_histories(y_pred, "y_pred")
    k = _check_width(int(lists.lengths.max(initial=0)), k)
    column = np.arange(len(lists.codes)) - np.repeat(lists.indptr[:-1], lists.lengths)
    inside = column < k
    codes = np.full((len(lists), k), -1, dtype=np.int64)
    codes[lists.rows[inside], column[inside]] = lists.codes[inside]
    return RankedLists(lists.ids, codes)


def _check_width(width: int, k: int | None) -> int:
    if width == 0:
        raise ValueError("y_pred holds no recommendation at all: pass what predict returns, of shape (n_users, k)")
    if k is not None and k > width:
        raise ValueError(
            f"k={k}, but y_pred has only {width} recommendations per user: recommend with a larger k first, "
            f"model.set_params(k={k})"
        )
    return width if k is None else int(k)


def read_truth(y_true, name: str = "y_true") -> Histories:
    """Read the held-out items: one collection of ids per user, or a single id per user."""
    if is_arrow_table(y_true):
        return read_histories(y_true, name)
    _refuse_mappings(y_true, name)
    if hasattr(y_true, "tocsr") or (getattr(y_true, "ndim", 1) != 1 and not is_frame(y_true)):
        shape = "x".join(map(str, y_true.shape))
        raise TypeError(
            f"{name} is a matrix of shape {shape}, but one list of held-out item ids per user is expected: "
            f"pass list({name}) if its rows are item ids"
        )
    if not is_frame(y_true) and isinstance(_first_value(y_true), (str, numbers.Real)):
        codes, ids = factorize(as_id_list(y_true, name))
        return Histories(ids, codes, np.arange(len(codes) + 1, dtype=np.int64))
    return read_histories(y_true, name)


def _refuse_mappings(values, name: str) -> None:
    if isinstance(values, (Mapping, Set)) or (isinstance(values, Iterable) and not isinstance(values, Sized)):
        raise TypeError(
            f"{name} must hold one list of ids per user, in the order of the users, got {type_name(values)}: pass a "
            "list of lists"
        )


def _first_value(values):
    """Return the first value that is neither None nor NaN, or None."""
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        return None
    return next((v for v in values if v is not None and not (isinstance(v, numbers.Real) and v != v)), None)


def check_same_kind(ids: np.ndarray, other: np.ndarray, other_name: str) -> None:
    """Raise unless recommended ids can be found among others: strings are never equal to numbers."""
    if not len(ids) or not len(other):
        return
    kind, other_kind = id_kind(ids), id_kind(other)
    if (kind == "string") != (other_kind == "string"):
        raise TypeError(
            f"y_pred has item ids such as {ids.item(0)!r} ({kind}) but {other_name} has ids such as {other.item(0)!r} "
            f"({other_kind}): convert both to one type"
        )
    if kind == "float" and other_kind == "integer" and (ids % 1).any():
        raise TypeError(
            f"y_pred has numbers such as {ids[ids % 1 != 0].item(0)!r}, which are no item ids: pass what predict "
            "returns, not scores"
        )


def asked_users(hits: Hits) -> np.ndarray:
    """Return which users have a held-out item, shape (n_users,); raise where none has."""
    asked = hits.n_relevant > 0
    if not asked.any():
        raise ValueError(
            f"y_true holds no held-out item for any of its {len(asked)} users, so there is nothing to measure: check "
            "how it was split"
        )
    return asked


def find_hits(y_true, y_pred, k: int | None) -> Hits:
    """Tell which of the first k recommendations of each user are held-out items."""
    truth, lists = read_truth(y_true), read_lists(y_pred, k)
    n_users, n_ids = len(truth), max(len(truth.ids), 1)
    if n_users != len(lists.codes):
        raise ValueError(
            f"y_true has {n_users} users but y_pred has {len(lists.codes)}: pass the recommendations of the same "
            "users, in the same order"
        )
    check_same_kind(lists.ids, truth.ids, "y_true")
    relevant = np.sort(truth.rows * n_ids + truth.codes)
    relevant = relevant[np.append(True, relevant[1:] != relevant[:-1])] if len(relevant) else relevant
    n_relevant = np.bincount(relevant // n_ids, minlength=n_users)
    is_hit = np.zeros(lists.codes.shape, dtype=bool)
    if len(relevant):
        position = np.append(lookup(lists.ids, truth.ids, "y_pred"), -1)[lists.codes]  # code -1 takes the last: -1
        rows, columns = np.nonzero(position >= 0)
        wanted = rows * n_ids + position[rows, columns]
        place = np.searchsorted(relevant, wanted)
        place[place == len(relevant)] = 0
        found = relevant[place] == wanted
        is_hit[rows[found], columns[found]] = True
        _check_distinct(wanted[found], n_ids, truth.ids)
    return Hits(is_hit, n_relevant, lists.lengths)


def _check_distinct(hits: np.ndarray, n_ids: int, ids: np.ndarray) -> None:
    hits = np.sort(hits)
    again = np.flatnonzero(hits[1:] == hits[:-1])
    if len(again):
        row, code = divmod(int(hits[again[0]]), n_ids)
        raise ValueError(
            f"row {row} of y_pred recommends the item {ids.item(code)!r} more than once, which would count one hit "
            "twice: recommend distinct items"
        )
