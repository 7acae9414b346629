"""The policy to be judged: its probability of each logged item, and of all items at each shown position."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..feature_extraction._event_columns import read_raw
from ..utils._arguments import as_floats, check_whole, shown
from ..utils._containers import count_rows, take_rows
from ..utils._plackett_luce import check_temperature, chosen_probabilities, position_probabilities, utilities
from ..utils._validation import as_ids, factorize, lookup
from ._off_policy_data import Logs, column_names


@dataclass
class Target:
    """Probabilities of a policy.

    Attributes
    ----------
    logged : ndarray of shape (n_rows,)
        Probability of the logged item at its position.
    row, item, probability : ndarray of shape (n_entries,), or None
        All items that the policy may show at the position of a logged row; codes beyond those of the logs are of items
        that were never shown.
    """

    logged: np.ndarray
    row: Any = None
    item: Any = None
    probability: Any = None
    notes: list[str] = field(default_factory=list)

    @property
    def is_deterministic(self) -> bool:
        return bool(((self.logged == 0) | (self.logged == 1)).all())


def read_target(
    policy,
    logs: Logs,
    frame,
    names: dict,
    *,
    histories,
    temperature,
    n_candidates,
    candidates,
    entries: bool,
    standardize: bool = False,
) -> Target:
    """Read a policy given as a column, an array, a table, or a recommender with histories."""
    if hasattr(policy, "predict") or hasattr(policy, "recommend"):
        if histories is None:
            raise ValueError("histories is needed with a recommender: pass one history per list, as of its time")
        X = _align(histories, logs, names["rec_id"])
        if check_temperature(temperature) == 0:
            return _greedy(policy, X, logs, candidates)
        if not hasattr(policy, "recommend"):
            raise TypeError(
                f"temperature needs a recommender with recommend, got {shown(policy)}: pass its last step with "
                "histories as it takes them, or temperature=0"
            )
        n_candidates = check_whole(n_candidates, "n_candidates")
        return _noisy(policy, X, logs, float(temperature), n_candidates, candidates, entries, standardize)
    if isinstance(policy, str):
        column = read_raw(frame, {"policy": policy})["policy"]
        try:
            target = Target(column.to_numpy(dtype=np.float64, na_value=np.nan))
        except (TypeError, ValueError) as error:
            raise TypeError(f"policy must name a column of numbers, got {policy!r} of type {column.dtype}") from error
    elif hasattr(policy, "columns") or hasattr(policy, "column_names"):
        target = _from_table(policy, logs, names)
    else:
        target = Target(as_floats(policy, "policy"))
        if target.logged.shape != logs.rec.shape:
            raise ValueError(
                f"policy has the shape {target.logged.shape} for {len(logs.rec)} rows of logs: pass one each"
            )
    outside = ~((target.logged >= 0) & (target.logged <= 1))
    if outside.any():
        raise ValueError(
            f"policy must hold probabilities from 0 to 1, got {int(outside.sum()):,} others such as "
            f"{target.logged[outside][0]:g}"
        )
    return target


def _from_table(table, logs: Logs, names: dict) -> Target:
    """Read a table of all items at all positions, for each list or, without lists, the same for all."""
    import pandas as pd

    columns = column_names(table)
    roles = [
        role for role in ("rec_id", "position", "item", "probability") if role != "rec_id" or names[role] in columns
    ]
    raw = read_raw(table, {role: names[role] for role in roles})
    chance = as_floats(raw["probability"].to_numpy(), "policy")
    place = _places(as_floats(raw["position"].to_numpy(), "policy"), names["position"]) - logs.labels[0]
    if not ((chance >= 0) & (chance <= 1)).all():
        raise ValueError(f"policy must hold probabilities from 0 to 1 in {names['probability']!r}, but has others")
    item = _codes(raw["item"].to_numpy(), logs)
    if "rec_id" in raw:
        rec = pd.Index(logs.rec_ids).get_indexer(raw["rec_id"].to_numpy())
        row_of = np.full((logs.n_lists, logs.n_positions), -1, dtype=np.int64)
        row_of[logs.rec, logs.position] = np.arange(len(logs.rec))
        inside = (rec >= 0) & (place >= 0) & (place < logs.n_positions)
        row = np.where(inside, row_of[rec, np.where(inside, place, 0)], -1)
        keep = row >= 0
        row, item, chance = row[keep], item[keep], chance[keep]
        outside = int((~keep).sum())
    else:
        outside = int(((place < 0) | (place >= logs.n_positions)).sum())
        parts = []
        for one in range(logs.n_positions):
            rows, entries = np.flatnonzero(logs.position == one), np.flatnonzero(place == one)
            parts.append((np.repeat(rows, len(entries)), np.tile(entries, len(rows))))
        row, entry = (np.concatenate(part) for part in zip(*parts, strict=True))
        item, chance = item[entry], chance[entry]
    total = np.bincount(row, chance, minlength=len(logs.rec))
    if (total > 1 + 1e-6).any():
        raise ValueError(f"policy must sum to at most 1 at each position of a list, got {total.max():g}")
    empty = np.flatnonzero((logs.per_position() > 0) & (logs.per_position(total) == 0))
    if len(empty):
        raise ValueError(
            f"policy has no item at position {logs.labels[empty[0]]} of the logs, which have {logs.labels[0]} to "
            f"{logs.labels[-1]}: number its positions, and name its lists, as the logs do"
        )
    lacking = int((logs.per_list(total) == 0).sum())
    if lacking:
        raise ValueError(f"policy has no item for {lacking:,} of {logs.n_lists:,} lists: pass all of them")
    target = _of_entries(logs, row, item, chance)
    if outside:
        target.notes.append(f"{outside:,} rows of the policy are of lists or positions that the logs do not have")
    return target


def _places(values: np.ndarray, name: str) -> np.ndarray:
    if not (np.isfinite(values) & (values == np.floor(values))).all():
        raise ValueError(f"policy must hold whole numbers as positions in {name!r}, but has others")
    return values.astype(np.int64)


def _of_entries(logs: Logs, row, item, chance) -> Target:
    same = logs.item[row] == item
    logged = np.bincount(row[same], chance[same], minlength=len(logs.rec))
    target = Target(logged, row, item, chance)
    total = np.bincount(row, chance, minlength=len(logs.rec))
    short = int((total < 1 - 1e-6).sum())
    if short:
        target.notes.append(f"the policy fills less than a whole place in {short:,} of {len(total):,} shown positions")
    return target


def _codes(ids, logs: Logs) -> np.ndarray:
    """Return codes of items; those that were never shown get codes beyond the logs' own."""
    ids = as_ids(np.asarray(ids).ravel(), "item")
    codes = lookup(ids, logs.items, "policy").astype(np.int64)
    new = codes < 0
    codes[new] = len(logs.items) + factorize(ids[new])[0]
    return codes


