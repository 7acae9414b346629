"""Logs of shown lists for off-policy evaluation: read, checked, coded."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..feature_extraction._event_columns import read_raw
from ..utils._arguments import check_text
from ..utils._validation import as_ids, factorize


@dataclass
class Logs:
    """Shown positions, a row each, with codes for lists, positions and items.

    Attributes
    ----------
    rec : ndarray of shape (n_rows,)
        Code of the list, in the order of first appearance.
    position : ndarray of shape (n_rows,)
        0 for the first position of the lists.
    item : ndarray of shape (n_rows,)
        Code of the item.
    probability, reward : ndarray of shape (n_rows,)
        Probability of the item at its position when it was shown, and what came of it.
    rec_ids, items : ndarray
        Distinct ids by code.
    labels : list
        Names of the positions as the logs have them.
    cluster : ndarray of shape (n_lists,)
        Code of the user of each list, or of the list.
    features : pandas.DataFrame of shape (n_rows, n_features)
        Columns for a reward model.
    """

    rec: np.ndarray
    position: np.ndarray
    item: np.ndarray
    probability: np.ndarray
    reward: np.ndarray
    rec_ids: np.ndarray
    items: np.ndarray
    labels: list
    cluster: np.ndarray
    cluster_by: str
    features: Any
    notes: list[str] = field(default_factory=list)

    @property
    def n_lists(self) -> int:
        return len(self.rec_ids)

    @property
    def n_positions(self) -> int:
        return len(self.labels)

    def per_list(self, values: np.ndarray) -> np.ndarray:
        """Sum values of the rows by list, shape (n_lists,)."""
        return np.bincount(self.rec, values, minlength=self.n_lists)

    def per_position(self, values=None) -> np.ndarray:
        """Sum values of the rows by position, shape (n_positions,); None counts them."""
        return np.bincount(self.position, values, minlength=self.n_positions).astype(np.float64)


def column_names(table) -> list:
    """Return the names of the columns of a pandas or polars frame or a pyarrow Table; none for what is no table."""
    if hasattr(table, "column_names"):
        return list(table.column_names)
    columns = getattr(table, "columns", ())
    return [] if callable(columns) else list(columns)


def read_logs(logs, names: dict, cluster: str | None, features) -> Logs:
    """Read logs and refuse what no estimate could use."""
    names = {role: check_text(name, role) for role, name in names.items()}
    if cluster is None and "user" in column_names(logs):
        cluster = "user"
    features = [] if features is None else [features] if isinstance(features, str) else list(features)
    wanted = names | {f"feature {name}": check_text(name, "features") for name in features}
    raw = read_raw(logs, wanted if cluster is None else wanted | {"cluster": check_text(cluster, "cluster")})
    if not len(raw["item"]):
        raise ValueError("logs has no row: pass one per shown position")
    for role in ("rec_id", "position", "item"):
        missing = int(raw[role].isna().sum())
        if missing:
            raise ValueError(f"logs needs a {role} in each row, but {names[role]!r} has {missing:,} missing ones")
    rec, rec_ids = factorize(raw["rec_id"].to_numpy())
    item, items = factorize(as_ids(raw["item"].to_numpy(), names["item"]))
    position, labels = _positions(raw["position"], names["position"])
    _once(rec, position, "position", names)
    _once(rec, item, "item", names)
    probability = _numbers(raw["probability"], names["probability"], "lists that were shown without exploration")
    outside = ~((probability > 0) & (probability <= 1))
    if outside.any():
        raise ValueError(
            f"probability must be above 0 and at most 1, but {names['probability']!r} has {int(outside.sum()):,} other "
            f"values such as {probability[outside][0]:g}: pass the probability of the item at its position"
        )
    reward = _numbers(raw["reward"], names["reward"], "these rows, or fill them with 0 where nothing happened")
    notes: list[str] = []
    if (reward != 0).all():
        notes.append("every row has a reward: the logs need the rows without one too, with 0")
    codes, by = _clusters(raw.get("cluster"), cluster, rec, rec_ids, notes)
    import pandas as pd

    frame = pd.DataFrame({name: raw[f"feature {name}"] for name in features})
    return Logs(rec, position, item, probability, reward, rec_ids, items, labels, codes, by, frame, notes)


def _positions(column, name: str) -> tuple[np.ndarray, list]:
    values = _numbers(column, name, "rows without a position")
    if (values != np.floor(values)).any() or (values < 0).any():
        raise ValueError(f"position must hold whole numbers from 0 or 1 on, but {name!r} has others")
    first = 0 if (values == 0).any() else 1
    n = int(values.max()) - first + 1
    if n > 1000:
        raise ValueError(f"position must be at most 1000, got {n + first - 1} in {name!r}: pass the place in the list")
    return values.astype(np.int64) - first, list(range(first, first + n))


def _once(rec: np.ndarray, other: np.ndarray, what: str, names: dict) -> None:
    pairs = rec.astype(np.int64) * (int(other.max()) + 1) + other
    repeated = len(pairs) - len(np.unique(pairs))
    if repeated:
        raise ValueError(
            f"logs must have each {what} once a list, but {repeated:,} rows repeat one: pass one row per shown "
            f"position, with the rewards of {names['rec_id']!r} and {names['position']!r} summed"
        )


def _numbers(column, name: str, leave_out: str) -> np.ndarray:
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise TypeError(f"logs needs numbers in {name!r}, got the type {column.dtype}") from error
    if not np.isfinite(values).all():
        n = int((~np.isfinite(values)).sum())
        raise ValueError(f"logs has {n:,} missing or infinite values in {name!r}: leave out {leave_out}")
    return values


def _clusters(column, name, rec: np.ndarray, rec_ids, notes: list[str]) -> tuple[np.ndarray, str]:
    """Return the cluster of each list; lists of an unknown user are clusters of their own."""
    n = len(rec_ids)
    if column is None:
        return np.arange(n), "list"
    codes, _ = factorize(column.to_numpy())
    first = np.empty(n, dtype=np.int64)
    first[rec[::-1]] = codes[::-1]
    differing = int((codes != first[rec]).sum())
    if differing:
        raise ValueError(f"cluster={name!r} must have one value a list, but {differing:,} rows differ from their list")
    unknown = first < 0
    if unknown.any():
        notes.append(f"{int(unknown.sum()):,} lists without {name!r} count as independent of each other")
        first[unknown] = first.max() + 1 + np.arange(int(unknown.sum()))
    return np.unique(first, return_inverse=True)[1], str(name)
