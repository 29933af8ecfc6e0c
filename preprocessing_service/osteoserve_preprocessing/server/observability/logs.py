"""The service's log: text for people or JSON for machines, with the request's id in every line."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from osteoserve_preprocessing.inference.origin import ORIGIN

FORMATS: Final = ("text", "json")
LEVELS: Final = ("debug", "info", "warning", "error")


def log_to_standard_error(*, form: str, level: str) -> None:
    """Have everything of this process logged there.

    Args:
        form: Of `FORMATS`.
        level: Of `LEVELS`: what is below it is left out.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


class TextLines(logging.Formatter):
    """Time, level, id of the request or a dash, message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s [%(request_id)s] %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback where there is one."""
        record.request_id = ORIGIN.get().request_id or "-"
        return super().format(record)


class JsonLines(logging.Formatter):
    """One JSON object a line, in ASCII; a message's named values are keys of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, a traceback within it."""
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := ORIGIN.get().request_id:
            said["id"] = request_id
        if isinstance(record.args, Mapping):
            said |= {str(name): value for name, value in record.args.items()}
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)
