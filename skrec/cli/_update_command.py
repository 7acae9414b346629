"""The options of `skrec update`."""

from pathlib import Path
from typing import Annotated

import typer

from ._options import Log
from ._parameters import DropMissing, Encoding, Paths, Quiet, TimeFormat, TimeUnit, Verbose, Where


def update(
    context: typer.Context,
    model_file: Annotated[Path, typer.Argument(metavar="MODEL", help="A file that skrec fit --incremental saved.")],
    log: Paths,
    where: Where = None,
    drop_missing: DropMissing = False,
    time_format: TimeFormat = None,
    time_unit: TimeUnit = None,
    encoding: Encoding = None,
    force: Annotated[
        bool, typer.Option("--force", help="Go on where the log has no events that the model knows.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to save; by default the same file.")
    ] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Let a saved model learn the events of a log that came after its last one.

    The log must hold the complete histories of the users who have new events.
    """
    from ._update import run

    source = Log(log, {}, where, drop_missing, time_format, time_unit, encoding)
    run(context.obj, model_file, source, force=force, output=output)
