"""A recommendation service: events in, recommendations out, models that update themselves (extra ``serve``).

Importing this module loads nothing else: the client needs the standard library only, and what the service needs is
imported when it starts.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._connections import ServiceError
    from ._logged_lists import logged_lists
    from ._settings import Settings as Settings
    from .client import Client, Recommendations

_HOMES = {
    "Client": "client",
    "Recommendations": "client",
    "ServiceError": "_connections",
    "Settings": "_settings",
    "logged_lists": "_logged_lists",
}

__all__ = ["Client", "Recommendations", "ServiceError", "create_app", "logged_lists"]


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_HOMES])


def create_app(config=None, **settings) -> Any:
    """Return the API as an ASGI application, for a server of your own; ``skrec serve`` needs none.

    Parameters
    ----------
    config : path, default=None
        Settings, as a TOML file.
    **settings : object
        Settings by name, which win over those of the file and of the environment. `host` must be the address that the
        server listens at: it decides whether requests need a key.

    Returns
    -------
    callable
        The application. Its database is opened when the server starts it.

    See Also
    --------
    Client : The client.

    Notes
    -----
    The trainer, which updates and refits the model, is a process of ``skrec serve`` and is not started here.

    Examples
    --------
    >>> import uvicorn  # doctest: +SKIP
    >>> from skrec.serving import create_app
    >>> uvicorn.run(create_app(database="sqlite:///shop.db", models="models"), port=8000)  # doctest: +SKIP
    """
    from ._app import App
    from ._settings import Settings

    return App(Settings.read(config, **settings))
