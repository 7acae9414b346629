"""Unlearning a user in all versions of the model."""

import logging
from typing import Any

import numpy as np

from ._learned import as_learned, refitted, steadily, take_snapshot, times, unlearn
from ._models import NotPromoted, RefusedModel
from ._served import ServedModel
from ._work import Work, deleted_events, is_of_store, learned_events, new_notes

logger = logging.getLogger("skrec.serving")
_LATE = 1_000_000  # microseconds after the deletion of a user in which another process may have shown a list


def forget(job: dict, work: Work) -> dict[str, Any]:
    """Unlearn the user of the payload in all versions, the current one first.

    A version that cannot unlearn is deleted; if it is the current one, its recipe is first fitted on what is left.
    Each file notes the jobs that it has followed, so a job that is repeated does nothing twice.

    Parameters
    ----------
    job : dict
        The job; its payload is emptied by whoever reports it as done, not here.
    work : Work
        What it works with.

    Returns
    -------
    dict
        `unlearned` and `deleted`: versions; `version`: the one that is current now, where it was replaced.
    """
    events, merges = deleted_events(work.store, [job["id"]])
    result: dict[str, Any] = {"unlearned": [], "deleted": [], "version": None}
    rows = sorted(work.store.versions(), key=lambda one: (one["status"] != "current", -one["version"]))
    for row in rows if len(events) else []:
        if row["status"] != "deleted":
            work.say(f"unlearning in version {row['version']}")
            _forget_in(row, job["id"], events, merges, work, result)
    users = ((work.store.job(job["id"]) or {}).get("payload") or {}).get("users") or []
    work.store.delete_impressions(users, job["created"] + _LATE)
    return result


def _forget_in(row: dict, job_id: int, events, merges, work: Work, result: dict) -> None:
    version, models = row["version"], work.models
    try:
        model = models.load(version)
    except (RefusedModel, FileNotFoundError) as error:
        logger.warning("version %s cannot be loaded and is deleted: %s", version, error)
        _delete(version, work, result)
        return
    of_store = is_of_store(model, row, work.store)
    known = as_learned(events, row, merges)
    if not len(known) or job_id in (model.notes.get("forgotten") or ()):
        return
    estimator = _unlearned(model, row, events, merges, work) if of_store else None
    if estimator is None:
        if row["status"] == "current":
            result["version"] = _replace(model, work)
        _delete(version, work, result)
        return
    until, n_at_last = row["learned_until"], model.notes.get("events_at_last", 0)
    if until is not None and times(known).max() >= until:
        rest = times(learned_events(work.store, row, but=job_id))
        until = int(rest.max())
        n_at_last = int(np.count_nonzero(rest == until))
    pending = take_snapshot(work.store).forgets
    followed = [one for one in model.notes.get("forgotten") or () if one in pending]
    notes = new_notes(model, estimator, until, n_at_last, sorted({job_id, *followed}))
    result["unlearned"].append(version)
    if row["status"] != "current":
        models.rewrite(version, estimator, notes)
        work.store.set_version(version, learned_until=until)
        return
    learned = {name: row[name] for name in ("learned_seq", "learned_merge")} | {"learned_until": until}
    text = f"version {version} without a user who was deleted"
    new = models.write(estimator, notes, learned=learned, note=text, quality=row["quality"] or {})
    previous = [one["version"] for one in work.store.versions() if one["status"] == "previous"]
    models.install(new)
    _delete(version, work, result)
    for one in previous:  # what there was to go back to, not the version with the user
        work.store.set_version(one, status="previous")
    result["version"] = new.version


def _unlearned(model: ServedModel, row: dict, events, merges, work: Work):
    """Return the model without the user, None where it cannot unlearn."""
    if not hasattr(model.estimator, "forget"):
        return None
    try:
        with work.long():
            return unlearn(model, row, events, merges)
    except (ValueError, TypeError) as error:
        logger.warning("version %s cannot unlearn a user: %s", row["version"], error)
        return None


def _replace(model: ServedModel, work: Work) -> int | None:
    """Fit the recipe of the current model on the events that are left, and promote it; None where that fails."""
    snapshot, table = steadily(work.store, lambda one: work.store.events(upto_seq=one.seq))
    if not len(table):
        return None
    work.say(f"fitting {model.name} to {len(table):,} events without the user")
    until = int(times(table).max())
    try:
        with work.long():
            estimator = refitted(model, table).estimator
        notes = new_notes(
            model, estimator, until, int(np.count_nonzero(times(table) == until)), sorted(snapshot.forgets)
        )
        learned = {"learned_seq": snapshot.seq, "learned_merge": snapshot.merge, "learned_until": until}
        text = f"refit on {len(table):,} events without a user who was deleted"
        new = work.models.write(estimator, notes, learned=learned, note=text, quality={})
    except (ValueError, TypeError, NotPromoted) as error:
        logger.error("no model is left, since %s cannot be fitted without a user: %s", model.name, error)
        return None
    work.models.install(new)
    return new.version


def _delete(version: int, work: Work, result: dict) -> None:
    work.models.delete(version)
    result["deleted"].append(version)
