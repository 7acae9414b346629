"""Recommenders that any other must beat."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

from .base import BaseRecommender
from .utils._histories import is_frame
from .utils._sklearn import Interval, StrOptions
from .utils._validation import as_duration, lookup, type_name

_NO_SEGMENT = ""


@dataclass(frozen=True)
class _SegmentRows:
    """Users and the number of their segment; sliced by rows like a matrix."""

    matrix: sp.csr_array
    segments: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Number of users and of items."""
        return self.matrix.shape

    def __getitem__(self, rows: slice) -> "_SegmentRows":
        return _SegmentRows(self.matrix[rows], self.segments[rows])


class PopularityRecommender(BaseRecommender):
    r"""Recommend what most people have, or what most people had lately.

    The score of an item is the number of users who have it, or the number of its events. With `window` only events
    of the last days before the moment of asking count; with `half_life` an event of age :math:`a` counts
    :math:`2^{-a / h}`.

    With `by` the score is that of the user's segment, the users with the same values in these columns, drawn to that
    of everybody as if the segment had `shrinkage` more, average users. With :math:`n_s` users in the segment, of all
    :math:`n`, and scores :math:`c_{si}` and :math:`c_i`,

    .. math:: \text{score}(s, i) = \frac{c_{si} + m \, c_i / n}{n_s + m}

    so a large segment has its own list and a small one nearly that of everybody. It needs no history: it is an answer
    for new users, and the `fallback` of the ensembles.

    Parameters
    ----------
    count : {"users", "events"}, default="users"
        What to count. Events count with the value that the `vectorizer` gives them.
    window : float or str, default=None
        Only events this recent count: days (or the unit of numeric times), or text such as ``"30D"``. Needs the
        column `time`.
    half_life : float or str, default=None
        Time after which an event counts half. Needs the column `time`.
    by : str or list of str, default=None
        Columns of the frame of users whose values make a segment, such as ``["age_band"]``. A user with a missing
        value, or values that were not there in `fit`, gets the scores of everybody.
    shrinkage : float, default=50.0
        Number :math:`m` of average users added to each segment.
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
    segments_ : ndarray of shape (n_segments,)
        The segments, only with `by`: the values of the columns, joined by a comma.
    segment_users_ : ndarray of shape (n_segments,)
        Number of training users in each segment.
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

    Users who say what they are, and have no history yet:

    >>> import pandas as pd
    >>> known = pd.DataFrame({"item": [["tea"], ["tea", "jam"], ["mug"]], "age_band": ["60+", "60+", "20-29"]})
    >>> model = PopularityRecommender(by="age_band", shrinkage=1, k=1).fit(known)
    >>> model.predict(pd.DataFrame({"item": [[], []], "age_band": ["60+", "20-29"]}))
    array([['tea'],
           ['mug']], dtype=object)
    """

    _parameter_constraints: dict = {
        **BaseRecommender._parameter_constraints,
        "count": [StrOptions({"users", "events"})],
        "window": "no_validation",  # as_duration says more
        "half_life": "no_validation",
        "by": [str, "array-like", None],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        count="users",
        window=None,
        half_life=None,
        by=None,
        shrinkage=50.0,
        vectorizer=None,
        k=10,
        exclude_seen=True,
    ):
        self.count = count
        self.window = window
        self.half_life = half_life
        self.by = by
        self.shrinkage = shrinkage
        self.vectorizer = vectorizer
        self.k = k
        self.exclude_seen = exclude_seen

    def fit(self, X, y=None):
        """Count.

        Parameters
        ----------
        X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
            One row per user; with `by` a frame that has these columns.
        y : None
            Ignored.

        Returns
        -------
        PopularityRecommender
            The fitted recommender itself.
        """
        segment = None
        if self.by is not None:
            keys = self._segment_keys(X)
            self.segments_, segment = np.unique(keys[keys != _NO_SEGMENT], return_inverse=True)
            of_row = np.full(len(keys), len(self.segments_))
            of_row[keys != _NO_SEGMENT] = segment
            self.segment_users_ = np.bincount(segment, minlength=len(self.segments_))
            self._row_segments = of_row
        super().fit(X)
        if self.by is not None:
            del self._row_segments
        return self

    def _fit(self, matrix, histories):
        timed = self.window is not None or self.half_life is not None
        if timed and (histories is None or histories.time is None):
            raise ValueError("window and half_life need histories with the column 'time': see to_histories(time=)")
        if timed:
            codes = histories.item_codes(self.items_)
            known = codes >= 0
            items, users, times = codes[known], histories.rows[known].astype(np.int32), histories.time[known]
            self.latest_ = float(times.max())
        else:
            items, times = matrix.indices, None
            users = np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))
        values = matrix.data if self.count == "events" and not timed else None
        segments = None if self.by is None else self._row_segments[users]
        self._n_users = matrix.shape[0]
        if self.window is not None:  # a later question may look from another moment
            self._events = [items, times, users, segments]
        at = self.latest_ if timed else None
        self.scores_, self._segment_scores = self._count(items, times, users, segments, values, at)

    def _count(self, items, times, users, segments, values, at):
        """Return the scores of everybody, and a CSR array (n_segments + 1, n_items) of what segments add, or None."""
        if times is not None:
            age = at - times
            keep = age >= 0
            if self.window is not None:
                keep &= age < as_duration(self.window, "window")
            if self.count == "users":
                keep = np.flatnonzero(keep)  # the latest event of each user with each item
                newest = keep[np.lexsort((age[keep], items[keep], users[keep]))]
                first = np.ones(len(newest), dtype=bool)
                first[1:] = (np.diff(users[newest]) != 0) | (np.diff(items[newest]) != 0)
                keep = newest[first]
            items, age = items[keep], age[keep]
            segments = None if segments is None else segments[keep]
            values = None if self.half_life is None else np.exp2(-age / as_duration(self.half_life, "half_life"))
        scores = np.bincount(items, values, minlength=self.n_items_).astype(np.float32)
        if segments is None:
            return scores, None
        values = np.ones(len(items)) if values is None else values
        shape = (len(self.segments_) + 1, self.n_items_)
        counts = sp.csr_array((np.asarray(values, dtype=np.float32), (segments, items)), shape=shape)
        counts.sum_duplicates()
        return scores, sp.csr_array(counts)

    def _segment_keys(self, X) -> np.ndarray:
        """Return the values of the columns `by` of each row as one text, an empty one where a value is missing."""
        import pandas as pd

        columns = [self.by] if isinstance(self.by, str) else list(self.by)
        absent = [name for name in columns if not is_frame(X) or name not in X.columns]
        if absent or not columns:
            what = f"lacks {absent[0]!r}" if is_frame(X) and absent else f"is {type_name(X)}"
            raise ValueError(f"by={self.by!r} needs a frame of users with these columns, but X {what}: add the columns")
        keys, missing = None, np.zeros(len(X), dtype=bool)
        for name in columns:
            column = pd.Series(X[name].to_numpy() if not hasattr(X, "iloc") else X[name].to_numpy(dtype=object))
            missing |= column.isna().to_numpy()
            texts = column.map(lambda value: str(int(value)) if _is_whole(value) else str(value)).to_numpy(dtype=object)
            keys = texts if keys is None else keys + ", " + texts
        keys[missing] = _NO_SEGMENT
        return keys

    def _encode(self, X):
        matrix = super()._encode(X)
        if self.by is None:
            return matrix
        segment = lookup(self._segment_keys(X), self.segments_, "by") if matrix.shape[0] else np.empty(0, np.int32)
        return _SegmentRows(matrix, np.where(segment < 0, len(self.segments_), segment))

    def _seen(self, rows):
        return rows.matrix if self.by is not None else rows

    def _scorer(self, at):
        scores, added = self.scores_, self._segment_scores
        if at is not None and self.window is not None:
            scores, added = self._count(*self._events, None, at)
        if self.by is None:
            return lambda rows: np.repeat(scores[None], rows.shape[0], axis=0)
        users = np.append(self.segment_users_, 0).astype(np.float32)
        prior = max(float(self.shrinkage), 1e-6)

        def score(rows):
            own = added[rows.segments].toarray()
            own[rows.segments == len(self.segments_)] = 0
            own += scores * np.float32(prior / max(1, self._n_users))
            own /= (users[rows.segments] + np.float32(prior))[:, None]
            return own

        return score

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


def _is_whole(value) -> bool:
    """Tell whether a number is whole, so that 1 and 1.0 name one segment."""
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) and float(value).is_integer()
