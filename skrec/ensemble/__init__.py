"""Recommenders made of recommenders: blends, and retrieval with a ranker behind it."""

from ._blend import BlendRecommender
from ._reranker import Reranker
from ._two_stage import TwoStageRecommender

__all__ = ["BlendRecommender", "Reranker", "TwoStageRecommender"]
