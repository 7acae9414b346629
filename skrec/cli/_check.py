"""The steps of `skrec check`."""

from pathlib import Path
from typing import Any

from ._data import check_output, write_table
from ._large_log import is_store
from ._log import as_options
from ._options import Log
from ._screen import Screen, UserError

_OUTPUTS = (".csv", ".parquet", ".json", ".html")
_LEVELS = ("error", "warning", "info")
_TITLES = {"columns": "Columns", "problems": "What to look at", "log": "The log"}


def run(screen: Screen, log: Log, *, rows: int, as_json: bool, output: Path | None) -> int:
    """Check a log; return 2 where no model can be fitted to it, else 0."""
    from ..advice import check_log

    check_output(output, "--output", _OUTPUTS)
    if rows < 1:
        raise UserError(f"--rows must be at least 1, got {rows}")
    if is_store(log):
        raise UserError(f"{log.paths[0]} holds stored histories, which are checked already: check a log of events")
    how: dict[str, Any] = {name: getattr(log, name) for name in ("where", "time_format", "time_unit", "encoding")}
    with screen.working("Checking the log"), as_options(log):
        facts = check_log(list(log.paths), **log.columns, **how, max_rows=rows)
    if as_json:
        screen.show(_json(facts))
    else:
        _show(screen, facts)
    if output is not None:
        _write(facts, output, log)
        if not as_json:
            screen.say(f"Wrote {len(facts):,} facts to {output}.")
    return 2 if (facts["level"] == "error").any() else 0


def _show(screen: Screen, facts) -> None:
    """Print the facts by what they are for: what is suspicious after what is usual, and the commands last."""
    by_group = {group: facts[facts["group"] == group] for group in facts["group"].unique()}
    for row in by_group["file"][by_group["file"]["level"] == "info"].itertuples():
        screen.say(_sentence(row.text))
    of_events = facts["group"].isin(["suspicious", "ids", "time"])
    problems = facts[of_events | (facts["level"] != "info")]
    problems = problems.sort_values("level", key=lambda levels: levels.map(_LEVELS.index), kind="stable")
    if not screen.quiet:
        columns = by_group.get("columns", facts[:0])
        cells = [(row.fact, row.text, row.action) for row in columns.itertuples()]
        screen.table(["column", "what was guessed", "what else"], cells, title=_TITLES["columns"])
        described = [row for group in ("log", "character") for row in by_group.get(group, facts[:0]).itertuples()]
        if described:
            words = [(row.fact.replace("_", " "), row.text) for row in described]
            screen.table(["fact", "in words"], words, title=_TITLES["log"])
    if len(problems):
        cells = [(row.level, row.text, row.action) for row in problems.itertuples()]
        screen.table(["level", "what", "what to do"], cells, title=_TITLES["problems"])
    else:
        screen.say("Nothing is suspicious.")
    _show_commands(screen, facts)


def _show_commands(screen: Screen, facts) -> None:
    commands = facts.attrs["commands"]
    if not commands:
        screen.say("No command can be printed yet: put right what is marked as an error, and check again.")
        return
    screen.say("Next: the commands run as they stand; begin with the first.")
    texts = facts[facts["group"] == "commands"].set_index("fact")["text"]
    for name, command in commands.items():
        screen.say(f"\n{_sentence(texts[name])}")
        screen.show(f"  {command}")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _json(facts) -> str:
    """Return the facts as JSON, a record for each."""
    import json

    records = facts.to_dict("records")
    return json.dumps([{**row, "value": _plain(row["value"])} for row in records], ensure_ascii=False, indent=1)


def _plain(value):
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and value != value else value


def _write(facts, path: Path, log: Log) -> None:
    from ..utils._files import replacing

    suffix = path.suffix.lower()
    if suffix == ".json":
        with replacing(path) as partial:
            Path(partial).write_text(_json(facts) + "\n", encoding="utf-8")
    elif suffix == ".html":
        from ..inspection._html import Page

        page = Page(f"Check of {', '.join(log.paths)}")
        for group, rows in facts.groupby("group", sort=False):
            page.heading(str(group).capitalize())
            if group == "commands":
                for row in rows.itertuples():
                    page.text(_sentence(row.text))
                    page.text(str(row.value), "command")
            else:
                cells = [(row.level, row.fact, row.text, row.action) for row in rows.itertuples()]
                page.table(["level", "fact", "what", "what to do"], cells)
        page.save(path)
    else:
        write_table(facts.assign(value=[str(value) for value in facts["value"]]), path)
