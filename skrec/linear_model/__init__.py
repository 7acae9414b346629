"""Linear item-to-item models."""

from ._ease import EASE

__all__ = ["EASE"]
