"""A plot of the result of an experiment."""

import numpy as np

from ..utils._arguments import check_flags
from ._displays import _Display, date_axis, style


class ExperimentDisplay(_Display):
    """Differences from the control with their intervals, or one metric over time.

    Create it with `from_result`. A variant without bounds is a point without an interval.

    Parameters
    ----------
    table : pandas.DataFrame
        The table of an :class:`~skrec.model_selection.ExperimentResult`, or its `over_time`.
    over_time : bool, default=False
        Whether the table has the rows of looks.
    relative : bool, default=True
        Draw lifts, in percent of the control; False draws differences.
    control : str, default="control"
        The variant compared with.
    interval : str, default="95 % interval"
        What the intervals are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure around it.

    See Also
    --------
    skrec.model_selection.analyze_experiment : Makes the result.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import pandas as pd
    >>> from skrec.inspection import ExperimentDisplay
    >>> from skrec.model_selection import analyze_experiment
    >>> visits = pd.DataFrame({"user": range(400), "variant": ["control", "new"] * 200, "orders": [0, 1, 1, 0] * 100})
    >>> result = analyze_experiment(visits, metrics="orders")
    >>> display = ExperimentDisplay.from_result(result)
    >>> display.ax_.get_xlabel()
    'Lift over control, % (always-valid 95 % interval)'
    """

    def __init__(self, table, *, over_time=False, relative=True, control="control", interval="95 % interval"):
        check_flags(over_time=over_time, relative=relative)
        self.table = table
        self.over_time = over_time
        self.relative = relative
        self.control = control
        self.interval = interval

    @classmethod
    def from_result(cls, result, *, metric=None, over_time=False, relative=True, ax=None) -> "ExperimentDisplay":
        """Draw a result.

        Parameters
        ----------
        result : ExperimentResult
            What :func:`~skrec.model_selection.analyze_experiment` returned.
        metric : str, default=None
            One metric; None is all, and the first over time.
        over_time : bool, default=False
            Draw what was known at each look, which needs `time` in the analysis.
        relative : bool, default=True
            Draw lifts, in percent of the control; False draws differences.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ExperimentDisplay
            The display.
        """
        table = result.over_time if over_time else result.table
        if not len(table):
            raise ValueError("over_time=True needs a result with looks: pass time= to analyze_experiment")
        metric = table["metric"].iloc[0] if over_time and metric is None else metric
        if metric is not None:
            if metric not in set(table["metric"]):
                raise ValueError(f"metric={metric!r} is none of the result's: {sorted(set(table['metric']))}")
            table = table[table["metric"] == metric]
        options = {"over_time": over_time, "relative": relative, "control": result.control, "interval": result.interval}
        return cls(table, **options).plot(ax=ax)

    def plot(self, ax=None) -> "ExperimentDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ExperimentDisplay
            The display itself.
        """
        name = "Lift over" if self.relative else "Difference from"
        label = f"{name} {self.control}{', %' if self.relative else ''}"
        columns = ("lift", "lift_low", "lift_high") if self.relative else ("difference", "low", "high")
        values = self.table[list(columns)].to_numpy(dtype=np.float64) * (100 if self.relative else 1)
        if self.over_time:
            return self._over_time(ax, label, values)
        labels = [f"{row.metric}: {row.variant}" for row in self.table.itertuples()]
        ax = self._axes(ax, title="Variants", x=f"{label} ({self.interval})", grid="x", height=1.4 + 0.4 * len(labels))
        self._points(labels, *values.T)
        ax.axvline(0, color="0.35", linewidth=1, linestyle=":")
        return self

    def _over_time(self, ax, label: str, values: np.ndarray) -> "ExperimentDisplay":
        metric = self.table["metric"].iloc[0]
        ax = self._axes(ax, title=metric, x="Look", y=f"{label}\n({self.interval})")
        for number, (variant, rows) in enumerate(self.table.reset_index(drop=True).groupby("variant", sort=True)):
            look = style(number) | {"marker": None}
            value, low, high = values[rows.index.to_numpy()].T
            ax.plot(rows["time"], value, label=variant, **look)
            ax.fill_between(rows["time"], low, high, color=look["color"], alpha=0.2, linewidth=0)
        ax.axhline(0, color="0.35", linewidth=1, linestyle=":")
        bounds = values[:, 1:][np.isfinite(values[:, 1:])]
        if len(bounds):  # the first looks are wide: the axis shows what the later half does not exceed by much
            most = 2.0 * np.abs(values[len(values) // 2 :, 1:][np.isfinite(values[len(values) // 2 :, 1:])]).max(
                initial=0
            )
            if most > 0:
                ax.set_ylim(max(-most, 1.05 * min(bounds.min(), 0)), min(most, 1.05 * max(bounds.max(), 0)))
        date_axis(ax, "ExperimentDisplay.plot")
        self._legend()
        return self
