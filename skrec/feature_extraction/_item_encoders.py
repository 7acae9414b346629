"""Columns of an item frame to sparse numbers: words, labels, quantities. All can be stored without pickle."""

from itertools import chain

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer

from ..utils._state import CompactIdState
from ..utils._time import as_days
from ..utils._validation import is_missing, lookup

_PAIR = 0.5  # weight of a pair of words beside that of a word; chosen on validation parts of Amazon Beauty and Sports


class TextEncoder(TfidfVectorizer):
    """TfidfVectorizer for a column that may lack texts, in which a pair of words counts half.

    The words are stored as one array of bytes: a dict of 100,000 words is as many nodes of a model file without pickle.
    """

    def fit(self, raw_documents, y=None) -> "TextEncoder":
        """Learn the words of texts, of which some may be missing."""
        self.fit_transform(raw_documents)
        return self

    def fit_transform(self, raw_documents, y=None):
        """Learn the words and return the weights."""
        matrix = super().fit_transform(_filled(raw_documents), y)
        self.factor_ = np.ones(len(self.vocabulary_), dtype=self.dtype)
        self.factor_[[place for words, place in self.vocabulary_.items() if " " in words]] = _PAIR
        return self._weaken_pairs(matrix)

    def transform(self, raw_documents):
        """Return the weights of the learned words."""
        return self._weaken_pairs(super().transform(_filled(raw_documents)))

    def _weaken_pairs(self, matrix):
        matrix.data *= self.factor_[matrix.indices]
        return matrix

    def __getstate__(self):
        state = dict(super().__getstate__())
        words = state.get("vocabulary_")
        if words is not None:
            ordered = sorted(words, key=words.__getitem__)
            state["vocabulary_"] = np.frombuffer("\n".join(ordered).encode(), dtype=np.uint8)
        return state

    def __setstate__(self, state):
        state = dict(state)
        words = state.get("vocabulary_")
        if isinstance(words, np.ndarray):
            state["vocabulary_"] = {word: place for place, word in enumerate(words.tobytes().decode().split("\n"))}
        super().__setstate__(state)


class TagEncoder(CompactIdState, TransformerMixin, BaseEstimator):
    """One column per label of a column of labels, or of lists of labels, weighted by rarity.

    Rare labels keep a column each; OneHotEncoder with `min_frequency` would put them all in one, which makes items
    alike that share nothing.
    """

    def fit(self, X, y=None) -> "TagEncoder":
        """Learn the labels."""
        rows, labels, n_rows = tag_lists(X)
        distinct, codes = np.unique(labels, return_inverse=True)
        pairs = np.unique(rows * max(1, len(distinct)) + codes)
        counts = np.bincount(pairs % max(1, len(distinct)), minlength=len(distinct))
        self.labels_, self.counts_ = distinct.astype(object), counts
        self.idf_ = _rarity(counts, n_rows)
        return self

    def transform(self, X) -> sp.csr_array:
        """Return the weights of the learned labels."""
        rows, labels, n_rows = tag_lists(X)
        codes = lookup(labels.astype(object), self.labels_) if len(labels) else np.empty(0, dtype=np.int32)
        known = codes >= 0
        rows, codes = rows[known], codes[known]
        matrix = sp.csr_array((self.idf_[codes], (rows, codes)), shape=(n_rows, len(self.labels_)))
        matrix.sum_duplicates()  # SciPy before 1.14 leaves them
        matrix.data = self.idf_[matrix.indices]  # a label that a row repeats counts once
        return matrix

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the labels."""
        return np.asarray(self.labels_, dtype=object)


class NumberEncoder(TransformerMixin, BaseEstimator):
    """A quantity as shares of its two nearest quantiles, so that near values are alike; a missing one is all 0.

    A share counts as a label would that one of `n_knots` rows has.

    Parameters
    ----------
    n_knots : int, default=10
        Number of quantiles.
    """

    def __init__(self, n_knots=10):
        self.n_knots = n_knots

    def fit(self, X, y=None) -> "NumberEncoder":
        """Learn the quantiles."""
        numbers = _numbers(X)
        known = numbers[np.isfinite(numbers)]
        levels = np.linspace(0, 1, self.n_knots)
        self.knots_ = np.unique(np.quantile(known, levels)) if len(known) else np.zeros(1)
        self.weight_ = float(np.log(len(self.knots_)) + 1)
        return self

    def transform(self, X) -> sp.csr_array:
        """Return the weights of the quantiles around each number."""
        numbers = _numbers(X)
        known = np.flatnonzero(np.isfinite(numbers))
        place = np.interp(numbers[known], self.knots_, np.arange(len(self.knots_)))
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, len(self.knots_) - 1)
        weights = np.concatenate([1 - (place - low), place - low]).astype(np.float32)
        matrix = sp.coo_array(
            (weights, (np.tile(known, 2), np.concatenate([low, high]))), shape=(len(numbers), len(self.knots_))
        ).tocsr()
        matrix.eliminate_zeros()
        matrix.data *= np.float32(self.weight_)
        return matrix

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the quantiles as names."""
        return np.array([f"{knot:g}" for knot in self.knots_], dtype=object)


def _rarity(counts: np.ndarray, n_rows: int) -> np.ndarray:
    """Return the inverse document frequency as TfidfVectorizer has it."""
    return (np.log((1 + n_rows) / (1 + counts)) + 1).astype(np.float32)


def unit_rows(matrix: sp.csr_array) -> sp.csr_array:
    """Scale the rows of a CSR array to unit length in place; empty ones stay empty."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    length = np.sqrt(np.bincount(rows, matrix.data.astype(np.float64) ** 2, minlength=matrix.shape[0]))
    matrix.data /= np.where(length > 0, length, 1)[rows].astype(matrix.dtype)
    return matrix


def _filled(texts):
    return ["" if is_missing(text) else text for text in texts]


def _cells(X) -> list:
    """Return the cells of one column, given as a Series, a list, or a frame with one column."""
    if hasattr(X, "iloc") and getattr(X, "ndim", 1) == 2:
        X = X.iloc[:, 0]
    if getattr(X, "dtype", None) == "category":
        X = X.astype(object)
    return list(X)


def tag_lists(X) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the row number and the text of each label, and the number of rows."""
    cells = _cells(X)
    lists = [
        () if cell is None else cell if isinstance(cell, (list, tuple, set, frozenset, np.ndarray)) else (cell,)
        for cell in cells
    ]
    rows = np.repeat(np.arange(len(lists)), np.fromiter(map(len, lists), dtype=np.int64, count=len(lists)))
    flat = list(chain.from_iterable(lists))
    filled = np.fromiter((not is_missing(label) for label in flat), dtype=bool, count=len(flat))
    labels = np.array([str(label) for label, there in zip(flat, filled, strict=True) if there], dtype=str)
    return rows[filled], labels, len(lists)


def _numbers(X) -> np.ndarray:
    """Return a column of numbers or times as float64, NaN where it is missing or infinite."""
    if getattr(X, "ndim", 1) == 2:
        X = X.iloc[:, 0] if hasattr(X, "iloc") else np.asarray(X)[:, 0]
    if getattr(getattr(X, "dtype", None), "kind", "") in "mM":
        values = np.full(len(X), np.nan)
        there = X.notna().to_numpy()
        times = X[there]
        if times.dtype.kind == "m":
            values[there] = times.dt.total_seconds()
        else:
            zone = getattr(times.dt, "tz", None)
            values[there] = as_days((times if zone is None else times.dt.tz_convert(None)).to_numpy(), "item_features")
        return values
    if hasattr(X, "to_numpy"):
        return X.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(X, dtype=np.float64)
