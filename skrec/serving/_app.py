"""The ASGI application: the fast routes, and FastAPI for the others and for the OpenAPI document."""

import asyncio
import contextlib
import ipaddress
import logging
import os
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from .. import __version__
from ._bodies import dumps
from ._problems import Problem, field_errors
from ._routes import add_routes
from ._routes_admin import add_admin_routes
from ._routes_experiments import add_experiment_routes
from ._service import Service
from ._settings import Settings
from ._store import StoreUnavailable

logger = logging.getLogger("skrec.serving")
PAGE = Path(__file__).parent / "page"
SETTINGS = "SKREC_SERVICE_SETTINGS"  # how worker processes get them
_JSON = (b"content-type", b"application/json")
_PROBLEM = (b"content-type", b"application/problem+json")
_POLICY = (
    "default-src 'self'; img-src 'self' https: data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
_SLOWEST = 30.0  # seconds in which a body must arrive; each part of a file that is uploaded
_SMALL = 2**20  # bytes of a body that is no batch: FastAPI takes seconds for 10 MiB of unknown fields
_FAILED = "an error of the service; its log has more"
_OPEN = frozenset({"/", "/health/live", "/health/ready", "/openapi.json"})
_UPLOADS = frozenset({"/v1/models", "/v1/import"})


class App:
    """The application of one process.

    Parameters
    ----------
    settings : Settings
        The settings.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.service: Service = None  # type: ignore[assignment]  # set while the application runs
        self.api = _api(self)
        self._fast: dict[str, Any] = {f"/v1/{name}": name for name in ("events", "recommend", "similar", "basket")}

    async def __call__(self, scope, receive, send) -> None:
        """Answer one connection of ASGI."""
        if scope["type"] != "http":
            await self.api(scope, receive, send)
            return
        started, path = time.perf_counter(), scope["path"]
        status = 500
        try:
            headers = dict(scope["headers"])
            self._let_in(scope, path, headers)
            limit = self._limit(path)
            _check_length(headers, limit)
            if scope["method"] == "POST" and path in self._fast:
                body = await _body(receive, limit)
                answer = await getattr(self.service, self._fast[path])(body)
                status = 200
                await _send(send, 200, answer if isinstance(answer, bytes) else dumps(answer), [_JSON])
            else:
                if scope["method"] != "GET" and path not in _UPLOADS:  # bodies are JSON, whatever a client calls them
                    others = [pair for pair in scope["headers"] if pair[0] != b"content-type"]
                    scope["headers"] = [*others, _JSON]
                status = await self._by_api(scope, receive, send, limit)
        except Problem as problem:
            status = problem.status
            extra = [(name.encode(), text.encode()) for name, text in problem.headers.items()]
            await _send(send, status, problem.body, [_PROBLEM, *extra])
        except StoreUnavailable:
            status = 503
            away = Problem(503, "the database is away: send the request again")
            await _send(send, 503, away.body, [_PROBLEM, (b"retry-after", b"1")])
        except Exception:
            if path not in self._fast:  # FastAPI has answered
                raise
            logger.exception("%s failed", path)
            await _send(send, 500, Problem(500, _FAILED).body, [_PROBLEM])
        finally:
            if self.service is not None:
                route = path if path in self._fast else getattr(scope.get("route"), "path", "other")
                self.service.telemetry.observe(route, status, time.perf_counter() - started)

    def _limit(self, path: str) -> int:
        """Return how many bytes a body may have."""
        if path in _UPLOADS:
            return self.settings.max_model_bytes
        large = path in self._fast or path == "/v1/items"
        return self.settings.max_body if large else min(self.settings.max_body, _SMALL)

    def _let_in(self, scope, path: str, headers: dict) -> None:
        """Check the key, and at loopback without keys that no page of another site is calling."""
        client = scope.get("client")
        address = client[0] if client else "local"
        if path in _OPEN or path.startswith("/page/"):
            return
        if self.service is None:
            raise Problem(503, "the service is starting")
        gate = self.service.gate
        if not gate.keys and gate.open_without_key:
            _check_local(headers)
        given = headers.get(b"x-api-key")
        bearer = headers.get(b"authorization", b"")
        if given is None and bearer[:7].lower() == b"bearer ":
            given = bearer[7:].strip()
        scope["skrec.caller"] = gate.caller(None if given is None else given.decode("latin-1"), address)

    async def _by_api(self, scope, receive, send, limit: int) -> int:
        """Answer by FastAPI; files that are uploaded are bounded while they arrive, other bodies are read before."""
        status, n_bytes, more = 500, 0, True
        whole = None if scope["path"] in _UPLOADS else await _body(receive, limit)

        async def counted():
            nonlocal n_bytes, more, whole
            if whole is not None:
                message, whole, more = {"type": "http.request", "body": whole, "more_body": False}, None, False
                return message
            message = await (_message(receive, _SLOWEST) if more else receive())
            n_bytes, more = n_bytes + len(message.get("body", b"")), message.get("more_body", False)
            if n_bytes > limit:
                raise _too_large(limit)
            return message

        async def watched(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self.api(scope, counted, watched)
        return status


def _check_length(headers: dict, limit: int) -> None:
    length = headers.get(b"content-length")
    if length is not None and (not length.isdigit() or int(length[:20]) > limit):
        raise _too_large(limit)


def _too_large(limit: int) -> Problem:
    return Problem(413, f"a body may have {limit:,} bytes: send less at once")


def _check_local(headers: dict) -> None:
    """Refuse what a page of another site makes a browser send: another Host (DNS rebinding), or another Origin."""
    if b"x-forwarded-for" in headers or b"forwarded" in headers:
        raise Problem(403, "behind a proxy a key is needed: make one with skrec serve --add-key")
    host = _hostname(headers.get(b"host", b"localhost").decode("latin-1"))
    origin = headers.get(b"origin")
    names = [host] + ([] if origin is None else [_hostname(origin.decode("latin-1").partition("://")[2])])
    for name in names:
        if not _is_local(name):
            raise Problem(403, f"without a key only this machine may call, and the request names {name[:100]!r}")


def _hostname(text: str) -> str:
    return text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]


@lru_cache(maxsize=1000)
def _is_local(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


async def _body(receive, limit: int) -> bytes:
    """Read a body; bounded in bytes and in time."""
    message = await _message(receive, _SLOWEST)
    body = message.get("body", b"")
    if not message.get("more_body") and len(body) <= limit:
        return body
    parts, n_bytes, until = [body], len(body), time.monotonic() + _SLOWEST
    while message.get("more_body") and n_bytes <= limit:
        message = await _message(receive, until - time.monotonic())
        parts.append(message.get("body", b""))
        n_bytes += len(parts[-1])
    if n_bytes > limit:
        raise _too_large(limit)
    return b"".join(parts)


async def _message(receive, seconds: float):
    task: asyncio.Task = asyncio.current_task()  # type: ignore[assignment]  # a request is a task
    late = False

    def end():  # what asyncio.timeout does, at less cost
        nonlocal late
        late = True
        task.cancel()

    timer = asyncio.get_running_loop().call_later(seconds, end)
    try:
        message = await receive()
    except asyncio.CancelledError:
        if not late or task.uncancel() > 0:
            raise
        raise Problem(408, f"the body must arrive within {_SLOWEST:g} s", headers={"connection": "close"}) from None
    finally:
        timer.cancel()
    if message["type"] == "http.disconnect":
        raise Problem(400, "the client has gone")
    return message


async def _send(send, status: int, body: bytes, headers: list) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _api(app: App) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(_):
        service = await asyncio.to_thread(Service, app.settings)
        service.start(asyncio.get_running_loop())
        app.service = service
        try:
            yield
        finally:
            await asyncio.to_thread(service.close)

    api = FastAPI(
        title="skrec",
        version=__version__,
        description="Events in, recommendations out. Errors are problem details (RFC 9457).",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    add_routes(api, app)
    add_admin_routes(api, app)
    add_experiment_routes(api, app)
    _add_page(api, app)
    _add_handlers(api)
    return api


def _add_page(api: FastAPI, app: App) -> None:
    files = {path.name: path for path in sorted(PAGE.iterdir()) if path.is_file()} if app.settings.page else {}

    def page(name: str) -> Response:
        path = files.get(name)
        if path is None:
            raise Problem(404, "there is no such file")
        kind = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}.get(path.suffix, "text/plain")
        headers = {"cache-control": "no-cache", "content-security-policy": _POLICY, "x-content-type-options": "nosniff"}
        return FileResponse(path, media_type=kind, headers={**headers, "referrer-policy": "no-referrer"})

    @api.get("/", include_in_schema=False)
    def index() -> Response:
        return page("index.html")

    @api.get("/page/{name}", include_in_schema=False)
    def asset(name: str) -> Response:
        return page(name)


def _add_handlers(api: FastAPI) -> None:
    def answer(problem: Problem) -> Response:
        return Response(problem.body, problem.status, problem.headers, "application/problem+json")

    @api.exception_handler(Problem)
    async def of_problem(_: Request, error: Problem) -> Response:
        return answer(error)

    @api.exception_handler(RequestValidationError)
    async def of_validation(_: Request, error: RequestValidationError) -> Response:
        fields = field_errors(list(error.errors()))[:20]
        status = 400 if any(one["type"] == "json_invalid" for one in error.errors()) else 422
        return answer(Problem(status, "; ".join(f"{one['field']}: {one['reason']}" for one in fields), fields))

    @api.exception_handler(HTTPException)
    async def of_http(_: Request, error: HTTPException) -> Response:
        return answer(Problem(error.status_code, str(error.detail), headers=dict(error.headers or {})))

    @api.exception_handler(StoreUnavailable)
    async def of_store(_: Request, error: StoreUnavailable) -> Response:
        return answer(Problem(503, "the database is away: send the request again", headers={"retry-after": "1"}))

    @api.exception_handler(Exception)
    async def of_anything(_: Request, error: Exception) -> Response:
        return answer(Problem(500, _FAILED))


def create() -> App:
    """Return the application of a worker process, with the settings of its parent."""
    from ._logs import configure

    settings = Settings(**orjson.loads(os.environ[SETTINGS]))
    configure(settings)
    return App(settings)
