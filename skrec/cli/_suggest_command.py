"""The options of `skrec suggest`."""

from typing import Annotated

import typer

from ._options import Log, named_columns
from ._parameters import (
    DropMissing,
    Encoding,
    Event,
    Name,
    Paths,
    Quiet,
    Seen,
    Sessions,
    Time,
    TimeFormat,
    TimeUnit,
    Verbose,
    Weight,
    Where,
)


def suggest(
    context: typer.Context,
    log: Paths,
    user: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column that says who; else guessed.")] = None,
    item: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column that says what; else guessed.")] = None,
    time: Time = None,
    weight: Weight = None,
    event: Event = None,
    name: Name = None,
    where: Where = None,
    drop_missing: DropMissing = False,
    time_format: TimeFormat = None,
    time_unit: TimeUnit = None,
    encoding: Encoding = None,
    need: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="What to recommend: repeats, new, session or cold; else as the log has it."),
    ] = None,
    budget_seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Processor seconds that a fit may take.")
    ] = None,
    memory: Annotated[
        float | None, typer.Option(metavar="GIB", help="Memory that a fit may take. Default: what is free.")
    ] = None,
    latency_ms: Annotated[
        float | None, typer.Option(metavar="MILLISECONDS", help="Processor time that a request for one user may take.")
    ] = None,
    sessions: Sessions = False,
    exclude_seen: Seen = None,
    number: Annotated[int, typer.Option(metavar="NUMBER", help="Number of models at most.")] = 4,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Suggest models for a log, with reasons and expected cost, before any is fitted.

    Without --user or --item the columns are guessed as by skrec check.
    """
    from ._suggest import run

    columns = named_columns(user=user, item=item, time=time, weight=weight, event=event, name=name)
    source = Log(log, columns, where, drop_missing, time_format, time_unit, encoding, sessions)
    run(
        context.obj,
        source,
        need=need,
        budget_seconds=budget_seconds,
        memory=memory,
        latency_ms=latency_ms,
        exclude_seen=exclude_seen,
        number=number,
    )
