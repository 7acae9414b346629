"""Drift of the shop and of the answers: a job of the trainer, and the gauges of its scores."""

import logging
import math
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ._bodies import iso
from ._database import now
from ._store_watch import DAY, MOST_ANSWERS
from ._work import Work

logger = logging.getLogger("skrec.serving")
_WEEK = 7 * DAY
_WEEKS = 64  # that are read: a year, the window before it, and some
_SHOWN = 26  # weeks of scores that are kept


def watch(job: dict, work: Work) -> dict[str, Any]:
    """Judge the last weeks of the log and of the answers, and keep the scores.

    Returns
    -------
    dict
        `period`, the first moment of the last week judged, and the statistics with an `alarm` or a `warn` in it; or
        the reason for none (`skipped`).
    """
    from ..inspection._drift_log import AHEAD, future_notes

    today = now()
    end = today + int(AHEAD * DAY)  # later events are left out
    latest = work.store.last_event(end)
    if latest is None:
        return {"skipped": "there are no events"}
    work.say("reading events")
    parts, notes = [], future_notes(work.store.events_after(end))
    for name, judge in (("shop", _of_shop), ("answers", _of_answers)):
        try:
            scores = judge(work, latest, today)
        except ValueError as error:
            notes.append(str(error))
            continue
        if scores is not None:
            notes += scores.attrs.get("notes", [])
            parts.append((name, scores))
    rows = [row for name, scores in parts for row in _rows(name, scores)]
    work.store.keep_drift({"judged": iso(now()), "notes": notes, "scores": rows}, _gauges(parts))
    if not rows:
        return {"skipped": "; ".join(notes) or "there is no whole week"}
    last = {name: max(row["period"] for row in rows if row["part"] == name) for name, _ in parts}
    newest = [row for row in rows if row["period"] == last[row["part"]]]
    result: dict[str, Any] = {"period": last[parts[0][0]]}
    for verdict in ("alarm", "warn"):
        result[verdict] = [row["statistic"] for row in newest if row["verdict"] == verdict]
    for row in newest:
        if row["verdict"] == "alarm":
            logger.warning("drift of the %s in the week of %s: %s", row["part"], row["period"][:10], row["statistic"])
    return result


def _of_shop(work: Work, latest: int, today: int):
    """Score the weeks of the log."""
    from ..inspection import DriftMonitor
    from ..inspection._drift_log import complete_until

    table = work.store.recent_events(latest - _WEEKS * _WEEK, max(latest, today))
    columns: dict[str, str | None] = {"user": "user", "item": "item", "time": "time", "event": "event"}
    table = table.set_column(table.column_names.index("time"), "time", table["time"].cast(pa.timestamp("us")))
    if table["event"].null_count == len(table):
        columns["event"] = None
    else:
        table = _replaced(table, "event", pc.fill_null(table["event"], "none"))
    if table["value"].null_count < len(table):
        columns["weight"] = "value"
        table = _replaced(table, "value", pc.fill_null(table["value"], 1.0))
    categories = work.store.table("items").select(["item", "category"])
    if categories["category"].null_count < len(categories):
        table = table.join(categories, "item", join_type="left outer")
        table = _replaced(table, "category", pc.fill_null(table["category"], "none"))
        columns["category"] = "category"
    work.say("judging the weeks of the log")
    monitor = DriftMonitor(**columns)
    until = complete_until(_moment(latest), _moment(today), monitor.window * 7)
    return monitor.score_log(table.to_pandas(), until=until)


def _of_answers(work: Work, latest: int, today: int):
    """Score the weeks of the answers; None where there are none."""
    from ..inspection import score_requests

    table = work.store.recent_answers(today - _WEEKS * _WEEK, today)
    if not len(table):
        return None
    frame = table.to_pandas()
    frame["fallback"] = frame["version"].isna().astype(float)
    frame["hit"] = frame["taken"].where(frame["time"] < today - DAY).astype(float)
    if not frame["taken"].any():  # no event names a list: there is no rate
        frame["hit"] = math.nan
    frame["score"] = frame["score"].where(frame["fallback"] == 0).astype(float)
    frame["time"] = frame["time"].astype("datetime64[us]")
    frame["user"] = frame["user"].astype(str)
    work.say("judging the weeks of the answers")
    filled = [name for name in ("time", "fallback", "hit", "user", "score") if not frame[name].isna().all()]
    how: dict[str, Any] = dict(zip(filled, filled, strict=True))
    scores = score_requests(frame, until=_moment(today), **how)
    if len(frame) == MOST_ANSWERS:
        scores.attrs["notes"].append(f"the newest {MOST_ANSWERS:,} lists alone are looked at")
    return scores


def _replaced(table: pa.Table, name: str, column) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def _moment(microseconds: int):
    import pandas as pd

    return pd.Timestamp(microseconds, unit="us")


def _rows(part: str, scores) -> list[dict[str, Any]]:
    """Return scores as plain rows, of the last weeks; users are counted, not named: nothing is kept of a person."""
    from ..inspection._drift_judge import STATISTICS

    first = sorted(scores["period"].unique())[-_SHOWN:][0]
    rows = []
    for row in scores[scores["period"] >= first].itertuples():
        moved = row.moved if isinstance(row.moved, str) else None
        if moved is not None and moved.startswith("user"):
            moved = f"{moved.count(',') + 1} users"
        rows.append(
            {
                "part": part,
                "period": row.period.isoformat(),
                "statistic": row.statistic,
                "title": STATISTICS[row.statistic].title,
                **{name: _finite(getattr(row, name)) for name in ("value", "reference", "z", "year_ago")},
                "verdict": row.verdict,
                "moved": moved,
                "advice": row.advice if isinstance(row.advice, str) and row.advice else None,
            }
        )
    return rows


def _finite(value) -> float | None:
    return float(value) if math.isfinite(value) else None


def _gauges(parts: list) -> dict[str, float]:
    from ..inspection import drift_gauges

    found: dict[str, float] = {}
    for name, scores in parts:
        for gauge, value in drift_gauges(scores).items():
            name_of = gauge if name == "shop" else gauge.replace("skrec_drift_", "skrec_drift_answers_")
            if math.isfinite(value):
                found[name_of] = value
    return found


def exposition(gauges: dict[str, float]) -> bytes:
    """Return gauges in Prometheus' text format."""
    return "".join(f"# TYPE {name} gauge\n{name} {value!r}\n" for name, value in gauges.items()).encode()
