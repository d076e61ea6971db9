"""The server's log: one JSON object a line, on standard error, with all control characters escaped."""

import json
import logging
import time
from typing import Any

MAX_PATH = 200


class JsonLines(logging.Formatter):
    """A record as a line: `at` (UTC), `level`, `logger`, and the fields of a message that is a dict, or `message`.

    Of a request nothing is logged but its method, its path without the query, cut, and the status.
    """

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """A record as a line, without its end."""
        line: dict[str, Any] = {
            "at": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            **_fields(record),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        # What is not printable ASCII comes out as \u and four digits.
        return json.dumps(line, default=str)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    if isinstance(record.msg, dict):
        return record.msg
    if record.name == "uvicorn.access" and isinstance(record.args, tuple) and len(record.args) == 5:
        _, method, path, _, status = record.args
        return {"method": method, "path": str(path).partition("?")[0][:MAX_PATH], "status": status}
    return {"message": record.getMessage()}


LOG_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "serving.process.json_logs.JsonLines"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
    "loggers": {name: {"handlers": ["stderr"], "level": "INFO", "propagate": False} for name in ("serving", "uvicorn")},
}
"""For `logging.config.dictConfig` and `uvicorn.run(log_config=...)`."""


def log_json_lines() -> None:
    """The platform's own logger, where nobody has configured it: under another start than `eiderdown serve`."""
    logger = logging.getLogger("serving")
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines())
        logger.addHandler(handler)
        logger.propagate = False
