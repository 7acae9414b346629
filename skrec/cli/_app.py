"""The commands and their options."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ._models import MODELS, NEED_TIME, QUICK, check_k, check_name, make_model, parse_settings, settings_by_model
from ._screen import Screen, UserError

app = typer.Typer(
    name="skrec",
    help="Recommend items from a log of events: who, what, when.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Split(StrEnum):
    """How to hold out."""

    time = "time"
    last = "last"


def _set_verbose(context: typer.Context, value: bool) -> bool:
    context.obj.verbose = context.obj.verbose or value
    return value


def _set_quiet(context: typer.Context, value: bool) -> bool:
    context.obj.quiet = context.obj.quiet or value
    return value


def _print_version(value: bool) -> None:
    if value:
        from .. import __version__

        print(f"skrec {__version__}")
        raise typer.Exit


Logs = Annotated[list[str], typer.Argument(metavar="LOG...", help="CSV or parquet files, or patterns in quotes.")]
User = Annotated[str, typer.Option("--user", metavar="COLUMN", help="Column that says who.")]
Item = Annotated[str, typer.Option("--item", metavar="COLUMN", help="Column that says what.")]
Time = Annotated[str | None, typer.Option("--time", metavar="COLUMN", help="Column that says when.")]
Weight = Annotated[str | None, typer.Option("--weight", metavar="COLUMN", help="Column that says how much.")]
Event = Annotated[str | None, typer.Option("--event", metavar="COLUMN", help="Column that says what kind of event.")]
Name = Annotated[str | None, typer.Option("--name", metavar="COLUMN", help="Column with the name of the item.")]
K = Annotated[int, typer.Option("-k", metavar="NUMBER", help="Number of recommendations.")]
Seen = Annotated[
    bool | None,
    typer.Option("--exclude-seen/--include-seen", help="Whether items that a user already has come last."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show tracebacks of errors.", callback=_set_verbose)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results only.", callback=_set_quiet)]


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
    """Compare all models on a real shop, the bundled Online Retail, in two or three minutes."""
    from ._demo import run

    run(context.obj, output_dir)


@app.command()
def fit(
    context: typer.Context,
    log: Logs,
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
    k: K = 10,
    exclude_seen: Seen = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Learn from events from here on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Learn from events before.")] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Fit a model to a log and save it."""
    from ._data import check_output, cut_log, facts, item_names, read_log

    screen: Screen = context.obj
    check_k(k)
    check_name(model, time)
    check_output(output, "--output")
    given = parse_settings(settings or [])
    options = {"k": k, "exclude_seen": exclude_seen is not False, "timed": time is not None}
    make_model(model, given, **options)  # wrong settings are told before the work
    columns = _columns(user=user, item=item, time=time, weight=weight, event=event, name=name)
    with screen.working("Reading the log"):
        histories = cut_log(read_log(log, columns), since, until)
        names = None if name is None else item_names(log, item, name)
    estimator = make_model(model, given, names=names, **options)
    described = facts(histories)
    _say_facts(screen, described)
    _say_seen(screen, exclude_seen)
    with screen.working(f"Fitting {model}"):
        estimator.fit(histories)
    notes = {"columns": columns, "data": described, "since": since, "until": until, "model": model}
    save_model(estimator, output, notes, names)
    screen.say(f"Fitted {estimator} and saved it to {output}.")


