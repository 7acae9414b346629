"""The steps of `skrec drift`."""

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ..utils._histories import read_histories
from ..utils._time import as_days, as_duration
from ._data import TABLES, check_output, write_table
from ._dates import echo, parse_moment
from ._log import as_options, read_events
from ._options import Log, check_choice
from ._screen import Screen, UserError

ALARM = 3  # exit code
_FEWEST = 12  # weeks of a log whose report has a section on drift
_SHOWN = ("last", "all")


def run(
    screen: Screen,
    log: Log,
    *,
    reference: list[str] | None,
    period: str,
    window: int,
    weeks: str,
    until: str | None,
    output: Path | None,
    report: Path | None,
) -> int:
    """Judge the last period of a log against those before; return 3 on an alarm, else 0."""
    from ..inspection import DriftMonitor
    from ..inspection._drift_report import FOUND, drift_rows, found_sentences, period_text, summary, write_drift_report

    check_choice(weeks, "--weeks", _SHOWN)
    check_output(output, "--output", TABLES)
    check_output(report, "--report", (".html",))
    if "time" not in log.columns:
        raise UserError(
            "drift is judged by periods, which needs the times of the events: name their column with --time"
        )
    end = None if until in (None, "now") else parse_moment(until, "--until", log.time_format)
    roles = {role: name for role, name in log.columns.items() if role != "name"}
    monitor = DriftMonitor(**roles, period=_period(period), window=window)
    with as_options(log):
        events = _events(screen, log)
        earlier = None if not reference else _events(screen, _other(log, reference))
        for sentence in echo(end):
            screen.say(sentence)
        moment = _until(screen, events[roles["time"]], until, end, window, period)
        with screen.working("Judging the periods"):
            if earlier is None:
                scores = monitor.score_log(events, until=moment)
            else:
                scores = monitor.fit(earlier).score(events, until=moment)
    for note in scores.attrs["notes"]:
        screen.say(f"Note: {note}.")
    last = scores[scores["period"] == scores["period"].max()]
    day = period_text(last["period"].iloc[0])
    header, rows = drift_rows(last)
    alarms = [number for number, row in enumerate(rows) if row[4] == "alarm"]
    screen.table(
        header, rows, numbers=(1, 2, 3), bold=alarms[0] if alarms else None, title=f"The period of {period} from {day}"
    )
    shown = scores if weeks == "all" else last
    for sentence in found_sentences(shown):
        screen.show(sentence)
    if weeks == "all":
        n_periods, odd = scores["period"].nunique(), scores.loc[scores["verdict"].isin(FOUND), "period"].nunique()
        screen.show(f"{odd} of {n_periods} periods have a verdict that is not ok.")
    if (last["verdict"] == "unjudged").all():
        raise UserError(
            f"no statistic of the period from {day} could be judged: give a log of more periods, or a shorter --period"
        )
    screen.show(f"The period from {day}: {summary(last)}.")
    if output is not None:
        write_table(scores, output)
        screen.say(f"Wrote the scores of all periods to {output}.")
    if report is not None:
        write_drift_report(report, scores, title=f"Drift until {day}")
        screen.say(f"Wrote the report to {report}.")
    return ALARM if (last["verdict"] == "alarm").any() else 0


def _period(text: str):
    """Read a number as a number: the unit of times that are numbers."""
    try:
        return float(text)
    except ValueError:
        return text


def _other(log: Log, paths: list[str]) -> Log:
    from dataclasses import replace

    return replace(log, paths=paths)


def _events(screen: Screen, log: Log):
    """Read the events of a log; those without a time are left out or refused, others count as missing values."""
    import pandas as pd
    import pyarrow as pa

    from ..feature_extraction._event_columns import plain
    from ..feature_extraction._time_units import with_unit

    with screen.working("Reading the log"):
        table = read_events(log)
    name = log.columns["time"]
    lacking = int(table[name].null_count)
    if lacking:
        if not log.drop_missing:
            raise UserError(
                f"{lacking:,} of {len(table):,} events have no {name!r}: add --drop-missing to leave them out"
            )
        table = table.filter(table[name].is_valid())
        screen.say(f"Left out {lacking:,} events without {name!r}.")
    if not len(table):
        raise UserError("the log has no events: check the files, and --where")
    times = plain(table[name])
    if pa.types.is_string(times.type):
        raise UserError(f"--time {name!r} has {times[0].as_py()!r}, which is not a time: say --time-format")
    times, _ = with_unit(times, log.time_unit, f"time column {name!r}")
    frame = table.to_pandas(integer_object_nulls=True)
    frame[name] = pd.Series(times.to_pandas(), index=frame.index)
    return frame


def _until(screen: Screen, times, given: str | None, end, window: int, period: str):
    """Return until when the log is complete: what is given, or now where its last event is recent."""
    import pandas as pd

    from ..inspection._drift_log import complete_until, in_future

    if end is not None:
        return end.value
    if not pd.api.types.is_datetime64_any_dtype(times.dtype):
        if given == "now":
            raise UserError("--until now needs times that are dates: say what they count since 1970 with --time-unit")
        if isinstance(_period(period), str):
            raise UserError(
                f"--period {period} has a unit, but the times of the log are numbers: say what they count since 1970 "
                "with --time-unit, or give --period as a number of these"
            )
        return None
    times = times.dt.tz_convert(None) if times.dt.tz is not None else times
    latest = times[~in_future(as_days(times.to_numpy()), True)].max()
    now = pd.Timestamp(datetime.now(UTC).replace(tzinfo=None))
    if given == "now":
        return complete_until(latest, now, math.inf) or now
    moment = complete_until(latest, now, window * as_duration(_period(period), "--period"))
    if moment is not None:
        screen.say(f"The last event is of {latest:%Y-%m-%d %H:%M}: the log counts as complete until now; else --until.")
    return moment


def drift_of(histories):
    """Return the scores of the weeks of a log for a report, None where it has too few weeks, or no dates."""
    from ..inspection import DriftMonitor
    from ..inspection._drift_log import in_future

    read = read_histories(histories)
    if read.time is None or not read.dated or not len(read.time):
        return None
    if np.ptp(read.time[~in_future(read.time, read.dated)]) < 7 * _FEWEST:
        return None
    scores = DriftMonitor().score_log(histories)
    return scores if (scores["verdict"] != "unjudged").any() else None
