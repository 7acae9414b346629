"""Plots of a report; at most six models have a line of their own, the others are in the table."""

import numpy as np

from ._conclusion import judged, listed, main_metric
from ._displays import ComparisonDisplay, MetricAtKDisplay, PopularityBiasDisplay, metric_title, style
from ._html import Page
from ._report_question import Question

MOST_LINES = 6
_LONGEST = 28  # characters of a name
_LEAST = 0.01  # seconds or milliseconds: less is drawn there


def add_plots(page: Page, question: Question, popularity) -> None:
    """Add the plots of one question."""
    leaderboard = question.leaderboard
    good = judged(leaderboard)
    if not len(good):
        return
    metric = metric_title(main_metric(leaderboard))
    few = few_models(question)
    # in the order of the models, not of the result, so that a model has one color in all plots
    models = [name for name in question.details or good.index if name in few]
    short = short_names(good.index)
    rest = f" {len(models)} of {len(good)} models; the others are in the table." if len(models) < len(good) else ""
    _draw(page, 1.3 + 0.38 * len(good), "Points are means, bars their intervals. Two models can differ although their "
          "intervals overlap: the table's p-values compare them user by user.",
          f"{metric} of {len(good)} models with intervals, the best first: {listed(good.index[:6])}.",
          lambda ax: ComparisonDisplay.from_comparison(leaderboard.rename(index=short), ax=ax))  # fmt: skip
    _add_cost(page, leaderboard, {name: short[name] for name in models}, rest)
    predictions = {short[name]: question.details[name].recommendations for name in models if name in question.details}
    if not predictions:
        return
    if question.truth is not None:
        _draw(page, 4, f"NDCG for shorter lists.{rest}", f"NDCG by length of the list: {listed(predictions)}.",
              lambda ax: MetricAtKDisplay.from_predictions(question.truth, predictions, ax=ax))  # fmt: skip
    if popularity is not None:
        _draw(page, 4, "Each line is the share of a model's recommendations that goes to the best sellers up to this "
              f"rank; the dotted line is the share of what users have.{rest}",
              f"Share of recommendations by popularity rank: {listed(predictions)}.",
              lambda ax: PopularityBiasDisplay.from_predictions(predictions, popularity=popularity, ax=ax))  # fmt: skip


def few_models(question: Question) -> list[str]:
    """Return at most six models: those that the conclusion compares, then the best."""
    names = dict.fromkeys([*question.conclusion.compared, *judged(question.leaderboard).index])
    return list(names)[:MOST_LINES]


def short_names(names) -> dict:
    """Return a text of at most 28 characters for each name, no two alike: longer ones leave no room for the plot."""
    texts: dict = {}
    for name in names:
        text = str(name) if len(str(name)) <= _LONGEST else f"{str(name)[: _LONGEST - 6]}…"
        taken = set(texts.values())
        texts[name] = (
            text
            if text not in taken
            else next(numbered for number in range(2, len(taken) + 3) if (numbered := f"{text} {number}") not in taken)
        )
    return texts


def _add_cost(page: Page, leaderboard, models: dict[str, str], rest: str) -> None:
    costs = [("fit_seconds", "seconds to fit"), ("request_ms", "milliseconds per request")]
    costs = [(name, label) for name, label in costs if name in leaderboard and leaderboard[name].notna().any()]
    if not costs:
        return
    caption = "Quality against cost: the best models stand at the top, the cheapest ones at the left."
    rest = rest.replace("the others are", "the others are grey dots and") if rest else ""
    _draw(page, 3.6, caption + rest, f"NDCG against the cost of {listed(models)}.",
          lambda axes: draw_cost(axes, leaderboard, models, costs), n_columns=len(costs))  # fmt: skip


def draw_cost(axes, leaderboard, models: dict[str, str], costs) -> None:
    """Draw the NDCG against each cost, a point per model with its interval; `models` have names in the legend."""
    from matplotlib import ticker

    good, key = judged(leaderboard), main_metric(leaderboard)
    others = good.drop(list(models))
    for ax, (column, label) in zip(np.atleast_1d(axes), costs, strict=True):
        if len(others):
            ax.plot(
                others[column].clip(lower=_LEAST), others[key], "o", color="0.6", markersize=4, label="other models"
            )
        for number, (name, text) in enumerate(models.items()):
            row = good.loc[name]
            look = {**style(number), "linestyle": "none", "markersize": 8, "label": text}
            reach = None
            if f"{key}_low" in row and np.isfinite(row[f"{key}_low"]):
                reach = [[max(row[key] - row[f"{key}_low"], 0)], [max(row[f"{key}_high"] - row[key], 0)]]
            ax.errorbar(max(row[column], _LEAST), row[key], yerr=reach, capsize=3, elinewidth=1, **look)
        ax.set_xscale("log")
        ax.set_xlabel(f"{label} (logarithmic)")
        low, high = good[column].clip(lower=_LEAST).min(), good[column].clip(lower=_LEAST).max()
        wide = not high < 10 * low  # round powers of ten, and round numbers where there is not even one
        ax.xaxis.set_major_locator(ticker.LogLocator(numticks=6) if wide else ticker.MaxNLocator(4))
        ax.xaxis.set_major_formatter(lambda value, position: f"{value:,g}")
        ax.xaxis.set_minor_formatter(ticker.NullFormatter())
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    first, last = np.atleast_1d(axes)[[0, -1]]
    first.set_ylabel(metric_title(key))
    first.set_title("Quality against cost", loc="left")
    legend = last.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    for written in legend.get_texts():
        written.set_parse_math(False)


def _draw(page: Page, height: float, caption: str, description: str, plot, n_columns: int | None = None) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, height), layout="constrained")  # no pyplot: its state stays as it is
    plot(figure.add_subplot() if n_columns is None else figure.subplots(1, n_columns, sharey=True))
    page.figure(figure, caption, description)
