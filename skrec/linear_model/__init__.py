"""Linear item-to-item models."""

from ._ease import EASE
from ._slim import SLIM

__all__ = ["EASE", "SLIM"]
