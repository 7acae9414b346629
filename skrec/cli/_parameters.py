"""Options that several commands share."""

from typing import Annotated

import typer

from ._options import UNITS


def _set_verbose(context: typer.Context, value: bool) -> bool:
    context.obj.verbose = context.obj.verbose or value
    return value


def _set_quiet(context: typer.Context, value: bool) -> bool:
    context.obj.quiet = context.obj.quiet or value
    return value


Paths = Annotated[
    list[str],
    typer.Argument(metavar="LOG...", help="CSV, JSON lines or parquet files, patterns in quotes, or - to read a pipe."),
]
User = Annotated[str, typer.Option("--user", metavar="COLUMN", help="Column that says who.")]
Item = Annotated[str, typer.Option("--item", metavar="COLUMN", help="Column that says what.")]
Time = Annotated[str | None, typer.Option("--time", metavar="COLUMN", help="Column that says when.")]
Weight = Annotated[str | None, typer.Option("--weight", metavar="COLUMN", help="Column that says how much.")]
Event = Annotated[str | None, typer.Option("--event", metavar="COLUMN", help="Column that says what kind of event.")]
Name = Annotated[str | None, typer.Option("--name", metavar="COLUMN", help="Column with the name of the item.")]
Where = Annotated[
    str | None, typer.Option("--where", metavar="TEST", help='Keep the rows that pass, such as "Quantity > 0".')
]
DropMissing = Annotated[
    bool, typer.Option("--drop-missing", help="Leave out events that lack the user, the item or the time.")
]
TimeFormat = Annotated[
    str | None, typer.Option(metavar="FORMAT", help="How dates are written, such as %d.%m.%Y; else ISO 8601.")
]
TimeUnit = Annotated[
    str | None, typer.Option(metavar="UNIT", help=f"What times count since 1970: one of {', '.join(UNITS)}.")
]
Encoding = Annotated[str | None, typer.Option(metavar="NAME", help="Encoding of text files, such as latin-1.")]
K = Annotated[int, typer.Option("-k", metavar="NUMBER", help="Number of recommendations.")]
Sessions = Annotated[
    bool, typer.Option("--sessions", help="A user of the log is one session, as of anonymous visitors.")
]
Seen = Annotated[
    bool | None,
    typer.Option("--exclude-seen/--include-seen", help="Whether items that a user already has come last."),
]
Memory = Annotated[
    float | None,
    typer.Option(metavar="GIB", help="Memory to take; larger logs are sorted on disk. Default: half of the free."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show tracebacks of errors.", callback=_set_verbose)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results only.", callback=_set_quiet)]
