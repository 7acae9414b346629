"""Suggestions for a name that is not among the choices."""

import difflib
from collections.abc import Iterable


def did_you_mean(given: str, choices: Iterable[str], *, aliases: dict[str, str] | None = None) -> str:
    """Return the end of an error message: the closest choice, else all choices.

    Parameters
    ----------
    given : str
        What came.
    choices : iterable of str
        What could have come. Names with ``__`` are suggested where they are close, and left out of the list of all.
    aliases : dict of str to str, default=None
        Other names that somebody may use, to the choice that each stands for.

    Returns
    -------
    str
        Such as ``"; did you mean 'ease'?"`` or ``"; choose from 'time', 'last'"``. Case, dashes, underscores and
        spaces do not count.

    Examples
    --------
    >>> did_you_mean("Item_KNN", ["item-knn", "ease"])
    "; did you mean 'item-knn'?"
    """
    choices = list(choices)
    known = {_plain(name): choice for name, choice in (aliases or {}).items() if choice in choices}
    known |= {_plain(choice): choice for choice in reversed(choices)}
    close = difflib.get_close_matches(_plain(given), known, n=1)
    if close:
        return f"; did you mean {known[close[0]]!r}?"
    return f"; choose from {', '.join(choice for choice in choices if '__' not in choice)}"


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter not in "-_ ")
