"""How a recommender and its vectorizer talk."""

from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline

from ..utils._frame_parameter import shallow
from ..utils._histories import Histories
from ..utils._validation import as_ids, join_ids
from ._vectorizer import HistoryVectorizer


def default_vectorizer():
    """Return what turns histories into a matrix where the user names nothing."""
    return HistoryVectorizer()


def with_vocabulary(vectorizer, ids: np.ndarray):
    """Let a vectorizer that is not fitted keep a column for these items as well."""
    first = vectorizer.steps[0][1] if isinstance(vectorizer, Pipeline) else vectorizer
    if not isinstance(first, HistoryVectorizer):
        raise TypeError(
            f"vectorizer must be a HistoryVectorizer or a pipeline that begins with one, got {vectorizer!r}: "
            "only so can items without events have a column"
        )
    named = (
        ids
        if first.vocabulary is None
        else join_ids([as_ids(first.vocabulary, "vocabulary"), ids], "vocabulary and item_features")
    )
    first.set_params(vocabulary=named)
    return vectorizer


def vectorizer_input(vectorizer, X, histories: Histories):
    """Return the histories already read where the vectorizer is ours, and what the user passed where it is not."""
    first = vectorizer.steps[0][1] if isinstance(vectorizer, Pipeline) else vectorizer
    return histories if isinstance(first, HistoryVectorizer) else X


def as_csr(matrix) -> sp.csr_array:
    """Bring a vectorizer's answer to CSR with float entries."""
    matrix = sp.csr_array(matrix)
    return matrix if matrix.dtype in (np.float32, np.float64) else matrix.astype(np.float32)


def vectorizer_items(vectorizer, n_columns: int) -> np.ndarray:
    """Return the item ids of the columns: those of the vectorizer, or of the last pipeline step that has them."""
    steps = [step for _, step in vectorizer.steps] if isinstance(vectorizer, Pipeline) else [vectorizer]
    for step in reversed(steps):
        if hasattr(step, "items_"):
            if len(step.items_) == n_columns:
                return step.items_
            raise ValueError(
                f"vectorizer gives {n_columns} columns for {len(step.items_)} items: its steps must keep one column "
                "per item; choose items with min_df or max_items of HistoryVectorizer"
            )
    raise TypeError(
        f"vectorizer must be a HistoryVectorizer or a pipeline that begins with one, got {vectorizer!r}; "
        "pass vectorizer='passthrough' to use a user x item matrix"
    )


def check_updatable(vectorizer, model: str) -> None:
    """Raise where the columns or weights of a vectorizer depend on the whole log, so that no update is exact."""
    if not isinstance(vectorizer, HistoryVectorizer):
        raise TypeError(
            f"{model} cannot be updated with the vectorizer {vectorizer!r}, whose weights depend on the whole log: "
            "use a HistoryVectorizer, or refit"
        )
    if vectorizer.max_items is not None or not (isinstance(vectorizer.min_df, Integral) and vectorizer.min_df == 1):
        raise TypeError(
            f"{model} cannot be updated with min_df={vectorizer.min_df!r} and max_items={vectorizer.max_items!r}, "
            "since rare items were left out without a count: use min_df=1 and max_items=None, or refit"
        )


def with_items(vectorizer: HistoryVectorizer, items: np.ndarray, counts: np.ndarray | None = None):
    """Return a fitted vectorizer with other columns, and the number of users who have each."""
    other = shallow(vectorizer)
    other.items_ = items
    if counts is not None:
        other.item_counts_ = counts
    return other
