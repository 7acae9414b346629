"""Settings of the service: defaults, a TOML file, environment variables and options, in this order."""

import os
import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from ..utils._suggest import did_you_mean

PREFIX = "SKREC_SERVE_"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_WHOLE = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Settings:
    """What a service is told; each setting is a key of the TOML file and ``SKREC_SERVE_NAME`` in the environment.

    Parameters
    ----------
    database : str, default="sqlite:///skrec-data/skrec.db"
        URL of the database, ``sqlite:///path`` or ``postgresql://user:password@host/name``.
    models : str, default="skrec-data/models"
        Folder of the model files.
    host : str, default="127.0.0.1"
        Address to listen at; other than loopback only with a key.
    port : int, default=8000
        Port to listen at; 0 takes a free one.
    workers : int, default=1
        Number of API processes.
    deadline_ms : float, default=50.0
        Milliseconds after which an answer is popularity.
    max_history : int, default=1000
        Number of newest events of a user that a request reads.
    max_k : int, default=1000
        Largest number of items of an answer.
    max_batch : int, default=10_000
        Largest number of events or items of a request.
    max_body : int, default=10_485_760
        Largest body of a request, in bytes.
    max_model_bytes : int, default=2_147_483_648
        Largest model file that may be uploaded, and what it may unpack to, in bytes.
    rate_limit : float, default=0.0
        Requests a second of a key, or an address without one; 0 sets no limit.
    update_minutes : float, default=5.0
        Minutes between updates of the model with new events; 0 updates on demand only.
    refit_at : str, default="03:30"
        Time of day (UTC) of the refit; empty refits on demand only.
    drift_at : str, default="04:30"
        Time of day (UTC) at which drift is judged; empty judges it on demand only.
    margin : float, default=0.05
        Relative loss of NDCG beyond which a model is not promoted.
    min_judged_users : int, default=50
        Number of users with later events below which a model is judged on a split of its own.
    popular_days : float, default=30.0
        Days before the latest event whose purchases make an item popular.
    explore : float, default=0.0
        Probability of a list drawn at random among the best candidates.
    temperature : float, default=0.0
        Temperature at which lists are drawn from the best candidates by the Plackett-Luce model, for scores of
        standard deviation 1; above 0 it is used instead of `explore`.
    keep_versions : int, default=5
        Number of model files that are kept.
    trainer : bool, default=True
        Whether the process that updates and refits the model is started.
    page : bool, default=True
        Whether the page for the shop is served at ``/``.
    log_format : {"text", "json"}, default="text"
        Form of the log.
    log_level : {"debug", "info", "warning", "error"}, default="info"
        Least severe messages that are logged.
    demo : bool, default=False
        Whether the service shows the bundled shop.
    """

    database: str = "sqlite:///skrec-data/skrec.db"
    models: str = "skrec-data/models"
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    deadline_ms: float = 50.0
    max_history: int = 1000
    max_k: int = 1000
    max_batch: int = 10_000
    max_body: int = 10 * 2**20
    max_model_bytes: int = 2**31
    rate_limit: float = 0.0
    update_minutes: float = 5.0
    refit_at: str = "03:30"
    drift_at: str = "04:30"
    margin: float = 0.05
    min_judged_users: int = 50
    popular_days: float = 30.0
    explore: float = 0.0
    temperature: float = 0.0
    keep_versions: int = 5
    trainer: bool = True
    page: bool = True
    log_format: str = "text"
    log_level: str = "info"
    demo: bool = False

    def __post_init__(self):
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be from {low} to {high}, got {value!r}")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        if not self.database.startswith(("sqlite:///", "postgresql://")):
            scheme = self.database.split(":", 1)[0]  # never the URL itself, which may hold a password
            raise ValueError(
                f"database must be sqlite:///path or postgresql://user:password@host/name, got a URL of {scheme!r}"
            )
        for name in ("refit_at", "drift_at"):
            if text := getattr(self, name):
                hour_and_minute(text, name)

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine can reach the service."""
        return self.host in _LOOPBACK or self.host.startswith("127.")

    @classmethod
    def read(
        cls,
        file: str | os.PathLike | None = None,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> "Settings":
        """Join defaults, a TOML file, environment variables and options; later ones win, options of None are left out.

        Parameters
        ----------
        file : path, default=None
            The TOML file.
        environment : mapping, default=None
            The environment; None takes that of the process.
        **options : object
            Settings by name.

        Returns
        -------
        Settings
            The settings, checked.
        """
        known = get_type_hints(cls)
        values: dict[str, Any] = {}
        if file is not None:
            values |= _from_file(Path(file), known)
        environment = os.environ if environment is None else environment
        for variable, text in environment.items():
            if variable.startswith(PREFIX):
                name = variable[len(PREFIX) :].lower()
                _check_name(name, known, f"the environment variable {variable}")
                values[name] = _from_text(text, known[name], variable)
        values |= {name: value for name, value in options.items() if value is not None}
        return cls(**values)

    def shown(self) -> dict[str, Any]:
        """Return the settings by name without the password of the database.

        Returns
        -------
        dict
            Values by name.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        scheme, separator, rest = self.database.partition("://")
        if "@" in rest:
            user, _, place = rest.rpartition("@")
            rest = f"{user.split(':', 1)[0]}:***@{place}"
        rest = re.sub(r"(password=)[^&]*", r"\1***", rest, flags=re.IGNORECASE)
        return values | {"database": scheme + separator + rest}


