"""The steps of `skrec evaluate`, some of which the demo takes as well."""

import contextlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ..recipes import recipe_grid
from ..utils._histories import read_histories
from ._advice import check_of, next_command, say_conclusion
from ._data import TABLES, check_output, facts, say_facts, say_seen, write_table
from ._dates import echo, kind_of_time, parse_moment, say_baskets
from ._hold_out import hold_out, known_names
from ._item_columns import column_of_log, is_large
from ._large_log import check_memory
from ._log import read_log
from ._options import Log, build, check_choice, check_k, chosen_names, settings_by_model
from ._screen import Screen, UserError

# columns of the leaderboard that fit in a terminal
_SHOWN = ("model", "NDCG", "interval", "p vs best", "Hit rate", "Coverage", "fit s", "request ms", "peak MiB")
_LEFT_OUT = ("peak", "Coverage")  # in this order where the terminal is too narrow
_SPLITS = ("time", "last", "basket")
_SPLIT_OF = {"date": "time", "number": "time", "basket": "basket", None: "last"}  # by what the times are


def run(
    screen: Screen,
    log: Log,
    models: list[str] | None,
    settings: list[str],
    *,
    split: str | None,
    at: str | None,
    known_only: bool,
    tune: bool,
    k: int,
    exclude_seen: bool | None,
    report: Path | None,
    category: str | None,
    output: Path | None,
    memory: float | None,
) -> int:
    """Compare models on a log; return 1 if one failed, else 0."""
    check_k(k)
    check_memory(memory)
    check_output(output, "--output", TABLES)
    check_output(report, "--report", (".html",))
    if category is not None and report is None:
        raise UserError("--category is for the report: add --report report.html")
    if category is not None and "-" in log.paths:
        raise UserError("--category reads the log a second time, which standard input cannot: name a file")
    check_choice(split, "--split", _SPLITS)
    split = split or ("time" if at is not None else "last" if log.sessions else None)
    if "time" not in log.columns and split in ("time", "basket"):
        raise UserError(f"--split {split} needs the times of the events: name their column with --time")
    if at is not None and split != "time":
        raise UserError("--at belongs to --split time: leave one of them out")
    if log.sessions and split == "time":
        raise UserError("--sessions holds out the last event of each session: leave --split time and --at out")
    moment = parse_moment(at, "--at", log.time_format)
    fixed = settings_by_model(settings, chosen_names(models, log.columns.get("time")))
    seen_last = exclude_seen is not False
    options: dict[str, Any] = {"k": k, "exclude_seen": seen_last}
    for kind, given in fixed.items():  # wrong settings cost no work
        build(kind, given, time="date" if "time" in log.columns else None, **options)

    histories, names = read_log(screen, log, check=True, memory=memory)
    for sentence in echo(moment):
        screen.say(sentence)
    described = facts(histories)
    say_facts(screen, described)
    say_seen(screen, exclude_seen)
    kind_of = kind_of_time(histories)
    for sentence in say_baskets(kind_of):
        screen.say(sentence)
    split = split or _SPLIT_OF[kind_of]
    question = hold_out(histories, split, moment, seen_last, known_only)
    options |= {"time": kind_of, "rows": log.rows(), "item_names": known_names(names, question.X)}
    if not models or models == ["all"]:  # numbers as times have no days
        able = chosen_names(models, "time" if options["time"] == "date" else None)
        fixed = {kind: given for kind, given in fixed.items() if kind in able}
    chosen, grids = {kind: build(kind, given, **options) for kind, given in fixed.items()}, {}
    validation = None
    if tune:
        grids = grids_of(fixed)
        chosen, validation = with_searches(chosen, question, seen_last, grids)
    n_items = len(read_histories(question.X).ids)
    if k > n_items:
        question.sentences.append(
            f"The learned part has {n_items:,} items, so a list has {n_items:,} rather than {k:,}."
        )
    for sentence in question.sentences:
        screen.say(sentence)
    keep = report is not None or tune
    try:
        leaderboard, details = ask(screen, chosen, question, k, keep=keep, validation=validation)
    except ValueError as error:
        if not str(error).startswith("every model failed"):
            raise
        screen.error(str(error))
        return 1
    show_leaderboard(screen, leaderboard)
    if output is not None:
        write_table(leaderboard.reset_index(), output)
        screen.say(f"Wrote the table to {output}.")
    rows = "sessions" if log.sessions else "customers"
    if report is not None:
        from ..inspection import write_report
        from ._drift import drift_of

        part = {"leaderboard": leaderboard, "details": details, "X": question.X, "y": question.y}
        counts = popularity(question.X)
        more: dict[str, Any] = {
            "names": names,
            "categories": None if category is None else categories_of(log, category, memory),
            "rows": rows,
            "check": check_of(screen, log),
            "drift": drift_of(histories),
        }
        write_report({"Result": part}, report, data=described, split=question.sentences, popularity=counts,
                     random_state=0, **more)  # fmt: skip
        screen.say(f"Wrote the report to {report}.")
    best = say_conclusion(screen, leaderboard, details, rows).model
    found = {}
    if best in grids:
        found = {key: value for key, value in details[best].estimator.get_params().items() if key in grids[best]}
    if report is None:
        screen.say(f"With --report report.html it writes {rows} by name, groups of them and plots to a page.")
    screen.say(f"To fit {best} to the whole log:")
    screen.say(next_command(log, best, fixed[best] | found, k, exclude_seen))
    failed = leaderboard.index[leaderboard["error"] != ""].tolist()
    if failed:
        screen.error(f"{len(failed)} of {len(leaderboard)} models failed: {', '.join(failed)}")
    return int(bool(failed))


