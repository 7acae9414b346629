"""Recommenders that any other must beat."""

from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from .base import BaseRecommender
from .feature_extraction._gather import column_sums, event_blocks, gather
from .feature_extraction._vectorizer import HistoryVectorizer
from .feature_extraction._vectorizing import as_csr, with_items
from .utils._arguments import as_list, check_text
from .utils._csr import counts_of
from .utils._histories import as_passed, is_frame
from .utils._row_blocks import kept_boundaries, row_blocks
from .utils._sklearn import Interval, StrOptions
from .utils._statistics import Grouped, Rows, Statistics, history_keys
from .utils._time import as_duration, latest_time, latest_until
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
        Number of training users in each segment, of those with an item.
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

    _updates = "exact"
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
        """Add the number of each user's segment; users without one have 0."""
        if self.by is None:
            return users
        keys = self._segment_keys(X) if len(users) else []
        if fitting:
            self._name_segments(sorted({key for key in keys if key is not None}))
        return users.with_extra(segments=self._segment_numbers(keys))

    def _name_segments(self, segments: list[tuple[str, ...]]) -> None:
        self._segments = np.array(segments, dtype=str).reshape(len(segments), -1)
        self.segments_ = np.array([", ".join(segment) for segment in segments], dtype=object)

    def _read_update(self, X, since):
        if self.by is not None:
            known = [tuple(segment) for segment in self._segments.tolist()]
            keys = {key for key in self._segment_keys(as_passed(X)) if key is not None}
            self._name_segments(known + sorted(keys - set(known)))
        return super()._read_update(X, since)

    def _count(self, users):
        matrix, histories, segments = users.matrix, users.histories, users.extra.get("segments")
        active = np.diff(matrix.indptr) > 0
        sums = {"users": np.count_nonzero(active)}
        if self.by is not None:
            numbers = np.bincount(segments[active], minlength=len(self.segments_) + 1)
            sums["segment users"] = Grouped(sp.csr_array(numbers[:, None]), by_item=False)
        if self._is_timed():
            if histories is None or histories.time is None:
                raise ValueError("window and half_life need histories with the column 'time': see to_histories(time=)")
            counts, items, values = self._history_step()._counted(histories)
            values = [] if values is None or self.count == "users" else [values[counts]]
            events = [items[counts], histories.time[counts], *values]
            columns = [] if segments is None else [segments]
            counted = histories if counts.all() else histories.take_events(counts)  # others may be of items to come
            keys = history_keys(counted, self.items_, *values, rows=segments)
            rows = Rows(keys, np.array(counted.indptr), events, columns)  # not those of a file
            return Statistics({**sums, "events": rows.taken(rows.lengths > 0)})
        if self.count == "events" and self.vectorizer is None:
            if segments is None:
                scores = counts_of(histories.codes, self.n_items_).astype(np.float64)
                return Statistics({**sums, "scores": scores})
            counter = HistoryVectorizer(binary=False, dtype=np.float64)
            matrix = with_items(counter, self.items_)._matrix(histories)
        scores, by_segment = self._sums(matrix, segments)
        return Statistics({**sums, "scores": scores} | ({} if by_segment is None else {"segments": by_segment}))

    def _solve(self, statistics):
        self._n_users = statistics["users"]
        if self.by is not None:
            self.segment_users_ = statistics["segment users"].sums.toarray()[1:, 0]
        if self._is_timed():
            dated = self._dated
            self._window = None if self.window is None else as_duration(self.window, "window", dated=dated)
            self._half_life = None if self.half_life is None else as_duration(self.half_life, "half_life", dated=dated)
            self._events = statistics["events"]  # one may look from another moment
            times = self._events.events[1]
            self.latest_ = latest_time(times, dated) if len(times) else -np.inf
            scores, by_segment = self._sums_at(self.latest_)
        else:
            self._events, scores, by_segment = None, statistics["scores"], statistics.sums.get("segments")
        self.scores_ = scores.astype(np.float32)
        self._segment_scores = None if by_segment is None else by_segment.sums.astype(np.float32)

    def _is_timed(self) -> bool:
        return self.window is not None or self.half_life is not None

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
        items, times, *values = self._events.events
        latest = (
            at if self._window is not None else latest_until(times, at, at)
        )  # the same ranking, no number too small

        def events(rows):
            bounds = self._events.indptr[rows.start : rows.stop + 1]
            part = slice(bounds[0], bounds[-1])
            keep = times[part] <= at
            if self._window is not None:
                keep &= at - times[part] < self._window
            data = None if self._half_life is None else np.exp2((times[part][keep] - latest) / self._half_life)
            if self.count == "events" and values:
                value = values[0][part][keep].astype(np.float64)
                data = value if data is None else data * value
            return data, items[part][keep], kept_boundaries(keep, bounds - bounds[0])

        first = self._history_step()
        largest = self.count == "users" or (first.binary and self.vectorizer is not None)
        shape = len(self._events), self.n_items_
        matrix = gather(map(events, event_blocks(self._events.indptr, shape[1])), shape, len(items), largest=largest)
        if self.count == "events" and isinstance(self.vectorizer_, Pipeline):
            matrix = matrix.astype(first.dtype)
            for _, step in self.vectorizer_.steps[1:]:
                matrix = matrix if step in (None, "passthrough") else as_csr(step.transform(matrix))
        return matrix

    def _sums_at(self, at: float) -> tuple[np.ndarray, Grouped | None]:
        columns = self._events.columns
        return self._sums(self._matrix_at(at), columns[0] if columns else None)

    def _sums(self, matrix: sp.csr_array, row_segments) -> tuple[np.ndarray, Grouped | None]:
        """Return the sums of everybody (n_items,), and those of each segment, of users without one first, or None."""
        weighted = self.count == "events" or self.half_life is not None
        if weighted:
            scores = column_sums(matrix.indices, matrix.data, self.n_items_)
        else:
            scores = counts_of(matrix.indices, self.n_items_).astype(np.float64)
        if self.by is None:
            return scores, None
        shape = (len(self.segments_) + 1, self.n_items_)
        sums = sp.csr_array(shape)
        for rows in row_blocks(matrix.indptr):
            entries = slice(matrix.indptr[rows.start], matrix.indptr[rows.stop])
            segments = np.repeat(row_segments[rows], np.diff(matrix.indptr[rows.start : rows.stop + 1]))
            values = matrix.data[entries].astype(np.float64) if weighted else np.ones(len(segments))
            sums = sums + sp.csr_array((values, (segments, matrix.indices[entries])), shape=shape)
        return scores, Grouped(sums, by_item=True)

    def _segment_keys(self, X) -> list[tuple[str, ...] | None]:
        """Return the values of the columns `by` of each row as texts, None where a value is missing."""
        import pandas as pd

        columns = [self.by] if isinstance(self.by, str) else as_list(self.by, "by", "columns")
        for name in columns:
            check_text(name, "by")
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
        """Return the number of each row's segment, from 1 in the order of `segments_`; 0 where none is known."""
        numbers = {tuple(segment): number for number, segment in enumerate(self._segments.tolist(), 1)}
        return np.array([numbers.get(key, 0) for key in keys], dtype=np.int64)

    def __setstate__(self, state):
        super().__setstate__(state if "scores_" not in state or "_statistics" in state else _upgraded(state))

    def _scorer(self, at):
        scores, added = self.scores_, self._segment_scores
        if at is not None and self._events is not None:
            sums, by_segment = self._sums_at(at)
            scores, added = sums.astype(np.float32), None if by_segment is None else by_segment.sums.astype(np.float32)
        if self.by is None:
            return lambda rows: np.repeat(scores[None], rows.shape[0], axis=0)
        users = np.concatenate([[0], self.segment_users_]).astype(np.float32)
        prior = max(float(self.shrinkage), 1e-6)

        def score(rows):
            segments = rows.extra["segments"]
            own = added[segments].toarray()
            own[segments == 0] = 0
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
        tags.needs_order = self._is_timed() or (self.count == "events" and self.vectorizer is None)
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
    """Return the state of a file of skrec 0.1.0 as this version has it; it cannot be updated."""
    window, half_life = (
        None if state[name] is None else as_duration(state[name], name) for name in ("window", "half_life")
    )
    state = {**state, "_window": window, "_half_life": half_life}
    if "segments_" in state:
        names = [str(segment).split(", ") for segment in state["segments_"]]
        state["_segments"] = np.array(names, dtype=str).reshape(len(names), -1)
        counts = sp.csr_array(state["_segment_scores"])
        state["_segment_scores"] = sp.csr_array(sp.vstack([counts[-1:], counts[:-1]]))
    events = state.get("_events")
    state["_events"] = None
    if events is not None:
        items, times, users, of_event = events
        n_users = state["_n_users"]
        order = np.argsort(users, kind="stable")
        indptr = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=n_users))])
        columns = []
        if of_event is not None:
            segments = np.zeros(n_users, dtype=np.int64)
            segments[users] = np.where(of_event < len(state["segments_"]), of_event + 1, 0)
            columns = [segments]
        state["_events"] = Rows(np.zeros(n_users, np.uint64), indptr, [items[order], times[order]], columns)
    return state


def _is_whole(value) -> bool:
    """Tell whether a number is whole, so that 1 and 1.0 name one segment."""
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) and float(value).is_integer()
