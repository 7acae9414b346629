"""Recommenders that any other must beat."""

from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from .base import BaseRecommender
from .feature_extraction._vectorizer import HistoryVectorizer, gather
from .feature_extraction._vectorizing import as_csr
from .utils._histories import is_frame
from .utils._sklearn import Interval, StrOptions
from .utils._time import as_duration, latest_time
from .utils._validation import type_name


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
        What to count. Events count with the value that the `vectorizer` gives them; with ``vectorizer=None`` each
        counts 1.
    window : float or str, default=None
        Only events this recent count: days (or the unit of numeric times), or text such as ``"30D"``. Needs the
        column `time`, and dates where it has a unit. What counts is up to the `vectorizer`, as without it.
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
        The score of each item at the latest time seen (more than a year from now does not count as seen).
    segments_ : ndarray of shape (n_segments,)
        The names of the segments, only with `by`: the values of the columns, joined by a comma. Segments whose values
        differ are different, though their names be alike.
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
    Cost of `fit`: linear in the events. With `window` or `half_life` the events are kept, 16 to 20 bytes each, so that
    ``recommend(at=...)`` can look back from any moment; events after it do not count.

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

    def _describe(self, users, X, *, fitting):
        """Add the number of each user's segment; users without one have the number behind the last."""
        if self.by is None:
            return users
        keys = self._segment_keys(X) if len(users) else []
        if fitting:
            segments = sorted({key for key in keys if key is not None})
            self._segments = np.array(segments, dtype=str).reshape(len(segments), -1)
            self.segments_ = np.array([", ".join(segment) for segment in segments], dtype=object)
        numbers = self._segment_numbers(keys)
        if fitting:
            self.segment_users_ = np.bincount(numbers, minlength=len(self.segments_) + 1)[:-1]
        return users.with_extra(segments=numbers)

    def _fit(self, rows):
        matrix, histories = rows.matrix, rows.histories
        self._row_segments = rows.extra.get("segments")
        timed = self.window is not None or self.half_life is not None
        if timed and (histories is None or histories.time is None):
            raise ValueError("window and half_life need histories with the column 'time': see to_histories(time=)")
        self._n_users, self._events = matrix.shape[0], None
        if timed:
            dated = histories.dated
            self._window = None if self.window is None else as_duration(self.window, "window", dated=dated)
            self._half_life = None if self.half_life is None else as_duration(self.half_life, "half_life", dated=dated)
            counts, items, values = self._history_step()._counted(histories)
            values = values if values is None or self.count == "users" else values[counts]
            users = histories.rows[counts].astype(np.int32)
            self._events = [users, items[counts], histories.time[counts], values]  # one may look from another moment
            self.latest_ = latest_time(self._events[2], dated) if counts.any() else -np.inf
            matrix = self._matrix_at(self.latest_)
        elif self.count == "events" and self.vectorizer is None:
            counts, items, _ = self._history_step()._counted(histories)
            indptr = histories.take_events(counts).indptr
            matrix = gather(np.ones(np.count_nonzero(counts)), items[counts], indptr, self.n_items_, largest=False)
        self.scores_, self._segment_scores = self._sums(matrix)
        if self._events is None:
            del self._row_segments

    def _history_step(self) -> HistoryVectorizer:
        """Return the vectorizer's step that reads histories."""
        steps = self.vectorizer_.steps if isinstance(self.vectorizer_, Pipeline) else [("", self.vectorizer_)]
        first = steps[0][1]
        if not isinstance(first, HistoryVectorizer):
            raise ValueError(
                "window and half_life need a HistoryVectorizer, or a pipeline that begins with one, as vectorizer, "
                f"got {self.vectorizer!r}: only its events have times"
            )
        return first

    def _matrix_at(self, at: float) -> sp.csr_array:
        """Return what the users had at a moment, as the vectorizer counts it; events after the moment do not count."""
        users, items, times, values = self._events
        keep = times <= at
        if self._window is not None:
            keep &= at - times < self._window
        elif keep.any():
            at = times[keep].max()  # the same ranking, and no number too small
        users, items = users[keep], items[keep]
        data = np.ones(len(items)) if self._half_life is None else np.exp2((times[keep] - at) / self._half_life)
        if self.count == "events" and values is not None:
            data = data * values[keep]
        first = self._history_step()
        largest = self.count == "users" or (first.binary and self.vectorizer is not None)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=self._n_users))])
        matrix = gather(data, items, indptr, self.n_items_, largest=largest)
        if self.count == "events" and isinstance(self.vectorizer_, Pipeline):
            matrix = matrix.astype(first.dtype)
            for _, step in self.vectorizer_.steps[1:]:
                matrix = matrix if step in (None, "passthrough") else as_csr(step.transform(matrix))
        return matrix

    def _sums(self, matrix: sp.csr_array):
        """Return the scores of everybody, and a CSR array (n_segments + 1, n_items) of what segments add, or None."""
        decayed = self._events is not None and self._half_life is not None
        values = matrix.data if self.count == "events" or decayed else np.ones(matrix.nnz)
        scores = np.bincount(matrix.indices, values, minlength=self.n_items_).astype(np.float32)
        if self.by is None:
            return scores, None
        segments = np.repeat(self._row_segments, np.diff(matrix.indptr))
        shape = (len(self.segments_) + 1, self.n_items_)
        counts = sp.csr_array((values.astype(np.float32), (segments, matrix.indices)), shape=shape)
        counts.sum_duplicates()
        return scores, counts

    def _segment_keys(self, X) -> list[tuple[str, ...] | None]:
        """Return the values of the columns `by` of each row as texts, None where a value is missing."""
        import pandas as pd

        columns = [self.by] if isinstance(self.by, str) else list(self.by)
        absent = [name for name in columns if not is_frame(X) or name not in X.columns]
        if absent or not columns:
            what = f"lacks {absent[0]!r}" if is_frame(X) and absent else f"is {type_name(X)}"
            raise ValueError(f"by={self.by!r} needs a frame of users with these columns, but X {what}: add the columns")
        texts, missing = [], np.zeros(len(X), dtype=bool)
        for name in columns:
            column = pd.Series(X[name].to_numpy() if not hasattr(X, "iloc") else X[name].to_numpy(dtype=object))
            missing |= column.isna().to_numpy()
            texts.append(column.map(lambda value: str(int(value)) if _is_whole(value) else str(value)))
        return [None if lacks else key for key, lacks in zip(zip(*texts, strict=True), missing, strict=True)]

    def _segment_numbers(self, keys: list) -> np.ndarray:
        """Return the number of each row's segment; the number of segments where it has none that is known."""
        numbers = {tuple(segment): number for number, segment in enumerate(self._segments.tolist())}
        return np.array([numbers.get(key, len(numbers)) for key in keys], dtype=np.int64)

    def __setstate__(self, state):
        super().__setstate__(state if "scores_" not in state or "_window" in state else _upgraded(state))

    def _scorer(self, at):
        scores, added = self.scores_, self._segment_scores
        if at is not None and self._events is not None:
            scores, added = self._sums(self._matrix_at(at))
        if self.by is None:
            return lambda rows: np.repeat(scores[None], rows.shape[0], axis=0)
        users = np.append(self.segment_users_, 0).astype(np.float32)
        prior = max(float(self.shrinkage), 1e-6)

        def score(rows):
            segments = rows.extra["segments"]
            own = added[segments].toarray()
            own[segments == len(self.segments_)] = 0
            own += scores * np.float32(prior / max(1, self._n_users))
            own /= (users[segments] + np.float32(prior))[:, None]
            return own

        return score

    def _score_single(self, user, at):
        same = self.by is None and (at is None or self._events is None)
        return self.scores_.copy() if same else None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.personalized = False
        timed = self.window is not None or self.half_life is not None
        tags.needs_order = timed or (self.count == "events" and self.vectorizer is None)
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

    def _fit(self, users):
        rng = check_random_state(self.random_state)
        self.item_hash_ = rng.uniform(0.1, 1, size=users.shape[1])

    def _score(self, users):
        matrix = users.matrix
        pattern = sp.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
        user_hash = pattern @ self.item_hash_
        mixed = np.sin(user_hash[:, None] * 12.9898 + self.item_hash_[None] * 78.233) * 43758.5453
        return (mixed - np.floor(mixed)).astype(np.float32)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.personalized = False
        return tags


def _upgraded(state: dict) -> dict:
    """Return the state of a file of skrec 0.1.0 as this version has it."""
    window, half_life = (
        None if state[name] is None else as_duration(state[name], name) for name in ("window", "half_life")
    )
    state = {**state, "_window": window, "_half_life": half_life}
    if "segments_" in state and "_segments" not in state:
        segments = [str(segment).split(", ") for segment in state["segments_"]]
        state["_segments"] = np.array(segments, dtype=str).reshape(len(segments), -1)
    items, times, users, of_event = state.get("_events") or (None,) * 4
    state["_events"] = None if items is None else [users, items, times, None]
    if of_event is not None:
        state["_row_segments"] = np.full(state["_n_users"], len(state["segments_"]))
        state["_row_segments"][users] = of_event
    return state


def _is_whole(value) -> bool:
    """Tell whether a number is whole, so that 1 and 1.0 name one segment."""
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) and float(value).is_integer()
