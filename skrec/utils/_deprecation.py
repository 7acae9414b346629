"""Deprecation of public names: warnings for functions and classes, and forwarding of names that moved.

`docs/stability.md` states the policy. Both helpers issue `FutureWarning`, which Python shows by default.
"""

import functools
import importlib
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def deprecated(*, since: str, removed_in: str, instead: str) -> Callable:
    """Return a decorator that deprecates a function or a class.

    Calling the function, or creating an object of the class or of a subclass, issues a `FutureWarning`. The signature
    stays the same, and the docstring says that the name is deprecated.

    Parameters
    ----------
    since : str
        Version that deprecated the name.
    removed_in : str
        Version that removes it.
    instead : str
        What to use instead, such as ``"skrec.linear_model.EASE"``.

    Returns
    -------
    callable
        The decorator. It returns a wrapper of a function, and a class itself.
    """

    def decorate(target):
        if not (inspect.isclass(target) or inspect.isroutine(target)):
            raise TypeError(f"deprecated needs a function or a class, got {type(target).__name__}")
        message = _message(target.__qualname__, since, removed_in, instead)
        if inspect.isclass(target):
            target.__init__ = _warning_init(target, message)
            documented = target
        else:
            documented = _warning(target, message)
        documented.__doc__ = _document(target.__doc__, since, removed_in, instead)
        return documented

    return decorate


def moved_names(module: str, targets: Mapping[str, str], *, since: str, removed_in: str) -> Callable[[str], Any]:
    """Return a `__getattr__` for a module whose names moved elsewhere.

    Access to an old name imports the new module, issues a `FutureWarning` and returns the object.

    Parameters
    ----------
    module : str
        Old module, usually `__name__`.
    targets : mapping of str to str
        New location, module and name separated by a dot, for each old name.
    since : str
        Version that deprecated the old location.
    removed_in : str
        Version that removes it.

    Returns
    -------
    callable
        Function to assign to `__getattr__` in the old module.

    Examples
    --------
    >>> from skrec.utils._deprecation import moved_names
    >>> __getattr__ = moved_names("skrec.old", {"EASE": "skrec.linear_model.EASE"}, since="0.2", removed_in="0.4")
    """
    for name, target in targets.items():
        if "." not in target:
            raise ValueError(f"targets[{name!r}] must be a module and a name separated by a dot, got {target!r}")

    def __getattr__(name):
        if name not in targets:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new_module, _, new_name = targets[name].rpartition(".")
        warnings.warn(_message(f"{module}.{name}", since, removed_in, targets[name]), FutureWarning, stacklevel=2)
        return getattr(importlib.import_module(new_module), new_name)

    return __getattr__


def _message(name: str, since: str, removed_in: str, instead: str) -> str:
    return f"{name} is deprecated since skrec {since} and will be removed in {removed_in}: use {instead} instead"


def _warning(function: Callable, message: str) -> Callable:
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        warnings.warn(message, FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    return wrapper


def _warning_init(cls: type, message: str) -> Callable:
    if cls.__init__ is not object.__init__ or cls.__new__ is object.__new__:  # type: ignore[misc]
        return _warning(cls.__init__, message)  # type: ignore[misc]

    def __init__(self, *args, **kwargs):  # __new__ takes the arguments, as in a named tuple
        warnings.warn(message, FutureWarning, stacklevel=2)

    __init__.__signature__ = inspect.signature(cls.__new__)  # type: ignore[attr-defined]
    return __init__


def _document(doc: str | None, since: str, removed_in: str, instead: str) -> str:
    """Put the directive after the summary, where numpydoc expects it."""
    summary, _, rest = inspect.cleandoc(doc or "").partition("\n\n")
    note = f".. deprecated:: {since}\n   Will be removed in {removed_in}: use `{instead}` instead."
    return "\n\n".join(part for part in (summary, note, rest) if part)
