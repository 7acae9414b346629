"""The options of `skrec auto`."""

from pathlib import Path
from typing import Annotated

import typer

from ._options import MODELS, Log, named_columns
from ._parameters import (
    DropMissing,
    Encoding,
    Event,
    Item,
    K,
    Memory,
    Name,
    Paths,
    Quiet,
    Seen,
    Sessions,
    Time,
    TimeFormat,
    TimeUnit,
    User,
    Verbose,
    Weight,
    Where,
)


def auto(
    context: typer.Context,
    log: Paths,
    user: User,
    item: Item,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to save the model.")],
    budget: Annotated[float, typer.Option(metavar="SECONDS", help="Time for the search and the last fit.")] = 60.0,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", help=f"A candidate: all but the nets, or one of {', '.join(MODELS)}; repeatable."),
    ] = None,
    grids: Annotated[bool, typer.Option("--settings/--no-settings", help="Whether to vary settings.")] = True,
    time: Time = None,
    weight: Weight = None,
    event: Event = None,
    name: Name = None,
    where: Where = None,
    drop_missing: DropMissing = False,
    time_format: TimeFormat = None,
    time_unit: TimeUnit = None,
    encoding: Encoding = None,
    k: K = 10,
    sessions: Sessions = False,
    exclude_seen: Seen = None,
    incremental: Annotated[
        bool, typer.Option("--incremental", help="Keep what `skrec update` needs; only models that can.")
    ] = False,
    leaderboard: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the whole leaderboard, as .csv or .parquet.")
    ] = None,
    memory: Memory = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Choose a model for a log within a time budget, fit it and save it.

    The candidates learn growing samples of the log; the best go on. The quality that is printed is that of users who
    had no part in the choice.
    """
    from ._auto import run

    columns = named_columns(user=user, item=item, time=time, weight=weight, event=event, name=name)
    source = Log(log, columns, where, drop_missing, time_format, time_unit, encoding, sessions)
    run(
        context.obj,
        source,
        models,
        output,
        budget=budget,
        grids=grids,
        k=k,
        exclude_seen=exclude_seen,
        incremental=incremental,
        leaderboard=leaderboard,
        memory=memory,
    )
