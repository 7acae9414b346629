"""Frames of item features: checked, aligned with the items of a model, and turned into numbers."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from ..utils._histories import is_frame
from ..utils._validation import as_id_list, as_kind, factorize, id_kind, join_ids, lookup, plain, type_name
from ._item_encoders import NumberEncoder, TagEncoder, TextEncoder, unit_rows

_SMALL = 100  # items; below, a column is kept though no two items share a label
_SHOWN = 3  # ids that an error names


def read_item_features(item_features, name: str = "item_features"):
    """Check a frame of item features and return it as a pandas frame indexed by item id.

    Parameters
    ----------
    item_features : pandas or polars DataFrame of shape (n_items, n_columns)
        One row per item. pandas: the index holds the ids; polars: the column `item` does.
    name : str, default="item_features"
        What it is called in error messages.

    Returns
    -------
    pandas.DataFrame of shape (n_items, n_columns)
        The features, ids in the index. The cells are not copied.

    Raises
    ------
    TypeError, ValueError
        If it is no frame, has no column or row, or an id is missing or stands twice.
    """
    if not is_frame(item_features):
        raise TypeError(
            f"{name} must be a pandas frame indexed by item id, or a polars frame with the column 'item', got "
            f"{type_name(item_features)}: pandas.DataFrame(..., index=ids) makes one"
        )
    frame = item_features
    if not hasattr(frame, "iloc"):
        if "item" not in frame.columns:
            raise ValueError(f"{name} is a polars frame without the column 'item': it must hold the item ids")
        frame = frame.to_pandas().set_index("item")
    elif "item" in frame.columns and frame.index.name is None and frame.index.dtype.kind in "iu":
        raise ValueError(f"{name} has the ids in a column: pass {name}.set_index('item')")
    if not frame.shape[1] or not len(frame):
        raise ValueError(
            f"{name} has {len(frame)} rows and {frame.shape[1]} columns beside the ids: it needs one of each at least"
        )
    odd = [column for column in frame.columns if not isinstance(column, str)]
    if odd:
        raise TypeError(f"{name} has the column name {plain(odd[0])!r}: make all names strings")
    ids = item_ids(frame, name)
    codes, distinct = factorize(ids)
    if len(distinct) < len(ids):
        counts = np.bincount(codes)
        twice = plain(distinct[counts.argmax()])
        raise ValueError(
            f"{name} has {int((counts > 1).sum())} ids more than once, such as {twice!r}: keep one row per item"
        )
    return frame


def item_ids(frame, name: str = "item_features") -> np.ndarray:
    """Return the ids of a frame that `read_item_features` gave."""
    return as_id_list(frame.index, f"the index of {name}")


def with_catalogue(items: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return items and behind them, in the order of their ids, those of a frame that are not among them."""
    new = np.sort(ids[lookup(ids, items, "item_features") < 0], kind="stable")
    return join_ids([items, as_kind(new, items.dtype)], "item_features and items_") if len(new) else items


def align(frame, items: np.ndarray, name: str = "item_features"):
    """Return the rows of a frame in the order of some items.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `read_item_features`.
    items : ndarray of shape (n_items,)
        Item ids.
    name : str, default="item_features"
        What the frame is called in error messages.

    Returns
    -------
    pandas.DataFrame of shape (n_items, n_columns)
        The rows.

    Raises
    ------
    ValueError
        If items have no row; it says how many, and names the first.
    TypeError
        If the ids are strings in one and numbers in the other.
    """
    return frame.iloc[row_numbers(frame, items, name)]


def row_numbers(frame, items: np.ndarray, name: str = "item_features", *, missing: str = "error") -> np.ndarray:
    """Return the row of each item in a frame, -1 where there is none and ``missing="ignore"``."""
    ids = item_ids(frame, name)
    if len(ids) and len(items) and (id_kind(ids) == "string") != (id_kind(items) == "string"):
        raise TypeError(
            f"{name} is indexed by ids such as {plain(ids[0])!r} ({id_kind(ids)}) but the items are such as "
            f"{plain(items[0])!r} ({id_kind(items)}): convert the index to the type of the histories"
        )
    rows = lookup(items, ids, name)
    absent = items[rows < 0]
    if len(absent) and missing == "error":
        shown = ", ".join(repr(plain(item)) for item in absent[:_SHOWN])
        raise ValueError(
            f"{name} has no row for {len(absent)} of {len(items)} items, such as {shown}: add a row for each, with "
            "missing values where nothing is known"
        )
    return rows


