"""Ids and weights: checked and brought to one form, here and nowhere else."""

import numbers
from collections.abc import Iterable

import numpy as np


def type_name(value) -> str:
    """Return the name of a value's type as a user knows it."""
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def id_kind(ids: np.ndarray) -> str:
    """Return 'integer', 'float' or 'string' for an array of ids."""
    return {"i": "integer", "u": "integer", "f": "float"}.get(ids.dtype.kind, "string")


def plain(value):
    """Return a NumPy scalar as the Python value that a user knows."""
    return value.item() if isinstance(value, np.generic) else value


def is_missing(value) -> bool:
    """Tell whether a single value is None, NaN, NaT or pandas.NA."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA has no truth value
        return True


def as_ids(values, name: str) -> np.ndarray:
    """Bring a flat collection of ids to one array: integers, floats or an object array of strings.

    Parameters
    ----------
    values : array-like of shape (n,)
        Ids of one kind, none missing.
    name : str
        What they are, for the error message.

    Returns
    -------
    ndarray of shape (n,)
        Integer and float dtypes are kept; strings come as object dtype.

    Raises
    ------
    TypeError
        If the ids are of mixed kinds, or of a kind that cannot be an id.
    ValueError
        If an id is missing.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        array = values
    elif isinstance(values, np.ndarray) and values.dtype.kind in "UT":
        array = values.astype(object)
    else:
        values = values if isinstance(values, (list, np.ndarray)) else list(values)
        kinds = set(map(type, values))
        if all(issubclass(kind, str) for kind in kinds):
            return _object_array(values)
        if any(map(is_missing, values)):
            raise ValueError(f"{name} has a missing id (None or NaN): drop these events or fill the id first")
        if any(issubclass(kind, (bool, np.bool_)) or not issubclass(kind, (str, numbers.Real)) for kind in kinds):
            bad = next(v for v in values if isinstance(v, (bool, np.bool_)) or not isinstance(v, (str, numbers.Real)))
            raise TypeError(f"{name} has {plain(bad)!r} of type {type_name(bad)}: ids must be integers or strings")
        if len({_scalar_kind(kind) for kind in kinds}) > 1:
            examples = {_scalar_kind(type(v)): v for v in values}
            shown = " and ".join(f"{plain(v)!r} ({kind})" for kind, v in sorted(examples.items()))
            raise TypeError(f"{name} mixes ids of several types, {shown}: convert them all to one type, such as str")
        array = np.array(list(values))  # an object array of numbers stays one unless it goes through a list
        if array.dtype.kind not in "iuf":
            raise TypeError(f"{name} has an integer beyond 64 bits: convert the ids to strings")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} has a missing id (None or NaN): drop these events or fill the id first")
    return array


def _scalar_kind(kind: type) -> str:
    if issubclass(kind, str):
        return "string"
    return "integer" if issubclass(kind, numbers.Integral) else "float"


def _object_array(values) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def factorize(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Encode ids as codes: ``distinct[codes]`` gives the ids back, in order of first appearance."""
    import pandas as pd

    codes, distinct = pd.factorize(ids)
    return codes, distinct


def lookup(ids: np.ndarray, vocabulary: np.ndarray, name: str = "X") -> np.ndarray:
    """Find the position of each id in a vocabulary.

    Parameters
    ----------
    ids : ndarray of shape (n,)
        What to look for.
    vocabulary : ndarray of shape (n_items,)
        Distinct ids, in any order (fastest when sorted).
    name : str, default="X"
        What holds the ids, for the error message.

    Returns
    -------
    ndarray of shape (n,), dtype int32
        Positions; -1 where the vocabulary lacks the id.

    Raises
    ------
    TypeError
        If strings are looked up among numbers or the reverse: nothing would ever be found.
    """
    if len(ids) == 0 or len(vocabulary) == 0:
        return np.full(len(ids), -1, dtype=np.int32)
    if (id_kind(ids) == "string") != (id_kind(vocabulary) == "string"):
        raise TypeError(
            f"{name} has item ids such as {plain(ids[0])!r} ({id_kind(ids)}) but the model learned ids such as "
            f"{plain(vocabulary[0])!r} ({id_kind(vocabulary)}): convert them to the type used in fit"
        )
    sorter = None
    if not (vocabulary[:-1] < vocabulary[1:]).all():
        sorter = np.argsort(vocabulary, kind="stable")
    position = np.searchsorted(vocabulary, ids, sorter=sorter)
    position[position == len(vocabulary)] = 0
    if sorter is not None:
        position = sorter[position]
    return np.where(vocabulary[position] == ids, position, -1).astype(np.int32)


def as_kind(ids: np.ndarray, dtype) -> np.ndarray:
    """Return integer ids in another integer type if it holds them all, so that ids leave as the histories have them."""
    if ids.dtype == dtype or ids.dtype.kind not in "iu" or np.dtype(dtype).kind not in "iu":
        return ids
    other = ids.astype(dtype)
    return other if np.array_equal(other, ids) else ids


def is_nested(values) -> bool:
    """Tell a list of lists of ids, one per user, from one list of ids."""
    first = next(iter(values), None)
    return isinstance(first, Iterable) and not isinstance(first, str)


def as_id_list(ids, name: str) -> np.ndarray:
    """Check a plain collection of ids given as an argument (candidates, users, ...)."""
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise TypeError(f"{name} must be a list of ids, got {ids!r}: wrap it, [{ids!r}]")
    if hasattr(ids, "to_numpy"):
        ids = ids.to_numpy()
    array = as_ids(ids if isinstance(ids, np.ndarray) else list(ids), name)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got {array.ndim} dimensions")
    return array


def as_weights(values, name: str = "weight") -> np.ndarray:
    """Check that weights are finite numbers of at least 0, as float32."""
    try:
        weights = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must hold numbers: {error}") from error
    bad = ~(weights >= 0) | np.isinf(weights)
    if bad.any():
        raise ValueError(
            f"{name} must be finite and at least 0, but {int(bad.sum())} of {len(weights)} are not, such as "
            f"{weights[bad][0]:g}: drop or correct these events first (returns and cancellations are not purchases)"
        )
    return weights
