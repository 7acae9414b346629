"""The section of a report on the log: facts, what is suspicious, and what to do."""

from ..utils._arguments import shown
from ..utils._validation import is_missing
from ._html import Page

COLUMNS = ("group", "fact", "value", "level", "text", "action")
_QUIET = ("info", "ok", "")


def add_check(page: Page, check) -> None:
    """Add the facts of a log: a frame with a row each and the columns group, fact, value, level, text and action."""
    columns = list(getattr(check, "columns", []))
    if lacking := [name for name in COLUMNS if name not in columns]:
        needed = ", ".join(COLUMNS)
        raise TypeError(f"check must be a frame with the columns {needed}, but lacks {lacking}: got {shown(check)}")
    rows = [tuple(map(_text, row)) for row in check[list(COLUMNS)].itertuples(index=False, name=None)]
    page.heading("The log, checked")
    loud = [(text or fact, level, action) for _, fact, _, level, text, action in rows if level not in _QUIET]
    if loud:
        page.box(
            f"{level.capitalize()}: {text}{f'. To do: {action}' if action else '.'}" for text, level, action in loud
        )
    else:
        page.text("Nothing needs a correction.")
    for group in dict.fromkeys(row[0] for row in rows):  # in the order in which they first come
        page.table((), [(row[1], _in_words(*row[2:])) for row in rows if row[0] == group], caption=f"Check: {group}")


def _in_words(value: str, level: str, text: str, action: str) -> str:
    """Write a fact as sentences; its value where these do not hold it."""
    is_number = value.translate({ord(sign): None for sign in ",.-+e"}).isdigit()
    words = text or value
    if text and value not in ("", "True") and not is_number and value.lower() not in text.lower():
        words += f": {value}"
    marked = f"{level}: {words}" if level not in _QUIET else words
    return f"{marked}. To do: {action}" if action else marked


def _text(value) -> str:
    """Write a value: numbers with thousands, or with three digits; nothing for what is missing."""
    if is_missing(value):
        return ""
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        return str(value)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"