_BOUNDS: dict[str, tuple[float, float]] = {
    "port": (0, 65_535),
    "workers": (1, 256),
    "deadline_ms": (1, 60_000),
    "max_history": (1, 100_000),
    "max_k": (1, 100_000),
    "max_batch": (1, 1_000_000),
    "max_body": (1024, 2**32),
    "max_model_bytes": (1024, 2**40),
    "rate_limit": (0, 1e6),
    "update_minutes": (0, 1e5),
    "margin": (0, 1),
    "min_judged_users": (1, 1e7),
    "popular_days": (0.01, 1e5),
    "explore": (0, 1),
    "temperature": (0, 100),
    "keep_versions": (2, 1000),
}
_CHOICES = {"log_format": ("text", "json"), "log_level": ("debug", "info", "warning", "error")}


def hour_and_minute(text: str, name: str = "refit_at") -> tuple[int, int]:
    """Read a time of day such as "03:30"."""
    hour, _, minute = text.partition(":")
    if not (hour.isdecimal() and minute.isdecimal() and int(hour) < 24 and int(minute) < 60):
        raise ValueError(f"{name} must be a time of day such as '03:30', or empty, got {text!r}")
    return int(hour), int(minute)


def _check_name(name: str, known, where: str) -> None:
    if name not in known:
        raise ValueError(f"{where} names {name!r}, which is no setting{did_you_mean(name, list(known))}")


def _from_file(path: Path, known) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise ValueError(f"the configuration file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"the configuration file {path} is no TOML: {error}") from error
    for name, value in values.items():
        _check_name(name, known, str(path))
        values[name] = _as_kind(value, known[name], f"{name} in {path}")
    return values


def _as_kind(value, kind, name: str):
    kinds = get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if float in kinds and type(value) is int:
        value = float(value)
    if type(value) not in kinds:
        raise ValueError(f"{name} must be of type {kinds[0].__name__}, got {value!r}")
    return value


def _from_text(text: str, kind, name: str):
    if kind is bool:
        if text.lower() not in _WHOLE:
            raise ValueError(f"{name} must be true or false, got {text!r}")
        return _WHOLE[text.lower()]
    if kind is str:
        return text
    try:
        return kind(text)
    except ValueError as error:
        raise ValueError(f"{name} must be of type {kind.__name__}, got {text!r}") from error
