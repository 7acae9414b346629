"""Data sets: one bundled, synthetic ones, and readers of the files that others publish."""

from ._amazon import load_amazon_reviews
from ._dunnhumby import load_dunnhumby
from ._movielens import load_movielens
from ._online_retail import load_online_retail
from ._retailrocket import load_retailrocket
from ._synthetic import make_histories

__all__ = [
    "load_amazon_reviews",
    "load_dunnhumby",
    "load_movielens",
    "load_online_retail",
    "load_retailrocket",
    "make_histories",
]
