"""The options of `skrec serve`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ._options import Log, named_columns
from ._parameters import DropMissing, Encoding, Event, Name, Quiet, TimeFormat, TimeUnit, Verbose, Weight, Where


def serve(
    context: typer.Context,
    model_file: Annotated[Path | None, typer.Argument(metavar="[MODEL]", help="What skrec fit saved.")] = None,
    log: Annotated[
        list[str] | None, typer.Option("--log", metavar="FILE", help="Events for an empty database; repeatable.")
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="COLUMN", help="As in fit; by default the model's.")] = None,
    item: Annotated[str | None, typer.Option(metavar="COLUMN", help="As in fit.")] = None,
    time: Annotated[str | None, typer.Option(metavar="COLUMN", help="As in fit.")] = None,
    weight: Weight = None,
    event: Event = None,
    name: Name = None,
    where: Where = None,
    drop_missing: DropMissing = False,
    time_format: TimeFormat = None,
    time_unit: TimeUnit = None,
    encoding: Encoding = None,
    demo: Annotated[bool, typer.Option("--demo", help="Serve the bundled shop, Online Retail.")] = False,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Settings, as TOML.")] = None,
    database: Annotated[str | None, typer.Option(metavar="URL", help="sqlite:///path or postgresql://...")] = None,
    models: Annotated[str | None, typer.Option(metavar="FOLDER", help="Where the model files are.")] = None,
    host: Annotated[str | None, typer.Option(help="Address; other than loopback needs a key.")] = None,
    port: Annotated[int | None, typer.Option(help="Port.")] = None,
    workers: Annotated[int | None, typer.Option(help="Number of API processes.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Check the settings and the database, and stop.")] = False,
    add_key: Annotated[
        str | None, typer.Option("--add-key", metavar="NAME", help="Make a key, show it once, and stop.")
    ] = None,
    role: Annotated[str, typer.Option(help="Role of the key: api or admin.")] = "api",
    revoke_key: Annotated[
        str | None, typer.Option("--revoke-key", metavar="NAME", help="Revoke a key, and stop.")
    ] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Serve recommendations over HTTP, with a page for the shop's people.

    All settings may stand in a TOML file (--config) or in the environment (SKREC_SERVE_PORT=8001); options win.
    """
    from ._serve import run

    columns = named_columns(user=user, item=item, time=time, weight=weight, event=event, name=name)
    source = Log(log or [], columns, where, drop_missing, time_format, time_unit, encoding)
    settings: dict[str, Any] = {"database": database, "models": models, "host": host, "port": port, "workers": workers}
    keys: dict[str, Any] = {"add_key": add_key, "role": role, "revoke_key": revoke_key}
    run(context.obj, model_file, source, config=config, demo=demo, check=check, **keys, **settings)
