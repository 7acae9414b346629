"""The steps of `skrec recommend`."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..utils._histories import read_histories
from ..utils._validation import id_kind, plain
from ._data import TABLES, check_output, write_table
from ._dates import kind_of_time
from ._ids import to_model_ids
from ._large_log import check_memory
from ._log import read_log
from ._model_files import load_model
from ._options import Log, check_k
from ._screen import Screen, UserError
from ._users import choose_users, wanted_users

_MOST_SHOWN = 20
_LEAST_KNOWN = 0.5  # share of the items of a log below which it is probably not a log for this model


def run(
    screen: Screen,
    model_file: Path,
    log: Log,
    users: list[str] | None,
    users_file: Path | None,
    *,
    k: int | None,
    exclude_seen: bool | None,
    explain: bool,
    force: bool,
    output: Path | None,
    memory: float | None,
) -> None:
    """Recommend items to users of a log, with a saved model."""
    check_k(k)
    check_memory(memory)
    check_output(output, "--output", TABLES)
    wanted = wanted_users(users, users_file, output)
    with screen.working("Loading the model"):
        estimator, notes = load_model(model_file)
    columns = {role: name for role, name in notes["columns"].items() if role != "name"}
    reading = notes.get("reading", {})
    if as_fitted := Log([]).like(reading).arguments():
        screen.say(f"Read the log as in fit, with {shlex.join(as_fitted)}, where no option says otherwise.")
    histories, _ = read_like_model(screen, replace(log, columns=columns).like(reading), notes, memory)
    histories, known = on_model_items(screen, histories, estimator.items_, force)
    histories, sentences = choose_users(histories, wanted, force=force)
    if exclude_seen is None:
        exclude_seen = bool(estimator.exclude_seen)
        kept = "last" if exclude_seen else "like any other"
        sentences.append(f"Items that a user already has come {kept}, as the model was fitted.")
    if hasattr(histories, "blocks") and output is not None:
        if explain:
            raise UserError("--explain needs a log that fits in memory: name some users with --users")
        for sentence in [*sentences, *short_lists(estimator, histories, known, k)]:
            screen.say(sentence)
        recommend_all(screen, estimator, histories, k, exclude_seen, notes, output)
        return
    with screen.working(f"Recommending to {len(histories):,} users"):
        rows = recommend_rows(estimator, histories, k, exclude_seen, notes)
        if explain:
            add_reasons(rows, estimator, histories, notes)
    for sentence in [*sentences, *what_is_missing(estimator, histories, rows, known, k)]:
        screen.say(sentence)
    if output is None:
        show_rows(screen, rows)
    else:
        write_table(rows, output)
        screen.say(f"Wrote {len(rows):,} rows for {len(histories):,} users to {output}.")


_NUMBERS: dict[Any, Any] = {"basket": "number"}  # the first days of a log may count like baskets


def recommend_all(screen: Screen, estimator, histories, k, exclude_seen: bool, notes: dict, output: Path) -> None:
    """Write the recommendations to all users of stored histories, block by block."""
    from ..large import write_recommendations

    names = notes.get("item_names")
    write_recommendations(
        estimator,
        histories,
        output,
        k=k,
        exclude_seen=exclude_seen,
        names=None if not names else dict(zip(estimator.items_.tolist(), names, strict=True)),
        verbose=int(not screen.quiet),
    )
    screen.say(f"Wrote the recommendations for {len(histories):,} users to {output}.")


def read_like_model(screen: Screen, log: Log, notes: dict, memory: float | None = None):
    """Read histories and item names with the columns of a model; raise where a log has others, or other times."""
    try:
        histories, names = read_log(screen, log, memory=memory)
    except UserError as error:
        if "is not a column" not in str(error):
            raise
        raise UserError(f"{error} (the model was fitted with these names: rename the column, or fit again)") from error
    kind, learned = (_NUMBERS.get(one, one) for one in (kind_of_time(histories), notes.get("time")))
    if kind != learned and "time" in notes:
        raise UserError(
            f"the model learned times that are {learned}s, but the times of the log are {kind}s: give both alike, "
            "--time-unit says what numbers count since 1970"
        )
    return histories, names


def on_model_items(screen: Screen, histories, items: np.ndarray, force: bool):
    """Bring histories to the ids of a model, and say what share it knows; an error where that is little."""
    histories, ids, positions, converted = to_model_ids(histories, items)
    known = int((positions >= 0).sum())
    if converted:
        shown = int(np.argmax(positions >= 0))
        kinds = f"{plain(ids[shown])!r} ({id_kind(ids)}) for {plain(items[positions[shown]])!r} ({id_kind(items)})"
        screen.say(
            f"The item ids of the log are written otherwise than the model's, such as {kinds}: they were converted "
            "where that is exact."
        )
    which = f"{known:,} of the {len(ids):,} items of the log ({100 * known / len(ids):.0f} %)"
    if known < _LEAST_KNOWN * len(ids) and not force:
        example = plain(ids[positions < 0][0])
        advice = "convert them to the type used in fit" if id_kind(ids) != id_kind(items) else "check the files"
        raise UserError(
            f"the model knows {which}: it learned ids such as {plain(items[0])!r} ({id_kind(items)}), and the log has "
            f"ids such as {example!r} ({id_kind(ids)}): {advice}, fit the model to this log, or add --force"
        )
    screen.say(
        f"The model knows {which}." if known < len(ids) else f"The model knows all {len(ids):,} items of the log."
    )
    return histories, np.sort(items)


def what_is_missing(estimator, histories, rows, items: np.ndarray, k: int | None) -> list[str]:
    """Say how many users got best sellers alone, and why lists are short or end with what a user has."""
    n_users = len(histories)
    width = len(rows) // max(n_users, 1)
    sentences = short_lists(estimator, histories, items, k)
    n_full = rows.loc[~np.isfinite(rows["score"]), "user"].nunique()
    if n_full:
        sentences.append(
            f"{n_full:,} of {n_users:,} users have fewer than {width:,} items left that they do not have: the end of "
            "their list is what they have, with the score -inf."
        )
    return sentences


def short_lists(estimator, histories, items: np.ndarray, k: int | None) -> list[str]:
    """Say how many users get best sellers alone, and whether the model knows fewer items than a list should have."""
    n_strange, n_users, asked = 0, len(histories), k or estimator.k
    for block in histories.blocks() if hasattr(histories, "blocks") else [histories]:
        read = read_histories(block)
        n_strange += int((read.take_events(read.item_codes(items) >= 0).lengths == 0).sum())
    sentences = []
    if n_strange:
        sentences.append(f"{n_strange:,} of {n_users:,} users have no item that the model knows: best sellers alone.")
    if estimator.n_items_ < asked:
        n_items = estimator.n_items_
        sentences.append(f"The model knows {n_items:,} items, so a list has {n_items:,} rather than {asked:,}.")
    return sentences


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
    return rows


def add_reasons(rows, estimator, histories, notes: dict) -> None:
    """Add the column `because`: the items of the history behind each recommendation, with their share."""
    from ..inspection import explain

    width = len(rows) // len(histories)
    try:
        reasons = explain(estimator, histories, items=rows["item"].to_numpy().reshape(-1, width).tolist())
    except TypeError as error:
        raise UserError(f"--explain does not go with this model: {error}") from error
    known = dict(zip(estimator.items_.tolist(), notes.get("item_names") or [], strict=False))
    texts: dict[tuple, list[str]] = {}
    for row in reasons[reasons["share"].astype(float) > 0].itertuples():
        text = f"{known.get(row.reason) or row.reason} {row.share:.0%}"
        texts.setdefault((row.user, row.item), []).append(text)
    keys = zip(rows["user"], rows["item"], strict=True)
    rows["because"] = ["; ".join(texts.get(key, ["popular"])) for key in keys]


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
