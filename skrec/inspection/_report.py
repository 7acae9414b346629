"""The report of a comparison: one HTML file that can be sent around."""

import functools
import os
import platform
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ParamSpec, TypeVar

from ..utils._arguments import as_list, check_path, check_text, shown
from ..utils._deprecation import _message
from ..utils._validation import is_missing
from ._conclusion import FEW, decimals
from ._drift_report import add_drift
from ._html import Page, has_matplotlib
from ._report_check import add_check
from ._report_customers import MOST_BYTES, Names, Search, choose, cut, singular, user_rows
from ._report_leaderboard import leaderboard_rows, meanings
from ._report_plots import add_plots
from ._report_question import Question, read_questions
from ._report_slices import by_category, by_history

_PACKAGES = ("numpy", "scipy", "scikit-learn", "pandas", "implicit")
_MOST_ITEMS = 20  # in the table of the items most often recommended
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _path_first(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let a path stand first, as it did until 0.1, with a warning."""

    @functools.wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if not args or not isinstance(args[0], (str, os.PathLike)):
            return function(*args, **kwargs)
        if len(args) > 2 or (len(args) == 2) == ("questions" in kwargs) or "path" in kwargs:
            raise TypeError(f"write_report needs questions and then the path, got the path {shown(args[0])} first")
        old, new = "write_report(path, questions)", "write_report(questions, path)"
        warnings.warn(_message(old, "0.2", "0.4", new), FutureWarning, stacklevel=2)
        given = {**kwargs, "path": args[0]}
        return function(*args[1:], **given)  # type: ignore[arg-type]

    return wrapper


@_path_first
def write_report(
    questions,
    path: str | os.PathLike,
    *,
    title: str = "Recommenders compared",
    data: dict | None = None,
    split=(),
    names=None,
    categories=None,
    rows: str = "customers",
    examples=(),
    popularity=None,
    check=None,
    drift=None,
    random_state=None,
) -> Path:
    """Write the report of a comparison as one HTML file, with nothing to fetch.

    It begins with the conclusion: which model to use, what it gains over cheaper and simpler ones, at what cost, and
    which differences chance alone may explain. Then come the meaning of the numbers, the data, and for each question
    the leaderboard, its plots, the quality for groups of customers, and customers by name.

    Parameters
    ----------
    questions : pandas.DataFrame, tuple, or dict of str to dict
        What :func:`~skrec.model_selection.compare` returned: the leaderboard, or the pair of leaderboard and details.
        Or by heading the parts of each question:

        - ``leaderboard``;
        - ``details``, which `compare` returns with ``return_per_user=True``: adds the plots of the lists;
        - ``y``, the held-out items: adds customers with their lists, hits marked, and the search;
        - ``X``, the histories that were asked: adds what customers had, quality by length of the history, and by new
          and loyal;
        - ``note``, a sentence.
    path : str or path-like
        Where to write. The file appears when it is complete.
    title : str, default="Recommenders compared"
        Heading of the page.
    data : dict, default=None
        Facts on the data: what to what.
    split : sequence of str, default=()
        Sentences on the split, and on what the models were allowed to learn from.
    names : dict or Series of item id to text, default=None
        Names of the items; an item without one is called by its id.
    categories : dict or Series of item id to text, default=None
        Categories of the items: adds the quality by category.
    rows : str, default="customers"
        What the rows are called, a plural that ends in s, such as "users" or "sessions".
    examples : sequence of dict, default=()
        Further customers: `user`, `history` (what they had), `recommended` and optionally `later` (what they took),
        lists of names.
    popularity : dict, Series or pair (items, counts), default=None
        Number of users of each item, for the plot of popularity bias.
    check : pandas.DataFrame, default=None
        What ``skrec.advice.check_log`` returned, or any frame with the columns group, fact, value, level, text and
        action: a section on the log.
    drift : pandas.DataFrame, default=None
        What :meth:`DriftMonitor.score_log` returned, for a section on drift with its picture.
    random_state : int, default=None
        The seed, to be shown.

    Returns
    -------
    Path
        Where the file is.

    Raises
    ------
    TypeError, ValueError
        If a part is not of the form above, parts of a question differ in their number of rows, a leaderboard names a
        model twice, or none of the items has a name in `names`.

    See Also
    --------
    ComparisonDisplay : One of its plots.
    skrec.model_selection.compare : Makes the leaderboard.

    Notes
    -----
    The plots need matplotlib (``pip install 'skrec-hybrid[plot]'``); without it the report has its tables, and says
    so. All text is escaped, so that a product name cannot change the page, and the page allows no script but its own
    and no request over the network. Without JavaScript all is readable but the search.

    Customers shown are three with a hit and three without, evenly spaced in the order of the rows. The search holds
    as many customers and items as fit in 2 MB, evenly spaced as well, and the page says how many. It names customers
    and what they took: send the file only to those who may see that.

    ``write_report(path, questions)``, the order until 0.1, still works with a FutureWarning.

    Examples
    --------
    >>> import os, tempfile
    >>> from skrec.datasets import make_histories
    >>> from skrec.dummy import PopularityRecommender
    >>> from skrec.inspection import write_report
    >>> from skrec.linear_model import EASE
    >>> from skrec.model_selection import compare, split_last
    >>> X, y = split_last(make_histories(200, 50, random_state=0))
    >>> leaderboard, details = compare([PopularityRecommender(), EASE()], X, y, return_per_user=True)
    >>> question = {"leaderboard": leaderboard, "details": details, "X": X, "y": y}
    >>> path = os.path.join(tempfile.mkdtemp(), "report.html")
    >>> write_report({"What comes next?": question}, path).name
    'report.html'
    """
    if isinstance(questions, (str, os.PathLike)):
        raise TypeError(f"questions must be what compare returned, got {shown(questions)}: is it the path?")
    check_path(path)
    page = Page(check_text(title, "title"))
    if not check_text(rows, "rows").endswith("s") or len(rows) < 2:
        raise ValueError(f"rows must be a plural that ends in s, such as 'customers', got {rows!r}")
    asked = read_questions(questions, rows)
    if data is not None and not isinstance(data, Mapping):
        raise TypeError(f"data must be a dict of facts, got {shown(data)}")
    split = [check_text(sentence, "split") for sentence in as_list(split, "split", "sentences")]
    examples = as_list(examples, "examples", "dicts")
    for example in examples:
        if not isinstance(example, Mapping) or not {"user", "history", "recommended"} <= set(example):
            raise TypeError(f"examples must hold dicts with 'user', 'history' and 'recommended', got {shown(example)}")
    names, categories = _texts(names, "names"), _texts(categories, "categories")

    page.text("How several recommenders answer the same question, and how sure the answer is.", "lead")
    if asked:
        _add_conclusions(page, asked, rows)
    if data:
        page.heading("The data")
        page.table((), data.items())
    if split:
        page.heading("What was asked, and what the models could learn from")
        for sentence in split:
            page.text(sentence)
    can_plot = has_matplotlib()
    if not can_plot:
        page.text("The plots are left out, because matplotlib is not installed: pip install 'skrec-hybrid[plot]'.")
    for question in asked:
        page.heading(question.heading)
        if question.note:
            page.text(question.note)
        _add_leaderboard(page, question, rows)
        if can_plot:
            add_plots(page, question, popularity)
        _add_users(page, question, names, categories, rows, MOST_BYTES // len(asked))
    if check is not None:
        add_check(page, check)
    if drift is not None:
        add_drift(page, drift, plot=can_plot)
    if examples:
        page.heading(f"Further {rows}")
        for example in examples:
            page.heading(f"{singular(rows).capitalize()} {example['user']}", 3)
            columns = [("had", example["history"]), ("recommended", example["recommended"])]
            columns += [("took later", example["later"])] if "later" in example else []
            page.table((), [(name, "; ".join(map(str, values)) or "nothing") for name, values in columns])
    page.heading("How it was made")
    page.table((), environment(random_state).items())
    return page.save(path)


def environment(random_state=None) -> dict[str, str]:
    """Return versions, machine and seed."""
    from .. import __version__

    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    facts = {
        "skrec": __version__,
        "packages": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "Python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
    }
    return facts if random_state is None else {**facts, "seed": str(random_state)}


def _texts(values, name: str) -> dict:
    """Return texts by item id, without those that are missing."""
    if values is None:
        return {}
    if hasattr(values, "index") and hasattr(values, "to_numpy") and getattr(values, "ndim", 0) == 1:
        if values.index.has_duplicates:
            twice = values.index[values.index.duplicated()][0]
            raise ValueError(f"{name} must have one text for each item, but has {twice!r} twice: drop duplicates")
        values = dict(zip(values.index.tolist(), values.tolist(), strict=True))
    if not isinstance(values, Mapping):
        raise TypeError(f"{name} must be a dict or a Series of item id to text, got {shown(values)}")
    return {item: text for item, text in values.items() if not is_missing(text)}


def _add_conclusions(page: Page, asked: list[Question], rows: str) -> None:
    page.heading("Conclusion")
    for question in asked:
        if len(asked) > 1:
            page.heading(question.heading, 3)
        page.box(question.conclusion.sentences)
    page.heading("What the numbers mean")
    lines: dict[str, str] = {}
    for question in asked:
        lines |= dict(meanings(question.leaderboard, rows))
    page.table((), lines.items())


def _add_leaderboard(page: Page, question: Question, rows: str) -> None:
    leaderboard = question.leaderboard
    header, cells = leaderboard_rows(leaderboard)
    best = next((number for number, row in enumerate(cells) if row[0] == str(question.conclusion.model)), None)
    caption = "The models, the best NDCG first; the one to use in bold."
    page.table(header, cells, numbers=range(1, len(header)), best=best, caption=caption)
    scored, users = leaderboard.attrs.get("n_scored"), leaderboard.attrs.get("n_users")
    if scored is not None:
        page.text(
            f"Means over the {scored:,} {rows} with a held-out item, of {users:,} asked; coverage of "
            f"{leaderboard.attrs['n_items']:,} items. Intervals and p-values are bootstraps over these {rows}."
        )
    for name, error in leaderboard.loc[leaderboard["error"] != "", "error"].items():
        page.text(f"{name} failed: {error}")


def _add_users(page: Page, question: Question, names: dict, categories: dict, rows: str, most_bytes: int) -> None:
    """Add what needs the lists of each user: quality by group, users by name, and the search."""
    model = question.conclusion.model
    if model is None or question.truth is None or model not in question.details or not len(question.scored):
        return
    digits = decimals(question.leaderboard)
    slices = [] if question.past is None else by_history(question, digits, rows)
    slices += [by_category(question, categories, digits, rows)] if categories else []
    for part in slices:
        page.heading(part.title, 3)
        page.table(part.header, part.rows, numbers=range(1, len(part.header)), caption=part.meaning)
    if any(part.few for part in slices):
        page.text(f"few: fewer than {FEW} {rows}, too few for an interval; chance may decide.", "note")

    found, missed, (n_found, n_missed) = choose(question, model)
    search = Search(question, model, Names(names), rows, most_bytes)
    if names and not any(item in names for item in search.ids.tolist()):
        raise ValueError("names must be indexed by item id, but has none of the items that were recommended or taken")
    page.heading(f"{rows.capitalize()} and what {model} recommends them", 3)
    page.text(
        f"The model is {model}. Of {n_found + n_missed:,} {rows} with a held-out item, {n_found:,} took something that "
        f"it recommends, and {n_missed:,} nothing. Shown are {len(found)} and {len(missed)} of them, evenly spaced in "
        f"the order of the rows: not picked by the result. ✓ marks what was recommended and taken."
    )
    for kind, chosen in ((f"{rows} with a hit", found), (f"{rows} for whom nothing was found", missed)):
        for row in chosen.tolist():
            caption = f"{singular(rows).capitalize()} {cut(question.users[row])}, one of the {kind}."
            page.table((), user_rows(question, model, row, Names(names)), caption=caption)
    top = search.top(_MOST_ITEMS)
    had = question.past is not None
    header = ["item", "id", *(["had it"] if had else []), "recommended to", "took it later", "of them after a hit"]
    cells = [[*item[:2], *(f"{count:,}" for count in item[2 if had else 3 :])] for item in top]
    caption = f"Items, in numbers of the {len(question.scored):,} {rows} with a held-out item."
    page.heading(f"What {model} recommends most", 3)
    page.table(header, cells, numbers=range(2, len(header)), caption=caption)
    page.heading(f"Search {rows} and items", 3)
    page.text(
        f"The search holds {_of(search.n_users, search.of_users)} {rows} with a held-out item and "
        f"{_of(search.n_items, search.of_items)} items. It names {rows} and what they took: send this file only to "
        "those who may see that.",
        "note",
    )
    page.search(
        search.text,
        [f"Find a {singular(rows)} by id", "Find an item by name or id"],
        f"Search {rows} and items",
        "The search needs JavaScript. All else on this page works without.",
    )


def _of(count: int, total: int) -> str:
    return f"all {total:,}" if count == total else f"{count:,} of {total:,}"
