"""From events to histories, and from histories to features."""

from ._behavior import BehaviorFeatures
from ._bm25 import BM25Transformer
from ._check_events import check_events
from ._events import to_histories
from ._open_histories import open_histories
from ._stored import StoredHistories
from ._vectorizer import HistoryVectorizer

__all__ = [
    "BM25Transformer",
    "BehaviorFeatures",
    "HistoryVectorizer",
    "StoredHistories",
    "check_events",
    "open_histories",
    "to_histories",
]
