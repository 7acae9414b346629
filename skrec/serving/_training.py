"""What the jobs of the trainer do: update the model, refit it, promote a version; unlearn a user before all."""

import time
from typing import Any

import numpy as np
import pyarrow as pa

from ._attribution import attribute
from ._forgetting import forget
from ._judging import daily_quality, judge_refit, judge_update
from ._learned import changed_users, is_cut, learn, learned, refitted, steadily, times
from ._models import NotPromoted
from ._served import ServedModel
from ._watch import watch
from ._work import JobFailed, Work, elsewhere_until, is_of_store, may_know, new_notes


def run_job(job: dict, work: Work) -> dict[str, Any]:
    """Do a job.

    Parameters
    ----------
    job : dict
        Its row in the store, with `kind` and `payload`.
    work : Work
        What it works with.

    Returns
    -------
    dict
        The result: the version that came about, or the reason for none (`skipped`); whether it was `promoted`, and the
        outcome of its comparison (`judgement`); numbers of events and users; seconds.

    Raises
    ------
    JobFailed
        If it cannot be done.
    """
    jobs = {
        "update": update,
        "refit": refit,
        "promote": promote,
        "forget": forget,
        "drift": watch,
        "attribute": attribute,
    }
    if job["kind"] not in jobs:
        raise JobFailed(f"kind must be one of {', '.join(jobs)}, got {job['kind']!r}")
    began = time.perf_counter()
    if job["kind"] != "forget":
        forget_pending(work)
    result = jobs[job["kind"]](job, work)
    return {**result, "seconds": round(time.perf_counter() - began, 3)}


def forget_pending(work: Work) -> None:
    """Unlearn all users who are deleted from the store, before the store's events are compared with a model's."""
    while pending := work.store.open_jobs("forget"):
        number = pending[0]
        job = work.store.job(number)
        work.store.report_job(number, status="running")
        try:
            result = run_job(job, work)
        except BaseException:
            work.store.report_job(number, status="waiting")
            raise
        work.store.report_job(number, status="done", result=result)


def update(job: dict, work: Work) -> dict[str, Any]:
    """Let the current model learn what came since; a version of it is promoted unless it is worse.

    An exact model is then the one that a fit on all events gives, also where events came late or users were merged.
    """
    model, row = work.current()
    if not hasattr(model.estimator, "partial_fit"):
        return {"base": model.version, "skipped": f"{model.name} cannot be updated: it learns with the next refit"}
    if not is_of_store(model, row, work.store):
        reason = "the model was not learned from the events of this store, so what is new cannot be told: refit it"
        return {"base": model.version, "skipped": reason}
    work.say("reading new events")
    snapshot, table = steadily(work.store, lambda one: changed_users(work.store, row, one))
    if snapshot.forgets:
        forget_pending(work)
        return update(job, work)
    base = {"base": model.version, "learned_seq": snapshot.seq, "learned_merge": snapshot.merge}
    if not len(table):
        return {**base, "skipped": "nothing came that the model has not learned"}
    known = learned(table, row)
    n_new = int(np.count_nonzero(~known))
    if may_know(model, row, table):
        reason = "events came that are older than what the model learned elsewhere, and may be the same: refit it"
        return {**base, "skipped": reason}
    write_quality(model, row, table, work)
    try:
        work.say(f"comparing an update with {n_new:,} new events")
        with work.long():
            judgement = judge_update(model, row, table, snapshot.merges, work.settings)
        work.say(f"learning {n_new:,} new events")
        with work.long():
            estimator, n_twice = learn(model, row, table, snapshot.merges)
    except (ValueError, TypeError) as error:
        return {"base": model.version, "skipped": f"{model.name} cannot be updated: {error}"}
    until, at_last = _last(model, row, times(table), known)
    notes = new_notes(model, estimator, until, at_last)
    notes["n_updates"] = notes.get("n_updates", 0) + 1
    if (elsewhere := elsewhere_until(model, row)) is not None:
        notes["elsewhere_until"] = elsewhere
    counts = {"events": n_new, "users": len(table["user"].unique()), "counted_twice": n_twice}
    text = f"version {model.version} updated with {n_new:,} events"
    found = work.offer(estimator, notes, snapshot, until, base=model.version, note=text, judgement=judgement)
    return {**base, **counts, **found}