def default_item_encoder(frame, column_weights=None) -> ColumnTransformer:
    """Choose an encoder for each column by what it holds.

    Texts (most of them different, of two words or more) become words and pairs of words; labels, booleans and lists of
    labels a column per label; numbers and times their nearest quantiles. All are weighted by rarity, so that a row is
    one document whose words come from all columns. Missing cells are all 0. A column in which no two items share a
    label, a product code for instance, is left out.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_items, n_columns)
        From `read_item_features`.
    column_weights : dict, default=None
        Factor of a column's part of a row by column name; 1 where it names none, and 0 leaves the column out.

    Returns
    -------
    ColumnTransformer
        Not fitted; one encoder per column, under the column's name.

    Raises
    ------
    TypeError, ValueError
        If a column holds what has no default, pictures for instance, or a weight has no column.
    """
    weights = dict(column_weights or {})
    unknown = [column for column in weights if column not in frame.columns]
    if unknown:
        raise ValueError(f"column_weights names {unknown[0]!r}, but the columns are {list(frame.columns)}")
    bad = {column: weight for column, weight in weights.items() if not 0 <= weight < np.inf}
    if bad:
        raise ValueError(f"column_weights must be finite and at least 0, got {bad}")
    parts = []
    for column in frame.columns:
        if weights.get(column, 1) > 0:
            encoder = _column_encoder(frame[column])
            if encoder is not None:
                parts.append((column, encoder, column))
    if not parts:
        raise ValueError(
            f"item_features has no column of use among {list(frame.columns)}: all are empty, or differ for all items"
        )
    scale = {column: float(weights.get(column, 1)) for column, _, _ in parts}
    return ColumnTransformer(parts, transformer_weights=scale, sparse_threshold=1.0)


def _column_encoder(column):
    """Return the encoder of a column, None if it is empty, or a name that no two items share."""
    if column.isna().all():
        return None
    if column.dtype == "bool" or column.dtype == "boolean" or column.dtype == "category":
        return _tags(column)
    if column.dtype.kind in "iufmM":
        return NumberEncoder()
    cells = column[column.notna()].tolist()
    kinds = set(map(type, cells))
    if kinds <= {str}:
        distinct, words = len(set(cells)) / len(cells), np.mean([len(cell.split()) for cell in cells])
        if words >= 4 or (words >= 2 and distinct > 0.5):
            pattern = r"(?u)\b\w+\b"
            return TextEncoder(
                ngram_range=(1, 2), sublinear_tf=True, norm=None, token_pattern=pattern, dtype=np.float32
            )
        return _tags(column)
    if kinds <= {list, tuple, set, frozenset, np.ndarray}:
        arrays = [cell for cell in cells if isinstance(cell, np.ndarray)]
        nested = any(np.ndim(cell) > 1 or (isinstance(cell, np.ndarray) and cell.dtype.kind == "f") for cell in arrays)
        if not nested:
            nested = any(isinstance(one, (list, tuple, float, np.ndarray)) for cell in cells[:100] for one in cell)
        if not nested:
            return _tags(column)
        raise TypeError(
            f"item_features[{column.name!r}] holds arrays of numbers, which have no default encoding: pass "
            "item_encoder, for pictures a CNNEncoder behind a step that stacks them, or give vectors a column each"
        )
    found = " and ".join(sorted(kind.__name__ for kind in kinds))
    raise TypeError(
        f"item_features[{column.name!r}] holds {found}: make the column all strings, all numbers or all lists of "
        "strings, or pass item_encoder"
    )


def _tags(column) -> TagEncoder | None:
    shared = len(column) < _SMALL or TagEncoder().fit(column).counts_.max() > 1
    return TagEncoder() if shared else None


