"""The steps of `skrec evaluate`, some of which the demo takes as well."""

import contextlib
import shlex
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ..recipes import recipe_grid
from ..utils._histories import read_histories
from ._data import TABLES, check_output, facts, last_part, say_facts, say_seen, write_table
from ._dates import Moment, as_argument, echo, kind_of_time, moment_text, parse_moment, span, times_of
from ._log import read_log
from ._options import Log, build, check_choice, check_k, chosen_names, settings_by_model
from ._screen import Screen, UserError

# columns of the leaderboard that fit in a terminal
_SHOWN = ("model", "NDCG", "interval", "p vs best", "Hit rate", "Coverage", "fit s", "peak MiB")
_SPLITS = ("time", "last")
_FEW_USERS = 30  # below, chance decides which model is best
_FLOORS = ("popularity", "popularity-30d", "random")
_TOO_FEW = "too few users to evaluate"


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
    output: Path | None,
) -> int:
    """Compare models on a log; return 1 if one failed, else 0."""
    check_k(k)
    check_output(output, "--output", TABLES)
    check_output(report, "--report", (".html",))
    check_choice(split, "--split", _SPLITS)
    split = split or ("time" if "time" in log.columns or at else "last")
    if "time" not in log.columns and (split == "time" or at is not None):
        raise UserError("--split time needs the times of the events: name their column with --time")
    if at is not None and split == "last":
        raise UserError("--at belongs to --split time: leave one of them out")
    moment = parse_moment(at, "--at", log.time_format)
    fixed = settings_by_model(settings, chosen_names(models, log.columns.get("time")))
    seen_last = exclude_seen is not False
    options: dict[str, Any] = {"k": k, "exclude_seen": seen_last}
    for kind, given in fixed.items():  # wrong settings cost no work
        build(kind, given, time="date" if "time" in log.columns else None, **options)

    histories, names = read_log(screen, log, check=True)
    for sentence in echo(moment):
        screen.say(sentence)
    described = facts(histories)
    say_facts(screen, described)
    say_seen(screen, exclude_seen)
    question = hold_out(histories, split, moment, seen_last, known_only)
    options |= {"time": kind_of_time(histories), "item_names": known_names(names, question.X)}
    if not models or models == ["all"]:  # numbers as times have no days
        able = chosen_names(models, "time" if options["time"] == "date" else None)
        fixed = {kind: given for kind, given in fixed.items() if kind in able}
    chosen, grids = {kind: build(kind, given, **options) for kind, given in fixed.items()}, {}
    validation = None
    if tune:
        grids = grids_of(fixed)
        chosen, validation = with_searches(chosen, question, seen_last, grids)
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
    if report is not None:
        from ..inspection import write_report

        part = {"leaderboard": leaderboard, "details": details, "y": question.y}
        counts = popularity(question.X)
        write_report(report, {"Result": part}, data=described, split=question.sentences, popularity=counts,
                     random_state=0)  # fmt: skip
        screen.say(f"Wrote the report to {report}.")
    best, sentence = advice(leaderboard)
    found = {}
    if best in grids:
        found = {key: value for key, value in details[best].estimator.get_params().items() if key in grids[best]}
    screen.say(sentence)
    screen.say(next_command(log, best, fixed[best] | found, k, exclude_seen))
    failed = leaderboard.index[leaderboard["error"] != ""].tolist()
    if failed:
        screen.error(f"{len(failed)} of {len(leaderboard)} models failed: {', '.join(failed)}")
    return int(bool(failed))


def hold_out(histories, split: str, at: Moment | None, exclude_seen: bool, known_only: bool) -> Bunch:
    """Split a log; return X, y and sentences that say what was done."""
    from ..model_selection import split_last, split_time

    options: dict[str, Any] = {"exclude_seen": exclude_seen, "exclude_unknown": known_only, "verbose": 0}
    lengths = read_histories(histories).lengths
    if split == "last" and (lengths > 1).sum() < 2:
        raise UserError(
            f"{_TOO_FEW}: {int((lengths > 1).sum()):,} of {len(lengths):,} have two events or more, so that the last "
            "can be held out: give a log in which users return, and check that --user names the column of users"
        )
    try:
        if split == "time":
            start = last_part(histories) if at is None else at.on_scale_of(histories)
            _check_inside(histories, start, at)
            X, y = split_time(histories, as_argument(histories, start), **options)
            text = moment_text(histories, start)
            how = f"events before {text}", f"from {text} on"
        else:
            X, y = split_last(histories, **options)
            how = "events that are not the last of their user", "last"
    except ValueError as error:
        if "were left out" not in str(error):
            raise
        raise UserError(f"{_TOO_FEW}: {error}; {_instead(split, exclude_seen, known_only)}") from error
    if known_only:
        known = read_histories(X).lengths > 0
        X, y = X[known], y[known]
    past, held = read_histories(X), read_histories(y)
    asked = int((held.lengths > 0).sum())
    if asked < 2:
        raise UserError(
            f"{_TOO_FEW}: {asked} of {len(past):,} have a held-out item; {_instead(split, exclude_seen, known_only)}"
        )
    kind = "new items" if exclude_seen else "items"
    which = "left out" if exclude_seen else "included"
    sentences = [
        f"The models learned from the {len(past.codes):,} {how[0]} ({int((past.lengths > 0).sum()):,} users, "
        f"{len(past.ids):,} items) and from nothing else.",
        f"They were asked which {kind} came {how[1]}, those that the user had before {which}: "
        f"{len(held.codes):,} items of {asked:,} users.",
    ]
    if known_only:
        sentences.append("Users and items that are not in the learned part are left out of the question.")
    else:
        new_users = int(((past.lengths == 0) & (held.lengths > 0)).sum())
        new_items = int((held.item_codes(np.sort(past.ids)) < 0).sum())
        sentences.append(
            f"Of these, {new_users:,} users and {new_items:,} items are not in the learned part: such items count as "
            "misses (--known-only leaves both out)."
            if new_users or new_items
            else "All of these users and items are in the learned part."
        )
    if split == "last":
        sentences.append("The last events of users lie at different times: a split in time is closer to real use.")
    if asked < _FEW_USERS:
        sentences.append(f"Only {asked} users could be asked: chance alone may decide which model is best.")
    return Bunch(X=X, y=y, sentences=sentences, split=split)


