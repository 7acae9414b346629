"""Models that compare items, or users, with each other."""

from ._item_knn import ItemKNN

__all__ = ["ItemKNN"]
