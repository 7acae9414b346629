"""Logs larger than memory, and beyond one machine: the same estimators by blocks of users and on a cluster."""

import importlib

from ._batch import write_recommendations

__all__ = ["write_recommendations"]


def __getattr__(name):
    if name == "spark":
        return importlib.import_module("skrec.large.spark")
    raise AttributeError(f"module 'skrec.large' has no attribute {name!r}")
