"""Updates of fitted recommenders: learning what came since, and unlearning users."""

from collections.abc import Callable
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .feature_extraction._vectorizing import check_updatable, with_items
from .utils._fitting import fit_context
from .utils._histories import Histories, ReadHistories, as_passed, check_same_times
from .utils._requests import check_matrix
from .utils._statistics import NOT_LEARNED, Statistics
from .utils._time import as_moment
from .utils._users import Users
from .utils._validation import as_id_list, join_ids, lookup, plain


def _can_update(model) -> bool:
    if get_tags(model).updates is not None:
        return True
    name = type(model).__name__
    if hasattr(model, "incremental"):
        raise AttributeError(
            f"{name} keeps no statistics to update: fit {name}(incremental=True), or refit on all events"
        )
    raise AttributeError(f"{name} cannot be updated: refit it on all events")


def _can_forget(model) -> bool:
    if _can_update(model) and get_tags(model).updates != "exact":
        raise AttributeError(f"{type(model).__name__} cannot unlearn users: refit it without them")
    return True


class UpdatableMixin:
    """`partial_fit` and `forget` of recommenders.

    A model of additive statistics gets both from `_count` and `_solve`; any other overrides `_update`, and `_unlearn`
    where it can. What they set replaces attributes: nothing that another copy of the model may hold is written to.
    """

    _updates: str | None = None  # what the tag `updates` says, where statistics are kept

    _update_state: tuple[str, ...] = ()  # attributes that updates of other models need

    items_: np.ndarray
    n_items_: int
    popularity_: np.ndarray
    vectorizer_: Any
    _statistics: Statistics
    _old_items: np.ndarray
    _dated: bool | None
    fit: Callable[..., Any]
    _count: Callable[..., Statistics]
    _solve: Callable[..., None]
    _read: Callable[..., Histories]
    _users: Callable[..., Users]
    _is_passthrough: Callable[..., bool]

    # ---- what a model overrides ------------------------------------------------------------------------------

    def _update(self, after: Users, before: Users) -> None:
        """Learn users who were `before` and are `after` now; the rows of both are the same users.

        `items_`, `popularity_` and `vectorizer_` are those of the update already.
        """
        statistics = self._statistics.moved(np.arange(len(self._old_items)), self.n_items_)
        now, was = (self._count(users) for users in self._changing(after, before))
        self._statistics, changes = statistics.updated(now, was)
        if self._statistics.is_negative(products=False):  # looking through products would cost more than the update
            raise ValueError(NOT_LEARNED)
        self._resolve(self._statistics, now, was, changes)

    def _changing(self, after: Users, before: Users) -> tuple[Users, Users]:
        """Return both without events that count alike before and after; what is counted of them cancels."""
        return after, before

    def _resolve(self, statistics: Statistics, after: Statistics, before: Statistics, changes: dict) -> None:
        """Solve again after an update; a model that can do so at the cost of the change overrides this.

        `after` and `before` are the statistics of the users of the update, `changes` the differences of their products.
        """
        self._solve(statistics)

    def _check_updatable(self) -> None:
        """Raise where the fitted model lacks what an update needs."""
        if type(self)._update is UpdatableMixin._update and not hasattr(self, "_statistics"):
            raise ValueError(
                f"this {type(self).__name__} was fitted without statistics, with incremental=False or by an earlier "
                "version: set incremental=True where it has this parameter, and fit again on all events"
            )
        if not all(hasattr(self, name) for name in self._update_state):
            raise ValueError(
                f"this {type(self).__name__} was fitted by an earlier version, which kept nothing for updates: "
                "fit again on all events"
            )

    def _unlearn(self, users: Users) -> None:
        """Take users out of what has been learned; the items are those so far, `popularity_` is that of the others."""
        self._statistics = self._statistics - self._count(users)
        if self._statistics.is_negative():
            raise ValueError(NOT_LEARNED)

    def _relearn(self, positions: np.ndarray) -> None:
        """Learn again after `_unlearn`; item i is at ``positions[i]`` now, at -1 where nobody has it any more."""
        self._statistics = self._statistics.moved(positions, self.n_items_)
        self._solve(self._statistics)

    # ---- the contract ----------------------------------------------------------------------------------------

    @available_if(_can_update)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, *, since=None):
        """Learn what some users did since the model was fitted; before the first `fit`, fit.

        Parameters
        ----------
        X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
            The complete histories, as they are now, of the users who did something. New items are learned too and
            stand at the end of `items_`. A matrix, only with ``vectorizer="passthrough"``, has new users.
        y : None
            Ignored.
        since : date, number, or int array-like of shape (n_users,), default=None
            Which events are new: those at or after a moment, or those behind the first ``since[i]`` events of user i.
            None: the model knows none of these users.

        Returns
        -------
        object
            The recommender itself.

        Raises
        ------
        ValueError
            If `since` does not fit the histories, or they have events before it that were never learned.
        TypeError
            If the vectorizer has weights that depend on the whole log.
        """
        if not hasattr(self, "items_"):
            return self.fit(X)
        if (read := self._read_once(X)) is not None:
            after, before = self._read_update(read, since)
            self._update(after, before)
            vars(self).pop("_old_items", None)
        return self

    @available_if(_can_forget)
    @fit_context(prefer_skip_nested_validation=True)
    def forget(self, X):
        """Unlearn users, so that the model is the one that never saw them.

        Items that no other user has leave `items_`, unless the vectorizer's vocabulary names them.

        Parameters
        ----------
        X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
            The complete histories of the users, as they were learned.

        Returns
        -------
        object
            The recommender itself.

        Raises
        ------
        ValueError
            If the model has not learned these histories, or has learned no others.
        """
        check_is_fitted(self)
        if (read := self._read_once(X)) is not None:
            self._unlearn(self._read_forget(read))
            self._relearn(self._drop_items())
        return self

    # ---- shared work -----------------------------------------------------------------------------------------

    def _read_once(self, X):
        """Return X with the histories read from it, None where they have no event; raise if no update is possible."""
        self._check_updatable()
        if self._is_passthrough():
            return X
        read = ReadHistories(as_passed(X), self._read(X))
        return read if len(read.histories.codes) else None

    def _id_rank(self) -> np.ndarray | None:
        """Return the rank of each item by its id, by which `fit` breaks ties; None where that is its position."""
        items = self.items_
        if self._is_passthrough() or len(items) < 2 or (items[:-1] < items[1:]).all():
            return None
        rank = np.empty(len(items), dtype=np.int64)
        rank[np.argsort(items, kind="stable")] = np.arange(len(items))
        return rank

    def _read_update(self, X, since) -> tuple[Users, Users]:
        """Return users as they are and as they were, and let the catalogue grow by their new items."""
        self._old_items = self.items_
        if self._is_passthrough():
            if since is not None:
                raise ValueError("since needs histories, and X is a matrix, which has no order: leave since=None")
            matrix = check_matrix(self, X, reset=False)
            self._count_users(matrix)
            nothing = sp.csr_array(matrix.shape, dtype=matrix.dtype)
            described = self._users(matrix, None, X, fitting=False)
            return described, self._users(nothing, None, X, fitting=False)
        histories = self._read_known(X)
        check_updatable(self.vectorizer_, type(self).__name__)
        known = known_events(histories, since)
        grown = self._grown_items(histories)
        if len(grown) > len(self.items_):
            self.vectorizer_ = with_items(self.vectorizer_, grown)
            self.items_, self.n_items_ = grown, len(grown)
            self.popularity_ = np.append(self.popularity_, np.zeros(len(grown) - len(self.popularity_), dtype=np.int64))
        earlier = histories.take_events(known).on_items(self.items_)  # items are looked up once for all that follows
        histories = histories.on_items(self.items_)
        now, was = self.vectorizer_._matrix(histories), self.vectorizer_._matrix(earlier)
        self._count_users(now, was)
        users = self._users(now, histories, as_passed(X), fitting=False)
        return users, self._users(was, earlier, as_passed(X), fitting=False)

    def _read_forget(self, X) -> Users:
        """Return the users to be unlearned, and take them out of `popularity_`."""
        if self._is_passthrough():
            matrix = check_matrix(self, X, reset=False)
            self._count_users(None, matrix)
            return self._users(matrix, None, X, fitting=False)
        histories = self._read_known(X)
        check_updatable(self.vectorizer_, type(self).__name__)
        matrix = self.vectorizer_._matrix(histories)
        self._count_users(None, matrix)
        return self._users(matrix, histories, as_passed(X), fitting=False)

    def _drop_items(self) -> np.ndarray:
        """Let items that nobody has leave the catalogue; return where each stands now, -1 where it has left."""
        keep = self.popularity_ > 0
        if self._is_passthrough():
            keep[:] = True
        elif (vocabulary := self.vectorizer_.vocabulary) is not None:
            keep[lookup(as_id_list(vocabulary, "vocabulary"), self.items_)] = True
        if not keep.any() or not self.popularity_.any():
            raise ValueError("X has all users that the model has learned, and none is left: fit anew on others")
        if not keep.all():
            self.items_, self.popularity_ = self.items_[keep], self.popularity_[keep]
            self.n_items_ = len(self.items_)
            self.vectorizer_ = with_items(self.vectorizer_, self.items_, self.popularity_)
        return np.where(keep, np.cumsum(keep) - 1, -1)

    def _read_known(self, X) -> Histories:
        """Read histories that must have times where those of `fit` had, and must not where they had none."""
        histories = self._read(X)
        if len(histories.codes) and get_tags(self).needs_order and hasattr(self, "_dated"):
            if (histories.time is None) != (self._dated is None):
                has, had = ("lacks", "had it") if histories.time is None else ("has", "did not")
                raise ValueError(f"X {has} the list column 'time', and fit {had}: pass the same columns as in fit")
            if histories.time is not None:
                check_same_times(histories, self._dated)
        return histories

    def _grown_items(self, histories: Histories) -> np.ndarray:
        """Return `items_` and behind it the new ids that count."""
        new = lookup(histories.ids, self.items_) < 0
        if not new.any():
            return self.items_
        ids = join_ids([self.items_, np.sort(histories.ids[new], kind="stable")], "X and items_")
        counts, columns, _ = with_items(self.vectorizer_, ids)._counted(histories)
        stays = np.arange(len(ids)) < len(self.items_)
        stays[columns[counts]] = True
        return ids[stays]

    def _count_users(self, now: sp.csr_array | None, was: sp.csr_array | None = None) -> None:
        """Bring the number of users of each item up to date."""
        counts = self.popularity_
        if now is not None:
            counts = counts + np.bincount(now.indices, minlength=self.n_items_)
        if was is not None:
            counts = counts - np.bincount(was.indices, minlength=self.n_items_)
        if (counts < 0).any():
            item = plain(self.items_[np.argmin(counts)])
            raise ValueError(
                f"X has more users of the item {item!r} than the model has learned: pass histories as they were "
                "learned, and check `since`"
            )
        self.popularity_ = counts
        if hasattr(self, "vectorizer_") and not self._is_passthrough():
            self.vectorizer_ = with_items(self.vectorizer_, self.items_, counts)