@app.command()
@app.command("compare", help="The same as evaluate, under the name of the function in Python.")
def evaluate(
    context: typer.Context,
    log: Logs,
    user: User,
    item: Item,
    time: Time = None,
    weight: Weight = None,
    event: Event = None,
    name: Name = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", help=f"All but the nets, or one of {', '.join(MODELS)}; repeatable."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="MODEL.NAME=VALUE", help="A parameter of one model: ease.l2=200."),
    ] = None,
    split: Annotated[
        Split | None, typer.Option(help="Hold out what follows a moment, or the last item of each user.")
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
    exclude_seen: Seen = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a report, as .html.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the table, as .csv or .parquet.")
    ] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Compare models honestly: they learn from the past and are asked for what came after."""
    from . import _evaluate as steps
    from ._data import TABLES, check_output, facts, item_names, read_log, write_table

    screen: Screen = context.obj
    check_k(k)
    check_output(output, "--output", TABLES)
    check_output(report, "--report", (".html",))
    split = split or (Split.time if time or at else Split.last)
    if time is None and (split is Split.time or at is not None):
        raise UserError("--split time needs the times of the events: name their column with --time")
    if at is not None and split is Split.last:
        raise UserError("--at belongs to --split time: leave one of them out")
    fixed = settings_by_model(settings or [], _chosen_names(models, time))

    def make(names=None) -> dict:
        options = {"k": k, "exclude_seen": exclude_seen is not False, "timed": time is not None, "names": names}
        return {kind: make_model(kind, given, **options) for kind, given in fixed.items()}

    make()  # wrong settings are told before the work
    with screen.working("Reading the log"):
        histories = read_log(log, _columns(user=user, item=item, time=time, weight=weight, event=event))
        names = None if name is None else item_names(log, item, name)
    _say_facts(screen, facts(histories))
    _say_seen(screen, exclude_seen)
    question = steps.hold_out(histories, split.value, at, exclude_seen is not False, known_only)
    chosen, validation = make(steps.known_names(names, question.X)), None
    if tune:
        chosen, validation = steps.with_searches(chosen, question, exclude_seen is not False, fixed)
    for sentence in question.sentences:
        screen.say(sentence)
    leaderboard, details = steps.ask(screen, chosen, question, k, keep=report is not None, validation=validation)
    steps.show_leaderboard(screen, leaderboard)
    if output is not None:
        write_table(leaderboard.reset_index(), output)
        screen.say(f"Wrote the table to {output}.")
    if report is not None:
        from ..inspection import write_report

        part = {"leaderboard": leaderboard, "details": details, "y": question.y}
        counts = steps.popularity(question.X)
        write_report(report, {"Result": part}, data=facts(histories), split=question.sentences, popularity=counts,
                     random_state=0)  # fmt: skip
        screen.say(f"Wrote the report to {report}.")


@app.command()
def recommend(
    context: typer.Context,
    model_file: Annotated[Path, typer.Argument(metavar="MODEL", help="What skrec fit saved.")],
    log: Logs,
    users: Annotated[list[str] | None, typer.Option(metavar="ID", help="A user, or all; repeatable.")] = None,
    users_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Users, one a line.")] = None,
    k: Annotated[int | None, typer.Option("-k", metavar="NUMBER", help="Number; by default the model's.")] = None,
    exclude_seen: Seen = None,
    explain: Annotated[bool, typer.Option("--explain", help="Name the past items behind each recommendation.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write all rows, as .csv or .parquet.")
    ] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Recommend items to users of a log, with a saved model."""
    from . import _recommend as steps
    from ._data import TABLES, check_output, choose_users, read_log, write_table

    screen: Screen = context.obj
    if k is not None:
        check_k(k)
    check_output(output, "--output", TABLES)
    wanted = steps.wanted_users(users, users_file, output)
    with screen.working("Loading the model and the log"):
        estimator, notes = steps.load_model(model_file)
        histories = read_log(log, notes["columns"])
    if wanted is not None:
        histories = histories.iloc[choose_users(histories.index, wanted)]
    if exclude_seen is None:
        exclude_seen = bool(estimator.exclude_seen)
        kept = "last" if exclude_seen else "like any other"
        screen.say(f"Items that a user already has come {kept}, as the model was fitted.")
    with screen.working(f"Recommending to {len(histories):,} users"):
        rows = steps.recommend_rows(estimator, histories, k, exclude_seen, notes)
        if explain:
            steps.add_reasons(rows, estimator, histories, notes)
    if output is None:
        steps.show_rows(screen, rows)
    else:
        write_table(rows, output)
        screen.say(f"Wrote {len(rows):,} rows for {len(histories):,} users to {output}.")


def save_model(estimator, path: Path, notes: dict, names=None) -> None:
    """Save a model with what `recommend` must know: the columns, and the names of the items if there are any."""
    from .. import persistence

    if names is not None:
        texts = names.reindex(estimator.items_).tolist()
        notes = {**notes, "item_names": [text if isinstance(text, str) else None for text in texts]}
    persistence.save(estimator, path, metadata=notes)


def _columns(**columns: str | None) -> dict[str, str]:
    return {role: name for role, name in columns.items() if name is not None}


def _chosen_names(models: list[str] | None, time: str | None) -> list[str]:
    if not models or models == ["all"]:
        return [name for name in QUICK if time is not None or name not in NEED_TIME]
    for name in models:
        if name == "all":
            raise UserError("--model all stands alone: leave out the other models")
        check_name(name, time)
        if models.count(name) > 1:
            raise UserError(f"--model {name} stands there twice: name each model once")
    return models


def _say_facts(screen: Screen, described: dict[str, str]) -> None:
    span = f", {described['time']}" if "time" in described else ""
    screen.say(f"{described['events']} events of {described['users']} users and {described['items']} items{span}.")
    screen.say(f"{described['repeats']}.")


def _say_seen(screen: Screen, exclude_seen: bool | None) -> None:
    if exclude_seen is None:
        screen.say("Items that a user already has come last: the default. Where people buy again, say --include-seen.")
    else:
        screen.say(f"Items that a user already has come {'last' if exclude_seen else 'like any other'}, as asked.")


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    argv : list of str, default=None
        The arguments; None takes those of the process.

    Returns
    -------
    int
        0 when all went well, 2 for an error that the user can put right, 1 for any other, 130 when interrupted.

    Examples
    --------
    >>> from skrec.cli import main
    >>> main(["--version"])
    skrec ...
    0
    """
    screen = Screen()
    argv = sys.argv[1:] if argv is None else argv
    try:
        result = typer.main.get_command(app).main(args=argv, prog_name="skrec", standalone_mode=False, obj=screen)
    except (KeyboardInterrupt, typer.Abort):
        print("skrec: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        return screen.fail(error)
    return result if isinstance(result, int) else 0
