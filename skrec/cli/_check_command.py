"""The options of `skrec check`."""

from pathlib import Path
from typing import Annotated

import typer

from ._options import Log, named_columns
from ._parameters import (
    Encoding,
    Event,
    Name,
    Paths,
    Quiet,
    Time,
    TimeFormat,
    TimeUnit,
    Verbose,
    Weight,
    Where,
)


def check(
    context: typer.Context,
    log: Paths,
    user: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column that says who; else guessed.")] = None,
    item: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column that says what; else guessed.")] = None,
    time: Time = None,
    weight: Weight = None,
    event: Event = None,
    name: Name = None,
    where: Where = None,
    time_format: TimeFormat = None,
    time_unit: TimeUnit = None,
    encoding: Encoding = None,
    rows: Annotated[int, typer.Option(metavar="NUMBER", help="Number of rows to read, the first.")] = 1_000_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print all facts as JSON, and nothing else.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write all facts, as .csv, .parquet, .json or .html."),
    ] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Check a log: guess its columns, count what is suspicious, and print the commands to go on with.

    The exit code is 2 where no model can be fitted before something is put right.
    """
    from ._check import run

    columns = named_columns(user=user, item=item, time=time, weight=weight, event=event, name=name)
    source = Log(log, columns, where, False, time_format, time_unit, encoding)
    raise typer.Exit(run(context.obj, source, rows=rows, as_json=as_json, output=output))
