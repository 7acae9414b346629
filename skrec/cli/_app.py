"""The commands and their options: what is given goes to the module of the command."""

import logging
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from ._auto_command import auto
from ._check_command import check
from ._drift_command import drift
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
from ._recommend_command import recommend
from ._screen import Screen
from ._serve_command import serve
from ._similar_command import similar
from ._suggest_command import suggest
from ._update_command import update

app = typer.Typer(
    name="skrec",
    help="Recommend items from a log of events: who, what, when.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:
    if value:
        from .. import __version__

        print(f"skrec {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    context: typer.Context,
    output_dir: Annotated[Path, typer.Option(help="Where to write its files.")] = Path("skrec-demo"),
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Compare all models on a real shop, the bundled Online Retail, in five to ten minutes."""
    from ._demo import run

    run(context.obj, output_dir)


@app.command()
def fit(
    context: typer.Context,
    log: Paths,
    user: User,
    item: Item,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to save the model.")],
    model: Annotated[str, typer.Option(help=f"One of {', '.join(MODELS)}.")] = "ease",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter: l2=200, vectorizer__recency=0.6."),
    ] = None,
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
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Learn from events from here on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Learn from events before.")] = None,
    incremental: Annotated[
        bool, typer.Option("--incremental", help="Keep what `skrec update` needs; the file is larger.")
    ] = False,
    memory: Memory = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Fit a model to a log and save it."""
    from ._fit import run

    columns = named_columns(user=user, item=item, time=time, weight=weight, event=event, name=name)
    source = Log(log, columns, where, drop_missing, time_format, time_unit, encoding, sessions)
    run(
        context.obj,
        source,
        model,
        settings or [],
        output,
        k=k,
        exclude_seen=exclude_seen,
        since=since,
        until=until,
        incremental=incremental,
        memory=memory,
    )


@app.command()
@app.command("compare", help="The same as evaluate, under the name of the function in Python.")
def evaluate(
    context: typer.Context,
    log: Paths,
    user: User,
    item: Item,
    time: Time = None,
    weight: Weight = None,
    event: Event = None,
    name: Name = None,
    where: Where = None,
    drop_missing: DropMissing = False,
    time_format: TimeFormat = None,
    time_unit: TimeUnit = None,
    encoding: Encoding = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", help=f"All but the nets, or one of {', '.join(MODELS)}; repeatable."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="MODEL.NAME=VALUE", help="A parameter of one model: ease.l2=200."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="time: hold out what follows a moment; last, basket: the last one of each user.",
        ),
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="DATE", help="That moment; by default the last 10 % follow.")
    ] = None,
    known_only: Annotated[
        bool, typer.Option("--known-only", help="Ask only about users and items of the learned part.")
    ] = False,
    tune: Annotated[
        bool, typer.Option("--tune", help="Search a few parameters of each model on a part of what it learns from.")
    ] = False,
    k: K = 10,
    sessions: Sessions = False,
    exclude_seen: Seen = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a report, as .html.")] = None,
    category: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column with the item's category, for the report.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the table, as .csv or .parquet.")
    ] = None,
    memory: Memory = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Compare models honestly: they learn from the past and are asked for what came after."""
    from ._evaluate import run

    columns = named_columns(user=user, item=item, time=time, weight=weight, event=event, name=name)
    source = Log(log, columns, where, drop_missing, time_format, time_unit, encoding, sessions)
    code = run(
        context.obj,
        source,
        models,
        settings or [],
        split=split,
        at=at,
        known_only=known_only,
        tune=tune,
        k=k,
        exclude_seen=exclude_seen,
        report=report,
        category=category,
        output=output,
        memory=memory,
    )
    raise typer.Exit(code)


app.command()(check)
app.command()(suggest)
app.command()(auto)
app.command()(recommend)
app.command()(similar)
app.command()(update)
app.command()(drift)
app.command()(serve)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    argv : list of str, default=None
        The arguments; None takes those of the process.

    Returns
    -------
    int
        0 when all went well, 2 for an error that the user can put right, 1 for any other and where a model failed
        in a comparison, 3 where `skrec drift` alarms, 130 when interrupted.

    Examples
    --------
    >>> from skrec.cli import main
    >>> main(["--version"])
    skrec ...
    0
    """
    screen = Screen()
    argv, watched = sys.argv[1:] if argv is None else argv, logging.getLogger("skrec")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("always", category=UserWarning)
            warnings.showwarning = screen.warn
            watched.addHandler(screen.notes)
            result = typer.main.get_command(app).main(args=argv, prog_name="skrec", standalone_mode=False, obj=screen)
    except (KeyboardInterrupt, typer.Abort):
        print("skrec: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        return screen.fail(error)
    finally:
        watched.removeHandler(screen.notes)
    return result if isinstance(result, int) else 0
