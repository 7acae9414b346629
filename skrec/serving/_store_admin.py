"""The part of the store that keeps jobs, model versions, their quality, and keys."""

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

    def jobs(self, limit: int = 50) -> list[dict[str, Any]]:
        """Return the latest jobs without their payload, newest first."""
        columns = [column for column in jobs.c if column.name != "payload"]
        with self.database.begin() as connection:
            rows = connection.execute(sa.select(*columns).order_by(jobs.c.id.desc()).limit(limit)).mappings().all()
        return [_loaded(row, "result") for row in rows]

    def job(self, job_id: int) -> dict[str, Any] | None:
        """Return a job with its payload, or None."""
        with self.database.begin() as connection:
            row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).mappings().one_or_none()
        return None if row is None else _loaded(row, "result", "payload")

    def open_jobs(self, kind: str) -> list[int]:
        """Return the ids of all jobs of a kind that wait or run, oldest first."""
        query = sa.select(jobs.c.id).where(jobs.c.kind == kind, jobs.c.status.in_(("waiting", "running")))
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
            New payload; None empties it. Once no job "forget" has one, the files of the database are rewritten, so that
            nothing is left of what was deleted: about a second for 100 MB, during which events wait.
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
            query = sa.select(jobs.c.id).where(jobs.c.payload.isnot(None), jobs.c.kind == "forget").limit(1)
            is_last = payload is None and connection.execute(query).first() is None
        if is_last:
            self.scrub()

    def scrub(self) -> None:
        """Rewrite the files of the database, so that nothing is left in them of what was deleted from the tables."""
        self.database.scrub()

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

    def versions(self) -> list[dict[str, Any]]:
        """Return all versions, newest first."""
        with self.database.begin() as connection:
            rows = connection.execute(sa.select(models).order_by(models.c.version.desc())).mappings().all()
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

    def promote(self, version: int) -> None:
        """Make a version the current one; the current becomes the previous, and an older previous is retired.

        Raises
        ------
        LookupError
            If there is no such version.
        """
        with self.database.begin(write=True) as connection:
            advance(connection, "models")  # first, so that of two promotions one waits for the other
            status = connection.execute(sa.select(models.c.status).where(models.c.version == version)).scalar()
            if status is None:
                raise LookupError(f"version must be one of the store's models, got {version!r}")
            if status != "current":
                for before, after in (("previous", "retired"), ("current", "previous")):
                    connection.execute(sa.update(models).where(models.c.status == before).values(status=after))
                connection.execute(sa.update(models).where(models.c.version == version).values(status="current"))

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


def _dumped(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _loaded(row: Any, *names: str) -> dict[str, Any]:
    """Return a row as a dict, with the columns of JSON read."""
    return row_of(row) | {name: orjson.loads(row[name]) for name in names if row[name] is not None}
