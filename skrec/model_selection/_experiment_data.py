"""Rows of an experiment, read and summed by user."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..feature_extraction._event_columns import read_raw
from ..utils._arguments import shown
from ..utils._time import as_days
from ._cuped import Moments
from ._experiment import HOLDOUT, user_key

_MOST_LOOKS = 1000


@dataclass
class Rows:
    """Rows of users of one variant each, in the order of looks, with codes for users and variants."""

    variants: list[str]
    user: np.ndarray  # (n_rows,) code of the user
    variant: np.ndarray  # (n_users,) code of the variant
    values: dict[str, np.ndarray]  # columns that are summed, by name
    covariates: np.ndarray  # (n_users, n_covariates), missing values filled
    notes: list[str]
    looks: list = field(default_factory=list)  # times of the looks, [] without times
    ends: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))  # rows known at each look

    @property
    def n_users(self) -> int:
        return len(self.variant)


def read_metrics(metrics) -> dict[str, tuple]:
    """Return the columns of the numerator and the denominator of each metric, by the metric's name.

    The denominator is None for the number of rows and "" for 1 per user.
    """
    metrics = {metrics: metrics} if isinstance(metrics, str) else metrics
    if not isinstance(metrics, Mapping):
        raise TypeError(
            f"metrics must be a column or a dict of name to column or pair of columns, got {shown(metrics)}"
        )
    if not metrics:
        raise ValueError("metrics is empty: name at least one column")
    found = {}
    for name, columns in metrics.items():
        pair = (columns, "") if isinstance(columns, str) else columns
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise TypeError(
                f"metrics[{name!r}] must be a column, or a pair (numerator, denominator) whose denominator is a column "
                f"or None for the number of rows, got {shown(columns)}"
            )
        found[str(name)] = (pair[0], pair[1])
    return found


def read_rows(events, *, user, variant, metrics: dict, covariates, time, every: float, weights) -> Rows:
    """Read the rows, leave out what cannot be analysed, and say how much that is."""
    import pandas as pd

    names, summed, covariates = _columns(user, variant, metrics, covariates, time)
    raw = {role: column.reset_index(drop=True) for role, column in read_raw(events, names).items()}
    notes: list[str] = []
    keep = raw["user"].notna()
    if not keep.all():
        notes.append(f"{int((~keep).sum()):,} rows without a user are left out")
    keep = _only_variants(raw["variant"], keep, weights, notes)
    raw = {role: column[keep] for role, column in raw.items()}
    codes, _ = pd.factorize(_as_text_if_mixed(raw["user"]))
    variant_codes, variants = pd.factorize(raw["variant"].astype(object).map(str), sort=False)
    variants = variants.tolist()
    if len(variants) < 2:
        raise ValueError(f"{variant} needs at least two variants, got {variants}: an experiment compares them")
    first, several = _one_variant(codes, variant_codes)
    if several.any():
        notes.append(f"{int(several.sum()):,} of {len(first):,} users were in several variants and are left out")
    keep = ~several[codes]
    raw = {role: column[keep] for role, column in raw.items()}
    users = (np.cumsum(~several) - 1)[codes[keep]]
    read = Rows(variants, users, first[~several], {}, np.empty(0), notes)
    _fill(read, raw, summed, covariates)
    if "time" in raw:
        _order(read, _days(raw["time"]), every)
    return read


def read_user_rows(events, *, user, metrics: dict, covariates, time) -> tuple[Rows, int | None]:
    """Read rows without variants, all users are of one; return the number of calendar days too, None without times."""
    import pandas as pd

    names, summed, covariates = _columns(user, None, metrics, covariates, time)
    raw = {role: column.reset_index(drop=True) for role, column in read_raw(events, names).items()}
    if raw["user"].isna().any():
        raise ValueError(f"{user} lacks {int(raw['user'].isna().sum()):,} users: leave these rows out")
    codes, ids = pd.factorize(_as_text_if_mixed(raw["user"]))
    if not len(ids):
        raise ValueError("events has no row: pass a period with users")
    read = Rows(["all"], codes, np.zeros(len(ids), dtype=np.int64), {}, np.empty(0), [])
    _fill(read, raw, summed, covariates)
    if "time" not in raw:
        return read, None
    days = np.floor(_days(raw["time"]))
    return read, int(days.max() - days.min()) + 1


def _columns(user, variant, metrics: dict, covariates, time) -> tuple[dict, list[str], list[str]]:
    """Return the columns to read by role, and the names of the summed ones and of the covariates."""
    _check_column(user, "user")
    if variant is not None:
        _check_column(variant, "variant")
    summed = sorted({name for pair in metrics.values() for name in pair if name})
    covariates = [covariates] if isinstance(covariates, str) else list(covariates or ())
    for name in covariates:
        _check_column(name, "covariates")
    given = {"user": user, "variant": variant, "time": time}
    names = {role: name for role, name in given.items() if name is not None}
    names |= {f"metrics {name}": name for name in summed} | {f"covariates {name}": name for name in covariates}
    return names, summed, covariates


def _check_column(name, role: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{role} must be the name of a column, got {shown(name)}")


def _fill(read: Rows, raw: dict, summed: list[str], covariates: list[str]) -> None:
    """Read the numbers."""
    read.values = {name: _numbers(raw[f"metrics {name}"], name) for name in summed}
    columns = [
        column for name in covariates for column in _per_user(raw[f"covariates {name}"], name, read.user, read.notes)
    ]
    read.covariates = np.column_stack(columns) if columns else np.empty((read.n_users, 0))


def _days(column) -> np.ndarray:
    if column.dtype.kind in "iufb":
        raise TypeError("time must name a column of dates, got numbers: convert it, with pandas.to_datetime")
    return as_days(column.to_numpy(), "time")


class Look(NamedTuple):
    """What all metrics share at a look: the rows known by then, and the users seen in them."""

    upto: int  # number of rows
    counts: np.ndarray  # (n_users,) rows of each user
    members: list[np.ndarray]  # codes of the users of each variant
    covariates: list[np.ndarray]  # their covariates


def look_at(read: Rows, upto: int) -> Look:
    """Return the users of the first rows."""
    counts = np.bincount(read.user[:upto], minlength=read.n_users)
    variant = np.where(counts > 0, read.variant, -1)
    members = [np.flatnonzero(variant == code) for code in range(len(read.variants))]
    return Look(upto, counts, members, [read.covariates[one] for one in members])


def moments(read: Rows, look: Look, metric: tuple, cap: float | None) -> tuple[list[Moments], int]:
    """Return the moments of each variant at a look, and how many users were capped."""

    def sums(name: str) -> np.ndarray:
        return np.bincount(read.user[: look.upto], read.values[name][: look.upto], minlength=read.n_users)

    numerator = sums(metric[0])
    n_capped = 0
    seen = look.counts > 0
    if cap is not None and seen.any():
        most = np.quantile(numerator[seen], cap, method="higher")
        n_capped = int((numerator[seen] > most).sum())
        numerator = np.minimum(numerator, most)
    counted = np.ones(read.n_users) if metric[1] == "" else look.counts
    denominator = sums(metric[1]) if metric[1] else counted
    groups = zip(look.members, look.covariates, strict=True)
    return [Moments.of(np.column_stack([numerator[one], denominator[one], past])) for one, past in groups], n_capped


def _only_variants(column, keep, weights, notes: list[str]):
    outside = keep & column.isna()
    if outside.any():
        notes.append(f"{int(outside.sum()):,} rows without a variant, outside the experiment, are left out")
    held = keep & (column == HOLDOUT).fillna(False).astype(bool)
    if held.any():
        notes.append(f"{int(held.sum()):,} rows of the holdout group are left out")
    keep = keep & ~outside & ~held
    if weights is not None:
        unknown = sorted(set(map(str, column[keep].unique())) - set(weights))
        if unknown:
            raise ValueError(f"weights lacks the variants {unknown} of the rows: it has {list(weights)}")
    return keep


def _as_text_if_mixed(column):
    """Return ids as text where they are of several types: 1 and "1" are one user, as in :class:`Experiment`."""
    if column.dtype == object and len({isinstance(one, str) for one in column}) > 1:
        return column.map(lambda one: user_key(one).decode("utf-8", "surrogatepass"))
    return column


def _one_variant(users: np.ndarray, variants: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the variant of each user, and who was in several."""
    first = np.zeros(users.max(initial=-1) + 1, dtype=np.int64)
    first[users[::-1]] = variants[::-1]
    several = np.zeros(len(first), dtype=bool)
    several[users[variants != first[users]]] = True
    return first, several


