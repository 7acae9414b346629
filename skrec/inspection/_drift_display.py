"""A plot of drift: z of each statistic by period."""

import numpy as np

from ..utils._optional import import_optional
from ._displays import _COLORS, _Display, date_axis
from ._drift_judge import COLUMNS, STATISTICS

_LOOK = {
    "warn": (_COLORS[5], "o", "warning"),
    "alarm": (_COLORS[1], "D", "alarm"),
    "as a year ago": (_COLORS[2], "s", "as a year ago"),
}
_WIDTH, _HEIGHT = 3.2, 1.5  # inches of one panel
_BOUND = 12.0  # z beyond are drawn here


def grid_shape(n_panels: int, n_columns: int = 3) -> tuple[int, int]:
    """Return the number of rows and of columns of panels."""
    n_columns = min(n_columns, n_panels)
    return -(-n_panels // n_columns), n_columns


def figure_size(n_panels: int, n_columns: int = 3) -> tuple[float, float]:
    """Return the width and height of a figure of panels, in inches."""
    n_rows, n_columns = grid_shape(n_panels, n_columns)
    return _WIDTH * n_columns, _HEIGHT * n_rows + 0.5


class DriftDisplay(_Display):
    """Small multiples of z by period, one per statistic, with warnings and alarms marked.

    Create it with `from_scores`.

    Parameters
    ----------
    scores : pandas.DataFrame
        What :meth:`DriftMonitor.score` or :meth:`DriftMonitor.score_log` returned.
    warn, alarm : float, default=4.0 and 5.0
        Where the lines are drawn.

    Attributes
    ----------
    axes_ : dict of str to matplotlib Axes
        The panel of each statistic.
    figure_ : matplotlib Figure
        The figure around them.

    See Also
    --------
    DriftMonitor : Computes the scores.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from skrec.datasets import load_online_retail
    >>> from skrec.inspection import DriftDisplay, DriftMonitor
    >>> scores = DriftMonitor().score_log(load_online_retail().histories)
    >>> display = DriftDisplay.from_scores(scores)
    >>> len(display.axes_) == scores["statistic"].nunique()
    True
    """

    def __init__(self, scores, *, warn=4.0, alarm=5.0):
        lacking = [name for name in COLUMNS[:6] if name not in getattr(scores, "columns", ())]
        if lacking:
            raise TypeError(f"scores must be what DriftMonitor.score returns, but it lacks {', '.join(lacking)}")
        self.scores = scores
        self.warn = warn
        self.alarm = alarm

    @classmethod
    def from_scores(cls, scores, *, warn=4.0, alarm=5.0, n_columns=3, figure=None) -> "DriftDisplay":
        """Draw the scores of a monitor.

        Parameters
        ----------
        scores : pandas.DataFrame
            What :meth:`DriftMonitor.score_log` returned.
        warn, alarm : float, default=4.0 and 5.0
            Where the lines are drawn.
        n_columns : int, default=3
            Number of panels side by side.
        figure : matplotlib Figure, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        DriftDisplay
            The display.
        """
        return cls(scores, warn=warn, alarm=alarm).plot(n_columns=n_columns, figure=figure)

    @property
    def size(self) -> tuple[int, int]:
        """Number of periods and of statistics that are drawn."""
        return self.scores["period"].nunique(), self.scores["statistic"].nunique()

    def plot(self, *, n_columns=3, figure=None) -> "DriftDisplay":
        """Draw.

        Parameters
        ----------
        n_columns : int, default=3
            Number of panels side by side.
        figure : matplotlib Figure, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        DriftDisplay
            The display itself.
        """
        names = [name for name in STATISTICS if (self.scores["statistic"] == name).any()]
        if not names:
            raise ValueError("scores has no rows: score at least one whole period")
        n_rows, n_columns = grid_shape(len(names), n_columns)
        if figure is None:
            pyplot = import_optional("matplotlib.pyplot", "DriftDisplay.plot")
            figure = pyplot.figure(figsize=figure_size(len(names), n_columns), layout="constrained")
        axes = np.ravel(figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False))
        self.figure_, self.axes_ = figure, dict(zip(names, axes, strict=False))
        for name, ax in self.axes_.items():
            self._draw(ax, self.scores[self.scores["statistic"] == name], STATISTICS[name].title)
        for ax in axes[len(names) :]:
            ax.set_visible(False)
        for ax in axes[max(0, len(names) - n_columns) : len(names)]:
            ax.tick_params(axis="x", labelbottom=True)
        if hasattr(self.scores["period"].iloc[0], "timestamp"):
            date_axis(axes[0], "DriftDisplay.plot", minticks=2, maxticks=5)
        figure.supylabel("robust z", fontsize="small")
        self._key(figure)
        return self

    def _draw(self, ax, rows, title: str) -> None:
        ax.set_title(title, loc="left", fontsize="small")
        ax.spines[["top", "right"]].set_visible(False)
        for bound, line in ((self.warn, ":"), (self.alarm, "--")):
            for side in (-bound, bound):
                ax.axhline(side, color="#888888", linewidth=0.7, linestyle=line)
        z = rows["z"].clip(-_BOUND, _BOUND).to_numpy()
        period = rows["period"].to_numpy()
        ax.plot(period, z, color=_COLORS[0], linewidth=1, marker=".", markersize=3)
        for verdict, (color, marker, label) in _LOOK.items():
            at = (rows["verdict"] == verdict).to_numpy()
            if at.any():
                ax.plot(period[at], z[at], marker, color=color, markersize=5, label=label)
        ax.set_ylim(-_BOUND - 1, _BOUND + 1)

    def _key(self, figure) -> None:
        found: dict = {}
        for ax in self.axes_.values():
            handles, labels = ax.get_legend_handles_labels()
            found |= dict(zip(labels, handles, strict=True))
        if found:
            figure.legend(
                found.values(),
                found.keys(),
                loc="outside upper right",
                ncols=len(found),
                frameon=False,
                fontsize="small",
            )
