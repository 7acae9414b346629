"""Models that compare items, sessions or users with each other."""

from ._buy_again import BuyAgainRecommender
from ._content import ContentRecommender
from ._item_knn import ItemKNN
from ._rp3beta import RP3beta
from ._session_knn import SessionKNN
from ._tifu_knn import TIFUKNN
from ._transition import TransitionRecommender

__all__ = [
    "TIFUKNN",
    "BuyAgainRecommender",
    "ContentRecommender",
    "ItemKNN",
    "RP3beta",
    "SessionKNN",
    "TransitionRecommender",
]