def new_events(after: Histories, before: Histories) -> np.ndarray | None:
    """Return which events follow those that were known, None where these are not the first events of each user.

    Parameters
    ----------
    after, before : Histories of shape (n_users,)
        The same users, coded alike.
    """
    position = np.arange(len(after.codes)) - np.repeat(after.indptr[:-1], after.lengths)
    new = position >= np.repeat(before.lengths, after.lengths)
    if len(before.codes) != len(new) - np.count_nonzero(new) or (after.codes[~new] != before.codes).any():
        return None
    if after.time is not None and (before.time is None or (after.time[~new] != before.time).any()):
        return None
    return new


def near_new_events(after: Users, before: Users, window: int) -> tuple[Users, Users]:
    """Leave out all but the last events that were known: pairs of known events cancel.

    Parameters
    ----------
    after, before : Users of shape (n_users,)
        The same users, coded alike.
    window : int
        Largest number of steps between two events of a pair that counts.

    Returns
    -------
    pair of Users
        Both with the new events, if any, and the last `window` known events of each user.
    """
    assert after.histories is not None and before.histories is not None
    if (new := new_events(after.histories, before.histories)) is None:
        return after, before
    behind = np.concatenate([[0], np.cumsum(~new)])  # known events before each event
    left = np.repeat(behind[after.histories.indptr[1:]], after.histories.lengths) - behind[:-1]
    near = left <= window  # an event that is not new has `left` known ones from itself to the last
    return (
        replace(after, histories=after.histories.take_events(near | new)),
        replace(before, histories=before.histories.take_events(near[~new])),
    )


