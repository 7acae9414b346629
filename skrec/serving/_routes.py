"""The routes of the shop: events, lists, catalogue, rules, users, health."""

from contextlib import suppress
from typing import Annotated, Any

import orjson
from fastapi import Body, FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import FailFast, ValidationError

from ._bodies import dumps, invalid, iso
from ._problems import Problem
from ._schemas import Asked, BasketIn, EventIn, ItemIn, ItemsOut, MergeIn, RecommendIn, RulesIn, SimilarIn, microseconds
from ._store import MergeRefused, StoreUnavailable
from ._watch import exposition

_Items = Annotated[list[ItemIn], FailFast(), Body(min_length=1)]  # a body of nothing but errors is read no further
_Limit = Annotated[int, Query(ge=1, le=10_000)]
_Search = Annotated[str, Query(max_length=256)]


def json(value: Any, status: int = 200) -> Response:
    """Return an answer of JSON."""
    return Response(dumps(value), status, media_type="application/json")


def add_routes(api: FastAPI, app) -> None:
    """Add the routes that need the key of the shop."""
    _add_lists(api, app)
    _add_catalogue(api, app)
    _add_users(api, app)
    _add_health(api, app)


def _add_lists(api: FastAPI, app) -> None:
    @api.post("/v1/events", tags=["events"])
    async def events(body: EventIn | list[EventIn], request: Request) -> dict:
        """Store one event or many; answered after the commit. The same id twice is one event."""
        return await app.service.events(await request.body())

    @api.post("/v1/recommend", tags=["lists"])
    async def recommend(body: RecommendIn, request: Request) -> Any:
        """Recommend items to a user, a basket or a session."""
        return Response(await app.service.recommend(await request.body()), media_type="application/json")

    @api.post("/v1/similar", tags=["lists"])
    async def similar(body: SimilarIn, request: Request) -> Any:
        """Find items like one item."""
        return Response(await app.service.similar(await request.body()), media_type="application/json")

    @api.post("/v1/basket", tags=["lists"])
    async def basket(body: BasketIn, request: Request) -> Any:
        """Find items that go with a basket."""
        return Response(await app.service.basket(await request.body()), media_type="application/json")

    async def of_memory(which: str, k: int, filter: str | None, details: bool) -> Response:
        conditions = None
        if filter is not None:
            try:
                conditions = orjson.loads(filter)
            except orjson.JSONDecodeError as error:
                reason = f'must be JSON, such as {{"category": "mugs"}}: {error}'
                raise Problem(422, f"filter {reason}", [{"field": "filter", "reason": reason}]) from error
        try:
            asked = Asked.model_validate({"k": k, "filter": conditions, "details": details})
        except ValidationError as error:
            raise invalid(error) from error
        return Response(await app.service.of_memory(which, asked), media_type="application/json")

    @api.get("/v1/popular", tags=["lists"])
    async def popular(
        k: Annotated[int, Query(ge=1)] = 10, filter: Annotated[str | None, Query()] = None, details: bool = False
    ) -> Any:
        """List what most users had in the last days; `filter` is JSON."""
        return await of_memory("popular", k, filter, details)

    @api.get("/v1/latest", tags=["lists"])
    async def latest(
        k: Annotated[int, Query(ge=1)] = 10, filter: Annotated[str | None, Query()] = None, details: bool = False
    ) -> Any:
        """List the newest items; `filter` is JSON."""
        return await of_memory("latest", k, filter, details)


def _add_catalogue(api: FastAPI, app) -> None:
    def write(items: list[ItemIn], partial: bool) -> dict:
        service, limit = app.service, app.settings.max_batch
        if len(items) > limit:
            raise Problem(413, f"a request may have {limit:,} items, got {len(items):,}: send several requests")
        rows = []
        for place, item in enumerate(items):
            row = item.row() | {"item": service.item_id(item.item, f"{place}.item")}
            if row.get("hidden", False) is None:
                del row["hidden"]
            rows.append(row)
        kinds = {type(row["item"]) for row in rows}
        if len(kinds) > 1:
            reason = "must be of one kind, integers or texts"
            raise Problem(422, f"item ids {reason}", [{"field": "item", "reason": reason}])
        written = service.store.put_items(rows, partial=partial)
        service.answers.refresh(service.store.state())
        return {"written": written}

    @api.put("/v1/items", tags=["catalogue"])
    def put_items(items: _Items) -> dict:
        """Write items; fields that are missing are emptied."""
        return write(items, False)

    @api.patch("/v1/items", tags=["catalogue"])
    def patch_items(items: _Items) -> dict:
        """Write some fields of items; the others stay. Hide, stock and price hold at once."""
        return write(items, True)

    @api.delete("/v1/items", tags=["catalogue"])
    def delete_items(body: ItemsOut) -> dict:
        """Delete items from the catalogue; a model still knows them, so hide what must not be shown."""
        deleted = app.service.store.delete_items(app.service.item_ids(body.items, "items"))
        app.service.answers.refresh(app.service.store.state())
        return {"deleted": deleted}

    @api.get("/v1/items", tags=["catalogue"])
    def items(search: _Search = "", limit: _Limit = 50, offset: Annotated[int, Query(ge=0, le=10**9)] = 0) -> Any:
        """Search the catalogue by id, name and category."""
        catalogue = app.service.answers.catalogue
        found, total = catalogue.search(search, limit, offset)
        rows = [row | {"added": iso(row["added"])} for row in found]
        return json({"items": rows, "total": total, "categories": catalogue.categories[:1000]})

    @api.get("/v1/rules", tags=["catalogue"])
    def rules() -> Any:
        """Return the rules of each scenario."""
        return json({"rules": app.service.store.rules()})

    @api.put("/v1/rules/{scenario:path}", tags=["catalogue"])
    def put_rules(scenario: str, body: RulesIn) -> Any:
        """Set the rules of a scenario: pinned and buried items, factors, items of a category, exploration."""
        _check_scenario(scenario)
        rules = body.model_dump(exclude_defaults=True)
        for name in ("pin", "bury"):
            if name in rules:
                rules[name] = list(dict.fromkeys(app.service.item_ids(rules[name], name)))
        for item in rules.get("boost", ()):
            app.service.item_id(item, f"boost.{item}")
        app.service.store.put_rules(scenario, rules)
        app.service.answers.refresh(app.service.store.state())
        return json({"scenario": scenario, "rules": rules})

    @api.delete("/v1/rules/{scenario:path}", tags=["catalogue"])
    def delete_rules(scenario: str) -> Any:
        """Delete the rules of a scenario."""
        _check_scenario(scenario)
        if not app.service.store.delete_rules(scenario):
            raise Problem(404, "there is no such scenario")
        return json({"deleted": scenario})


