"""Advice before a model is fitted: what a log is like, which recipe suits it, and what that costs."""

from ._auto import AutoRecommender
from ._character import log_character
from ._check import check_log
from ._suggest import suggest

__all__ = ["AutoRecommender", "check_log", "log_character", "suggest"]
