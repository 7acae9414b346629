"""The routes of administrators: models, jobs, export and import."""

import io
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import Depends, FastAPI, Query, Request
from fastapi import Path as FromPath
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy.exc import StatementError

from ._imports import checked
from ._models import NotPromoted, RefusedModel
from ._problems import Problem
from ._routes import iso, json
from ._schemas import JobIn, PromoteIn
from ._security import require_admin

_PATIENCE = 540.0  # seconds that a request waits for the trainer, below the timeout of the client
_VERSION = FromPath(ge=0, le=2**31 - 1)
_TABLES = ("events", "items", "rules", "impressions", "attributions", "merges", "experiments", "exposures")


def _admin(request: Request) -> None:
    require_admin(request.scope["skrec.caller"])


def add_admin_routes(api: FastAPI, app) -> None:
    """Add the routes that need the key of an administrator."""
    _add_models(api, app)
    _add_jobs(api, app)
    _add_tables(api, app)


def _add_models(api: FastAPI, app) -> None:
    admin: dict[str, Any] = {"tags": ["admin"], "dependencies": [Depends(_admin)]}

    @api.get("/v1/models", **admin)
    def models() -> Any:
        """List the versions of the model."""
        rows = app.service.store.versions(deleted=100)
        shown = ("version", "status", "created", "learned_until", "quality", "note")
        return json({"models": [_shown(row, shown) for row in rows]})

    @api.post("/v1/models", status_code=201, **admin)
    async def upload(request: Request) -> dict:
        """Take a model file (the body), as a candidate; it is loaded without running code from it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "upload.skrec"
            with path.open("wb") as file:
                async for part in request.stream():
                    file.write(part)
            try:
                version = await run_in_threadpool(app.service.models.add_file, path, note="uploaded")
            except RefusedModel as error:
                raise Problem(422, str(error), [{"field": "body", "reason": str(error)}]) from error
        return {"version": version}

    @api.post("/v1/models/{version}/promote", **admin)
    def promote(version: Annotated[int, _VERSION], body: PromoteIn | None = None) -> Any:
        """Put a version to use, if it is as good as the current one on events that neither has learned.

        The trainer compares, since that may fit models; where it has other work for ten minutes, the answer is 202 with
        the job.
        """
        force = body is not None and body.force
        if app.settings.trainer and not force and app.service.models.current is not None:
            return _by_trainer(app, version)
        try:
            result = app.service.models.promote(version, force=force)
        except LookupError as error:
            raise Problem(404, str(error)) from error
        except NotPromoted as error:
            raise Problem(409, str(error)) from error
        app.service.refresh()
        return json(result)

    @api.post("/v1/models/rollback", **admin)
    def roll_back() -> Any:
        """Put the previous version to use again."""
        try:
            version = app.service.models.roll_back()
        except NotPromoted as error:
            raise Problem(409, str(error)) from error
        app.service.refresh()
        return json({"version": version})


def _by_trainer(app, version: int) -> Any:
    """Let the trainer compare a version with the current one and promote it; wait for what comes of it."""
    store = app.service.store
    if store.version(version) is None:
        raise Problem(404, f"there is no version {version}")
    number, until = store.add_job("promote", {"version": version, "force": False}), time.monotonic() + _PATIENCE
    while time.monotonic() < until and app.service.ready:
        time.sleep(0.2)
        job = store.job(number)
        if job is not None and job["status"] == "failed":
            raise Problem(409, str((job["result"] or {}).get("reason", "the comparison failed")))
        if job is not None and job["status"] == "done":
            app.service.refresh()
            return json(job["result"])
    return json({"job": number}, 202)


def _add_jobs(api: FastAPI, app) -> None:
    admin: dict[str, Any] = {"tags": ["admin"], "dependencies": [Depends(_admin)]}
    shown = ("id", "kind", "status", "created", "started", "finished", "progress", "result")

    @api.get("/v1/jobs", **admin)
    def jobs(limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> Any:
        """List the newest jobs of the trainer."""
        return json({"jobs": [_shown(row, shown) for row in app.service.store.jobs(limit)]})

    @api.post("/v1/jobs", status_code=202, **admin)
    def add_job(body: JobIn) -> dict:
        """Ask the trainer for an update, a refit, or the judgement of drift."""
        return {"id": app.service.store.add_job(body.kind)}

    @api.get("/v1/drift", **admin)
    def drift() -> Any:
        """Return the drift of the shop and of the answers by week, as it was judged last."""
        return json(app.service.store.drift() or {"judged": None, "notes": [], "scores": [], "gauges": {}})

    @api.get("/v1/jobs/{number}", **admin)
    def job(number: Annotated[int, _VERSION]) -> Any:
        """Return a job."""
        row = app.service.store.job(number)
        if row is None:
            raise Problem(404, f"there is no job {number}")
        return json(_shown(row, shown))


def _shown(row: dict, names: tuple[str, ...]) -> dict[str, Any]:
    times = ("created", "started", "finished", "learned_until")
    return {name: iso(row.get(name)) if name in times else row.get(name) for name in names}


def _add_tables(api: FastAPI, app) -> None:
    admin: dict[str, Any] = {"tags": ["admin"], "dependencies": [Depends(_admin)]}

    def check(table: str) -> str:
        if table not in _TABLES:
            reason = f"must be one of {', '.join(_TABLES)}"
            raise Problem(422, f"table {reason}, got {table[:50]!r}", [{"field": "table", "reason": reason}])
        return table

    @api.get("/v1/export", **admin)
    def export(table: str) -> Any:
        """Return a table as parquet."""
        sink = io.BytesIO()
        pq.write_table(app.service.store.table(check(table)), sink)
        return Response(sink.getvalue(), media_type="application/vnd.apache.parquet")

    @api.post("/v1/import", **admin)
    async def put_table(table: str, request: Request) -> Any:
        """Add the rows of a parquet file (the body) to a table."""
        check(table)
        body = await request.body()

        def add():
            try:
                rows = checked(table, pq.read_table(pa.BufferReader(body)))
                added, duplicates = app.service.store.put_everything(table, rows)
            except (pa.ArrowException, StatementError, ValueError, TypeError, OverflowError, OSError) as error:
                reason = f"must be a parquet file of the table {table}: {error}"
                raise Problem(422, reason, [{"field": "body", "reason": str(error)[:500]}]) from error
            app.service.refresh()
            return added, duplicates

        added, duplicates = await run_in_threadpool(add)
        return json({"added": added, "duplicates": duplicates})
