"""The options of `skrec drift`."""

from pathlib import Path
from typing import Annotated

import typer

from ._options import Log, named_columns
from ._parameters import (
    DropMissing,
    Encoding,
    Event,
    Item,
    Paths,
    Quiet,
    Time,
    TimeFormat,
    TimeUnit,
    User,
    Verbose,
    Weight,
    Where,
)


def drift(
    context: typer.Context,
    log: Paths,
    user: User,
    item: Item,
    time: Time = None,
    weight: Weight = None,
    event: Event = None,
    price: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column with the price of one piece.")] = None,
    category: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column with the item's category.")] = None,
    country: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column with the user's country, or the store.")
    ] = None,
    where: Where = None,
    drop_missing: DropMissing = False,
    time_format: TimeFormat = None,
    time_unit: TimeUnit = None,
    encoding: Encoding = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="A log of the periods before; else they stand in LOG. Repeatable."),
    ] = None,
    period: Annotated[str, typer.Option(metavar="LENGTH", help="Length of a period; weeks begin on Mondays.")] = "7D",
    window: Annotated[int, typer.Option(metavar="NUMBER", help="Number of periods to compare with.")] = 8,
    weeks: Annotated[
        str, typer.Option(metavar="WHICH", help="last: say what is odd in the last period; all: in all of them.")
    ] = "last",
    until: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Until when the log is complete, or now. By default now where the last event is recent, else the end "
            "of the log; a period that is not over is left out.",
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a report, as .html.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write all scores, as .csv or .parquet.")
    ] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Tell whether the last week of a log is like those before; the exit code is 3 on an alarm.

    Exit codes, for cron: 3 where a statistic of the last period alarms, 0 where none does, 2 where the log or an
    option is wrong.
    """
    from ._drift import run

    columns = named_columns(
        user=user, item=item, time=time, weight=weight, event=event, price=price, category=category, country=country
    )
    source = Log(log, columns, where, drop_missing, time_format, time_unit, encoding)
    code = run(
        context.obj,
        source,
        reference=reference,
        period=period,
        window=window,
        weeks=weeks,
        until=until,
        output=output,
        report=report,
    )
    raise typer.Exit(code)
