"""From events to histories, and from histories to features."""

from ._behavior import BehaviorFeatures
from ._bm25 import BM25Transformer
from ._events import to_histories
from ._vectorizer import HistoryVectorizer

__all__ = ["BM25Transformer", "BehaviorFeatures", "HistoryVectorizer", "to_histories"]
