"""The part of the store that keeps jobs, model versions, their quality, and keys."""

from collections.abc import Iterable
from typing import Any

import orjson
import sqlalchemy as sa

from ._database import Part, advance, now, row_of
from ._tables import jobs, keys, models, quality

HEARTBEAT = 60_000_000  # microseconds after which a running job counts as left behind
_KEEP: Any = object()


class Administration(Part):
    """Jobs, versions, quality and keys, as dicts of their columns."""

    # ------------------------------------------------------------------------------------------------------- jobs

    def add_job(self, kind: str, payload: Any = None) -> int:
        """Queue a job and return its id."""
        row = sa.insert(jobs).values(kind=kind, status="waiting", created=now(), payload=_dumped(payload))
        with self.database.begin(write=True) as connection:
            return (connection.execute(row).inserted_primary_key or (0,))[0]

    def jobs(self, limit: int = 50, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the latest jobs, or those of a kind, without their payload, newest first."""
        query = sa.select(*(column for column in jobs.c if column.name != "payload"))
        if kind is not None:
            query = query.where(jobs.c.kind == kind)
        with self.database.begin() as connection:
            rows = connection.execute(query.order_by(jobs.c.id.desc()).limit(limit)).mappings().all()
        return [_loaded(row, "result") for row in rows]

    def job(self, job_id: int) -> dict[str, Any] | None:
        """Return a job with its payload, or None."""
        with self.database.begin() as connection:
            row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).mappings().one_or_none()
        return None if row is None else _loaded(row, "result", "payload")

    def payloads(self, job_ids: Iterable[int]) -> dict[int, Any]:
        """Return the payloads of jobs, without those that are empty."""
        query = sa.select(jobs.c.id, jobs.c.payload).where(
            self.database.among(jobs.c.id, list(job_ids)), jobs.c.payload.isnot(None)
        )
        with self.database.begin() as connection:
            return {number: orjson.loads(payload) for number, payload in connection.execute(query.order_by(jobs.c.id))}

    def created(self, job_ids: Iterable[int]) -> dict[int, int]:
        """Return when jobs were queued."""
        query = sa.select(jobs.c.id, jobs.c.created).where(self.database.among(jobs.c.id, list(job_ids)))
        with self.database.begin() as connection:
            return {row.id: row.created for row in connection.execute(query)}

    def empty_jobs(self, job_ids: Iterable[int]) -> None:
        """Empty the payloads of jobs; `scrub` removes them from the files."""
        which = self.database.among(jobs.c.id, list(job_ids))
        with self.database.begin(write=True) as connection:
            connection.execute(sa.update(jobs).where(which).values(payload=None))

    def finish_jobs(self, job_ids: Iterable[int], result: Any) -> None:
        """Say that jobs were done together."""
        values = {"status": "done", "finished": now(), "result": _dumped(result)}
        with self.database.begin(write=True) as connection:
            connection.execute(sa.update(jobs).where(self.database.among(jobs.c.id, list(job_ids))).values(values))

    def open_jobs(self, kind: str, *, running: bool = True) -> list[int]:
        """Return the ids of all jobs of a kind that wait or, unless that is False, run, oldest first."""
        statuses = ("waiting", "running") if running else ("waiting",)
        query = sa.select(jobs.c.id).where(jobs.c.kind == kind, jobs.c.status.in_(statuses))
        with self.database.begin() as connection:
            return list(connection.execute(query.order_by(jobs.c.id)).scalars())

    def take_job(self) -> dict[str, Any] | None:
        """Mark the next waiting job as running and return it; None if there is none, or another one runs.

        A running job that was not reported for 60 seconds is put back first: its process ended.
        """
        open_jobs = sa.select(jobs.c.id).where(jobs.c.status.in_(("waiting", "running"))).limit(1)
        with self.database.begin() as connection:
            if connection.execute(open_jobs).first() is None:
                return None
        moment = now()
        with self.database.begin(ordered=True) as connection:
            silent = sa.func.abs(jobs.c.heartbeat - moment) > HEARTBEAT  # the clock may have been set back
            connection.execute(
                sa.update(jobs).where(jobs.c.status == "running", silent).values(status="waiting", progress=None)
            )
            if connection.execute(sa.select(jobs.c.id).where(jobs.c.status == "running").limit(1)).first():
                return None
            query = sa.select(jobs).where(jobs.c.status == "waiting").order_by(jobs.c.id).limit(1)
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                return None
            changed = {"status": "running", "started": moment, "heartbeat": moment}
            connection.execute(sa.update(jobs).where(jobs.c.id == row["id"]).values(changed))
        return _loaded(row, "result", "payload") | changed

    def report_job(
        self,
        job_id: int,
        *,
        status: str | None = None,
        progress: float | None = None,
        result: Any = None,
        payload: Any = _KEEP,
    ) -> None:
        """Say that a job's process is alive, and what came of it.

        Parameters
        ----------
        job_id : int
            The job.
        status : {"waiting", "running", "done", "failed"}, default=None
            Its new status; "done" and "failed" set the time at which it finished.
        progress : float, default=None
            Share that is done.
        result : object, default=None
            What JSON can hold: numbers, reasons.
        payload : object, default=unchanged
            New payload; None empties it.
        """
        values: dict[str, Any] = {"heartbeat": now()}
        if status is not None:
            values |= {"status": status} | ({"finished": now()} if status in ("done", "failed") else {})
        if progress is not None:
            values["progress"] = progress
        if result is not None:
            values["result"] = _dumped(result)
        if payload is not _KEEP:
            values["payload"] = _dumped(payload)
        with self.database.begin(write=True) as connection:
            connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(values))

    def scrub(self, texts: Iterable[str] | None = None) -> bool:
        """Leave nothing in the files of the database of what was deleted from the tables.

        Parameters
        ----------
        texts : iterable of str, default=None
            What was deleted. SQLite overwrites rows that are deleted, but pages keep copies of some that moved: the
            file is rewritten where such a copy has one of the texts. With None it is rewritten anyway. That takes
            about a second for 100 MB, during which events wait.

        Returns
        -------
        bool
            Whether the file was rewritten.

        Raises
        ------
        StoreUnavailable
            If somebody reads for so long that the log of earlier pages cannot be emptied.
        """
        return self.database.scrub(None if texts is None else {str(text) for text in texts})

    # --------------------------------------------------------------------------------------------------- versions

    def add_version(
        self,
        file: str,
        *,
        learned_seq: int | None = None,
        learned_merge: int | None = None,
        learned_until: int | None = None,
        note: str | None = None,
        quality: dict[str, Any] | None = None,
        status: str = "candidate",
    ) -> int:
        """Register a model file, and return its version: a number that is never given again."""
        row = sa.insert(models).values(
            file=file,
            status=status,
            created=now(),
            learned_seq=learned_seq,
            learned_merge=learned_merge,
            learned_until=learned_until,
            note=note,
            quality=_dumped(quality or {}),
        )
        with self.database.begin(write=True) as connection:
            return (connection.execute(row).inserted_primary_key or (0,))[0]

    def versions(self, deleted: int | None = None) -> list[dict[str, Any]]:
        """Return the versions, newest first; of those whose files were deleted only the newest, if a number is given.

        An update every few minutes makes 100,000 versions a year.
        """
        query = sa.select(models)
        if deleted is not None:
            gone = sa.select(models.c.version).where(models.c.status == "deleted")
            last = gone.order_by(models.c.version.desc()).limit(deleted)
            query = query.where(sa.or_(models.c.status != "deleted", models.c.version.in_(last)))
        with self.database.begin() as connection:
            rows = connection.execute(query.order_by(models.c.version.desc())).mappings().all()
        return [_loaded(row, "quality") for row in rows]

    def version(self, version: int) -> dict[str, Any] | None:
        """Return a version, or None."""
        return self._one_version(models.c.version == version)

    def current(self) -> dict[str, Any] | None:
        """Return the version that answers, or None."""
        return self._one_version(models.c.status == "current")

    def _one_version(self, condition: sa.ColumnElement[bool]) -> dict[str, Any] | None:
        with self.database.begin() as connection:
            row = connection.execute(sa.select(models).where(condition)).mappings().one_or_none()
        return None if row is None else _loaded(row, "quality")

    def set_version(self, version: int, **columns: Any) -> None:
        """Change columns of a version."""
        unknown = sorted(columns.keys() - models.c.keys() | columns.keys() & {"version"})
        if unknown:
            raise ValueError(f"the columns of a version must be among {', '.join(models.c.keys())}, got {unknown[0]!r}")
        if "quality" in columns:
            columns["quality"] = _dumped(columns["quality"])
        with self.database.begin(write=True) as connection:
            status = connection.execute(sa.select(models.c.status).where(models.c.version == version)).scalar()
            if "current" in (status, columns.get("status")) and columns.get("status", status) != status:
                advance(connection, "models")  # other processes look again which version is current
            connection.execute(sa.update(models).where(models.c.version == version).values(columns))

    def promote(self, version: int, *, instead_of: int | None = None) -> bool:
        """Make a version the current one; the current becomes the previous, and an older previous is retired.

        Parameters
        ----------
        version : int
            The version.
        instead_of : int, default=None
            The version that must be current still; nothing is changed if another one is.

        Returns
        -------
        bool
            Whether the version is current now.

        Raises
        ------
        LookupError
            If there is no such version, or its file was deleted.
        """
        with self.database.begin(write=True) as connection:
            advance(connection, "models")  # first, so that of two promotions one waits for the other
            status = connection.execute(sa.select(models.c.status).where(models.c.version == version)).scalar()
            if status in (None, "deleted"):
                raise LookupError(f"version must be one of the store's models, got {version!r}")
            if instead_of is not None and not _is_current(connection, instead_of):
                return False
            if status != "current":
                for before, after in (("previous", "retired"), ("current", "previous")):
                    connection.execute(sa.update(models).where(models.c.status == before).values(status=after))
                connection.execute(sa.update(models).where(models.c.version == version).values(status="current"))
        return True

    def replace_current(self, old: int, new: int) -> bool:
        """Let a version take the place of the current one, which is retired; False if that is not current any more."""
        with self.database.begin(write=True) as connection:
            advance(connection, "models")
            if not _is_current(connection, old):
                return False
            for version, status in ((old, "retired"), (new, "current")):
                connection.execute(sa.update(models).where(models.c.version == version).values(status=status))
        return True

    def advance_models(self) -> None:
        """Let other processes look again at the current version."""
        with self.database.begin(write=True) as connection:
            advance(connection, "models")

    def discard(self, version: int) -> bool:
        """Give a version the status "deleted" unless it is current or previous; return whether it has that status."""
        kept = models.c.status.in_(("current", "previous"))
        with self.database.begin(write=True) as connection:
            advance(connection, "models", 0)  # of this and a promotion one waits for the other
            query = sa.update(models).where(models.c.version == version, ~kept)
            return connection.execute(query.values(status="deleted", learned_until=None)).rowcount > 0

    # ---------------------------------------------------------------------------------------------------- quality

    def add_quality(
        self,
        day: str,
        version: int,
        n_users: int,
        ndcg: float | None,
        hit_rate: float | None,
        popularity_ndcg: float | None,
    ) -> None:
        """Write how well a version predicted a day (``"2011-12-01"``), in place of what was written before."""
        values = {"n_users": n_users, "ndcg": ndcg, "hit_rate": hit_rate, "popularity_ndcg": popularity_ndcg}
        row = self.database.insert(quality).values(day=day, version=version, **values)
        with self.database.begin(write=True) as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["day", "version"], set_=values))

    def quality(self, limit: int = 90) -> list[dict[str, Any]]:
        """Return the quality of the latest days, oldest first."""
        query = sa.select(quality).order_by(quality.c.day.desc(), quality.c.version.desc()).limit(limit)
        with self.database.begin() as connection:
            rows = connection.execute(query).mappings().all()
        return [row_of(row) for row in reversed(rows)]

    # ------------------------------------------------------------------------------------------------------- keys

    def add_key(self, name: str, role: str, digest: str) -> None:
        """Add a key by its digest.

        Raises
        ------
        ValueError
            If the name is taken.
        """
        with self.database.begin(write=True) as connection:
            advance(connection, "keys")
            if connection.execute(sa.select(keys.c.name).where(keys.c.name == name)).first():
                raise ValueError(f"the name of a key must be new, got {name!r}: revoke that one first")
            connection.execute(sa.insert(keys).values(name=name, role=role, digest=digest, created=now()))

    def keys(self) -> list[dict[str, Any]]:
        """Return the keys: name, role, digest and created."""
        with self.database.begin() as connection:
            rows = connection.execute(sa.select(keys).order_by(keys.c.created, keys.c.name)).mappings().all()
        return [row_of(row) for row in rows]

    def revoke_key(self, name: str) -> bool:
        """Delete a key; return whether there was one."""
        with self.database.begin(write=True) as connection:
            advance(connection, "keys")
            return connection.execute(sa.delete(keys).where(keys.c.name == name)).rowcount > 0


def _is_current(connection: sa.Connection, version: int) -> bool:
    return connection.execute(sa.select(models.c.status).where(models.c.version == version)).scalar() == "current"


def _dumped(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _loaded(row: Any, *names: str) -> dict[str, Any]:
    """Return a row as a dict, with the columns of JSON read."""
    return row_of(row) | {name: orjson.loads(row[name]) for name in names if row[name] is not None}
