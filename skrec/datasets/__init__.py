"""Data sets: two bundled, synthetic ones, and readers of the files that others publish."""

from ._amazon import load_amazon_reviews
from ._dunnhumby import load_dunnhumby
from ._fashion_mnist import load_fashion_mnist
from ._movielens import load_movielens
from ._online_retail import load_online_retail
from ._online_shoppers import load_online_shoppers
from ._retailrocket import load_retailrocket
from ._synthetic import make_histories

__all__ = [
    "load_amazon_reviews",
    "load_dunnhumby",
    "load_fashion_mnist",
    "load_movielens",
    "load_online_retail",
    "load_online_shoppers",
    "load_retailrocket",
    "make_histories",
]
