"""Unlearning users in all versions of the model."""

import logging
import time
from typing import Any

import numpy as np

from ._database import now
from ._learned import as_learned, refitted, steadily, times, unlearn
from ._models import NotPromoted, RefusedModel
from ._served import ServedModel
from ._work import Work, deleted_events, elsewhere_until, is_of_store, learned_events, may_know, new_notes

logger = logging.getLogger("skrec.serving")
_LATE = 1_000_000  # microseconds after the deletion of a user in which another process may have shown a list
_UPLOAD_SECONDS = 60.0  # for a file that is being written


def forget(job: dict, work: Work) -> dict[str, Any]:
    """Unlearn the users of this job and of all others that wait, in all versions, the current one first.

    Each file is written once for all of them. A version that cannot unlearn is deleted; if it is the current one, its
    recipe is first fitted on what is left. Each file notes the jobs that it has followed, so what is repeated does
    nothing twice. At the end the payloads are emptied and the files of the database hold nothing of them; the other
    jobs are reported as done, this one is by whoever runs it.

    Parameters
    ----------
    job : dict
        The job.
    work : Work
        What it works with.

    Returns
    -------
    dict
        `users`: number of jobs that were done together; `unlearned` and `deleted`: versions; `version`: the one that is
        current now, where it was replaced.
    """
    store = work.store
    numbers = sorted({job["id"], *store.open_jobs("forget")})
    people = _People(store, numbers)
    result: dict[str, Any] = {"users": len(numbers), "unlearned": [], "deleted": [], "version": None}
    if people.payloads:
        work.models.check_folder()
        work.models.sweep()
        done: set[int | None] = set()
        while row := _next(store, done):
            work.say(f"unlearning in version {row['version']}")
            _forget_in(row, people, work, result)
            done |= {row["version"], result["version"]}
        if store.current() is None:
            _fall_back(work, result)
        _delete_late_impressions(people, work)
    _leave_nothing(people, work)
    if others := [number for number in numbers if number != job["id"]]:
        store.finish_jobs(others, result)
    return result


class _People:
    """Users who were deleted: the payloads of their jobs, by number."""

    def __init__(self, store, numbers: list[int]):
        self.store, self.numbers = store, numbers
        self.payloads = store.payloads(numbers)
        self.created = store.created(self.payloads)
        self.names = job_names(self.created)
        self.all = deleted_events(store, self.payloads.values())

    def but(self, followed) -> tuple[Any, list]:
        """Return the events and merges of jobs that a version has not followed."""
        rest = [number for number in self.payloads if self.names[number] not in followed]
        if len(rest) == len(self.payloads):
            return self.all
        return deleted_events(self.store, [self.payloads[number] for number in rest])


def job_names(created: dict[int, int]) -> dict[int, str]:
    """Name jobs in a model file: by number and moment, since numbers are given again after a backup was restored."""
    return {number: f"{number} of {moment}" for number, moment in created.items()}


def _next(store, done: set) -> dict | None:
    """Return the next version: the current one first, then the newest; those that came meanwhile as well."""
    rows = [row for row in store.versions(deleted=0) if row["version"] not in done]
    return min(rows, key=lambda one: (one["status"] != "current", -one["version"]), default=None)


def _delete_late_impressions(people: _People, work: Work) -> None:
    """Delete what other processes wrote behind the deletions."""
    last = max(people.created.values()) + _LATE
    work.pause(min(max(0.0, last - now()), _LATE) / 1e6)
    payloads = people.payloads.items()
    work.store.delete_impressions((payload["users"], people.created[number] + _LATE) for number, payload in payloads)


def _leave_nothing(people: _People, work: Work) -> None:
    """Empty the payloads, and leave no copies in the files of the database."""
    store, payloads = work.store, people.payloads.values()
    texts: set[str] | None = None  # where a crash came between the payloads and the files
    if len(people.payloads) == len(people.numbers):
        texts = {str(user) for payload in payloads for user in payload["users"]}
        texts |= {text for payload in payloads for text in payload.get("texts", ())}
        texts |= {str(item) for item in store.only_of(people.all[0]["item"].unique().to_pylist())}
    work.say("removing what is left in the files of the database")
    store.empty_jobs(people.numbers)
    store.scrub(texts)


