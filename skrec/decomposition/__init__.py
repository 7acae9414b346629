"""Matrix factorisation."""

from ._als import ALS

__all__ = ["ALS"]
