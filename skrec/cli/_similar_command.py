"""The options of `skrec similar`."""

from pathlib import Path
from typing import Annotated

import typer

from ._options import Log
from ._parameters import Encoding, K, Memory, Name, Quiet, Verbose, Where


def similar(
    context: typer.Context,
    model_file: Annotated[Path, typer.Argument(metavar="MODEL", help="What skrec fit saved.")],
    items: Annotated[
        list[str], typer.Argument(metavar="ITEM...", help="Items: their ids, or a part of a name in quotes.")
    ],
    k: K = 10,
    log: Annotated[
        list[str] | None, typer.Option(metavar="LOG", help="A log to read names from; repeatable. Else as in fit.")
    ] = None,
    name: Name = None,
    where: Where = None,
    encoding: Encoding = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write all rows, as .csv or .parquet.")
    ] = None,
    memory: Memory = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Find the items most similar to some items, with a saved model."""
    from ._similar import run

    source = None if log is None else Log(log, {}, where, encoding=encoding)
    run(context.obj, model_file, items, source, name, k=k, output=output, memory=memory)
