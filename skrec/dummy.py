"""Recommenders that any other must beat."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions

from .base import BaseRecommender
from .utils._validation import as_duration


class PopularityRecommender(BaseRecommender):
    r"""Recommend what most people have, or what most people had lately.

    The score of an item is the number of users who have it, or the number of its events. With `window` only events
    of the last days before the moment of asking count; with `half_life` an event of age :math:`a` counts
    :math:`2^{-a / h}`.

    Parameters
    ----------
    count : {"users", "events"}, default="users"
        What to count. Events count with the value that the `vectorizer` gives them.
    window : float or str, default=None
        Only events this recent count: days (or the unit of numeric times), or text such as ``"30D"``. Needs the
        column `time`.
    half_life : float or str, default=None
        Time after which an event counts half. Needs the column `time`.
    vectorizer : transformer, "passthrough" or None, default=None
        Turns histories into the matrix; None is ``HistoryVectorizer()``.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether a user's own items come last.

    Attributes
    ----------
    scores_ : ndarray of shape (n_items,)
        The score of each item at the latest time seen.
    items_ : ndarray of shape (n_items,)
        Item ids in the order of the scores.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users with each item.
    vectorizer_ : transformer
        The fitted vectorizer.

    See Also
    --------
    RandomRecommender : The floor below the floor.

    Notes
    -----
    Cost of `fit`: linear in the events. With `window` the times are kept, 12 bytes an event, so that
    ``recommend(at=...)`` can look back from any moment. With `half_life` the moment of asking changes all scores
    by the same factor, and so no ranking.

    Examples
    --------
    >>> from skrec.dummy import PopularityRecommender
    >>> PopularityRecommender(k=2).fit([["tea"], ["tea", "milk"], ["milk", "tea", "jam"]]).predict([["tea"], []])
    array([['milk', 'jam'],
           ['tea', 'milk']], dtype=object)
    """

    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "count": [StrOptions({"users", "events"})],
        "window": "no_validation",  # as_duration says more
        "half_life": "no_validation",
    }

    def __init__(self, *, count="users", window=None, half_life=None, vectorizer=None, k=10, exclude_seen=True):
        self.count = count
        self.window = window
        self.half_life = half_life
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen

    def _fit(self, matrix, histories):
        if self.window is None and self.half_life is None:
            values = matrix.data if self.count == "events" else None
            self.scores_ = np.bincount(matrix.indices, values, minlength=matrix.shape[1]).astype(np.float32)
            return
        if histories is None or histories.time is None:
            raise ValueError("window and half_life need histories with the column 'time': see to_histories(time=)")
        codes = histories.item_codes(self.items_)
        known = codes >= 0
        self._event_items, self._event_times = codes[known], histories.time[known]
        self._event_users = histories.rows[known].astype(np.int32) if self.count == "users" else None
        self.latest_ = float(self._event_times.max())
        self.scores_ = self._scores_at(self.latest_)
        if self.window is None:
            del self._event_items, self._event_times, self._event_users

    def _scores_at(self, at: float) -> np.ndarray:
        age = at - self._event_times
        keep = age >= 0
        if self.window is not None:
            keep &= age < as_duration(self.window, "window")
        items, age = self._event_items[keep], age[keep]
        if self._event_users is not None:  # the latest event of each user with each item
            users = self._event_users[keep]
            newest = np.lexsort((age, items, users))
            first = np.ones(len(newest), dtype=bool)
            first[1:] = (np.diff(users[newest]) != 0) | (np.diff(items[newest]) != 0)
            items, age = items[newest[first]], age[newest[first]]
        values = None if self.half_life is None else np.exp2(-age / as_duration(self.half_life, "half_life"))
        return np.bincount(items, values, minlength=self.n_items_).astype(np.float32)

    def _scorer(self, at):
        scores = self.scores_ if at is None or self.window is None else self._scores_at(at)
        return lambda rows: np.repeat(scores[None], rows.shape[0], axis=0)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.personalized = False
        return tags


class RandomRecommender(BaseRecommender):
    """Recommend items at random: the same list for the same history and seed.

    Parameters
    ----------
    vectorizer : transformer, "passthrough" or None, default=None
        Turns histories into the matrix; None is ``HistoryVectorizer()``.
    k : int, default=10
        Number of items to recommend.
    exclude_seen : bool, default=True
        Whether a user's own items come last.
    random_state : int, RandomState instance or None, default=None
        Seed of the item scores, drawn in `fit`.

    Attributes
    ----------
    item_hash_ : ndarray of shape (n_items,)
        A random number per item; a history is hashed by the sum over its items.
    items_ : ndarray of shape (n_items,)
        Item ids in the order of the scores.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users with each item.
    vectorizer_ : transformer
        The fitted vectorizer.

    See Also
    --------
    PopularityRecommender : The floor that matters.

    Notes
    -----
    A list depends on the history alone, not on the rows beside it: asking twice gives the same answer.

    Examples
    --------
    >>> from skrec.dummy import RandomRecommender
    >>> RandomRecommender(k=2, random_state=0).fit([[1, 2], [3, 4, 5]]).predict([[1], [5]]).shape
    (2, 2)
    """

    _parameter_constraints: dict = {**BaseRecommender._parameter_constraints, "random_state": ["random_state"]}

    def __init__(self, *, vectorizer=None, k=10, exclude_seen=True, random_state=None):
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen
        self.random_state = random_state

    def _fit(self, matrix, histories):
        rng = check_random_state(self.random_state)
        self.item_hash_ = rng.uniform(0.1, 1, size=matrix.shape[1])

    def _score(self, matrix):
        pattern = sp.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
        user_hash = pattern @ self.item_hash_
        mixed = np.sin(user_hash[:, None] * 12.9898 + self.item_hash_[None] * 78.233) * 43758.5453
        return (mixed - np.floor(mixed)).astype(np.float32)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.personalized = False
        return tags