def _numbers(column, name: str) -> np.ndarray:
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise TypeError(f"metrics must name columns of numbers, got {name!r} of type {column.dtype}") from error
    if not np.isfinite(values).all():
        raise ValueError(
            f"metrics needs finite numbers, but {name!r} has {int((~np.isfinite(values)).sum()):,} missing or infinite "
            "ones: fill them, with 0 where nothing happened"
        )
    return values


def _per_user(column, name: str, users: np.ndarray, notes: list[str]) -> list[np.ndarray]:
    """Return a covariate of each user, filled with its mean, and who lacked it."""
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise TypeError(f"covariates must name columns of numbers, got {name!r} of type {column.dtype}") from error
    if np.isinf(values).any():
        raise ValueError(f"covariates needs finite numbers, but {name!r} has infinite ones")
    n = users.max(initial=-1) + 1
    there = ~np.isnan(values)
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(low, users[there], values[there])
    np.maximum.at(high, users[there], values[there])
    differing = int((high > low).sum())
    if differing:
        raise ValueError(
            f"covariates needs one value a user, but {differing:,} users have several of {name!r}: pass what the user "
            "did before the experiment, the same on each row"
        )
    missing = np.isinf(low)
    if missing.all():
        raise ValueError(f"covariates has no value of {name!r}: leave it out")
    low[missing] = low[~missing].mean()
    if not missing.any():
        return [low]
    notes.append(f"{int(missing.sum()):,} users have no {name!r}: their mean is adjusted as a group of its own")
    return [low, missing.astype(np.float64)]


def _order(read: Rows, days: np.ndarray, every: float) -> None:
    """Put the rows in the order of time and find how many are known at the end of each look."""
    order = np.argsort(days, kind="stable")
    days = days[order]
    read.user = read.user[order]
    read.values = {name: values[order] for name, values in read.values.items()}
    start = np.floor(days[0])
    n_looks = int((days[-1] - start) // every) + 1
    if n_looks > _MOST_LOOKS:
        raise ValueError(f"every must give at most {_MOST_LOOKS} looks, got {n_looks}: look less often")
    moments = start + every * np.arange(1, n_looks + 1)
    read.ends = np.searchsorted(days, moments, side="left")
    read.ends[-1] = len(days)  # the last row may lie at the end of a look, or beyond it by rounding
    read.looks = moments.tolist()