def _align(histories, logs: Logs, rec_id: str):
    """Return the histories in the order of the lists: by the index if it names the lists, else as they are."""
    index = getattr(histories, "index", None)
    if index is not None and hasattr(index, "get_indexer") and index.is_unique:
        rows = index.get_indexer(logs.rec_ids)
        if (rows >= 0).all():
            if type(index).__name__ == "RangeIndex" and (np.diff(rows) != 1).any():
                raise ValueError(
                    "histories is numbered from 0 on, and the lists have such numbers in another order: set its index "
                    "to the lists, or pass a list of histories in the order of the lists' first rows"
                )
            return take_rows(histories, rows)
    n = count_rows(histories, "histories")
    if n != logs.n_lists:
        raise ValueError(
            f"histories has {n} rows for {logs.n_lists} lists of logs: pass one per list in the order of their first "
            "rows, or a frame whose index names the lists"
        )
    if index is not None and hasattr(index, "is_unique") and index.is_unique and type(index).__name__ != "RangeIndex":
        _unnamed(index, logs, rec_id)
    return histories


def _unnamed(index, logs: Logs, rec_id: str) -> None:
    """Refuse an index that names lists, but not all of them, or as text where they are numbers."""
    share = float(np.isin(logs.rec_ids.astype(str), np.asarray(index).astype(str)).mean())
    if share > 0.5 or index.name == rec_id:
        same = share < 1
        reason = (
            f"{100 * share:.3g} % of the lists" if same else f"the lists as {index.dtype}, not {logs.rec_ids.dtype}"
        )
        raise ValueError(
            f"the index of histories names {reason}: name each of {rec_id!r} as the logs do, or pass a list of "
            "histories in the order of the lists' first rows"
        )


def _greedy(model, X, logs: Logs, candidates) -> Target:
    if hasattr(model, "recommend"):
        shown_items = np.asarray(model.recommend(X, logs.n_positions, candidates=candidates))
    elif candidates is not None:
        raise TypeError(f"candidates needs a recommender with recommend, got {shown(model)}")
    else:
        shown_items = np.asarray(model.predict(X))[:, : logs.n_positions]
        if shown_items.shape[-1] < logs.n_positions:
            raise ValueError(f"policy gives {shown_items.shape[1]} items for {logs.n_positions} positions: set its k")
    codes = _codes(shown_items, logs).reshape(len(shown_items), -1)
    row = np.flatnonzero(logs.position < codes.shape[1])
    return _of_entries(logs, row, codes[logs.rec[row], logs.position[row]], np.ones(len(row)))


def _noisy(
    model, X, logs: Logs, temperature: float, n_candidates: int, candidates, entries: bool, standardize: bool
) -> Target:
    """Return the probabilities of Plackett-Luce lists from the best candidates; of logged items only is faster."""
    if n_candidates < logs.n_positions:
        raise ValueError(
            f"n_candidates must be at least the number of positions {logs.n_positions}, got {n_candidates}"
        )
    items, scores = model.recommend(X, n_candidates, candidates=candidates, return_scores=True)
    codes = _codes(items, logs).reshape(items.shape)
    scores = np.array([utilities(one, standardize=standardize) for one in scores])  # rules may have reordered items
    order = np.argsort(logs.rec, kind="stable")
    ends = np.searchsorted(logs.rec[order], np.arange(logs.n_lists + 1))
    key, chance = b"", np.empty(0)
    logged = np.zeros(len(logs.rec))
    parts: list[Any] = []
    for one in range(logs.n_lists):
        rows = order[ends[one] : ends[one + 1]]
        if not entries:
            there, column = np.nonzero(logs.item[rows][:, None] == codes[one])
            rows = rows[there]
            logged[rows] = chosen_probabilities(scores[one], column, logs.position[rows], temperature)
            continue
        if scores[one].tobytes() != key:  # models without users give all lists the same scores
            key, chance = scores[one].tobytes(), position_probabilities(scores[one], logs.n_positions, temperature)
        parts.append(
            (np.repeat(rows, len(chance)), np.tile(codes[one], len(rows)), chance[:, logs.position[rows]].T.ravel())
        )
    if not entries:
        return Target(logged)
    return _of_entries(logs, *(np.concatenate(part) for part in zip(*parts, strict=True)))