def categories_of(log: Log, column: str, memory: float | None):
    """Return the category of each item, the most frequent where a log has several."""
    return column_of_log(log, column, "--category", memory, large=is_large(log, memory))


def grids_of(fixed: dict[str, dict]) -> dict[str, dict]:
    """Return what is worth searching of each model, without what the user has set."""
    grids = {}
    for name, given in fixed.items():
        grid = {key: values for key, values in recipe_grid(name).items() if key not in given}
        if grid:
            grids[name] = grid
    return grids


def with_searches(models: dict, question: Bunch, exclude_seen: bool, grids: dict) -> tuple[dict, tuple]:
    """Wrap models in searches, and cut the part inside X that these choose by."""
    from sklearn.model_selection import GridSearchCV

    from ..model_selection import SameUsers

    chosen = dict(models)
    for name, grid in grids.items():
        chosen[name] = GridSearchCV(models[name], grid, cv=SameUsers(), error_score="raise", refit=True)
    part = hold_out(question.X, question.split, None, exclude_seen, False)
    kind = {
        "time": "the last 10 % of those events",
        "last": "the last of those events of each user",
        "basket": "the last of those baskets of each user",
    }[question.split]
    question.sentences.append(f"Their parameters were chosen by {kind}; then they learned from all.")
    if untuned := [name for name in models if name not in grids]:
        question.sentences.append(f"Nothing is searched for {', '.join(untuned)}.")
    return chosen, (part.X, part.y)


def ask(screen: Screen, models: dict, question: Bunch, k: int, *, keep: bool = False, validation=None):
    """Compare models; `keep` returns the fitted ones as well, `validation` is what searches choose by."""
    from ..model_selection import compare

    with screen.working(f"Comparing {len(models)} models") as progress:
        shown = contextlib.nullcontext() if progress is None else contextlib.redirect_stdout(progress)
        with shown:
            return compare(
                models,
                question.X,
                question.y,
                k=k,
                validation=validation,
                verbose=int(progress is not None),
                return_per_user=True,
                return_estimator=keep,
            )


def show_leaderboard(screen: Screen, leaderboard, title: str = "") -> None:
    """Print a leaderboard, and why models failed."""
    from ..inspection._report_leaderboard import leaderboard_rows

    header, rows = leaderboard_rows(leaderboard)
    columns = [number for number, name in enumerate(header) if any(word in name for word in _SHOWN)]
    rows = [[row[number] for number in columns] for row in rows]
    header = ["\n".join(header[number].replace("Coverage@", "Coverage @").rsplit(" ", 1)) for number in columns]
    for name in _LEFT_OUT:  # rather than break the names of models
        if _width(header, rows) > shutil.get_terminal_size().columns:
            keep = [number for number, text in enumerate(header) if name not in text]
            header, *rows = [[row[number] for number in keep] for row in (header, *rows)]
    screen.table(header, rows, numbers=range(1, len(header)), bold=0, title=title)
    for name, error in leaderboard.loc[leaderboard["error"] != "", "error"].items():
        screen.show(f"{name} failed: {error}")


def _width(header, rows) -> int:
    """Return how many characters a table takes: its columns, and two for each between and around them."""
    cells = [[*name.split("\n"), *column] for name, column in zip(header, zip(*rows, strict=True), strict=True)]
    return sum(max(map(len, column)) + 2 for column in cells)


def popularity(histories) -> tuple[np.ndarray, np.ndarray]:
    """Count the users of each item."""
    read = read_histories(histories)
    pairs = np.unique(read.rows * len(read.ids) + read.codes)
    return read.ids, np.bincount(pairs % len(read.ids), minlength=len(read.ids))
