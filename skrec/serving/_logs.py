"""Structured logs: text, or a JSON object a line."""

import logging
import sys
import traceback
from datetime import UTC, datetime

import orjson


class JsonFormatter(logging.Formatter):
    """A JSON object a line: time, level, logger, message, and the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": moment, "level": record.levelname.lower(), "logger": record.name}
        line["message"] = record.getMessage()
        if record.exc_info:
            line["error"] = "".join(traceback.format_exception(*record.exc_info))
        return orjson.dumps(line).decode()


def configure(settings) -> None:
    """Log to standard error in the form of the settings."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else text)
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    for name in ("apscheduler", "alembic", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
