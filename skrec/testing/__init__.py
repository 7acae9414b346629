"""Checks that a recommender keeps its contract; for skrec's own models and for yours."""

from ._checks import check_recommender, yield_recommender_checks
from ._data import planted_features

__all__ = ["check_recommender", "planted_features", "yield_recommender_checks"]
