"""Plots of recommenders, in scikit-learn's manner: compute in `from_...`, draw in `plot`."""

from collections.abc import Mapping

import numpy as np

from ..metrics import ranking_scores
from ..metrics._beyond_accuracy import _read_popularity
from ..metrics._hits import read_lists
from ..utils._arguments import as_floats, as_list
from ..utils._optional import import_optional
from ..utils._validation import lookup

# Okabe and Ito's palette without its yellow: told apart by all common kinds of colour vision
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MARKERS = "osD^vPX*"
_LINES = ("-", "--", "-.", ":")
_TITLES = {
    "ndcg": "NDCG",
    "recall": "Recall",
    "precision": "Precision",
    "hit_rate": "Hit rate",
    "mrr": "MRR",
    "map": "MAP",
    "coverage": "Coverage",
}


def metric_title(name: str) -> str:
    """Return the name of a metric as people write it: "ndcg@10" is "NDCG@10"."""
    metric, at, k = name.partition("@")
    return _TITLES.get(metric, metric) + at + k


def style(number: int) -> dict:
    """Return the color, marker and line of the n-th model: no two of the first 28 are alike."""
    return {
        "color": _COLORS[number % len(_COLORS)],
        "marker": _MARKERS[number % len(_MARKERS)],
        "linestyle": _LINES[number // len(_COLORS) % len(_LINES)],
    }


def date_axis(ax, name: str, **options) -> None:
    """Write dates along x; `name` is what needs matplotlib, the options are those of the locator."""
    dates = import_optional("matplotlib.dates", name)
    locator = dates.AutoDateLocator(**options)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))


