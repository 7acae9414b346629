"""skrec: product recommendation as scikit-learn estimators.

Importing the package loads nothing else: subpackages load when they are first used.

>>> import skrec
>>> skrec.linear_model.EASE(l2=100)
EASE(l2=100)
"""

import importlib

__version__ = "0.2.0"

_SUBPACKAGES = (
    "advice",
    "base",
    "datasets",
    "decomposition",
    "dummy",
    "ensemble",
    "feature_extraction",
    "inspection",
    "large",
    "linear_model",
    "metrics",
    "model_selection",
    "neighbors",
    "neural_network",
    "recipes",
    "testing",
    "utils",
)
_FUNCTIONS = {"save": "persistence", "load": "persistence"}

__all__ = ["__version__", *_SUBPACKAGES, *_FUNCTIONS]


def __getattr__(name):
    if name in _SUBPACKAGES:
        return importlib.import_module(f"skrec.{name}")
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(f"skrec.{_FUNCTIONS[name]}"), name)
    raise AttributeError(f"module 'skrec' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
