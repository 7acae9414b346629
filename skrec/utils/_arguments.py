"""Arguments of functions: checked here, so that each error names the argument, says what it must be and what came."""

import os
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from numbers import Integral, Real

import numpy as np

from ._validation import type_name

_LARGEST = 2**62  # sums of two such numbers still are 64-bit integers


def shown(value) -> str:
    """Return a value as an error message shows it: one line, and not too long."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # what cannot be shown still has a type
        text = "an object"
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type_name(value)})"


def is_no_number(value) -> bool:
    """Tell True, False and durations, which Python counts among the integers, from numbers."""
    return isinstance(value, (bool, np.bool_, np.timedelta64))


def check_flags(**flags) -> None:
    """Raise unless each argument is True or False."""
    for name, value in flags.items():
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{name} must be True or False, got {value!r}")


def check_whole(value, name: str, *, low: int = 1) -> int:
    """Return a whole number of at least `low` as an int.

    Raises
    ------
    TypeError
        If it is no integer; True and False are none.
    ValueError
        If it is below `low`, or beyond 2**62.
    """
    from sklearn.utils.validation import check_scalar  # only where it is needed: the command line starts without

    if is_no_number(value):
        raise TypeError(f"{name} must be an integer of at least {low}, got {shown(value)}")
    check_scalar(value, name, Integral, min_val=low)
    if value > _LARGEST:
        raise ValueError(f"{name} must be an integer of at most 2**62, got {shown(value)}")
    return int(value)


def check_verbose(verbose) -> None:
    """Raise unless `verbose` is a number of at least 0, or True or False."""
    if not isinstance(verbose, (bool, np.bool_)):
        check_whole(verbose, "verbose", low=0)


def check_share(value, name: str) -> float:
    """Return a number between 0 and 1, both excluded, as a float.

    Raises
    ------
    TypeError
        If it is no number.
    ValueError
        If it is not inside, or NaN.
    """
    from sklearn.utils.validation import check_scalar  # only where it is needed: the command line starts without

    if is_no_number(value):
        raise TypeError(f"{name} must be a number between 0 and 1, got {shown(value)}")
    check_scalar(value, name, Real, min_val=0, max_val=1, include_boundaries="neither")
    if not 0 < value < 1:  # NaN passes scikit-learn's check
        raise ValueError(f"{name} must be a number between 0 and 1, got {shown(value)}")
    return float(value)


def check_choice(value, name: str, choices: Collection[str]) -> str:
    """Return one of some words.

    Raises
    ------
    TypeError
        If it is no text.
    ValueError
        If it is none of them.
    """
    options = " or ".join(filter(None, [", ".join(map(repr, list(choices)[:-1])), repr(list(choices)[-1])]))
    if not isinstance(value, str):
        raise TypeError(f"{name} must be {options}, got {shown(value)}")
    if value not in choices:
        raise ValueError(f"{name} must be {options}, got {shown(value)}")
    return value


def check_text(value, name: str) -> str:
    """Return a text; raise a TypeError where it is none."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text, got {shown(value)}")
    return value


def check_path(path, name: str = "path") -> None:
    """Raise a TypeError unless a path is text or path-like: `open` takes the number of an open file as well."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name} must be the path of a file, a text or a pathlib.Path, got {shown(path)}")
    try:
        valid = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        valid = False
    if not valid:
        raise ValueError(f"{name} has a character that no path may have, got {shown(path)}")
    if not os.fspath(path):
        raise ValueError(f"{name} is empty: pass the path of a file")


def check_seed(random_state) -> np.random.RandomState:
    """Return the random numbers that `random_state` stands for.

    Raises
    ------
    TypeError, ValueError
        If it is no seed.
    """
    from sklearn.utils import check_random_state  # only where it is needed: the command line starts without

    if is_no_number(random_state):
        raise TypeError(f"random_state must be an int, a RandomState instance or None, got {shown(random_state)}")
    try:
        return check_random_state(random_state)
    except (TypeError, ValueError, OverflowError) as error:
        kind = ValueError if isinstance(random_state, Integral) else TypeError
        raise kind(
            "random_state must be an int from 0 to 2**32 - 1, a RandomState instance or None, got "
            f"{shown(random_state)}"
        ) from error


def as_list(values, name: str, of: str) -> list:
    """Return what was passed for several values as a list.

    Raises
    ------
    TypeError
        If it is one value, a text, a mapping or a set.
    """
    if isinstance(values, (str, bytes, Mapping, AbstractSet)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list of {of}, got {shown(values)}")
    if getattr(values, "ndim", 1) != 1 or hasattr(values, "columns") or hasattr(values, "column_names"):
        raise TypeError(f"{name} must be one list of {of}, got {shown(values)}")
    return list(values)


def as_floats(values, name: str) -> np.ndarray:
    """Return numbers as a float64 array.

    Raises
    ------
    TypeError
        If they are no numbers.
    """
    if isinstance(values, (str, bytes, Mapping, AbstractSet)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must hold numbers, got {shown(values)}")
    try:
        if not hasattr(values, "__array__") and not isinstance(values, (list, tuple)):
            values = list(values)
        array = np.asarray(values)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"{array.dtype} is no type of numbers")
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} must hold numbers, got {shown(values)}: {error}") from error


def check_memory(value, name: str = "max_memory") -> float:
    """Return an amount of memory in GiB as a float; raise unless it is a number above 0."""
    if is_no_number(value) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number of GiB, got {shown(value)}")
    if not 0 < float(value) < float("inf"):
        raise ValueError(f"{name} must be a number of GiB above 0, got {shown(value)}")
    return float(value)