def _check_scenario(scenario: str) -> None:
    if not 1 <= len(scenario) <= 256 or "\x00" in scenario:
        reason = "must be a text of 1 to 256 characters without NUL"
        raise Problem(422, f"scenario {reason}", [{"field": "scenario", "reason": reason}])


def _add_users(api: FastAPI, app) -> None:
    def user_id(text: str):
        if not 1 <= len(text) <= 256 or "\x00" in text:
            reason = "must be a text of 1 to 256 characters without NUL"
            raise Problem(422, f"user {reason}", [{"field": "user", "reason": reason}])
        return app.service.user_id(text)

    @api.get("/v1/users", tags=["users"])
    def users(search: _Search = "", limit: Annotated[int, Query(ge=1, le=1000)] = 20) -> Any:
        """List users whose id begins with a text, the most active first."""
        if "\x00" in search:
            raise Problem(422, "search must not hold NUL", [{"field": "search", "reason": "must not hold NUL"}])
        found = app.service.store.search_users(search, limit)
        return json({"users": [{"user": user, "events": n, "last": iso(last)} for user, n, last in found]})

    @api.get("/v1/users/{user:path}/history", tags=["users"])
    def history(user: str, limit: _Limit = 100, before: Annotated[str | None, Query(max_length=64)] = None) -> Any:
        """Return a user's newest events, or the newest before a moment, oldest first."""
        one, rows = user_id(user), app.service.answers.catalogue.rows
        try:
            end = None if before is None else microseconds(before)
        except ValueError as error:
            raise Problem(422, f"before {error}", [{"field": "before", "reason": str(error)}]) from error
        _, events = app.service.store.read(user=one, limit=limit, before=end)
        found = [
            {"item": item, "time": iso(moment), "event": event, "value": value, "name": rows.get(item, {}).get("name")}
            for item, moment, event, value in events
        ]
        return json({"user": one, "events": found})

    @api.post("/v1/users/merge", tags=["users"])
    def merge(body: MergeIn) -> dict:
        """Give the events of a visitor to the user who logged in; later events of the visitor as well."""
        service = app.service
        source, into = service.user_id(body.source, "from"), service.user_id(body.into, "into")
        if service.store.kinds.user is None and type(source) is not type(into):
            raise Problem(422, "from and into must be of one kind", [{"field": "into", "reason": "must be as from"}])
        try:
            return {"moved": service.store.merge(source, into)}
        except MergeRefused as error:
            raise Problem(409, str(error), [{"field": "from", "reason": str(error)}]) from error

    @api.delete("/v1/users/{user:path}", tags=["users"], status_code=202)
    def delete_user(user: str) -> dict:
        """Delete a user: events at once, what models learned of them by the job that is returned."""
        return {"job": app.service.store.delete_user(user_id(user))}

    @api.get("/v1/users/{user:path}/export", tags=["users"])
    def export_user(user: str) -> Any:
        """Return everything that is stored of a user."""
        return json(app.service.store.export_user(user_id(user)))


def _add_health(api: FastAPI, app) -> None:
    @api.get("/health/live", tags=["health"])
    async def live() -> dict:
        """Answer while the process runs."""
        return {"status": "live"}

    @api.get("/health/ready", tags=["health"])
    def ready() -> Any:
        """Answer 200 when the store can be read; `model` says whether recommendations come from one."""
        service = app.service
        if service is None or not service.ready:
            return JSONResponse({"status": "starting"}, 503)
        service.store.state()
        return {"status": "ready", "model": service.models.current is not None}

    @api.get("/metrics", tags=["health"])
    def metrics() -> Any:
        """Return the metrics for Prometheus."""
        text = app.service.telemetry.exposition()
        with suppress(StoreUnavailable):
            text += exposition(app.service.store.drift_gauges())
        return Response(text, media_type="text/plain; version=0.0.4")

    @api.get("/v1/status", tags=["health"])
    def status() -> Any:
        """Return what the page shows: counters, latencies, the model and its quality by day."""
        from .. import __version__

        service = app.service
        model, counts = service.models.current, service.counts()
        shown = None
        as_of = None if model is None else model.learned_until
        if model is not None:
            shown = {"version": model.version, "class": model.name, "items": len(model.ids),
                     "learned_until": iso(as_of), "repeats": not model.estimator.exclude_seen}  # fmt: skip
        latest = service.store.latest_time()
        later = as_of is not None and latest is not None and latest > as_of
        return json(
            {
                "version": __version__,
                "model": shown,
                **service.telemetry.status(),
                "store": {name: counts.get(name, 0) for name in ("events", "users", "items")},
                "quality": service.store.quality(60),
                "demo": app.settings.demo,
                "as_of": iso(as_of) if later and app.settings.demo else None,
            }
        )
