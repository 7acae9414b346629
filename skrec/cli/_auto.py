"""The steps of `skrec auto`."""

import contextlib
import json
import time
from pathlib import Path

from ._advice import next_command
from ._data import TABLES, check_output, facts, say_facts, say_seen, write_table
from ._dates import kind_of_time, say_baskets
from ._fit import in_short
from ._large_log import check_memory
from ._log import read_log
from ._model_files import learned_until, save_model
from ._next import say_next
from ._options import Log, check_k, chosen_names
from ._screen import Screen, UserError

_SHOWN = 12  # rows of the leaderboard; the file has all


def run(
    screen: Screen,
    log: Log,
    models: list[str] | None,
    output: Path,
    *,
    budget: float,
    grids: bool,
    k: int,
    exclude_seen: bool | None,
    incremental: bool,
    leaderboard: Path | None,
    memory: float | None,
) -> None:
    """Choose a model for a log, fit it and save it."""
    from ..advice import AutoRecommender

    check_k(k)
    if not budget > 0:
        raise UserError(f"--budget must be more than 0 seconds, got {budget:g}")
    named = chosen_names(models, log.columns.get("time")) if models and models != ["all"] else None
    check_output(output, "--output")
    check_output(leaderboard, "--leaderboard", TABLES)
    check_memory(memory)
    histories, names = read_log(screen, log, check=True, memory=memory)
    kind_of = kind_of_time(histories)
    for sentence in say_baskets(kind_of):
        screen.say(sentence)
    if incremental and kind_of == "basket":
        raise UserError("--incremental: the times number the baskets of each user, which do not tell what is new later")
    described = facts(histories)
    say_facts(screen, described)
    say_seen(screen, exclude_seen)
    options = {"k": k, "exclude_seen": exclude_seen is not False, "rows": log.rows(), "time": kind_of}
    started = time.perf_counter()
    with screen.working("Choosing a model") as progress:
        shown = contextlib.nullcontext() if progress is None else contextlib.redirect_stdout(progress)
        with shown:
            model = AutoRecommender(
                budget=budget,
                recipes=named,
                grids=grids,
                item_names=names,
                incremental=incremental,
                random_state=0,
                verbose=int(progress is not None),
                **options,
            ).fit(histories)
    seconds = time.perf_counter() - started
    board, settings = model.leaderboard_, model.best_settings_
    _show(screen, board, k)
    if leaderboard is not None:
        write_table(board, leaderboard)
        screen.say(f"Wrote the leaderboard to {leaderboard}.")
    chosen = in_short(model.best_recipe_, settings)
    screen.say(f"Chosen: {chosen}, {model.reason_}.")
    if model.n_scored_:
        screen.say(
            f"On {model.n_scored_:,} other users its NDCG@{k} is {model.score_:.3f}, 95 % interval "
            f"{model.score_interval_[0]:.3f} to {model.score_interval_[1]:.3f}. They had no part in the choice."
        )
    notes: dict = {"data": described, "since": None, "until": None, "model": model.best_recipe_, "time": kind_of}
    notes["auto"] = {"reason": model.reason_, "leaderboard": json.loads(board.to_json(orient="records"))}
    if "time" in histories.columns:
        notes |= learned_until(histories)
    save_model(model.best_estimator_, output, notes, log, names)
    screen.say(f"Chosen and fitted to {model.n_items_:,} items in {seconds:.1f} s; saved to {output}.")
    say_next(screen, log, output, histories, incremental=incremental)
    screen.say("To fit the same model again without the search:")
    screen.say(next_command(log, model.best_recipe_, settings, k, exclude_seen))


def _show(screen: Screen, board, k: int) -> None:
    """Print the first rows of the leaderboard."""
    rows: list[list[str]] = []
    for row in board[:_SHOWN].itertuples():
        score = f"{row.score:.4f}" if row.score == row.score else ""
        between = f"{row.score_low:.3f}-{row.score_high:.3f}" if row.score_low == row.score_low else ""
        users = f"{row.n_users:,}" if row.n_users else ""
        name = in_short(row.recipe, json.loads(row.settings))
        rows.append([name, users, score, between, f"{row.seconds:.1f}", "chosen" if not rows else row.why])
    header = ["model", "users", f"NDCG@{k}", "interval", "s", "what became of it"]
    screen.table(header, rows, numbers=(1, 2, 3, 4), bold=0)
    if len(board) > _SHOWN:
        screen.say(f"{len(board) - _SHOWN} more candidates are left out; --leaderboard FILE writes all.")
