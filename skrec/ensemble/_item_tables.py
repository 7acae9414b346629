"""What a user says of items, by item id, brought to the order of a model's items."""

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD

from ..feature_extraction._item_encoders import tag_lists, unit_rows
from ..feature_extraction._item_features import read_item_features, row_numbers
from ..utils._validation import as_id_list, lookup, plain, type_name

_N_COMPONENTS = 64  # of the vectors in which items are compared
_LARGEST = 256  # vectors up to this size stay as they are


def by_item(values, items: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the value of each item in a dict or Series, and where there is one.

    Parameters
    ----------
    values : dict or pandas Series
        A value per item id.
    items : ndarray of shape (n_items,)
        The items wanted.
    name : str
        What it is called in error messages.

    Returns
    -------
    values : ndarray of shape (n_items,), dtype object
        None where there is no value.
    named : ndarray of shape (n_items,), dtype bool
        Where there is one.
    """
    import pandas as pd

    if isinstance(values, dict):
        values = pd.Series(list(values.values()), index=pd.Index(list(values)), dtype=object)
    if not (hasattr(values, "iloc") and hasattr(values, "to_frame")):
        raise TypeError(
            f"{name} must be a dict or a pandas Series from item id to value, got {type_name(values)}: a column of a "
            "frame indexed by item id is one"
        )
    frame = read_item_features(values.to_frame(name), name)
    rows = row_numbers(frame, items, name, missing="ignore")
    named = rows >= 0
    if not named.any():
        raise ValueError(
            f"{name} names none of the {len(items)} items, its ids are such as {plain(frame.index[0])!r}: use the ids "
            "of the histories"
        )
    found = np.full(len(items), None, dtype=object)
    found[named] = np.array([*frame[name], None], dtype=object)[:-1][rows[named]]
    return found, named


def label_codes(categories, items: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the label codes of each item, shape (n_items, n), -1 where it has fewer, and the number of labels."""
    cells, _ = by_item(categories, items, "categories")
    rows, labels, _ = tag_lists(cells)
    if not len(labels):
        raise ValueError("categories has no label for any item: name at least one")
    distinct, codes = np.unique(labels, return_inverse=True)
    pairs = np.unique(rows * len(distinct) + codes)  # a label that an item repeats counts once
    rows, codes = pairs // len(distinct), pairs % len(distinct)
    counts = np.bincount(rows, minlength=len(items))
    table = np.full((len(items), counts.max()), -1, dtype=np.int64)
    table[rows, np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]] = codes
    return table, len(distinct)


def label_matrix(table: np.ndarray, n_labels: int) -> sp.csr_array:
    """Return the share of each label in each item, a CSR array (n_items, n_labels)."""
    there = table >= 0
    share = 1 / np.maximum(1, there.sum(axis=1))
    indptr = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    data = np.repeat(share, there.sum(axis=1)).astype(np.float32)
    return sp.csr_array((data, table[there], indptr), shape=(len(table), n_labels))


def unit_vectors(features) -> np.ndarray:
    """Return rows of unit length, dense and short enough to compare candidates: by a decomposition where too long."""
    if features.shape[1] > _LARGEST:
        features = unit_rows(sp.csr_array(features, dtype=np.float32, copy=True))
        size = min(_N_COMPONENTS, *features.shape)
        features = TruncatedSVD(size, random_state=0).fit_transform(features)
    vectors = np.asarray(features.toarray() if sp.issparse(features) else features, dtype=np.float32)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def factors(boost, items: np.ndarray) -> np.ndarray:
    """Return the factor of each item, 1 where none is named."""
    found, named = by_item(boost, items, "boost")
    numbers = np.ones(len(items))
    try:
        numbers[named] = found[named].astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"boost must hold numbers: {error}") from error
    bad = ~((numbers >= 0) & (numbers < np.inf))
    if bad.any():
        raise ValueError(f"boost must be finite and at least 0, got {numbers[bad][0]:g} for {plain(items[bad][0])!r}")
    return numbers


def stock_mask(in_stock, items: np.ndarray) -> np.ndarray:
    """Return which items are in stock; those that a Series or dict does not name are."""
    if callable(in_stock):
        mask = np.asarray(in_stock(items))
        if mask.shape != items.shape or mask.dtype != bool:
            raise ValueError(
                f"in_stock must return a boolean array of shape {items.shape} for as many ids, got {mask.dtype} of "
                f"shape {mask.shape}"
            )
        return mask
    found, named = by_item(in_stock, items, "in_stock")
    if not all(isinstance(one, (bool, np.bool_)) for one in found[named]):
        odd = next(one for one in found[named] if not isinstance(one, (bool, np.bool_)))
        raise TypeError(f"in_stock must hold booleans, got {plain(odd)!r}: compare the stock with 0 first")
    mask = np.ones(len(items), dtype=bool)
    mask[named] = found[named].astype(bool)
    return mask


def positions(ids, items: np.ndarray, name: str, *, strict: bool) -> np.ndarray:
    """Return the distinct positions of ids among the items; unknown ones raise, or are passed over."""
    ids = as_id_list(ids, name)
    codes = lookup(ids, items, name)
    if strict and (codes < 0).any():
        raise ValueError(
            f"{name} has {plain(ids[codes < 0][0])!r}, which the recommender does not know: only items with events or "
            "features can be recommended"
        )
    return np.unique(codes[codes >= 0])
