"""Drift in reports: the table of the last period, what was found, and the picture."""

import os
from pathlib import Path

import numpy as np

from ._drift_judge import STATISTICS
from ._html import Page, has_matplotlib

FOUND = ("alarm", "warn", "as a year ago")


def period_text(period) -> str:
    """Write the start of a period."""
    if not hasattr(period, "date"):
        return f"{period:g}"
    return str(period.date() if period == period.normalize() else period)


def drift_rows(scores) -> tuple[list[str], list[list[str]]]:
    """Return the header and the cells of the scores of one period as people read them, the farthest off first."""
    order = scores.assign(size=scores["z"].abs()).sort_values("size", ascending=False, kind="stable")
    rows = []
    for row in order.itertuples():
        z = "" if np.isnan(row.z) else f"{row.z:+.1f}"
        title = STATISTICS[row.statistic].title
        rows.append([title, _number(row.value), _number(row.reference), z, row.verdict, row.moved])
    return ["statistic", "value", "median before", "z", "verdict", "moved most"], rows


def found_sentences(scores) -> list[str]:
    """Return a sentence for each verdict that is not "ok", alarms first."""
    sentences = []
    for verdict in FOUND:
        for row in scores[scores["verdict"] == verdict].itertuples():
            moved = f" ({row.moved})" if row.moved else ""
            title = STATISTICS[row.statistic].title
            what = f"{title} {_number(row.value)} where {_number(row.reference)} is usual, z {row.z:+.1f}{moved}"
            sentences.append(f"{period_text(row.period)}, {verdict}: {what}. {row.advice}")
    return sentences


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def add_drift(page: Page, scores, *, plot: bool = True) -> None:
    """Add the section on drift to a report."""
    page.heading("Drift: is the newest period like those before?")
    last = scores[scores["period"] == scores["period"].max()]
    header, rows = drift_rows(last)
    page.text(f"The period from {period_text(last['period'].iloc[0])}, {summary(last)}.")
    page.table(header, rows, numbers=(1, 2, 3))
    found = found_sentences(scores)
    warn, alarm = scores.attrs.get("thresholds", (4.0, 5.0))
    page.text(
        f"Over all {scores['period'].nunique()} periods, {len(found)} verdicts are not ok. z is the distance from the "
        f"median of the last periods, in units of their robust spread; a warning begins at {warn:g}, an alarm at "
        f"{alarm:g}."
    )
    for sentence in found[:20]:
        page.text(sentence)
    if len(found) > 20:
        page.text(f"{len(found) - 20} more are left out here.")
    for note in scores.attrs.get("notes", ()):
        page.text(f"Note: {note}.")
    if plot:
        from matplotlib.figure import Figure

        from ._drift_display import DriftDisplay, figure_size

        size = figure_size(scores["statistic"].nunique())
        figure = Figure(figsize=size, layout="constrained")  # no pyplot: its state stays as it is
        DriftDisplay.from_scores(scores, warn=warn, alarm=alarm, figure=figure)
        page.figure(figure, "z of each statistic by period; dotted lines are warnings, dashed ones alarms.")


def summary(last) -> str:
    """Count the verdicts of a period."""
    counts = last["verdict"].value_counts()
    if set(counts.index) <= {"ok"}:
        return f"all {len(last)} statistics ok"
    words = {"alarm": "alarm", "warn": "warning", "as a year ago": "as a year ago", "unjudged": "unjudged", "ok": "ok"}
    return ", ".join(f"{counts[verdict]} {word}" for verdict, word in words.items() if verdict in counts)


def write_drift_report(path: str | os.PathLike, scores, *, title: str = "Drift") -> Path:
    """Write scores of a monitor as one HTML file; without matplotlib it has no picture, and says so."""
    page = Page(title)
    page.text("Whether the newest events are like those before, statistic by statistic.", "lead")
    can_plot = has_matplotlib()
    if not can_plot:
        page.text("The picture is left out, because matplotlib is not installed: pip install 'skrec-hybrid[plot]'.")
    add_drift(page, scores, plot=can_plot)
    return page.save(path)
