"""The steps of `skrec recommend`."""

from pathlib import Path

import numpy as np

from ._screen import Screen, UserError

_MOST_SHOWN = 20


def wanted_users(users: list[str] | None, users_file: Path | None, output: Path | None) -> list[str] | None:
    """Return the ids asked for as text, or None for all."""
    if users_file is not None:
        try:
            lines = users_file.read_text(encoding="utf-8-sig").split("\n")
        except UnicodeDecodeError as error:
            raise UserError(f"--users-file {users_file} is not UTF-8 text: save it as such") from error
        except OSError as error:
            raise UserError(f"--users-file {users_file} cannot be read: {error.strerror}") from error
        ids = [line.strip() for line in lines if line.strip()]
        if not ids:
            raise UserError(f"--users-file {users_file} is empty: write one id a line")
        return [*(users or []), *ids]
    if not users:
        if output is None:
            raise UserError("name users with --users, or write the recommendations of all with --output FILE")
        return None
    return None if users == ["all"] else users


def load_model(path: Path):
    """Return a saved recommender and its notes."""
    from .. import persistence

    estimator, header = persistence.load(path, return_metadata=True)
    if not hasattr(estimator, "recommend"):
        raise UserError(f"{path} holds a {type(estimator).__name__}, which does not recommend")
    notes = header["metadata"]
    if not isinstance(notes.get("columns"), dict):
        raise UserError(f"{path} does not say which columns of a log it needs: fit it with skrec fit")
    return estimator, notes


def recommend_rows(estimator, histories, k: int | None, exclude_seen: bool, notes: dict):
    """Return a frame with a row per user and recommendation."""
    import pandas as pd

    items, scores = estimator.recommend(histories, k, exclude_seen=exclude_seen, return_scores=True)
    n_users, width = items.shape
    rows = pd.DataFrame(
        {
            "user": np.repeat(histories.index.to_numpy(), width),
            "item": items.reshape(-1),
            "rank": np.tile(np.arange(1, width + 1), n_users),
            "score": scores.reshape(-1),
        }
    )
    if notes.get("item_names"):
        names = pd.Series(notes["item_names"], index=estimator.items_, dtype=object)
        rows["name"] = names.reindex(rows["item"]).to_numpy()
    # an item that the user has fills the end of a list when nothing else is left
    return rows[np.isfinite(rows["score"])] if exclude_seen else rows


def add_reasons(rows, estimator, histories, notes: dict) -> None:
    """Add the column `because`: the items of the history behind each recommendation, with their share."""
    from ..inspection import explain

    lists = [group.tolist() for _, group in rows.groupby("user", sort=False)["item"]]
    asked = histories.loc[rows["user"].unique()]
    try:
        reasons = explain(estimator, asked, items=lists)
    except TypeError as error:
        raise UserError(f"--explain does not go with this model: {error}") from error
    reasons = reasons[reasons["share"] > 0]
    names = reasons["reason"].astype(str)
    if notes.get("item_names"):
        known = dict(zip(estimator.items_, notes["item_names"], strict=True))
        names = reasons["reason"].map(known).fillna(names)
    texts = names + reasons["share"].map(" {:.0%}".format)
    because = texts.groupby([reasons["user"], reasons["item"]], sort=False).agg("; ".join)
    keys = zip(rows["user"], rows["item"], strict=True)
    rows["because"] = [because.get(key, "popular") for key in keys]


def show_rows(screen: Screen, rows) -> None:
    """Print recommendations, at most of the first users."""
    users = rows["user"].unique()
    shown = rows[rows["user"].isin(users[:_MOST_SHOWN])]
    named, explained = "name" in rows.columns, "because" in rows.columns
    cells, sections, before = [], [], None
    for row in shown.itertuples():
        if before is not None and row.user != before:
            sections.append(len(cells) - 1)
        name = [row.name if isinstance(row.name, str) else ""] if named else []
        reasons = [row.because] if explained else []
        first = "" if row.user == before else row.user
        cells.append([first, row.rank, row.item, *name, f"{row.score:.3f}", *reasons])
        before = row.user
    header = ["user", "rank", "item", *(["name"] if named else []), "score", *(["because of"] if explained else [])]
    screen.table(header, cells, numbers=(1, header.index("score")), sections=sections)
    if len(users) > _MOST_SHOWN:
        screen.show(f"{len(users) - _MOST_SHOWN:,} more users: write all of them with --output FILE.")
