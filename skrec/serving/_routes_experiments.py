"""The routes of experiments, for administrators."""

from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query
from fastapi import Path as FromPath

from ._database import now
from ._experiment_results import result_of
from ._experiments import conflict
from ._problems import Problem
from ._routes import iso, json
from ._routes_admin import _admin
from ._schemas_experiments import ExperimentIn, RampIn
from ._store_experiments import status_of

_Name = Annotated[str, FromPath(min_length=1, max_length=128)]
_Event = Annotated[str | None, Query(max_length=256)]


def add_experiment_routes(api: FastAPI, app) -> None:
    """Add the routes of experiments."""
    admin: dict[str, Any] = {"tags": ["experiments"], "dependencies": [Depends(_admin)]}

    @api.get("/v1/experiments", **admin)
    def experiments() -> Any:
        """List the experiments, oldest first."""
        return json({"experiments": [_shown(app, row) for row in app.service.store.experiments()]})

    @api.post("/v1/experiments", status_code=201, **admin)
    def add(body: ExperimentIn) -> Any:
        """Start an experiment; each process of the service follows within a second."""
        store, settings = app.service.store, body.model_dump(mode="json", exclude={"start", "stop"})
        _check(app, settings)
        if (reason := conflict(settings, store.running_experiments())) is not None:
            raise Problem(409, reason)
        start = now() if body.start is None else body.start
        if body.stop is not None and body.stop <= start:
            raise Problem(422, "stop must be after start", [{"field": "stop", "reason": "must be after start"}])
        if not store.add_experiment(body.name, settings, start, body.stop):
            raise Problem(409, f"there is an experiment {body.name!r} already: a new one needs a new name")
        app.service.refresh()
        return json(_shown(app, _found(app, body.name)), 201)

    @api.get("/v1/experiments/{name}", **admin)
    def experiment(name: _Name) -> Any:
        """Return an experiment."""
        return json(_shown(app, _found(app, name)))

    @api.post("/v1/experiments/{name}/ramp", **admin)
    def ramp(name: _Name, body: RampIn) -> Any:
        """Let a larger share of the users take part; nobody changes the variant."""
        row = _found(app, name)
        if row["status"] != "running":
            raise Problem(409, f"the experiment {name!r} is stopped")
        if body.share < row["settings"]["share"]:
            reason = f"must be at least {row['settings']['share']:g}, what it is: stop the experiment instead"
            raise Problem(422, f"share {reason}", [{"field": "share", "reason": reason}])
        app.service.store.change_experiment(name, settings=row["settings"] | {"share": body.share})
        app.service.refresh()
        return json(_shown(app, _found(app, name)))

    @api.post("/v1/experiments/{name}/stop", **admin)
    def stop(name: _Name) -> Any:
        """Stop an experiment: all users get what everybody gets, and later events do not count."""
        row = _found(app, name)
        if row["status"] == "running":
            end = now() if row["stop"] is None else min(row["stop"], now())
            app.service.store.change_experiment(name, status="stopped", stop=end)
            app.service.refresh()
        return json(_shown(app, _found(app, name)))

    @api.get("/v1/experiments/{name}/result", **admin)
    def result(name: _Name, event: _Event = None, bounds: Literal["sequential", "fixed"] = "sequential") -> Any:
        """Compare the variants, user by user; the table, a row per day, and a text for people."""
        row, store = _found(app, name), app.service.store
        try:
            found = result_of(store, row, event=event, bounds=bounds)
        except ValueError as error:  # nothing to compare yet, or variants that an import brought
            raise Problem(409, str(error)) from error
        behind = store.unattributed(row["start"], now() if row["stop"] is None else min(row["stop"], now()))
        return json(found.to_dict() | {"text": repr(found), "events_not_attributed_yet": behind})


def _found(app, name: str) -> dict[str, Any]:
    row = app.service.store.experiment(name)
    if row is None:
        raise Problem(404, f"there is no experiment {name!r}")
    return row


def _shown(app, row: dict[str, Any]) -> dict[str, Any]:
    problems = {trial.name: trial.problem for trial in app.service.trials.running}
    times = {name: iso(row[name]) for name in ("created", "start", "stop")}
    return row["settings"] | {"status": status_of(row, now()), "problem": problems.get(row["name"])} | times


def _check(app, body: dict[str, Any]) -> None:
    """Refuse variants whose version or scenario is not there: they would all get the same in silence."""
    store, scenarios = app.service.store, {"default", *app.service.store.rules()}
    for name, variant in body["variants"].items():
        version, scenario = variant["version"], variant["scenario"]
        row = None if version is None else store.version(version)
        if version is not None and (row is None or row["status"] == "deleted"):
            reason = f"must be a version that has a file, got {version}"
            raise Problem(422, f"version {reason}", [{"field": f"variants.{name}.version", "reason": reason}])
        if scenario is not None and scenario not in scenarios:
            reason = f"must have rules: put them to /v1/rules/{scenario} first"
            raise Problem(422, f"scenario {reason}", [{"field": f"variants.{name}.scenario", "reason": reason}])
