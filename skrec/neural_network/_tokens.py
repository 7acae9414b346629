"""Tokens: texts and histories as rows of whole numbers that a net reads."""

import re
from numbers import Integral

import numpy as np

from skrec.utils._histories import is_frame, read_histories
from skrec.utils._validation import factorize, is_missing, lookup, plain, type_name

PADDING, UNKNOWN, FIRST = 0, 1, 2  # codes of no token, of a token that was not learned, of the first one learned
_words = re.compile(r"\w+").findall


def is_texts(X) -> bool:
    """Tell a sequence of texts from a sequence of histories, by its first row that is not missing."""
    if isinstance(X, str) or is_frame(X) or getattr(X, "ndim", 1) != 1:
        return False
    dtype = getattr(X, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "US":
        return True
    try:
        first = next(row for row in X if isinstance(row, list | tuple | np.ndarray | str) or not is_missing(row))
    except (StopIteration, TypeError, ValueError):
        return False
    return isinstance(first, str)


class Tokens:
    """A vocabulary, and rows of its codes: 0 is padding on the left, 1 an unknown token, 2 and more the vocabulary.

    Parameters
    ----------
    max_length : int
        Number of tokens kept of a row.
    max_features : int, default=None
        Number of tokens learned, the most frequent first; None learns all.
    min_df : int or float, default=1
        Rows that must hold a token for it to be learned: a number, or (below 1) a share of the rows.
    keep : {"last", "first"}, default="last"
        Which end of a row is kept where it is longer than `max_length`.
    texts : bool, default=None
        Whether the rows are texts; None looks at the first one.

    Attributes
    ----------
    vocabulary_ : ndarray of shape (n_tokens,)
        The learned words (lower case) or item ids in sorted order; code 2 is the first.
    texts_ : bool
        Whether the rows were texts, not histories.
    """

    def __init__(self, max_length, max_features=None, min_df=1, keep="last", texts=None):
        self.max_length = max_length
        self.max_features = max_features
        self.min_df = min_df
        self.keep = keep
        self.texts = texts

    @property
    def size(self) -> int:
        """Number of codes, as an embedding needs it."""
        return len(self.vocabulary_) + FIRST

    def fit(self, X, name: str = "X") -> "Tokens":
        """Learn the vocabulary from texts, or from histories of item ids."""
        self.texts_ = is_texts(X) if self.texts is None else bool(self.texts)
        ids, codes, indptr = self._read(X, name)
        self._learn(ids, codes, indptr, name)
        return self

    def fit_encode(self, X, name: str = "X") -> np.ndarray:
        """Learn the vocabulary and encode the same rows, which are read once."""
        self.texts_ = is_texts(X) if self.texts is None else bool(self.texts)
        ids, codes, indptr = self._read(X, name)
        self._learn(ids, codes, indptr, name)
        return self._encode(ids, codes, indptr, name)

    def encode(self, X, name: str = "X") -> np.ndarray:
        """Return the codes of the rows, an int32 array of shape (n_rows, max_length)."""
        ids, codes, indptr = self._read(X, name)
        return self._encode(ids, codes, indptr, name)

    def _learn(self, ids, codes, indptr, name):
        n_rows = len(indptr) - 1
        if not len(codes):
            what = "texts without a single word" if self.texts_ else "histories without a single item"
            raise ValueError(f"{name} has {n_rows} {what}: there is no vocabulary to learn, look at what was selected")
        kept = np.arange(len(ids))
        if (needed := self.min_df if isinstance(self.min_df, Integral) else self.min_df * n_rows) > 1:
            row = np.repeat(np.arange(n_rows, dtype=np.int64), np.diff(indptr))
            in_rows = np.bincount(np.unique(row * len(ids) + codes) % len(ids), minlength=len(ids))
            kept = np.flatnonzero(in_rows >= needed)
            if not len(kept):
                raise ValueError(
                    f"min_df={self.min_df} leaves no token: the most frequent one is in {in_rows.max()} of {n_rows} "
                    f"rows of {name}; lower min_df"
                )
        kept = kept[np.argsort(ids[kept], kind="stable")]
        if self.max_features is not None and len(kept) > self.max_features:
            frequency = np.bincount(codes, minlength=len(ids))[kept]
            kept = kept[np.sort(np.argsort(-frequency, kind="stable")[: self.max_features])]
        self.vocabulary_ = ids[kept]

    def _encode(self, ids, codes, indptr, name):
        known = lookup(ids, self.vocabulary_, name)
        codes = np.where(known < 0, UNKNOWN, known + FIRST).astype(np.int32)[codes]
        lengths = np.diff(indptr)
        kept = np.minimum(lengths, self.max_length)
        first = indptr[:-1] if self.keep == "first" else indptr[1:] - kept
        column = np.arange(self.max_length)
        start = (self.max_length - kept)[:, None]
        filled = column >= start
        rows = np.zeros((len(lengths), self.max_length), dtype=np.int32)
        rows[filled] = codes[(first[:, None] + column - start)[filled]]
        return rows

    def _read(self, X, name):
        """Return the distinct tokens, the number of each token of each row, and the row boundaries."""
        if not self.texts_:
            if is_texts(X):
                raise TypeError(f"{name} has texts, but the net has learned histories: pass lists of item ids")
            histories = read_histories(X, name)
            return histories.ids, histories.codes, histories.indptr
        words = [_words(text.lower()) for text in _check_texts(X, name)]
        indptr = np.concatenate([[0], np.cumsum(np.fromiter(map(len, words), dtype=np.int64, count=len(words)))])
        flat = np.empty(int(indptr[-1]), dtype=object)
        flat[:] = [word for row in words for word in row]
        codes, ids = factorize(flat)
        return ids, codes, indptr.astype(np.int64)


def _check_texts(X, name):
    """Return the texts as a list; one column of a frame or of an array counts as a sequence."""
    if isinstance(X, str):
        raise ValueError(f"{name} is a single text: pass a list of texts, [{name}]")
    if getattr(X, "ndim", 1) == 2 and X.shape[1] == 1:
        X = X.iloc[:, 0] if hasattr(X, "iloc") else X[:, 0]
    if hasattr(X, "tocsr") or getattr(X, "ndim", 1) != 1 or not hasattr(X, "__iter__"):
        shape = f" of shape {X.shape}" if hasattr(X, "shape") else ""
        raise TypeError(f"{name} must be a sequence of texts, got {type_name(X)}{shape}: select one column")
    texts = X.tolist() if isinstance(X, np.ndarray) else list(X)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            what = "missing" if not hasattr(text, "__len__") and is_missing(text) else f"{plain(text)!r}"
            raise TypeError(f"row {row} of {name} is {what}, but a text is expected: fill it with '' or make it a str")
    if not texts:
        raise ValueError(f"{name} has 0 texts: at least one is needed")
    return texts
