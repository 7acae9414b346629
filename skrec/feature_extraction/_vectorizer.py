"""Histories to a user x item matrix."""

from collections.abc import Callable
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..utils._csr import counts_of
from ..utils._fitting import fit_context
from ..utils._histories import Histories, read_histories, required
from ..utils._row_blocks import number_baskets
from ..utils._single_rows import row_values
from ..utils._sklearn import DocumentationLinkMixin, Interval, StrOptions
from ..utils._state import CompactIdState
from ..utils._time import as_duration, far_limit
from ..utils._validation import as_id_list, as_weights, join_ids, lookup
from ._gather import event_blocks, gather, kept, take_columns


class HistoryVectorizer(CompactIdState, DocumentationLinkMixin, TransformerMixin, BaseEstimator):
    """Turn histories into a sparse user x item matrix.

    What :class:`~sklearn.feature_extraction.text.CountVectorizer` does for documents and words, this does for
    users and items. The columns are the items that the training histories hold. Weighting and reduction compose
    behind it: :class:`BM25Transformer`, :class:`~sklearn.feature_extraction.text.TfidfTransformer`,
    :class:`~sklearn.decomposition.TruncatedSVD`.

    Parameters
    ----------
    min_df : int or float, default=1
        Leave out items that fewer users have: a number of users, or a share of them.
    max_items : int, default=None
        Keep only this many items, those with most users.
    binary : bool, default=True
        True: an entry says that the user has the item (1). False: an entry counts, or sums the weights.
    weight : {"ignore", "use"}, default="ignore"
        Whether the `weight` column of the histories scales each event. With ``binary=True`` the largest
        weight of the user's events with the item is taken.
    event_weights : dict, default=None
        Weight of each event name, for instance ``{"view": 1, "cart": 3, "buy": 10}``; multiplies with `weight`.
        Events that the dict does not name are left out. Needs the column `event`.
    vocabulary : array-like of shape (n_ids,), default=None
        Item ids that have a column besides those of the histories, whether or not anybody has them: a catalogue with
        new products. `min_df` and `max_items` leave them.
    recency : float, default=None
        When recommending (`transform`, not `fit_transform`), an event counts ``recency ** age``. The age is the
        number of later moments in the user's history: 0 for the last event. Events at the same time, such as
        the lines of one basket, share an age.
    half_life : float or str, default=None
        When recommending, an event counts half after this much time, measured back from the user's last
        event that is not in the far future: days (or the unit of numeric times), or text such as ``"30D"``. Needs
        the column `time`.
    dtype : dtype, default=numpy.float32
        Type of the matrix.

    Attributes
    ----------
    items_ : ndarray of shape (n_items,)
        The item id of each column, sorted.
    item_counts_ : ndarray of shape (n_items,)
        Number of training users who have the item.

    See Also
    --------
    BM25Transformer : Weight the matrix by frequency and rarity.

    Notes
    -----
    `fit_transform` gives the undecayed matrix that a model learns from and `transform` the decayed one that it is
    asked with, as in :class:`~sklearn.preprocessing.TargetEncoder`. Decaying the training matrix as well lost accuracy
    on Amazon Beauty and gained a little on Online Retail.

    Cost: linear in the number of events.

    Examples
    --------
    >>> from skrec.feature_extraction import HistoryVectorizer
    >>> histories = [["tea", "milk"], ["tea", "honey", "tea"], []]
    >>> vectorizer = HistoryVectorizer(binary=False, recency=0.5)
    >>> vectorizer.fit_transform(histories).toarray()
    array([[0., 1., 1.],
           [1., 0., 2.],
           [0., 0., 0.]], dtype=float32)
    >>> vectorizer.transform(histories).toarray()
    array([[0.  , 1.  , 0.5 ],
           [0.5 , 0.  , 1.25],
           [0.  , 0.  , 0.  ]], dtype=float32)
    >>> vectorizer.get_feature_names_out()
    array(['honey', 'milk', 'tea'], dtype=object)
    """

    _parameter_constraints: dict = {
        "min_df": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="neither")],
        "max_items": [Interval(Integral, 1, None, closed="left"), None],
        "binary": ["boolean"],
        "weight": [StrOptions({"ignore", "use"})],
        "event_weights": [dict, None],
        "vocabulary": ["array-like", None],
        "recency": [Interval(Real, 0, 1, closed="right"), None],
        "half_life": "no_validation",  # as_duration says more
        "dtype": "no_validation",
    }

    def __init__(
        self,
        *,
        min_df=1,
        max_items=None,
        binary=True,
        weight="ignore",
        event_weights=None,
        vocabulary=None,
        recency=None,
        half_life=None,
        dtype=np.float32,
    ):
        self.min_df = min_df
        self.max_items = max_items
        self.binary = binary
        self.weight = weight
        self.event_weights = event_weights
        self.vocabulary = vocabulary
        self.recency = recency
        self.half_life = half_life
        self.dtype = dtype

    def fit(self, X, y=None) -> "HistoryVectorizer":
        """Learn the items.

        Parameters
        ----------
        X : histories of shape (n_users,)
            One history per user, see the user guide, "Data forms".
        y : None
            Ignored.

        Returns
        -------
        HistoryVectorizer
            The fitted vectorizer.
        """
        self.fit_transform(X)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None) -> sp.csr_array:
        """Learn the items and return the matrix to learn from, without decay.

        Parameters
        ----------
        X : histories of shape (n_users,)
            One history per user.
        y : None
            Ignored.

        Returns
        -------
        CSR array of shape (n_users, n_items)
            The matrix.
        """
        histories = read_histories(X)
        if self.half_life is not None:
            as_duration(self.half_life, "half_life", dated=None if histories.time is None else histories.dated)
        self._check_kinds(histories)
        self.items_ = self._ids(histories)
        matrix = self._matrix(histories)
        counts = counts_of(matrix.indices, len(self.items_))
        keep = self._keep(counts, len(histories))
        self.items_, self.item_counts_ = self.items_[keep], counts[keep]
        if len(keep) < len(counts):
            matrix = take_columns(matrix, keep)
        matrix.history_items = self.items_
        return matrix

    def transform(self, X) -> sp.csr_array:
        """Return the matrix to recommend from: with decay, unknown items left out.

        Parameters
        ----------
        X : histories of shape (n_users,)
            One history per user.

        Returns
        -------
        CSR array of shape (n_users, n_items)
            The matrix; an item of the history stays a stored entry however small its decayed value.
        """
        check_is_fitted(self)
        return self._matrix(read_histories(X), decayed=True)

    def _transform_single(self, columns: list[int], read: Histories | None) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the columns and values of the row of one history; None where only `transform` can tell.

        `columns` are those of its events, -1 for unknown items; `read` is what was read of it beside the items.
        """
        if self.weight != "ignore" or self.event_weights is not None or self.half_life is not None:
            return None
        if np.dtype(self.dtype) != np.float32:
            return None
        ages = None if read is None or self.recency is None else event_ages(read)
        return row_values(columns, binary=bool(self.binary), recency=self.recency, ages=ages)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the item ids as column names.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str of shape (n_items,)
            The names.
        """
        check_is_fitted(self)
        return np.array([str(item) for item in self.items_], dtype=object)

    def _ids(self, histories: Histories) -> np.ndarray:
        """Return the ids of the histories and the vocabulary, sorted."""
        if self.vocabulary is None:
            return np.sort(histories.ids, kind="stable")
        named = as_id_list(self.vocabulary, "vocabulary")
        lookup(named, histories.ids, "vocabulary")  # raises where strings would meet numbers
        return np.unique(join_ids([histories.ids, named], "vocabulary and X") if len(histories.ids) else named)

    def _keep(self, counts: np.ndarray, n_users: int) -> np.ndarray:
        """Return the positions of the items that stay, ascending."""
        least = self.min_df if isinstance(self.min_df, Integral) else self.min_df * n_users
        keep = np.flatnonzero(counts >= least)
        if self.max_items is not None and len(keep) > self.max_items:
            keep = np.sort(keep[np.argsort(-counts[keep], kind="stable")[: self.max_items]])
        if self.vocabulary is not None:
            always = lookup(as_id_list(self.vocabulary, "vocabulary"), self.items_)
            keep = np.union1d(keep, always)
        if len(counts) == 0:
            raise ValueError("X holds no event, so no item is left to learn: pass histories with items")
        if len(keep) == 0:
            raise ValueError(
                f"no item is left: the {len(counts)} items of {n_users} histories all have fewer than "
                f"min_df={self.min_df!r} users; lower min_df or pass more histories"
            )
        return keep

    def _values(self, histories: Histories) -> np.ndarray | None:
        """Return the undecayed value of each event, or None where all count 1; NaN marks events left out."""
        values = None
        if self.weight == "use":
            if histories.weight is None:
                raise ValueError("weight='use' needs histories with the column 'weight': see to_histories(weight=)")
            values = histories.weight
        if self.event_weights is not None:
            if histories.event_ids is None:
                raise ValueError("event_weights needs histories with the column 'event': see to_histories(event=)")
            known = [self.event_weights.get(name, np.nan) for name in histories.event_ids]
            given = np.array([weight for weight in known if weight == weight], dtype=np.float64)
            as_weights(given, "event_weights")
            by_event = np.array(known, dtype=np.float32)[histories.event_codes]
            values = by_event if values is None else values * by_event
        return values

    def _check_kinds(self, histories: Histories) -> None:
        """Raise where no event is of a kind that counts, which is a misspelt name more likely than not."""
        kinds = histories.event_ids
        if (
            self.event_weights is not None
            and kinds is not None
            and len(kinds)
            and not set(kinds) & set(self.event_weights)
        ):
            raise ValueError(f"event_weights names {list(self.event_weights)} but the events are {list(kinds)}")

    def _decay(self, histories: Histories) -> Callable[[Histories], np.ndarray] | None:
        """Return the function from a block of these histories to the factor of each event, or None for no decay."""
        if self.recency is None and self.half_life is None:
            return None
        half_life, limit = None, np.inf
        if self.half_life is not None:
            if histories.time is None:
                raise ValueError("half_life needs histories with the column 'time': see to_histories(time=)")
            half_life = as_duration(self.half_life, "half_life", dated=histories.dated)
            limit = far_limit(histories.time, histories.dated)

        def factors(block):
            factor = None if self.recency is None else np.power(self.recency, event_ages(block))
            if half_life is not None:
                last = last_times(block, limit)[block.rows]
                by_time = np.where(block.time > last, 0, np.exp2(np.minimum(block.time - last, 0) / half_life))
                factor = by_time if factor is None else factor * by_time
            return factor

        return factors

    def _counted(
        self, histories: Histories, columns: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return whether each event counts, its column, and its undecayed value (None: all count 1)."""
        columns = histories.item_codes(self.items_) if columns is None else columns
        values = self._values(histories)
        counts = columns >= 0
        return counts if values is None else counts & ~np.isnan(values), columns, values

    def _dtype(self) -> np.dtype:
        """Return the type of the matrix; None is float64 to NumPy, and an oversight here."""
        try:
            dtype = None if self.dtype is None else np.dtype(self.dtype)
        except (TypeError, ValueError, OverflowError, SyntaxError):
            dtype = None
        if dtype is None or dtype.kind not in "biuf" or dtype == np.float16:
            raise TypeError(f"dtype must be a type of numbers, such as numpy.float32, got {self.dtype!r}")
        return dtype

    def _matrix(self, histories: Histories, *, decayed: bool = False) -> sp.csr_array:
        decay = self._decay(histories) if decayed else None
        position = histories.item_positions(self.items_)  # once for all blocks

        def events(rows):
            block = histories if rows.stop - rows.start == len(histories) else histories[rows]
            columns = block.codes if position is None else position[block.codes]
            keep, columns, values = self._counted(block, columns)
            data = None if values is None else values.astype(np.float64)
            if decay is not None:
                data = decay(block) if data is None else data * decay(block)
            return kept(keep, columns, block.indptr, None if data is None else data.astype(np.float64, copy=False))

        shape = len(histories), len(self.items_)
        blocks = map(events, event_blocks(histories.indptr, shape[1]))
        matrix = gather(blocks, shape, len(histories.codes), largest=self.binary, dtype=self._dtype())
        matrix.history_items = self.items_  # so that a recommender behind it in a Pipeline answers with these ids
        return matrix

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.sparse = False
        return tags


def event_ages(histories: Histories) -> np.ndarray:
    """Return the age of each event: the number of later moments (without times, of later events) in its row."""
    if histories.time is not None:
        basket, first = number_baskets(histories.indptr, histories.time)
        return np.repeat(first[1:], histories.lengths) - 1 - basket
    return np.repeat(histories.indptr[1:], histories.lengths) - 1 - np.arange(len(histories.codes))


def last_times(histories: Histories, limit: float | None = None) -> np.ndarray:
    """Return the time of each row's last event that is not in the far future; without one, of its last event.

    `limit` is what `far_limit` says of all histories, where these are some of them.
    """
    time = required(histories.time, "time")
    near = np.where(time > (far_limit(time, histories.dated) if limit is None else limit), -np.inf, time)
    filled = histories.lengths > 0
    last = np.full(len(histories), -np.inf)
    if filled.any():
        last[filled] = np.maximum.reduceat(near, histories.indptr[:-1][filled])
        ends = time[histories.indptr[1:][filled] - 1]
        last[filled] = np.where(np.isfinite(last[filled]), last[filled], ends)
    return last
