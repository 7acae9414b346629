"""Data sets: one bundled, synthetic ones, and readers of the files that others publish."""

from ._online_retail import load_online_retail
from ._synthetic import make_histories

__all__ = ["load_online_retail", "make_histories"]
