"""The steps of `skrec recommend`."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..utils._histories import read_histories
from ..utils._validation import id_kind, plain
from ._data import TABLES, check_output, write_table
from ._dates import as_argument, kind_of_time
from ._ids import to_model_ids
from ._item_columns import say_lacking
from ._large_log import check_memory
from ._log import read_log
from ._model_files import load_model
from ._next import say_serve
from ._options import Log, check_k, named_columns
from ._request import Asked, before, beyond_cap, capped, items_asked, read_moment, read_names
from ._screen import Screen, UserError
from ._similar import similar_command
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
    asked: Asked,
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
    wanted, lists = wanted_users(users, users_file, output), asked.lists()
    with screen.working("Loading the model"):
        estimator, notes = load_model(model_file)
    columns = {role: name for role, name in notes["columns"].items() if role != "name"}
    reading = notes.get("reading", {})
    if as_fitted := Log([]).like(reading).arguments():
        screen.say(f"Read the log as in fit, with {shlex.join(as_fitted)}, where no option says otherwise.")
    log = replace(log, columns=columns).like(reading)
    named = {} if asked.name is None or asked.items is not None else {"name": asked.name}
    source = replace(log, columns=named_columns(**columns | named))
    histories, names = read_like_model(screen, source, notes, memory)
    names = read_names(screen, asked, log, names, estimator, notes)
    at = read_moment(screen, asked, histories, notes, log.time_format)
    large = hasattr(histories, "blocks")
    histories, known = on_model_items(screen, histories, estimator.items_, force)
    histories, sentences = choose_users(histories, wanted, force=force)
    histories = before(screen, histories, at)
    request, n_allowed = items_asked(screen, asked, lists, estimator.items_, force)
    model, kinds = capped(screen, asked, log, estimator, memory, k=k or estimator.k, large=large)
    if exclude_seen is None:
        exclude_seen = bool(estimator.exclude_seen)
        kept = "last" if exclude_seen else "like any other"
        sentences.append(f"Items that a user already has come {kept}, as the model was fitted.")
    request |= {"k": k, "exclude_seen": exclude_seen, "at": None if at is None else as_argument(histories, at)}
    sentences += short_lists(estimator, histories, known, k, n_allowed)
    if hasattr(histories, "blocks") and output is not None:
        if explain:
            raise UserError("--explain needs a log that fits in memory: name some users with --users")
        for sentence in sentences:
            screen.say(sentence)
        recommend_all(screen, model, histories, request, names, output)
        return
    with screen.working(f"Recommending to {len(histories):,} users"):
        rows = model.recommend(histories, **request, as_frame=True, names=names).drop(columns="seen")
        if explain:
            sentences += add_reasons(rows, estimator, histories, names, request["at"])
    for sentence in [*sentences, *full_lists(rows, len(histories)), *beyond_cap(rows, kinds, asked)]:
        screen.say(sentence)
    if output is None:
        show_rows(screen, rows)
        say_serve(screen, log, model_file, histories)
        say_next(screen, estimator, model_file, rows)
    else:
        write_table(rows, output)
        screen.say(f"Wrote {len(rows):,} rows for {len(histories):,} users to {output}.")


_NUMBERS: dict[Any, Any] = {"basket": "number"}  # the first days of a log may count like baskets


def recommend_all(screen: Screen, model, histories, request: dict, names, output: Path) -> None:
    """Write the recommendations to all users of stored histories, block by block."""
    from ..large import write_recommendations

    if names is not None:
        say_lacking(screen, names, model.items_, "have no name")
    names = None if names is None else dict(zip(names.index.tolist(), names.tolist(), strict=True))
    write_recommendations(model, histories, output, **request, names=names, verbose=int(not screen.quiet))
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


def full_lists(rows, n_users: int) -> list[str]:
    """Say how many lists end with items that the user already has."""
    n_full = rows.loc[~np.isfinite(rows["score"]), "user"].nunique()
    if not n_full:
        return []
    return [
        f"{n_full:,} of {n_users:,} users have fewer than {len(rows) // n_users:,} items left that they do not have: "
        "the end of their list is what they have, with the score -inf."
    ]


def short_lists(estimator, histories, items: np.ndarray, k: int | None, n_allowed: int) -> list[str]:
    """Say how many users get best sellers alone, and whether fewer items may be recommended than a list should have."""
    n_strange, n_users, asked = 0, len(histories), k or estimator.k
    for block in histories.blocks() if hasattr(histories, "blocks") else [histories]:
        read = read_histories(block)
        n_strange += int((read.take_events(read.item_codes(items) >= 0).lengths == 0).sum())
    sentences = []
    if n_strange:
        sentences.append(f"{n_strange:,} of {n_users:,} users have no item that the model knows: best sellers alone.")
    if n_allowed < asked:
        why = "The model knows" if n_allowed == estimator.n_items_ else "The options leave"
        sentences.append(f"{why} {n_allowed:,} items, so a list has {n_allowed:,} rather than {asked:,}.")
    return sentences


def add_reasons(rows, estimator, histories, names, at) -> list[str]:
    """Add the column `because`: the items of the history behind each recommendation, with their share.

    Returns what the user must know of them.
    """
    from ..inspection import explain

    width = len(rows) // len(histories)
    reasons = explain(estimator, histories, items=rows["item"].to_numpy().reshape(-1, width).tolist(), at=at)
    known = {} if names is None else dict(zip(names.index.tolist(), names.tolist(), strict=True))
    texts: dict[tuple, list[str]] = {}
    for row in reasons[reasons["share"].astype(float) > 0].itertuples():
        text = f"{known.get(row.reason) or row.reason} {row.share:.0%}"
        texts.setdefault((row.user, row.item), []).append(text)
    keys = zip(rows["user"], rows["item"], strict=True)
    rows["because"] = ["; ".join(texts.get(key, ["popular"])) for key in keys]
    if not (reasons["method"] == "leave-one-out").any():
        return []
    return ["The reasons are leave-one-out: their shares are of what the score loses without each past item."]


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


def say_next(screen: Screen, estimator, model_file: Path, rows) -> None:
    """Print the command that shows what resembles the first recommendation, where the model knows."""
    if hasattr(estimator, "similar_items") and len(rows):
        screen.say(f"What resembles the first of them: {similar_command(model_file, rows['item'].iloc[0])}")
