"""The options of `skrec recommend`."""

from pathlib import Path
from typing import Annotated

import typer

from ._options import Log
from ._parameters import DropMissing, Encoding, Memory, Paths, Quiet, Seen, TimeFormat, TimeUnit, Verbose, Where


def recommend(
    context: typer.Context,
    model_file: Annotated[Path, typer.Argument(metavar="MODEL", help="What skrec fit saved.")],
    log: Paths,
    users: Annotated[list[str] | None, typer.Option(metavar="ID", help="A user, or all; repeatable.")] = None,
    users_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Users, one a line.")] = None,
    where: Where = None,
    drop_missing: DropMissing = False,
    time_format: TimeFormat = None,
    time_unit: TimeUnit = None,
    encoding: Encoding = None,
    k: Annotated[int | None, typer.Option("-k", metavar="NUMBER", help="Number; by default the model's.")] = None,
    exclude_seen: Seen = None,
    candidates: Annotated[
        str | None,
        typer.Option(metavar="FILE|IDS", help="The only items to recommend: a file, one a line, or ids with commas."),
    ] = None,
    exclude: Annotated[
        str | None, typer.Option(metavar="FILE|IDS", help="Items not to recommend, given in the same way.")
    ] = None,
    max_per: Annotated[
        str | None,
        typer.Option(metavar="COLUMN[=NUMBER]", help="At most this many items with one value of a column; default 1."),
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A table of items with the columns of --max-per and --name; else the log."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column with the name of the item; else as in fit.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="DATE", help="The moment of asking; later events are left out.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Name the past items behind each recommendation.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Go on where the model knows less than half of the items of the log.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write all rows, as .csv or .parquet.")
    ] = None,
    memory: Memory = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Recommend items to users of a log, with a saved model."""
    from ._recommend import run
    from ._request import Asked

    source = Log(log, {}, where, drop_missing, time_format, time_unit, encoding)
    run(
        context.obj,
        model_file,
        source,
        users,
        users_file,
        asked=Asked(candidates, exclude, max_per, items, name, at),
        k=k,
        exclude_seen=exclude_seen,
        explain=explain,
        force=force,
        output=output,
        memory=memory,
    )