def encode_items(
    item_features, item_encoder, items=None, *, column_weights=None, unit_norm: bool = False, missing: str = "error"
) -> tuple[object, sp.csr_array]:
    """Fit an encoder on a frame of item features and return the numbers of some items.

    Parameters
    ----------
    item_features : pandas or polars DataFrame
        See `read_item_features`.
    item_encoder : transformer or None
        Takes the frame and gives a row of numbers per item; None chooses by the types of the columns, see
        `default_item_encoder`. It is cloned.
    items : ndarray of shape (n_items,), default=None
        The items wanted; None takes those of the frame, in its order.
    column_weights : dict, default=None
        Weights of the columns for the default encoder.
    unit_norm : bool, default=False
        Whether to scale the rows to unit length.
    missing : {"error", "ignore"}, default="error"
        What to do with items without a row in the frame: raise, or give them no feature.

    Returns
    -------
    encoder : transformer
        Fitted on all rows of the frame.
    features : CSR array of shape (n_items, n_features), dtype float32
        One row per item.

    Raises
    ------
    TypeError, ValueError
        If the frame, an item without a row, or what the encoder gives is not as it should be.
    """
    frame = read_item_features(item_features)
    rows = None if items is None else row_numbers(frame, items, missing=missing)
    if item_encoder is None:
        encoder = default_item_encoder(frame, column_weights)
    elif column_weights is not None:
        raise ValueError("column_weights needs item_encoder=None: weigh the parts of your own encoder itself")
    else:
        encoder = clone(item_encoder)
    features = _checked(encoder.fit_transform(frame), len(frame), unit_norm)
    return encoder, features if rows is None else _take_rows(features, rows)


def encode_more(encoder, frame, *, unit_norm: bool = False) -> sp.csr_array:
    """Return the numbers of further items by a fitted encoder.

    Parameters
    ----------
    encoder : transformer
        From `encode_items`.
    frame : pandas.DataFrame
        From `read_item_features`, with the columns of the frame that the encoder was fitted on.
    unit_norm : bool, default=False
        Whether to scale the rows to unit length.

    Returns
    -------
    CSR array of shape (n_items, n_features), dtype float32
        One row per row of the frame.
    """
    wanted = getattr(encoder, "feature_names_in_", [])
    absent = [column for column in wanted if column not in frame.columns]
    if absent:
        raise ValueError(f"item_features lacks the column {absent[0]!r}: pass all columns that were there in fit")
    return _checked(encoder.transform(frame), len(frame), unit_norm)


def dense_features(matrix, n_components: int | None, random_state=None) -> tuple[object | None, np.ndarray]:
    """Reduce sparse features to a few standardised numbers, as a net reads them.

    Parameters
    ----------
    matrix : CSR array of shape (n_items, n_features)
        From `encode_items`.
    n_components : int or None
        Number of numbers per item; at most as many as there are items and features. None keeps all features as they
        are.
    random_state : int, RandomState instance or None, default=None
        Seed of the decomposition.

    Returns
    -------
    reducer : Pipeline or None
        The fitted TruncatedSVD and StandardScaler; its `transform` serves new items. None with ``n_components=None``.
    features : ndarray of shape (n_items, n_components), dtype float32
        Mean 0 and deviation 1 in each column.
    """
    if n_components is None:
        return None, np.asarray(matrix.toarray() if sp.issparse(matrix) else matrix, dtype=np.float32)
    size = int(min(n_components, *matrix.shape))
    seed = check_random_state(random_state).randint(2**31 - 1)
    reducer = make_pipeline(TruncatedSVD(size, random_state=seed), StandardScaler())
    return reducer, reducer.fit_transform(matrix).astype(np.float32)


def _checked(features, n_rows: int, unit_norm: bool) -> sp.csr_array:
    """Bring what an encoder gave to CSR, or say what is wrong with it."""
    if not sp.issparse(features):
        try:
            features = np.asarray(features, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"item_encoder gives values that are not numbers ({error}): encode these columns"
            ) from error
    if features.ndim != 2 or features.shape[0] != n_rows:
        raise ValueError(
            f"item_encoder gives the shape {features.shape} for {n_rows} items: it must give one row of numbers per "
            "item; put an encoder of texts in a ColumnTransformer, with the name of its column as a string"
        )
    matrix = sp.csr_array(features, dtype=np.float32)
    if not matrix.shape[1]:
        raise ValueError("item_encoder gives no column: the features say nothing about more than one item")
    bad = ~np.isfinite(matrix.data)
    if bad.any():
        rows = np.unique(np.searchsorted(matrix.indptr, np.flatnonzero(bad), side="right") - 1)
        raise ValueError(
            f"item_encoder gives NaN or infinity for {len(rows)} of {n_rows} items: fill missing values in it, with "
            "SimpleImputer for instance"
        )
    matrix.sum_duplicates()
    return unit_rows(matrix) if unit_norm else matrix


def _take_rows(features: sp.csr_array, rows: np.ndarray) -> sp.csr_array:
    """Return rows of a matrix, empty ones for the number -1."""
    if not (rows < 0).any():
        return features[rows]
    empty = sp.csr_array((1, features.shape[1]), dtype=features.dtype)
    return sp.csr_array(sp.vstack([features, empty], format="csr"))[rows]  # -1 is the last row