class _Display:
    """Axes and figure of a plot."""

    curves: Mapping[str, np.ndarray]  # of the displays that draw lines

    def _axes(self, ax, *, title: str, x: str, y: str = "", grid: str = "both", height: float = 4.0):
        """Return axes with their title and labels; None makes a figure."""
        if ax is None:
            pyplot = import_optional("matplotlib.pyplot", f"{type(self).__name__}.plot")
            _, ax = pyplot.subplots(figsize=(7.0, height), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_title(title, loc="left")
        ax.set_xlabel(x)
        ax.set_ylabel(y)
        ax.grid(axis=grid, alpha=0.3)
        return ax

    def _lines(self, x, **options) -> None:
        """Draw a line per model, which `curves` holds by name."""
        for number, (name, values) in enumerate(self.curves.items()):
            self.ax_.plot(x, values, label=name, markersize=5, **options, **style(number))

    def _points(self, names, values, low=None, high=None) -> np.ndarray:
        """Draw a row per name, the first on top: its value, and its interval where both ends are known.

        Returns
        -------
        ndarray of shape (n_names,)
            Where the rows are along y.
        """
        places = np.arange(len(names))[::-1]
        if low is not None and high is not None:
            known = np.isfinite([values, low, high]).all(axis=0)
            reach = np.array([values - low, high - values])[:, known].clip(min=0)
            look = {"fmt": "none", "ecolor": _COLORS[0], "elinewidth": 2, "capsize": 4}
            self.ax_.errorbar(values[known], places[known], xerr=reach, **look)
        self.ax_.plot(values, places, "o", color=_COLORS[0], markersize=7)
        self.ax_.set_yticks(places, names, parse_math=False)
        self.ax_.set_ylim(-0.6, len(names) - 0.4)
        return places

    def _legend(self) -> None:
        """Put the legend beside the axes, where it covers no line."""
        legend = self.ax_.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
        for text in legend.get_texts():
            text.set_parse_math(False)


class ComparisonDisplay(_Display):
    """Leaderboard as points with their intervals, the best model on top.

    Create it with `from_comparison`.

    Parameters
    ----------
    names : sequence of str
        Models, best first.
    values : array-like of shape (n_models,)
        The metric of each.
    low, high : array-like of shape (n_models,), default=None
        Ends of the intervals.
    metric : str, default="ndcg@10"
        What the values are.
    confidence : float, default=0.95
        Confidence of the intervals.
    note : str, default=""
        Ends the title, such as the question asked.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure around it.

    See Also
    --------
    skrec.model_selection.compare : Makes the leaderboard.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from skrec.datasets import make_histories
    >>> from skrec.dummy import PopularityRecommender
    >>> from skrec.inspection import ComparisonDisplay
    >>> from skrec.linear_model import EASE
    >>> from skrec.model_selection import compare, split_last
    >>> X, y = split_last(make_histories(200, 50, random_state=0))
    >>> leaderboard = compare([PopularityRecommender(), EASE()], X, y)
    >>> display = ComparisonDisplay.from_comparison(leaderboard)
    >>> display.ax_.get_xlabel()
    'NDCG@10 (95 % interval over users)'
    """

    def __init__(self, names, values, low=None, high=None, *, metric="ndcg@10", confidence=0.95, note=""):
        self.names = as_list(names, "names", "names of models")
        self.values = as_floats(values, "values")
        self.low = None if low is None else as_floats(low, "low")
        self.high = None if high is None else as_floats(high, "high")
        for ends, name in ((self.values, "values"), (self.low, "low"), (self.high, "high")):
            if ends is not None and ends.shape != (len(self.names),):
                raise ValueError(f"{name} must have one number per name, got the shape {ends.shape}")
        self.metric = metric
        self.confidence = confidence
        self.note = note

    @classmethod
    def from_comparison(cls, leaderboard, *, metric=None, note="", ax=None) -> "ComparisonDisplay":
        """Draw a column of a leaderboard.

        Parameters
        ----------
        leaderboard : pandas.DataFrame
            What :func:`~skrec.model_selection.compare` returned.
        metric : str, default=None
            A column, such as "recall@10"; None is NDCG. Intervals are drawn where the leaderboard has them.
        note : str, default=""
            Ends the title.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ComparisonDisplay
            The display.
        """
        metric = next(iter(leaderboard.columns)) if metric is None else metric
        if metric not in leaderboard.columns:
            raise ValueError(f"metric={metric!r} is not a column of the leaderboard: {list(leaderboard.columns)}")
        rows = leaderboard[leaderboard[metric].notna()].sort_values(metric, ascending=False, kind="stable")
        low, high = f"{metric}_low", f"{metric}_high"
        ends = (rows[low].to_numpy(), rows[high].to_numpy()) if low in rows and high in rows else (None, None)
        confidence = leaderboard.attrs.get("confidence", 0.95)
        return cls(rows.index, rows[metric], *ends, metric=metric, confidence=confidence, note=note).plot(ax=ax)

    def plot(self, ax=None) -> "ComparisonDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ComparisonDisplay
            The display itself.
        """
        name = metric_title(self.metric)
        label = name if self.low is None else f"{name} ({100 * self.confidence:g} % interval over users)"
        title = f"{name} of each model" + (f": {self.note}" if self.note else "")
        ax = self._axes(ax, title=title, x=label, grid="x", height=1.3 + 0.38 * len(self.names))
        places = self._points(self.names, self.values, self.low, self.high)
        ends = self.values if self.high is None else np.fmax(self.values, self.high)
        for value, end, place in zip(self.values, ends, places, strict=True):
            ax.annotate(
                f"{value:.3f}", (end, place), xytext=(8, 0), textcoords="offset points", va="center", fontsize="small"
            )
        ax.set_xlim(0, 1.12 * max(float(ends.max(initial=0)), 1e-3))
        return self


class MetricAtKDisplay(_Display):
    """A metric against the number of recommendations, a line per model.

    Create it with `from_predictions`.

    Parameters
    ----------
    k : array-like of shape (n_cuts,)
        Numbers of recommendations.
    curves : dict of str to array-like of shape (n_cuts,)
        The metric of each model at each k.
    metric : str, default="ndcg"
        What the values are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure around it.

    See Also
    --------
    skrec.metrics.ranking_scores : Computes the values.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from skrec.inspection import MetricAtKDisplay
    >>> y = [["a"], ["b"]]
    >>> display = MetricAtKDisplay.from_predictions(y, {"one": [["a", "c"], ["c", "b"]]}, metric="recall")
    >>> display.curves["one"].tolist()
    [0.5, 1.0]
    """

    def __init__(self, k, curves, *, metric="ndcg"):
        self.k = as_floats(k, "k").astype(np.int64)
        self.curves = curves
        self.metric = metric

    @classmethod
    def from_predictions(cls, y_true, predictions, *, metric="ndcg", k=None, ax=None) -> "MetricAtKDisplay":
        """Score the recommendations of several models at several k and draw.

        Parameters
        ----------
        y_true : sequence of length n_users
            The held-out item ids of each user.
        predictions : dict of str to array-like of shape (n_users, n)
            Recommendations of each model, best first.
        metric : str, default="ndcg"
            A name that :func:`~skrec.metrics.ranking_scores` knows, but "auc".
        k : sequence of int, default=None
            Numbers of recommendations; None is 1 to n, of the shortest lists.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        MetricAtKDisplay
            The display.
        """
        if not predictions:
            raise ValueError("predictions is empty: pass a dict of model name to recommendations")
        width = min(np.shape(lists)[1] for lists in predictions.values())
        k = list(range(1, width + 1)) if k is None else sorted(k)
        curves = {}
        for name, lists in predictions.items():
            scores = ranking_scores(y_true, lists, k=k, metrics=metric)
            curves[name] = np.array([np.nanmean(scores[f"{metric}@{cut}"]) for cut in k])
        return cls(k, curves, metric=metric).plot(ax=ax)

    def plot(self, ax=None) -> "MetricAtKDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        MetricAtKDisplay
            The display itself.
        """
        title = metric_title(self.metric)
        x, y = "number of recommendations k", f"{title}@k, mean over users"
        ax = self._axes(ax, title=f"{title} as the list grows", x=x, y=y)
        self._lines(self.k)
        ax.set_ylim(bottom=0)
        ax.xaxis.get_major_locator().set_params(integer=True)
        self._legend()
        return self


class PopularityBiasDisplay(_Display):
    """Which share of the recommendations goes to the most popular items, a line per model.

    Create it with `from_predictions`. A line at the upper left gives all places to a few best sellers; the dotted
    line shows what users have, and a model below it reaches further into the long tail than they do.

    Parameters
    ----------
    rank : array-like of shape (n_items,)
        Popularity ranks, 1 for the most popular item.
    curves : dict of str to array-like of shape (n_items,)
        Share of each model's recommendations that goes to items of this rank or better.
    history : array-like of shape (n_items,), default=None
        The same share of what users have.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure around it.

    See Also
    --------
    skrec.metrics.gini_at_k : Concentration as one number.
    skrec.metrics.novelty_at_k : Novelty as one number.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from skrec.inspection import PopularityBiasDisplay
    >>> popularity = (["a", "b", "c"], [3, 2, 1])
    >>> display = PopularityBiasDisplay.from_predictions({"one": [["a", "c"], ["a", "b"]]}, popularity=popularity)
    >>> display.curves["one"].tolist()
    [0.5, 0.75, 1.0]
    """

    def __init__(self, rank, curves, history=None):
        self.rank = as_floats(rank, "rank")
        self.curves = curves
        self.history = history

    @classmethod
    def from_predictions(cls, predictions, *, popularity, ax=None) -> "PopularityBiasDisplay":
        """Count recommendations by the popularity of their items and draw.

        Parameters
        ----------
        predictions : dict of str to array-like of shape (n_users, n)
            Recommendations of each model.
        popularity : dict, pandas Series, or pair (items, counts)
            Number of users of each item; ``(model.items_, model.popularity_)`` for instance. Recommended items
            that it lacks count as the least popular.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        PopularityBiasDisplay
            The display.
        """
        if not predictions:
            raise ValueError("predictions is empty: pass a dict of model name to recommendations")
        items, counts = _read_popularity(popularity, np.iinfo(np.int64).max)
        order = np.argsort(-counts, kind="stable")
        rank = np.empty(len(items) + 1, dtype=np.int64)
        rank[order], rank[-1] = np.arange(len(items)), len(items) - 1
        curves = {}
        for name, recommended in predictions.items():
            lists = read_lists(recommended, None)
            ranks = rank[lookup(lists.ids, items, "predictions")][lists.codes[lists.codes >= 0]]
            curves[name] = np.cumsum(np.bincount(ranks, minlength=len(items))) / len(ranks)
        history = np.cumsum(counts[order]) / max(counts.sum(), 1)
        return cls(np.arange(1, len(items) + 1), curves, history).plot(ax=ax)

    def plot(self, ax=None) -> "PopularityBiasDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        PopularityBiasDisplay
            The display itself.
        """
        x, y = "most popular items, best seller first (logarithmic)", "share of recommendations"
        ax = self._axes(ax, title="How much goes to the best sellers", x=x, y=y)
        marks = np.unique(np.geomspace(1, len(self.rank), 8).round().astype(int)) - 1
        self._lines(self.rank, markevery=list(marks))
        if self.history is not None:
            ax.plot(self.rank, self.history, color="0.35", linestyle=":", linewidth=2, label="what users have")
        ax.set_xscale("log")
        ax.set_xlim(1, max(len(self.rank), 2))
        ax.xaxis.set_major_formatter(lambda value, position: f"{value:,.0f}")
        ax.yaxis.set_major_formatter(lambda value, position: f"{100 * value:.0f} %")
        ax.set_ylim(0, 1.03)
        self._legend()
        return self
