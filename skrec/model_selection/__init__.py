"""Splitting histories into what a model may know and what it is asked, and comparing models on it."""

from ..utils._split import split_last, split_time, split_users
from ._compare import compare
from ._grids import default_grid
from ._next_purchase import split_next_purchase
from ._same_users import SameUsers

__all__ = ["SameUsers", "compare", "default_grid", "split_last", "split_next_purchase", "split_time", "split_users"]