def known_events(histories: Histories, since) -> np.ndarray:
    """Return which events were known before, a boolean array (n_events,).

    Parameters
    ----------
    histories : Histories of shape (n_users,)
        Complete histories.
    since : None, moment, or int array-like of shape (n_users,)
        None: no event; a moment: those before it; an array: the first events of each user.
    """
    if since is None:
        return np.zeros(len(histories.codes), dtype=bool)
    listed = isinstance(since, (list, tuple)) or np.ndim(since) == 1
    if not listed:
        if histories.time is None:
            raise ValueError(
                f"since={since!r} is a moment, and X lacks the list column 'time': pass the number of known events of "
                "each user instead"
            )
        return histories.time < as_moment(since, "since", dated=histories.dated)
    numbers = np.asarray(since)
    if numbers.dtype.kind not in "iu":
        whole = numbers.dtype.kind == "O" and all(isinstance(one, Integral) for one in numbers)
        if len(numbers) and not whole:
            raise TypeError(f"since must be a moment or integers, one per user, got {since!r}")
        numbers = numbers.astype(np.int64)
    if numbers.shape != (len(histories),):
        raise ValueError(f"since has {len(numbers)} numbers for {len(histories)} users: pass one per user")
    lengths = histories.lengths
    if (numbers < 0).any() or (numbers > lengths).any():
        row = int(np.flatnonzero((numbers < 0) | (numbers > lengths))[0])
        raise ValueError(
            f"since[{row}] is {numbers[row]}, but user {row} has {lengths[row]} events: pass how many of the "
            "first ones the model knows"
        )
    position = np.arange(len(histories.codes)) - np.repeat(histories.indptr[:-1], lengths)
    return position < np.repeat(numbers.astype(np.int64), lengths)