def _check_inside(histories, start: float, at: Moment | None) -> None:
    """Raise unless events lie before a moment and from it on."""
    times = times_of(histories)
    first, last = span(histories)
    if times.min() == times.max():
        raise UserError(f"all events have the time {first}, so none comes after: --split last needs no times")
    if not times.min() < start <= times.max():
        what = "nothing is held out, no event follows" if start > times.max() else "no event comes before"
        raise UserError(f"{what} --at {at}: the log goes from {first} to {last}, choose a moment inside")


def _instead(split: str, exclude_seen: bool, known_only: bool) -> str:
    """Say which options would ask more users."""
    ways = ["--include-seen"] if exclude_seen else []
    ways += ["no --known-only"] if known_only else []
    ways += ["an earlier --at"] if split == "time" else ["a larger log"]
    return f"try {' or '.join(ways)}"


def known_names(names, X):
    """Keep the names of the items that a model learns from: what is sold later is not known yet."""
    return None if names is None else names[names.index.isin(read_histories(X).ids)]


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
    kind = "the last 10 % of those events" if question.split == "time" else "the last of those events of each user"
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
    from ..inspection._report import leaderboard_rows

    header, rows = leaderboard_rows(leaderboard)
    columns = [number for number, name in enumerate(header) if any(word in name for word in _SHOWN)]
    rows = [[row[number] for number in columns] for row in rows]
    numbers = range(1, len(columns))
    header = ["\n".join(header[number].replace("Coverage@", "Coverage @").rsplit(" ", 1)) for number in columns]
    screen.table(header, rows, numbers=numbers, bold=0, title=title)
    for name, error in leaderboard.loc[leaderboard["error"] != "", "error"].items():
        screen.show(f"{name} failed: {error}")


def advice(leaderboard) -> tuple[str, str]:
    """Return the model to begin with, and one sentence that says why.

    It is the best, or one that chance alone may have put behind it: popularity, since a simple model must not be
    as good, or one that fits in less than half the time.
    """
    good = leaderboard[leaderboard["error"] == ""]
    key, best = good.columns[0], good.index[0]
    equal = good[(good["p_value"] >= 0.05) | (good.index == best)]
    seconds = equal["fit_seconds"]
    floor = next((name for name in _FLOORS if name in equal.index), None)
    first = best if floor is None else floor
    if floor is None and seconds[best] > 1 and seconds.min() < seconds[best] / 2:
        first = seconds.idxmin()
    value = f"{key.replace('ndcg', 'NDCG')} {good.loc[first, key]:.3f}"
    if len(good) == 1:
        text = f"{first} has {value}: compare it with popularity before you trust it"
    elif floor is not None:
        text = f"no model is clearly better than {first} ({value}): a larger log may tell more"
    elif len(equal) == 1:
        text = f"{first} is the best here, {value}, and chance alone does not explain its lead"
    elif first == best:
        text = (
            f"{first} is the best here, {value}, but chance alone may put it before {_listed(equal.index.drop(first))}"
        )
    else:
        n_users = leaderboard.attrs["n_scored"]
        text = f"{first} is as good as {best}, as far as {n_users:,} users tell, and fits in less than half the time"
    return first, f"Advice: {text}. To fit {first} to the whole log:"


def _listed(names) -> str:
    names = list(names)
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def next_command(log: Log, model: str, settings: dict, k: int, exclude_seen: bool | None) -> str:
    """Return the command that fits a model as it was compared."""
    words = ["skrec", "fit", *log.arguments(), "--model", model]
    for name, value in settings.items():
        words += ["--set", f"{name}={value}"]
    words += [] if exclude_seen is None else ["--exclude-seen" if exclude_seen else "--include-seen"]
    return "  " + shlex.join([*words, *(["-k", str(k)] if k != 10 else []), "-o", "model.skrec"])


def popularity(histories) -> tuple[np.ndarray, np.ndarray]:
    """Count the users of each item."""
    read = read_histories(histories)
    pairs = np.unique(read.rows * len(read.ids) + read.codes)
    return read.ids, np.bincount(pairs % len(read.ids), minlength=len(read.ids))
