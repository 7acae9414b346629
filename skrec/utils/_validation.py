"""Ids and weights: checked and brought to one form, here and nowhere else."""

import numbers
import sys
from collections.abc import Iterable, Mapping, Sized

import numpy as np

_EXACT = 2**53  # whole numbers up to here are exact as floats
LARGEST_WEIGHT = 1e15  # products and sums of such weights stay far inside float32


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
    except Exception:  # pandas.NA has no truth value, and arrays and tables answer, or fail, in ways of their own
        pandas = sys.modules.get("pandas")
        return pandas is not None and value is pandas.NA


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
        if not all(map(_can_be_id, kinds)):
            bad = next(value for value in values if not _can_be_id(type(value)))
            raise TypeError(f"{name} has {plain(bad)!r} of type {type_name(bad)}: ids must be integers or strings")
        if len({_scalar_kind(kind) for kind in kinds}) > 1:
            examples = {_scalar_kind(type(v)): v for v in values}
            shown = " and ".join(f"{plain(v)!r} ({kind})" for kind, v in sorted(examples.items()))
            raise TypeError(f"{name} mixes ids of several types, {shown}: convert them all to one type, such as str")
        array = _number_array(list(values), name)
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ValueError(f"{name} has a missing id (None or NaN): drop these events or fill the id first")
        if (np.abs(array) > _EXACT).any():
            raise ValueError(
                f"{name} has {plain(array[np.abs(array) > _EXACT][0])!r}, a number beyond 2**53 that has been rounded: "
                "read the ids as integers or strings"
            )
    return array


def _number_array(values: list, name: str) -> np.ndarray:
    """Return numbers as an array that holds each of them exactly."""
    array = np.array(values)  # through a list: an object array of numbers would stay one
    if values and _scalar_kind(type(values[0])) == "integer" and array.dtype.kind != "i":
        low, high = int(min(values)), int(max(values))
        if low < -(2**63) or high >= (2**64 if low >= 0 else 2**63):
            raise TypeError(f"{name} has an integer beyond 64 bits ({low} to {high}): convert the ids to strings")
        array = np.array([int(value) for value in values], dtype=np.uint64 if high >= 2**63 else np.int64)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} has numbers of a type that cannot be an id: convert the ids to strings")
    return array


def join_ids(arrays: list[np.ndarray], name: str) -> np.ndarray:
    """Put arrays of ids behind each other, exactly: NumPy joins signed and unsigned integers as floats.

    Raises
    ------
    TypeError
        If strings meet numbers, or integers meet that no integer type holds together.
    """
    arrays = [array for array in arrays if len(array)] or arrays[:1]
    kinds = {id_kind(array) for array in arrays}
    if "string" in kinds and len(kinds) > 1:
        raise TypeError(f"{name} mix ids of several types, {' and '.join(sorted(kinds))}: convert them all to one type")
    if kinds == {"integer"} and len({array.dtype for array in arrays}) > 1:
        low, high = min(int(array.min()) for array in arrays), max(int(array.max()) for array in arrays)
        if low < 0 and high >= 2**63:
            raise TypeError(f"{name} mix integers from {low} to {high}, which no integer type holds: make them strings")
        arrays = [array.astype(np.uint64 if high >= 2**63 else np.int64) for array in arrays]
    if kinds == {"integer", "float"}:
        arrays = [_as_exact_floats(array, name) for array in arrays]
    return np.concatenate(arrays)


def _as_exact_floats(ids: np.ndarray, name: str) -> np.ndarray:
    if ids.dtype.kind != "f" and len(ids) and max(abs(int(ids.min())), abs(int(ids.max()))) > _EXACT:
        raise TypeError(f"{name} mix integers beyond 2**53 and floats, which cannot be exact: make them integers")
    return ids.astype(np.float64)


