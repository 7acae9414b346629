"""The answer of `recommend` as a frame: one row per user and rank."""

import sys
from collections.abc import Mapping

import numpy as np

from ._containers import is_stored
from ._row_blocks import BLOCK
from ._time import logger
from ._validation import as_id_list, factorize, is_missing, lookup, plain, type_name


def answer_frame_or_arrays(model, X, k, options: dict, item_features, as_frame: bool, names):
    """Return what `model.recommend` answers, with new items or as a frame; see `BaseRecommender.recommend`.

    Parameters
    ----------
    model : recommender
        A fitted recommender.
    X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
        One row per user.
    k : int or None
        As in `recommend`.
    options : dict
        The arguments of `recommend` that are not named here.
    item_features : pandas DataFrame or None
        Features of new items.
    as_frame : bool
        Whether to return a frame.
    names : pandas Series, mapping or None
        Names of items by item id.

    Returns
    -------
    ndarray, tuple of ndarray, or frame
        What `recommend` returns.
    """
    if names is not None and not as_frame:
        raise ValueError("names needs as_frame=True: the names of items are a column of the frame")
    if item_features is not None:
        model = model._with_new_items(item_features)
    return answer_frame(model, X, k, names, options) if as_frame else model.recommend(X, k, **options)


def answer_frame(model, X, k, names, options: dict):
    """Return what `model.recommend` answers as a frame; see `BaseRecommender.recommend`.

    Parameters
    ----------
    model : recommender
        A fitted recommender.
    X : histories of shape (n_users,), or matrix of shape (n_users, n_items)
        One row per user.
    k : int or None
        As in `recommend`.
    names : pandas Series, mapping or None
        Names of items by item id.
    options : dict
        The other arguments of `recommend`; the scores are always in the frame.

    Returns
    -------
    pandas.DataFrame or polars.DataFrame
        A row per user and rank; of polars where X is, else of pandas.
    """
    users = _user_ids(X)
    texts = None if names is None else names_of_items(names, model.items_)
    items, scores, *sources = model.recommend(X, k, **{**options, "return_scores": True})
    n_users, width = items.shape
    positions = _positions(model.items_, items)
    columns = {
        "user": np.repeat(np.arange(n_users), width) if users is None else users.repeat(width),
        "rank": np.tile(np.arange(1, width + 1), n_users),
        "item": items.ravel(),
        "score": scores.ravel(),
    }
    if texts is not None:
        columns["name"] = texts[positions.ravel()]
        _say_unnamed(model.items_, texts, positions)
    if sources:
        columns["source"] = sources[0].ravel()
    columns["seen"] = _seen(model, X, positions).ravel()
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(X, (polars.DataFrame, polars.Series)):
        for name in [name for name, values in columns.items() if values.dtype == object]:
            columns[name] = polars.Series(columns[name].tolist(), dtype=polars.String)
        return polars.DataFrame(columns, schema_overrides={"user": polars.get_index_type()})  # as of with_row_index
    import pandas as pd

    return pd.DataFrame(columns)


def names_of_items(names, items: np.ndarray) -> np.ndarray:
    """Return the name of each item.

    Parameters
    ----------
    names : pandas Series or mapping
        Texts by item id; a missing one is none.
    items : ndarray of shape (n_items,)
        The ids of the model.

    Returns
    -------
    ndarray of shape (n_items,), dtype object
        None where an item has no name.

    Raises
    ------
    TypeError
        If `names` is neither, a name is no text, or ids are texts in one and numbers in the other.
    ValueError
        If an id is missing or stands twice, or no item has a name.
    """
    is_series = hasattr(names, "iloc") and hasattr(names, "to_frame")
    if not is_series and not isinstance(names, Mapping):
        raise TypeError(
            "names must be a pandas Series indexed by item id, or a dict from item id to name, got "
            f"{type_name(names)}: a column of a frame indexed by item id is such a Series"
        )
    if getattr(getattr(names, "index", None), "nlevels", 1) > 1:
        raise TypeError("names must have one item id per row, got an index of several levels: keep one, droplevel(...)")
    ids = as_id_list(names.index if is_series else list(names), "the index of names" if is_series else "names")
    codes, distinct = factorize(ids)
    if len(distinct) < len(ids):
        counts = np.bincount(codes)
        raise ValueError(
            f"names has {int((counts > 1).sum())} ids more than once, such as {plain(distinct[counts.argmax()])!r}: "
            "keep one name per item"
        )
    positions = lookup(ids, items, "names")
    texts = np.full(len(items), None, dtype=object)
    for position, text in zip(positions.tolist(), names if is_series else names.values(), strict=True):
        if not is_missing(text):
            if not isinstance(text, str):
                raise TypeError(f"names must hold texts, got {plain(text)!r} ({type_name(text)}): convert them to str")
            if position >= 0:
                texts[position] = text
    if not (positions >= 0).any():
        such = f", its ids are such as {plain(ids[0])!r}" if len(ids) else ", it is empty"
        raise ValueError(
            f"names must name items of the model, which has ids such as {plain(items[0])!r}, but names none of them"
            f"{such}: use the ids of the histories"
        )
    return texts


def _user_ids(X):
    """Return the index of X, None where it has none."""
    users = X.index if hasattr(X, "iloc") or is_stored(X) else None
    if getattr(users, "nlevels", 1) > 1:
        raise TypeError(
            "as_frame=True needs one id per user in the index of X, got an index of several levels: keep one, "
            "X.droplevel(...), or number the rows, X.reset_index(drop=True)"
        )
    return users


def _positions(items: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Return the positions of recommended ids, shape (n_users, k), among all; by hashing, since there are many."""
    import pandas as pd

    return pd.Index(items).get_indexer(answer.ravel()).reshape(answer.shape)


def _say_unnamed(items: np.ndarray, texts: np.ndarray, positions: np.ndarray) -> None:
    """Log how many of the recommended items have no name."""
    recommended = np.unique(positions)
    unnamed = [position for position in recommended if texts[position] is None]
    if unnamed:
        logger.warning(
            "%s of %s recommended items have no name, such as %r: the column name is empty there",
            f"{len(unnamed):,}",
            f"{len(recommended):,}",
            plain(items[unnamed[0]]),
        )


def _seen(model, X, positions: np.ndarray) -> np.ndarray:
    """Tell which recommended items, shape (n_users, k), the user's own history holds."""
    if getattr(X, "n_events", 0) > BLOCK:  # StoredHistories
        parts, start = [], 0
        for block in X.blocks(BLOCK):
            parts.append(_seen(model, block, positions[start : start + len(block)]))
            start += len(block)
        return np.concatenate(parts)
    matrix = model._encode(X).matrix
    n_items = matrix.shape[1]
    own = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)) * n_items + matrix.indices
    return np.isin(np.arange(len(positions))[:, None] * n_items + positions, own)
