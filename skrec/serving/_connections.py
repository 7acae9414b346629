"""Connections of the client, one for each thread, and the problems of the service as errors."""

import http.client
import json
import os
import re
import selectors
import ssl
import threading
import weakref
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

_STALE = (http.client.BadStatusLine, BrokenPipeError, ConnectionResetError, ConnectionAbortedError)
_BROKEN = (OSError, http.client.HTTPException)


class ServiceError(Exception):
    """The service refused a request, failed, or did not answer.

    Parameters
    ----------
    status : int or None
        HTTP status; None if there was no answer.
    title : str
        Kind of the problem.
    detail : str
        What is wrong with this request.
    errors : list of dict
        One ``{"field": ..., "reason": ...}`` for each field that is wrong.
    """

    def __init__(self, status: int | None, title: str, detail: str = "", errors: list[dict] | None = None):
        self.status, self.title, self.detail, self.errors = status, title, detail, errors or []
        fields = "".join(f"\n  {error.get('field')}: {error.get('reason')}" for error in self.errors)
        code = "" if status is None else f"{status} "
        super().__init__(f"{code}{title}{f': {detail}' if detail else ''}{fields}")

    def __reduce__(self):
        return type(self), (self.status, self.title, self.detail, self.errors)


class _Held:
    """The connection of a thread, closed when the thread ends."""

    def __init__(self, connection: http.client.HTTPConnection):
        self.connection, self.process = connection, os.getpid()

    def __del__(self):
        self.connection.close()


class Connections:
    """Keep-alive connections to one service; each thread has its own."""

    def __init__(self, url: str, key: str | None, timeout: float):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ValueError(f"url must be http://host:port or https://host:port, got one of {parts.hostname!r}")
        if timeout <= 0:
            raise ValueError(f"timeout must be > 0, got {timeout!r}")
        if key is not None and not re.fullmatch(r"[\x21-\x7e]+", key):
            raise ValueError("key must be printable ASCII without spaces")
        self.url, self.timeout, self._key = url, timeout, key
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self._context = ssl.create_default_context() if parts.scheme == "https" else None
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: weakref.WeakSet[http.client.HTTPConnection] = weakref.WeakSet()  # those of ended threads go

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for connection in list(self._all):
                connection.close()

    def json(self, method: str, path: str, body: Any, *, timeout: float | None, again: bool) -> Any:
        """Send a request, once more if a kept connection was closed meanwhile and `again`; return the JSON."""
        with self._answer(method, path, body, timeout, again) as response:
            data = self._read(response)
            if not data:
                return {}
            try:
                return json.loads(data)
            except ValueError as error:
                start = f"it starts with {data[:60]!r}: is this the address of skrec serve?"
                raise ServiceError(response.status, "The answer is no JSON", start) from error

    def save(self, path: str, file, *, timeout: float) -> None:
        """Copy what is at a path into a file."""
        with self._answer("GET", path, None, timeout, True) as response:
            while data := self._read(response, 1 << 20):
                file.write(data)
            if response.length:
                raise ServiceError(None, "The answer broke off", f"{response.length} bytes of it did not come")

    def _read(self, response: http.client.HTTPResponse, size: int | None = None) -> bytes:
        try:
            return response.read(size)
        except _BROKEN as error:
            raise ServiceError(None, "The answer broke off", f"{self.url}: {error}") from error

    @contextmanager
    def _answer(self, method: str, path: str, body: Any, timeout: float | None, again: bool):
        headers = {"Accept": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        if hasattr(body, "read"):
            size = os.fstat(body.fileno()).st_size
            headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        elif body is not None:
            headers["Content-Type"], body = "application/json", encode(body).encode()
        connection, response = self._exchange(method, self._prefix + path, body, headers, timeout, again)
        whole = False
        try:
            if response.status >= 300:
                raise _problem(response.status, response.reason, self._read(response))
            yield response
            whole = True
        except ServiceError as error:
            whole = error.status is not None
            raise
        finally:
            if not whole or not response.isclosed() or response.will_close:
                connection.close()

    def _exchange(self, method, path, body, headers, timeout, again):
        while True:
            connection, used = self._connection(timeout)
            try:
                return connection, _exchange(connection, method, path, body, headers)
            except _BROKEN as error:
                connection.close()
                if not (used and again and isinstance(error, _STALE)):
                    raise ServiceError(None, "The service does not answer", f"{self.url}: {error}") from error
                again = False

    def _connection(self, timeout: float | None) -> tuple[http.client.HTTPConnection, bool]:
        """Return the connection of this thread, and whether it was used before."""
        wait = self.timeout if timeout is None else timeout
        held = getattr(self._local, "held", None)
        if held is None or held.process != os.getpid():  # a fork must not share sockets
            if self._context is None:
                held = _Held(http.client.HTTPConnection(self._host, self._port))
            else:
                held = _Held(http.client.HTTPSConnection(self._host, self._port, context=self._context))
            self._local.held = held
            with self._lock:
                self._all.add(held.connection)
        connection = held.connection
        connection.timeout = wait
        if connection.sock is not None and _is_dropped(connection.sock):
            connection.close()
        if connection.sock is not None:
            connection.sock.settimeout(wait)
        return connection, connection.sock is not None


def _is_dropped(sock) -> bool:
    """Tell whether the service has closed a kept connection: between requests nothing else can be read from it."""
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        return bool(selector.select(0))


def _exchange(connection, method, path, body, headers) -> http.client.HTTPResponse:
    try:
        connection.request(method, path, body, headers)
    except (BrokenPipeError, ConnectionResetError):
        if not hasattr(body, "read"):
            raise
        # a file that was refused before it was read to its end: the answer says why
    return connection.getresponse()


def _problem(status: int, reason: str, data: bytes) -> ServiceError:
    try:
        problem = json.loads(data)
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    errors = problem.get("errors")
    listed = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    return ServiceError(status, str(problem.get("title") or reason), str(problem.get("detail") or ""), listed)


def encode(value: Any) -> str:
    """Return a value as JSON; moments become ISO texts, and arrays and numbers of NumPy become lists and numbers."""
    return json.dumps(value, default=_plain, allow_nan=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"values must be what JSON has, a datetime or a number, got {type(value).__name__}")