def _comparable(ids: np.ndarray, vocabulary: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ids in the type of the vocabulary, the vocabulary, and which ids could be brought to that type exactly."""
    possible = np.ones(len(ids), dtype=bool)
    kinds = ids.dtype.kind + vocabulary.dtype.kind
    if kinds == "ui" and ids.dtype.itemsize == 8:
        possible, ids = ids < 2**63, ids.astype(np.int64)
    elif kinds == "iu" and vocabulary.dtype.itemsize == 8:
        possible, ids = ids >= 0, ids.astype(np.uint64)
    elif kinds in ("fi", "fu"):
        possible = (np.abs(ids) <= _EXACT) & (ids == np.floor(ids)) & ((ids >= 0) | (kinds == "fi"))
        ids = np.where(possible, ids, 0).astype(vocabulary.dtype if vocabulary.dtype.itemsize == 8 else np.int64)
    elif kinds in ("if", "uf"):
        possible = (ids <= _EXACT) & (ids >= -_EXACT if kinds == "if" else True)
        ids = ids.astype(np.float64)
    return ids, vocabulary, possible


def _can_be_id(kind: type) -> bool:
    return issubclass(kind, (str, numbers.Real)) and not issubclass(kind, (bool, np.bool_, np.timedelta64))


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
    ids, vocabulary, possible = _comparable(ids, vocabulary)
    sorter = None
    if not (vocabulary[:-1] < vocabulary[1:]).all():
        sorter = np.argsort(vocabulary, kind="stable")
    position = np.searchsorted(vocabulary, ids, sorter=sorter)
    position[position == len(vocabulary)] = 0
    if sorter is not None:
        position = sorter[position]
    return np.where(possible & (vocabulary[position] == ids), position, -1).astype(np.int32)


def as_kind(ids: np.ndarray, dtype) -> np.ndarray:
    """Return integer ids in another integer type if it holds them all, so that ids leave as the histories have them."""
    if ids.dtype == dtype or ids.dtype.kind not in "iu" or np.dtype(dtype).kind not in "iu":
        return ids
    other = ids.astype(dtype)
    return other if np.array_equal(other, ids) else ids


def as_collection(values, name: str):
    """Return what was passed for ids as something that can be read twice: an iterator is read once, into a list.

    Raises
    ------
    TypeError
        If it is one value, a text, a mapping or a table.
    """
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list of ids, got {values!r}: wrap it, [{values!r}]")
    if isinstance(values, Mapping):
        raise TypeError(
            f"{name} must be a list of ids, got a dict: pass its values as a list, in the order of the users"
        )
    if getattr(values, "ndim", 1) == 0:
        raise TypeError(f"{name} must be a list of ids, got one value, {values!r}: wrap it in a list")
    if hasattr(values, "to_pylist") and hasattr(values, "column_names"):
        raise TypeError(f"{name} must be a list of ids, got a table: pass one of its columns")
    if hasattr(values, "tocsr"):
        raise TypeError(f"{name} must be a list of ids, got a sparse matrix: pass the ids")
    return values if isinstance(values, Sized) else list(values)


def is_nested(values) -> bool:
    """Tell a list of lists of ids, one per user, from one list of ids; None stands for no ids of a user."""
    if hasattr(values, "type") and hasattr(values, "to_pylist"):  # an Arrow array
        return "list" in str(values.type)
    first = next(
        (value for value in values if not (value is None or (isinstance(value, float) and value != value))), None
    )
    return isinstance(first, Iterable) and not isinstance(first, (str, bytes))


def as_id_list(ids, name: str) -> np.ndarray:
    """Check a plain collection of ids given as an argument (candidates, users, ...)."""
    ids = as_collection(ids, name)
    if hasattr(ids, "to_pylist"):
        ids = ids.to_pylist()
    elif hasattr(ids, "to_numpy"):
        ids = ids.to_numpy()
    flat = isinstance(ids, np.ndarray) and ids.dtype != object
    if not flat and any(isinstance(one, Iterable) and not isinstance(one, str) for one in ids):
        raise TypeError(f"{name} must be one list of ids, got a list of lists")
    array = as_ids(ids if isinstance(ids, np.ndarray) else list(ids), name)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got {array.ndim} dimensions")
    return array


def as_weights(values, name: str = "weight") -> np.ndarray:
    """Check that weights are finite numbers of at least 0, as float32."""
    try:
        with np.errstate(over="ignore"):
            weights = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} must hold numbers: {error}") from error
    if weights.ndim != 1:
        raise TypeError(f"{name} must hold one number per event, got values of the shape {weights.shape}")
    bad = ~(weights >= 0) | np.isinf(weights)
    if bad.any() and not (np.asarray(values, dtype=np.float64)[bad] > LARGEST_WEIGHT).all():
        raise ValueError(
            f"{name} must be finite and at least 0, but {int(bad.sum())} of {len(weights)} are not, such as "
            f"{weights[bad][0]:g}: drop or correct these events first (returns and cancellations are not purchases)"
        )
    if (weights > LARGEST_WEIGHT).any():
        raise ValueError(
            f"{name} must be at most {LARGEST_WEIGHT:g}, but {int((weights > LARGEST_WEIGHT).sum())} of {len(weights)} "
            "are above it, where sums and products are no longer exact: divide all weights"
        )
    return weights
