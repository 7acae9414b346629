"""A table as a net reads it: numbers brought to one scale, categories as codes."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.special import ndtri
from sklearn.utils.validation import validate_data

from ..utils._histories import is_frame
from ..utils._validation import is_missing

UNKNOWN, MISSING, FIRST = 0, 1, 2  # codes of a column: unknown or rare, missing, then what is known
N_QUANTILES = 1000
LARGEST = 3.0  # where standard scores are clipped


class Table:
    """What was learned about the columns of X: which are categorical, their categories, the scale of the numbers.

    Parameters
    ----------
    categorical_features : "from_dtype", sequence or None
        As in :class:`~skrec.neural_network.PurchaseClassifier`.
    numeric : {"quantile", "standard"} or None
        As in :class:`~skrec.neural_network.PurchaseClassifier`.
    min_frequency : int
        Categories of fewer rows share the place of unknown ones.

    Attributes
    ----------
    places : list of int
        Positions of the categorical columns.
    categories : list of ndarray
        The known categories of each, sorted: float64 or strings.
    levels, quantiles : ndarray of shape (n_quantiles,) and (n_quantiles, n_numeric)
        Levels, and the values of each column that have them.
    centre, scale : ndarray of shape (n_numeric,)
        Mean and standard deviation of the numbers, or of their normal scores.
    """

    def __init__(self, categorical_features, numeric, min_frequency):
        self.categorical_features = categorical_features
        self.numeric = numeric
        self.min_frequency = min_frequency
        self.categories = []

    @property
    def n_codes(self) -> int:
        """Number of codes of all categorical columns together."""
        return sum(len(known) + FIRST for known in self.categories)

    def read(self, estimator, X, reset: bool) -> dict:
        """Check X against an estimator's features and return the net's inputs: "numbers", "codes", or both."""
        frame = is_frame(X)
        if frame:
            validate_data(estimator, X, reset=reset, skip_check_array=True)
            if not len(X) or not X.shape[1]:
                raise ValueError(f"X has {len(X)} rows and {X.shape[1]} columns: pass at least one of each")
        if reset:
            self.places = np.flatnonzero(_categorical(X, self.categorical_features)).tolist()
        if not frame:
            X = _as_array(estimator, X, reset, strings=bool(self.places))
        names = getattr(estimator, "feature_names_in_", range(X.shape[1]))
        others = [place for place in range(X.shape[1]) if place not in self.places]
        columns: Any = _columns(X) if frame or self.places else None
        inputs = {}
        if others:
            numbers = X
            if columns is not None:
                numbers = np.column_stack([_numbers(columns[place], names[place]) for place in others])
            inputs["numbers"] = self._scaled(_finite(numbers, [names[place] for place in others]), reset)
        if self.places:
            labels = [_labels(columns[place], names[place]) for place in self.places]
            inputs["codes"] = self._codes(labels, [names[place] for place in self.places], reset)
        return inputs

    def _codes(self, columns, names, reset):
        """Return int32 codes of the categorical columns, those of a column after those of the one before it."""
        if reset:
            for labels, missing in columns:
                known, counts = np.unique(labels[~missing], return_counts=True)
                self.categories.append(known[counts >= self.min_frequency])
        codes = np.full((len(columns[0][0]), len(columns)), UNKNOWN, np.int32)
        offset = 0
        for column, known, (labels, missing), name in zip(codes.T, self.categories, columns, names, strict=True):
            if len(known) and not missing.all():
                if (known.dtype.kind == "f") != (labels.dtype.kind == "f"):
                    came, were = ("numbers", "strings") if labels.dtype.kind == "f" else ("strings", "numbers")
                    raise TypeError(
                        f"Categorical column {name!r} of X holds {came}, and held {were} in fit: convert it"
                    )
                place = np.searchsorted(known, labels).clip(0, len(known) - 1)
                column[known[place] == labels] = place[known[place] == labels] + FIRST
            column[missing] = MISSING
            column += offset
            offset += len(known) + FIRST
        return codes

    def _scaled(self, numbers, reset):
        """Return the float32 numbers that the net reads."""
        if self.numeric is None:
            return numbers.astype(np.float32)
        if self.numeric == "quantile":
            if reset:
                size = int(np.clip(len(numbers), 10, N_QUANTILES))
                self.levels = (np.arange(size) + 0.5) / size
                self.quantiles = np.quantile(numbers, self.levels, axis=0)
            numbers = ndtri(_levels(numbers, self.quantiles, self.levels))
        if reset:
            scale = numbers.std(axis=0)
            self.centre, self.scale = numbers.mean(axis=0), np.where(scale > 1e-12, scale, 1.0)
        numbers = (numbers - self.centre) / self.scale
        return (numbers.clip(-LARGEST, LARGEST) if self.numeric == "standard" else numbers).astype(np.float32)


def _levels(numbers, quantiles, levels):
    """Return the level of each number; of one that fills several levels, the middle of them.

    scikit-learn's QuantileTransformer sends the smallest and the largest value to the ends, however many rows have it.
    A column with many zeros, such as the value of the pages seen, would have them all five deviations from the mean.
    """
    out = np.empty_like(numbers)
    for index, (column, of_level) in enumerate(zip(numbers.T, quantiles.T, strict=True)):
        upper = np.interp(column, of_level, levels)
        out[:, index] = (upper - np.interp(-column, -of_level[::-1], -levels[::-1])) / 2
    return out


def _categorical(X, features):
    """Return a boolean mask of the categorical columns."""
    if features is None or (isinstance(features, str) and not is_frame(X)):
        return np.zeros(0, dtype=bool)  # none, however many columns there are
    n_columns = np.shape(X)[-1] if np.ndim(X) == 2 else 0
    mask = np.zeros(n_columns, dtype=bool)
    if isinstance(features, str):
        return np.array([_kind(column) == "category" for column in _columns(X)], dtype=bool)
    given = np.asarray(features)
    if given.dtype == bool:
        if given.shape != (n_columns,):
            raise ValueError(f"categorical_features has {given.size} booleans and X {n_columns} columns: give one each")
        return given
    names = [*X.columns] if is_frame(X) else []
    for one in given.ravel().tolist():
        if isinstance(one, str) and one in names:
            mask[names.index(one)] = True
        elif isinstance(one, Integral) and -n_columns <= one < n_columns:
            mask[one] = True
        else:
            raise ValueError(
                f"categorical_features has {one!r}, which is no column of X: give names of a frame's columns, or "
                f"positions below {n_columns}"
            )
    return mask


def _as_array(estimator, X, reset, strings):
    """Return X, which is no frame, as an array of numbers, or as it is where some columns are categorical."""
    try:
        return validate_data(estimator, X, reset=reset, dtype=None if strings else np.float64, ensure_all_finite=False)
    except ValueError as error:
        if "could not convert string" not in str(error):
            raise
        raise ValueError(
            f"X is an array with strings ({error}): name their positions in categorical_features, or pass a frame"
        ) from error


def _columns(X):
    """Return the columns of a frame or an array, one by one."""
    if not is_frame(X):
        return list(X.T)
    return [column for _, column in X.items()] if hasattr(X, "iloc") else X.get_columns()


def _kind(column):
    """Return "category", "time" or "number" by the dtype of a column of a frame."""
    name = str(column.dtype).lower()
    if name.startswith(("object", "str", "large_string", "utf8", "categor", "enum", "bool")):
        return "category"
    return "time" if name.startswith(("date", "time", "duration", "period")) else "number"


def _numbers(column, name):
    """Return a numeric column as float64."""
    if _kind(column) == "time":
        raise TypeError(f"Column {name!r} of X holds times: turn them into numbers first, such as days ago or the hour")
    try:
        if hasattr(column, "array") and not isinstance(column.dtype, np.dtype):  # missing values of pandas' own
            return column.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Column {name!r} of X is not numeric ({error}): name it in categorical_features, or convert it"
        ) from error


def _labels(column, name):
    """Return a categorical column as float64 or an array of strings, and where it is missing."""
    if hasattr(column, "cast") and _kind(column) == "category" and str(column.dtype) != "Boolean":
        column = column.cast(str)  # categories and enumerations of polars
    values = np.asarray(column)
    if values.dtype.kind in "iufb":
        labels = values.astype(np.float64)
        return labels, np.isnan(labels)
    values = values.astype(object)
    if hasattr(column, "isna"):
        missing = column.isna().to_numpy()
    else:
        missing = np.array([is_missing(value) for value in values.tolist()], dtype=bool)
    kinds = set(map(type, values[~missing].tolist()))
    if all(issubclass(kind, str) for kind in kinds):
        return np.where(missing, "", values).astype(str), missing
    if all(issubclass(kind, Real | np.bool_) for kind in kinds):
        return np.where(missing, np.nan, values).astype(np.float64), missing
    found = " and ".join(sorted(kind.__name__ for kind in kinds))
    raise TypeError(f"Categorical column {name!r} of X holds {found}: make it all strings, or all numbers")


def _finite(numbers, names):
    """Return the numbers, or say in which column one is missing or infinite."""
    finite = np.isfinite(numbers)
    if finite.all():
        return numbers
    index = int(np.argmin(finite.all(axis=0)))
    bad = numbers[~finite[:, index], index]
    where = f"in {len(bad)} of {len(numbers)} rows"
    if np.isnan(bad).any():
        raise ValueError(
            f"Column {names[index]!r} of X has NaN {where}: fill it, with SimpleImputer(add_indicator=True) for "
            "instance, or name it in categorical_features, where missing has a place of its own"
        )
    raise ValueError(f"Column {names[index]!r} of X has infinity {where}: put a number in its place")
