"""The steps of `skrec similar`."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..utils._commands import command_line
from ..utils._suggest import did_you_mean
from ..utils._validation import plain
from ._data import TABLES, check_output, write_table
from ._ids import match_ids
from ._item_columns import column_of_log, is_large, on_items, saved_names, with_saved
from ._large_log import check_memory, is_store
from ._model_files import load_model
from ._options import Log, check_k
from ._screen import Screen, UserError

_MOST_SHOWN = 20
_MOST_COMPARED = 20_000  # ids among which a misspelt one is searched
HAVE_SIMILAR = [  # the models of `skrec fit` with item vectors or similarities
    *("item-knn", "rp3beta", "transition", "ease", "slim", "pure-svd", "ppmi-svd", "bpr", "als"),
    *("multvae", "gru4rec", "sasrec"),
]


def run(
    screen: Screen,
    model_file: Path,
    texts: list[str],
    log: Log | None,
    name: str | None,
    *,
    k: int,
    output: Path | None,
    memory: float | None,
) -> None:
    """Find the items most similar to some items, with a saved model."""
    check_k(k)
    check_memory(memory)
    check_output(output, "--output", TABLES)
    if name is not None and log is None:
        raise UserError("--name names a column of a log: give the log as well, --log LOG")
    with screen.working("Loading the model"):
        estimator, notes = load_model(model_file)
    model = with_similar_items(screen, estimator, model_file)
    names = saved_names(estimator, notes)
    if log is not None:
        with screen.working("Reading the names"):
            names = with_saved(names_of_log(log, name, estimator.items_, notes, memory), names)
    positions = [find_item(screen, text, estimator, names, model_file) for text in texts]
    asked = estimator.items_[list(dict.fromkeys(positions))]
    check_known(model, asked)
    rows = similar_rows(model, asked, k, names)
    if model.n_items_ - 1 < k:
        n_items = model.n_items_
        screen.say(f"The model knows {n_items:,} items, so a list has {n_items - 1:,} rather than {k:,}.")
    n_rows, rows = len(rows), rows[rows["similarity"] != 0]
    if len(rows) < n_rows:
        screen.say(f"{n_rows - len(rows):,} items have the similarity 0, since nothing links them: they are left out.")
    if names is None:
        screen.say("The model file keeps no names of items: --log LOG --name COLUMN reads them.")
    if output is None:
        show_rows(screen, rows, asked, names)
    else:
        write_table(rows, output)
        screen.say(f"Wrote {len(rows):,} rows for {len(asked):,} items to {output}.")


def with_similar_items(screen: Screen, estimator, model_file: Path):
    """Return the model that finds similar items: the one given, or a part of it, and say which part."""
    if hasattr(estimator, "similar_items"):
        return estimator
    inner = getattr(estimator, "recommender_", estimator)  # of a Reranker
    parts = getattr(inner, "named_recommenders_", None) or getattr(inner, "named_retrievers_", None) or {}
    for part_name, part in parts.items():
        if hasattr(part, "similar_items"):
            screen.say(
                f"A {type(inner).__name__} has no similarities of its own: these are those of its part {part_name}, "
                f"{type(part).__name__}."
            )
            return part
    raise UserError(
        f"{model_file} holds a {type(inner).__name__}, which learns neither item vectors nor similarities: fit one of "
        f"{', '.join(HAVE_SIMILAR)}, such as skrec fit ... --model ease"
    )


def names_of_log(log: Log, name: str | None, items: np.ndarray, notes: dict, memory: float | None):
    """Return the names of items in a log, by the ids of a model."""
    columns = notes["columns"]
    column = name or columns.get("name")
    if column is None:
        raise UserError("--log is read for names of items: name their column with --name")
    if is_store(log):
        raise UserError("--log must be a log of events: stored histories have no names")
    source = replace(log, columns={role: columns[role] for role in ("user", "item")}).like(notes.get("reading", {}))
    values = column_of_log(source, column, "--name", memory, large=is_large(source, memory))
    found = on_items(values, items)
    if not len(found):
        raise UserError(f"--name {column} names none of the items of the model: check the ids in the log")
    return found


def similar_command(model_file: Path, item) -> str:
    """Return the command that finds what is similar to an item."""
    text = str(plain(item))
    return command_line(["skrec", "similar", str(model_file), *(["--"] if text.startswith("-") else []), text])


def find_item(screen: Screen, text: str, estimator, names, model_file: Path) -> int:
    """Return the position of the item that a text means: its id, its name, or a part of one name alone.

    Raises
    ------
    UserError
        If there is none, or several, which are printed.
    """
    items, text = estimator.items_, " ".join(text.split())
    if not text:
        raise UserError("ITEM is empty: name an item by its id, or by a part of its name")
    position = int(match_ids(np.array([text], dtype=object), items)[0][0])
    if position >= 0:
        return position
    shown = plain(items[0])
    if names is None:
        close = did_you_mean(text, map(str, items.tolist())) if len(items) <= _MOST_COMPARED else ""
        meant = close if "did you mean" in close else f", which has ids such as {shown!r}"
        raise UserError(
            f"ITEM {text!r} is none of the {len(items):,} items of the model{meant}; to find it by its name, add --log "
            "LOG --name COLUMN"
        )
    matching = matching_names(text, names)
    if not len(matching):
        close = did_you_mean(text, names.tolist()) if len(names) <= _MOST_COMPARED else ""
        meant = close if "did you mean" in close else f": ids are such as {shown!r}"
        raise UserError(f"ITEM {text!r} is neither an id nor a part of a name of the {len(items):,} items{meant}")
    positions = match_ids(matching.index.to_numpy(), items)[0]
    if len(positions) > 1:
        positions = positions[np.argsort(-np.asarray(estimator.popularity_)[positions], kind="stable")]
        show_candidates(screen, text, estimator, names, positions)
        raise UserError(
            f"ITEM {text!r} is a part of the names of {len(positions):,} items: take one by its id, "
            f"{similar_command(model_file, items[positions[0]])}"
        )
    screen.say(f"{text!r} is taken for {plain(items[positions[0]])}, {matching.iloc[0]}.")
    return int(positions[0])


def matching_names(text: str, names):
    """Return the names that equal a text, else that contain it, else that contain all its words, in any case."""
    folded, wanted = names.str.casefold(), text.casefold()
    for matches in (
        folded == wanted,
        folded.str.contains(wanted, regex=False),
        np.logical_and.reduce([folded.str.contains(word, regex=False) for word in wanted.split()]),
    ):
        if matches.any():
            return names[matches]
    return names.iloc[:0]


def check_known(model, asked: np.ndarray) -> None:
    """Raise where a part of an ensemble lacks an item that another part knows."""
    unknown = asked[~np.isin(asked, model.items_)]
    if len(unknown):
        raise UserError(f"{type(model).__name__} has no events of {plain(unknown[0])!r}, so nothing is similar to it")


def similar_rows(model, asked: np.ndarray, k: int, names):
    """Return a frame with a row per item asked for and similar item."""
    import pandas as pd

    similar, scores = model.similar_items(asked, k, return_scores=True)
    rows = pd.DataFrame(
        {
            "item": np.repeat(asked, similar.shape[1]),
            "rank": np.tile(np.arange(1, similar.shape[1] + 1), len(asked)),
            "similar": similar.ravel(),
            "similarity": scores.ravel(),
        }
    )
    if names is not None:
        rows["name"] = names.reindex(similar.ravel()).to_numpy()
    return rows


def show_rows(screen: Screen, rows, asked: np.ndarray, names) -> None:
    """Print the similar items, a table for each item asked for."""
    for item in asked.tolist():
        own, title = rows[rows["item"] == item], str(item)
        if names is not None and item in names.index:
            title = f"{item}, {names[item]}"
        cells = [
            [row.rank, row.similar, *([] if names is None else [_text(row.name)]), f"{row.similarity:.3f}"]
            for row in own.itertuples(index=False)
        ]
        header = ["rank", "item", *([] if names is None else ["name"]), "similarity"]
        if cells:
            screen.table(header, cells, numbers=(0, len(header) - 1), title=f"Similar to {title}")
        else:
            screen.show(f"Nothing is similar to {title}.")


def show_candidates(screen: Screen, text: str, estimator, names, positions: np.ndarray) -> None:
    """Print items that a text may mean, the most popular first."""
    ids = estimator.items_[positions[:_MOST_SHOWN]].tolist()
    counts = np.asarray(estimator.popularity_)[positions[:_MOST_SHOWN]].tolist()
    cells = [[item, names[item], f"{int(count):,}"] for item, count in zip(ids, counts, strict=True)]
    screen.table(["item", "name", "users"], cells, numbers=(2,), title=f"Items with {text!r} in their name")
    if len(positions) > _MOST_SHOWN:
        screen.show(f"{len(positions) - _MOST_SHOWN:,} more: say more of the name.")


def _text(value) -> str:
    return value if isinstance(value, str) else ""
