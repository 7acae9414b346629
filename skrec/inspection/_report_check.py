"""The section of a report on the log: facts, what is suspicious, and what to do."""

from itertools import groupby

from ..utils._arguments import shown
from ._html import Page

COLUMNS = ("group", "fact", "value", "level", "text", "action")


def add_check(page: Page, check) -> None:
    """Add the facts of a log: a frame with a row each and the columns group, fact, value, level, text and action."""
    columns = list(getattr(check, "columns", []))
    if lacking := [name for name in COLUMNS if name not in columns]:
        raise TypeError(
            f"check must be a frame with the columns {', '.join(COLUMNS)}; it lacks {lacking}: {shown(check)}"
        )
    page.heading("The log, checked")
    for group, rows in groupby(check[list(COLUMNS)].itertuples(index=False), key=lambda row: row.group):
        cells = [
            [_text(row.fact), _value(row.value), _text(row.level), _text(row.text), _text(row.action)] for row in rows
        ]
        page.table(["fact", "value", "level", "what it says", "what to do"], cells, numbers=(1,), caption=str(group))


def _text(value) -> str:
    return "" if value is None or value != value else str(value)


def _value(value) -> str:
    if isinstance(value, bool) or not hasattr(value, "__float__") or value != value:
        return _text(value)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"