def refit(job: dict, work: Work) -> dict[str, Any]:
    """Fit the recipe of the current model on all events; the version is promoted unless it is worse.

    Events that come meanwhile are not in it: an update with them is queued.
    """
    model, row = work.current()
    work.say("reading all events")
    snapshot, table = steadily(work.store, lambda one: work.store.events(upto_seq=one.seq))
    if snapshot.forgets:
        forget_pending(work)
        return refit(job, work)
    if not len(table):
        raise JobFailed("there must be events to learn from: send events, or import a log")
    write_quality(model, row, table, work)
    try:
        work.say("comparing")
        with work.long():
            judgement = judge_refit(model, row, table, work.settings)
        work.say(f"fitting {model.name} to {len(table):,} events")
        with work.long():
            estimator = refitted(model, table).estimator
    except (ValueError, TypeError) as error:
        raise JobFailed(f"{model.name} cannot be fitted to the events of the store: {error}") from error
    until = int(times(table).max())
    notes = new_notes(model, estimator, until, int(np.count_nonzero(times(table) == until))) | {"n_updates": 0}
    notes.pop("elsewhere_until", None)
    counts = {"events": len(table), "users": len(table["user"].unique()), "learned_seq": snapshot.seq}
    text = f"refit on {len(table):,} events"
    found = work.offer(estimator, notes, snapshot, until, base=model.version, note=text, judgement=judgement)
    if hasattr(estimator, "partial_fit") and is_due(work.store):
        queue(work.store, "update")
    return {"base": model.version, **counts, **found}


def promote(job: dict, work: Work) -> dict[str, Any]:
    """Promote the version that the payload names, after a comparison unless `force` is set."""
    payload = job["payload"] or {}
    try:
        return work.models.promote(payload["version"], force=bool(payload.get("force")))
    except (NotPromoted, LookupError) as error:
        raise JobFailed(str(error)) from error


def queue(store, kind: str) -> int | None:
    """Queue a job unless one of its kind waits."""
    return None if store.open_jobs(kind, running=False) else store.add_job(kind)


def is_due(store) -> bool:
    """Tell whether the current model has something to learn, and an update was not tried with it already."""
    row = store.current()
    if row is None:
        return False
    is_later = is_cut(row) and (store.latest_time() or 0) > row["learned_until"]
    if not is_later and not _has_more(store, row):
        return False
    for job in store.jobs(1, "update"):
        result = job["result"] or {}
        if job["status"] not in ("done", "failed") or result.get("base") != row["version"]:
            return job["status"] in ("done", "failed")
        return "learned_seq" in result and _has_more(store, result)
    return True


def _has_more(store, learned: dict) -> bool:
    """Tell whether there are events or merges behind those that were learned, or tried."""
    return store.last_seq() > (learned["learned_seq"] or 0) or bool(store.merges(learned["learned_merge"] or 0))


def write_quality(model: ServedModel, row: dict, table: pa.Table, work: Work) -> None:
    """Write how well the model predicted the days that it has not learned."""
    work.say("measuring the quality by day")
    with work.long():
        found = daily_quality(model, row, table)
    for day in found:
        work.store.add_quality(**day)


def _last(model: ServedModel, row: dict, moments: np.ndarray, known: np.ndarray) -> tuple[int, int]:
    """Return the time of the last event of an updated model, and how many events it has at this time."""
    before, new = row["learned_until"], moments[~known]
    until = max(int(moments.max()), 0 if before is None else before)
    at_last = int(np.count_nonzero(new == until)) + (model.notes.get("events_at_last") or 0 if until == before else 0)
    return until, at_last
