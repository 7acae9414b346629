"""The steps of `skrec fit`."""

import time
from pathlib import Path

from ._data import check_output, cut_log, facts, say_facts, say_seen
from ._dates import echo, kind_of_time, parse_moment, say_baskets
from ._large_log import check_memory
from ._log import read_log
from ._model_files import learned_until, save_model
from ._next import say_next
from ._options import Log, build, check_k, check_name, parse_settings
from ._screen import Screen, UserError


def run(
    screen: Screen,
    log: Log,
    model: str,
    settings: list[str],
    output: Path,
    *,
    k: int,
    exclude_seen: bool | None,
    since: str | None,
    until: str | None,
    incremental: bool,
    memory: float | None,
) -> None:
    """Fit a model to a log and save it."""
    check_k(k)
    check_name(model, log.columns.get("time"))
    check_output(output, "--output")
    check_memory(memory)
    given = parse_settings(settings)
    start = parse_moment(since, "--since", log.time_format)
    end = parse_moment(until, "--until", log.time_format)
    if (start or end) and "time" not in log.columns:
        raise UserError("--since and --until need the times of the events: name their column with --time")
    options = {"k": k, "exclude_seen": exclude_seen is not False, "rows": log.rows()}
    build(model, given, time="date" if "time" in log.columns else None, **options)  # wrong settings cost no work
    histories, names = read_log(screen, log, check=True, memory=memory)
    kind_of = kind_of_time(histories)
    histories = cut_log(histories, start, end)
    for sentence in (*echo(start, end), *say_baskets(kind_of)):
        screen.say(sentence)
    if incremental and kind_of == "basket":
        raise UserError("--incremental: the times number the baskets of each user, which do not tell what is new later")
    estimator = build(model, given, time=kind_of, item_names=names, **options)
    if incremental:
        keep_statistics(estimator, model)
    described = facts(histories)
    say_facts(screen, described)
    say_seen(screen, exclude_seen)
    started = time.perf_counter()
    with screen.working(f"Fitting {model}"):
        estimator.fit(histories)
    seconds = time.perf_counter() - started
    since, until = (None if one is None else str(one) for one in (start, end))
    notes: dict = {"data": described, "since": since, "until": until, "model": model, "time": kind_of}
    if "time" in histories.columns:
        notes |= learned_until(histories)
    save_model(estimator, output, notes, log, names)
    fitted = f"Fitted {in_short(model, given)} to {estimator.n_items_:,} items in {seconds:.1f} s"
    screen.say(f"{fitted}; saved to {output}.")
    if k > estimator.n_items_:
        screen.say(f"A list will have {estimator.n_items_:,} items rather than {k:,}, since the model knows no more.")
    say_next(screen, log, output, histories, incremental=incremental)


def keep_statistics(estimator, model: str) -> None:
    """Let a model, and all its parts, keep what updates need; raise where it cannot be updated."""
    parameters = [name for name in estimator.get_params() if name.rpartition("__")[2] == "incremental"]
    estimator.set_params(**dict.fromkeys(parameters, True))
    if not hasattr(estimator, "partial_fit"):
        raise UserError(f"--incremental: {model} has a part that cannot be updated: leave it out and fit again instead")


def in_short(model: str, settings: dict) -> str:
    """Name a model and what was set."""
    return model + (f" ({', '.join(f'{name}={value!r}' for name, value in settings.items())})" if settings else "")
