"""The steps of `skrec serve`."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..utils._optional import import_optional
from ._model_files import load_model
from ._options import Log
from ._recommend import read_like_model
from ._screen import Screen, UserError
from ._serve_demo import prepare as prepare_demo
from ._serve_store import add_histories, add_model

DEMO = Path("skrec-demo") / "service"


def run(
    screen: Screen,
    model_file: Path | None,
    log: Log,
    *,
    config: Path | None,
    demo: bool,
    check: bool,
    add_key: str | None,
    revoke_key: str | None,
    role: str,
    **options: Any,
) -> None:
    """Prepare store and model, and serve until the process is stopped."""
    for package in ("fastapi", "uvicorn", "sqlalchemy"):
        import_optional(package, "skrec serve")
    from ..serving._settings import Settings

    if demo:
        options = {"demo": True, "update_minutes": 0.0, "refit_at": ""} | _given(options)
        options = {"database": f"sqlite:///{DEMO / 'skrec.db'}", "models": str(DEMO / "models")} | options
    try:
        settings = Settings.read(config, **options)
    except ValueError as error:
        raise UserError(str(error)) from error
    if check:
        return _check(screen, settings)
    with _opened(settings) as store:
        if add_key is not None:
            return _add_key(screen, store, add_key, role)
        if revoke_key is not None:
            if not store.revoke_key(revoke_key):
                raise UserError(f"there is no key with the name {revoke_key!r}")
            return screen.say(f"The key {revoke_key!r} is revoked; running services refuse it within a second.")
        if not settings.is_loopback and not store.keys():
            raise UserError(
                f"host {settings.host} can be reached by other machines, which needs a key: make one with "
                "skrec serve --add-key NAME --role admin and the same --database, or listen at 127.0.0.1"
            )
        store.start()
        if demo:
            prepare_demo(screen, settings, store, DEMO)
        else:
            _prepare(screen, settings, store, model_file, log)
    _serve(screen, settings)


def _given(options: dict) -> dict:
    return {name: value for name, value in options.items() if value is not None}


class _opened:
    """The store, closed behind the block; its errors are errors of the user."""

    def __init__(self, settings):
        self.settings = settings

    def __enter__(self):
        from ..serving._store import open_store

        try:
            self.store = open_store(self.settings.database)
        except Exception as error:  # libpq repeats a URL that it cannot read, with the password
            reason = str(error).replace(self.settings.database, self.settings.shown()["database"])
            raise UserError(f"the database cannot be opened: {reason}") from error
        return self.store

    def __exit__(self, *_):
        self.store.close()


def _check(screen: Screen, settings) -> None:
    """Say what holds, and whether the service could start with it."""
    for name, value in settings.shown().items():
        screen.say(f"{name} = {value!r}")
    with _opened(settings) as store:
        keys, counts, current = store.keys(), store.counts(), store.current()
    if not settings.is_loopback and not keys:
        raise UserError(f"host {settings.host} can be reached by other machines, which needs a key: use --add-key")
    try:
        Path(settings.models).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.models):
            pass
    except OSError as error:
        raise UserError(f"models {settings.models} cannot be written: {error.strerror}") from error
    version = "none" if current is None else current["version"]
    screen.say(f"The database has {counts['events']:,} events; {len(keys)} keys; model version {version}.")
    screen.say("The settings are valid.")


def _add_key(screen: Screen, store, name: str, role: str) -> None:
    from ..serving._security import ROLES, digest_of, make_key

    if role not in ROLES:
        raise UserError(f"--role must be one of {', '.join(ROLES)}, got {role!r}")
    known = store.keys()
    if any(row["name"] == name for row in known):
        raise UserError(f"there is a key with the name {name!r} already: take another name")
    key = make_key()
    store.add_key(name, role, digest_of(key))
    screen.say("The key is shown once; the database keeps its SHA-256 digest alone.")
    screen.show(key)


def _prepare(screen: Screen, settings, store, model_file: Path | None, log: Log) -> None:
    """Bring the model file and the log into the store, where they are not there yet."""
    estimator = notes = None
    if model_file is not None:
        with screen.working("Loading the model"):
            estimator, notes = load_model(model_file)
    if log.paths:
        if store.last_seq():
            n = store.counts()["events"]
            screen.say(
                f"The database has {n:,} events already: the log is not read again (send new ones to /v1/events)."
            )
        else:
            _add_log(screen, store, log, notes)
    if model_file is not None and estimator is not None:
        add_model(screen, settings, store, model_file)


def _add_log(screen: Screen, store, log: Log, notes: dict | None) -> None:
    from ._log import read_log

    if notes is not None and not log.columns:
        log = replace(log, columns=notes["columns"]).like(notes.get("reading", {}))
        histories, names = read_like_model(screen, log, notes)
    elif {"user", "item", "time"} <= set(log.columns):
        histories, names = read_log(screen, log)
    else:
        raise UserError("--log needs --user, --item and --time, or a model that was fitted with names of columns")
    add_histories(screen, store, histories, names)


def _serve(screen: Screen, settings) -> None:
    """Run the API processes and the trainer until a signal stops them."""
    import orjson
    import uvicorn

    from ..serving._app import SETTINGS, App
    from ..serving._logs import configure
    from ..serving._trainer import start as start_trainer

    logging.getLogger("skrec").removeHandler(screen.notes)  # from here on the log has it
    configure(settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again after a graceful stop
    trainer = start_trainer(settings) if settings.trainer else None
    metrics = None
    how: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": 10,
        "timeout_keep_alive": 75,
        "backlog": 2048,
    }
    place = f"[{settings.host}]" if ":" in settings.host else settings.host
    screen.say(
        f"Serving at http://{place}:{settings.port}/ (the page; the API is described by /openapi.json). Ctrl+C stops."
    )
    try:
        if settings.workers == 1:
            uvicorn.run(App(settings), **how)
        else:
            from dataclasses import asdict

            metrics = tempfile.mkdtemp(prefix="skrec-metrics-")
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
            os.environ[SETTINGS] = orjson.dumps(asdict(settings)).decode()
            uvicorn.run("skrec.serving._app:create", factory=True, workers=settings.workers, **how)
    except SystemExit as error:
        if not error.code:
            return
        raise UserError(f"the service did not start: is port {settings.port} in use?") from error
    finally:
        if trainer is not None:
            trainer.terminate()
            try:
                trainer.wait(30)
            except subprocess.TimeoutExpired:  # one call of BLAS may take longer; the job is repeated at the next start
                trainer.kill()
        if metrics is not None:
            shutil.rmtree(metrics, ignore_errors=True)