def _forget_in(row: dict, people: _People, work: Work, result: dict) -> None:
    version, models = row["version"], work.models
    model = _loaded(row, work)
    if model is None:
        _delete(version, work, result)
        return
    followed = set(model.notes.get("forgotten") or ())
    of_store = is_of_store(model, row, work.store)
    events, merges = people.but(followed)
    known = as_learned(events, row, merges)
    may = of_store and may_know(model, row, events)
    if not len(known) and not may:
        if followed.intersection(people.names.values()):  # a crash came between the file and its row
            work.store.set_version(version, learned_until=_end(model, row, people, work)[0])
        return
    estimator = _unlearned(model, row, events, merges, work) if of_store and not may else None
    if estimator is None:
        latest = work.store.version(version)
        if latest is not None and latest["status"] == "current":
            result["version"] = _replace(model, version, work)
        _delete(version, work, result)
        return
    until, n_at_last = _end(model, row, people, work)
    open_jobs = job_names(work.store.created({*people.numbers, *work.store.open_jobs("forget")}))
    names = followed.intersection(open_jobs.values()).union(people.names.values())
    notes = new_notes(model, estimator, until, n_at_last, sorted(names))
    result["unlearned"].append(version)
    if row["status"] == "current":
        learned = {name: row[name] for name in ("learned_seq", "learned_merge")} | {"learned_until": until}
        text = f"version {version} without users who were deleted"
        new = models.write(estimator, notes, learned=learned, note=text, quality=row["quality"] or {})
        if models.install_in_place_of(version, new):
            _delete(version, work, result)
            result["version"] = new.version
            return
        models.delete(new.version)  # another one was put to use meanwhile
    models.rewrite(version, estimator, notes)
    work.store.set_version(version, learned_until=until)
    models.touch()  # it may have been put to use meanwhile, as it was before


def _end(model: ServedModel, row: dict, people: _People, work: Work) -> tuple[int | None, int]:
    """Return the time of the last event that a version has learned of others, and how many it has at this time."""
    until, n_at_last = row["learned_until"], model.notes.get("events_at_last", 0)
    known = as_learned(people.all[0], row, people.all[1])
    if until is None or not len(known) or times(known).max() < until:
        return until, n_at_last
    rest = times(learned_events(work.store, row, but=people.numbers))
    elsewhere = elsewhere_until(model, row)
    ends = [int(rest.max())] if len(rest) else []
    ends += [] if elsewhere is None else [elsewhere]
    if not ends:
        return until, n_at_last
    return max(ends), int(np.count_nonzero(rest == max(ends)))


def _loaded(row: dict, work: Work) -> ServedModel | None:
    """Load a version; None where its file is damaged or gone, and not only out of reach."""
    version, models = row["version"], work.models
    ends = time.monotonic() + _UPLOAD_SECONDS
    while True:
        try:
            return models.load(version)
        except FileNotFoundError as error:
            if row["status"] == "candidate" and models.is_writing() and time.monotonic() < ends:
                time.sleep(0.1)
                continue
            logger.warning("version %s has no file: %s", version, error)
        except RefusedModel as error:
            if isinstance(error.__cause__, MemoryError):
                raise
            logger.warning("version %s cannot be loaded and is deleted: %s", version, error)
        return None


def _unlearned(model: ServedModel, row: dict, events, merges, work: Work):
    """Return the model without the users, None where it cannot unlearn."""
    if not hasattr(model.estimator, "forget"):
        return None
    try:
        with work.long():
            return unlearn(model, row, events, merges)
    except (ValueError, TypeError) as error:
        logger.warning("version %s cannot unlearn users: %s", row["version"], error)
        return None


def _replace(model: ServedModel, version: int, work: Work) -> int | None:
    """Fit the recipe of the current model on the events that are left, and promote it; None where that fails."""
    snapshot, table = steadily(work.store, lambda one: work.store.events(upto_seq=one.seq))
    if not len(table):
        return None
    work.say(f"fitting {model.name} to {len(table):,} events without the users")
    until = int(times(table).max())
    try:
        with work.long():
            estimator = refitted(model, table).estimator
        names = sorted(job_names(work.store.created(snapshot.forgets)).values())
        notes = new_notes(model, estimator, until, int(np.count_nonzero(times(table) == until)), names)
        notes.pop("elsewhere_until", None)
        learned = {"learned_seq": snapshot.seq, "learned_merge": snapshot.merge, "learned_until": until}
        text = f"refit on {len(table):,} events without users who were deleted"
        new = work.models.write(estimator, notes, learned=learned, note=text, quality={})
    except (ValueError, TypeError, NotPromoted) as error:
        logger.error("%s cannot be fitted without users who were deleted: %s", model.name, error)
        return None
    if work.models.install_in_place_of(version, new):
        return new.version
    work.models.delete(new.version)
    return None


def _fall_back(work: Work, result: dict) -> None:
    """Go back to the previous version, which has unlearned the users, where the current one could not be kept."""
    try:
        result["version"] = work.models.roll_back()
        logger.warning("version %s is in use again: the current one could not unlearn users", result["version"])
    except NotPromoted as error:
        logger.error("no model is in use: the current one could not unlearn users, and %s", error)


def _delete(version: int, work: Work, result: dict) -> None:
    work.models.delete(version)
    result["deleted"].append(version)
