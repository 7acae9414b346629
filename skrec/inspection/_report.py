"""The report of a comparison: one HTML file that can be sent around."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..utils._arguments import as_list, check_text, shown
from ._displays import ComparisonDisplay, MetricAtKDisplay, PopularityBiasDisplay, metric_title
from ._drift_report import add_drift
from ._html import Page, has_matplotlib

_PACKAGES = ("numpy", "scipy", "scikit-learn", "pandas", "implicit")


def write_report(
    path: str | os.PathLike,
    questions: dict,
    *,
    title: str = "Recommenders compared",
    data: dict | None = None,
    split=(),
    examples=(),
    popularity=None,
    drift=None,
    random_state=None,
) -> Path:
    """Write the report of a comparison as one HTML file, with nothing to fetch.

    Parameters
    ----------
    path : str or path-like
        Where to write. The file appears when it is complete.
    questions : dict of str to dict
        By heading, the parts of each question: `leaderboard`, what :func:`~skrec.model_selection.compare` returned,
        and optionally `details`, which it returned as well, `y`, the held-out items, and `note`, a sentence.
    title : str, default="Recommenders compared"
        Heading of the page.
    data : dict, default=None
        Facts on the data: what to what.
    split : sequence of str, default=()
        Sentences on the split, and on what the models were allowed to learn from.
    examples : sequence of dict, default=()
        Customers: `user`, `history` (what they had), `recommended` and optionally `later` (what they took), lists
        of names.
    popularity : dict, Series or pair (items, counts), default=None
        Number of users of each item, for the plot of popularity bias.
    drift : pandas.DataFrame, default=None
        What :meth:`DriftMonitor.score_log` returned, for a section on drift with its picture.
    random_state : int, default=None
        The seed, to be shown.

    Returns
    -------
    Path
        Where the file is.

    See Also
    --------
    ComparisonDisplay : One of its plots.

    Notes
    -----
    The plots need matplotlib (``pip install 'skrec-hybrid[plot]'``); without it the report has its tables, and says
    so. All text is escaped, so that a product name cannot change the page.

    Examples
    --------
    >>> import os, tempfile
    >>> from skrec.datasets import make_histories
    >>> from skrec.dummy import PopularityRecommender
    >>> from skrec.inspection import write_report
    >>> from skrec.linear_model import EASE
    >>> from skrec.model_selection import compare, split_last
    >>> X, y = split_last(make_histories(200, 50, random_state=0))
    >>> leaderboard = compare([PopularityRecommender(), EASE()], X, y)
    >>> path = os.path.join(tempfile.mkdtemp(), "report.html")
    >>> write_report(path, {"What comes next?": {"leaderboard": leaderboard}}).name
    'report.html'
    """
    page = Page(check_text(title, "title"))
    _check_questions(questions)
    if data is not None and not isinstance(data, Mapping):
        raise TypeError(f"data must be a dict of facts, got {shown(data)}")
    split = [check_text(sentence, "split") for sentence in as_list(split, "split", "sentences")]
    examples = as_list(examples, "examples", "dicts")
    for example in examples:
        if not isinstance(example, Mapping) or not {"user", "history", "recommended"} <= set(example):
            raise TypeError(f"examples must hold dicts with 'user', 'history' and 'recommended', got {shown(example)}")
    page.text("How several recommenders answer the same question, and how sure the answer is.", "lead")
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
    for heading, question in questions.items():
        page.heading(heading)
        if question.get("note"):
            page.text(question["note"])
        _add_leaderboard(page, question["leaderboard"])
        if can_plot:
            _add_plots(page, question, popularity)
    if drift is not None:
        add_drift(page, drift, plot=can_plot)
    if examples:
        page.heading("Some customers")
        for example in examples:
            page.heading(f"Customer {example['user']}", 3)
            columns = [("had", example["history"]), ("recommended", example["recommended"])]
            columns += [("took later", example["later"])] if "later" in example else []
            page.table((), [(name, "; ".join(map(str, values)) or "nothing") for name, values in columns])
    page.heading("How it was made")
    page.table((), environment(random_state).items())
    return page.save(path)


def _check_questions(questions) -> None:
    if not isinstance(questions, Mapping):
        raise TypeError(f"questions must be a dict of heading to dict, got {shown(questions)}")
    for heading, question in questions.items():
        check_text(heading, "a heading of questions")
        if not isinstance(question, Mapping) or not hasattr(question.get("leaderboard"), "attrs"):
            raise TypeError(
                f"questions[{heading!r}] must be a dict with the 'leaderboard' that compare returned, got "
                f"{shown(question)}"
            )
        if question.get("note") is not None:
            check_text(question["note"], f"questions[{heading!r}]['note']")


def leaderboard_rows(leaderboard) -> tuple[list[str], list[list[str]]]:
    """Return the header and the cells of a leaderboard as people read it; failed models are left out."""
    key = next(iter(leaderboard.columns))
    others = [name for name in leaderboard.columns if "@" in name and not name.startswith((f"{key}", "coverage"))]
    coverage = key.replace("ndcg", "coverage")
    percent = f"{100 * leaderboard.attrs.get('confidence', 0.95):g} % interval"
    header = ["model", metric_title(key), percent, "p vs best", *map(metric_title, [*others, coverage])]
    header += ["fit s", "peak MiB", "users/s"]
    rows = []
    for name, row in leaderboard[leaderboard["error"] == ""].iterrows():
        interval = f"{row[key + '_low']:.3f}-{row[key + '_high']:.3f}"
        p_value = "" if row["p_value"] != row["p_value"] else f"{row['p_value']:.3f}"
        cells = [str(name), f"{row[key]:.3f}", interval, p_value, *(f"{row[other]:.3f}" for other in others)]
        cells += [f"{100 * row[coverage]:.0f} %", f"{row['fit_seconds']:.1f}", _whole(row["peak_mib"])]
        rows.append([*cells, _whole(row["users_per_second"])])
    return header, rows


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


def _whole(value: float) -> str:
    return "" if value != value else f"{value:,.0f}"


def _add_leaderboard(page: Page, leaderboard) -> None:
    header, rows = leaderboard_rows(leaderboard)
    page.table(header, rows, numbers=range(1, len(header)), best=0)
    scored, users = leaderboard.attrs.get("n_scored"), leaderboard.attrs.get("n_users")
    if scored is not None:
        page.text(
            f"Means over the {scored:,} users with a held-out item, of {users:,} asked; coverage of "
            f"{leaderboard.attrs['n_items']:,} items. Intervals and p-values are bootstraps over these users."
        )
    for name, error in leaderboard.loc[leaderboard["error"] != "", "error"].items():
        page.text(f"{name} failed: {error}")


def _add_plots(page: Page, question: dict, popularity) -> None:
    leaderboard, details = question["leaderboard"], question.get("details")
    n_models = int((leaderboard["error"] == "").sum())
    _draw(page, 1.3 + 0.38 * n_models, "Points are means, bars their intervals. Two models can differ although their "
          "intervals overlap: the table's p-values compare them user by user.",
          lambda ax: ComparisonDisplay.from_comparison(leaderboard, ax=ax))  # fmt: skip
    if not details:
        return
    # in the order of the models, not of the result, so that a model has one color in all questions
    predictions = {name: detail.recommendations for name, detail in details.items()}
    if question.get("y") is not None:
        _draw(page, 4, "NDCG for shorter lists.",
              lambda ax: MetricAtKDisplay.from_predictions(question["y"], predictions, ax=ax))  # fmt: skip
    if popularity is not None:
        _draw(page, 4, "Each line is the share of a model's recommendations that goes to the best sellers up to this "
              "rank; the dotted line is the share of what users have.",
              lambda ax: PopularityBiasDisplay.from_predictions(predictions, popularity=popularity, ax=ax))  # fmt: skip


def _draw(page: Page, height: float, caption: str, plot) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, height), layout="constrained")  # no pyplot: its state stays as it is
    plot(figure.add_subplot())
    page.figure(figure, caption)
