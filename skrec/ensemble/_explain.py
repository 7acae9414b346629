"""Why the second stage ranks an item where it does."""

import numpy as np
import scipy.sparse as sp

from ..utils._arguments import check_whole
from ..utils._containers import row_ids
from ..utils._validation import as_collection, as_id_list, is_nested, lookup, plain

_COLUMNS = ["user", "item", "score", "retriever", "place", "feature", "value", "contribution"]


def explain_ranking(model, X, items, k: int, n_reasons: int):
    """Do the work of `TwoStageRecommender.explain`."""
    import pandas as pd

    if check_whole(n_reasons, "n_reasons", low=0) < 1:
        raise ValueError(f"n_reasons must be at least 1, got {n_reasons}")
    rows = model._encode(X)
    items = (
        model.recommend(X, k)
        if items is None
        else list(items)
        if is_nested(as_collection(items, "items"))
        else [items] * rows.shape[0]
    )
    if len(items) != rows.shape[0]:
        raise ValueError(f"items has {len(items)} lists for {rows.shape[0]} users: pass one list, or one per user")
    users = row_ids(X)
    users = np.arange(rows.shape[0]) if users is None else users
    kind = "weights" if model.ranker_ is None else "shap" if hasattr(model.ranker_, "booster_") else "occlusion"
    scorers, parts = model._scorers(None), []
    for user in np.flatnonzero(np.diff(rows.matrix.indptr)):
        row = rows[user : user + 1]
        codes = _codes(model, items[user])
        pairs, _ = model._retrieve(scorers, row, keep_seen=model.repeats_, also=_one_row(codes, model.n_items_))
        if model.ranker_ is None:
            names, table = model._names, pairs.scores[:, :-1]
            scores = table @ model.weights_.astype(np.float32)
            if not model.repeats_:  # as `_without_repeats`
                had = np.isin(pairs.column, row.matrix.indices)
                scores[had] -= np.ptp(scores) + 1
        else:
            names, table = model._pairs.table(row, pairs, model._user_names, None)
            scores = model._rank(model.ranker_, pairs, table)
        retriever, place = model._best_placed(pairs)
        wanted = np.searchsorted(pairs.column, codes)
        for pair, added in zip(wanted, _contributions(model, kind, pairs, table, wanted, scores), strict=True):
            best = np.argsort(-np.abs(added), kind="stable")[:n_reasons]
            said = [users[user], model.items_[pairs.column[pair]], scores[pair]]
            said += [model._names[retriever[pair]], place[pair] + 1]
            part = pd.DataFrame([said] * len(best), columns=_COLUMNS[:5])
            part["feature"] = [names[feature] for feature in best]
            part["value"], part["contribution"] = table[pair, best], added[best]
            parts.append(part)
    answer = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COLUMNS)
    answer.attrs["contributions"] = kind
    if hasattr(model, "choice_"):
        answer.attrs["choice"], answer.attrs["validation_scores"] = model.choice_, dict(model.validation_scores_)
    return answer


def _codes(model, items) -> np.ndarray:
    ids = as_id_list(items, "items")
    codes = lookup(ids, model.items_, "items")
    if (codes < 0).any():
        raise ValueError(
            f"items holds {plain(ids[codes < 0][0])!r}, which the model does not know: pass ids seen in fit"
        )
    return codes


def _one_row(codes: np.ndarray, n_items: int) -> sp.csr_array:
    return sp.csr_array((np.ones(len(codes)), codes, np.array([0, len(codes)])), shape=(1, n_items))


def _contributions(model, kind: str, pairs, table: np.ndarray, wanted: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return what each feature adds to the score of some pairs of one user, shape (n_wanted, n_features)."""
    if kind == "weights":
        return table[wanted] * model.weights_
    if kind == "shap":
        return np.asarray(model.ranker_.predict(table[wanted], pred_contrib=True))[:, :-1]
    usual = np.median(table, axis=0)
    n_features = table.shape[1]
    without = np.repeat(table[wanted], n_features, axis=0)
    without.reshape(len(wanted), n_features, n_features)[:, range(n_features), range(n_features)] = usual
    return scores[wanted, None] - model._value(model.ranker_, without).reshape(len(wanted), n_features)
