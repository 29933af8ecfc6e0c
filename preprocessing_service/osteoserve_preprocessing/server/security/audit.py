"""The audit log: who asked for what, when, and what came of it; one line of JSON for a request."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from types import TracebackType

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.records import CallRecord

logger = logging.getLogger(__name__)


class AuditLog:
    """A file that is only ever appended to; a context manager.

    A line that cannot be written is an error in the service's own log, under the call's id: the
    answer has gone out by then.

    Args:
        path: Made with mode 0600 where it does not exist.

    Raises:
        OptionError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        try:
            self._file = os.open(path, flags, 0o600)
        except OSError as error:
            raise OptionError(f"audit log {path} cannot be written to: {error.strerror}") from error
        self._torn = False

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def keep(self, record: CallRecord) -> None:
        """Append a line."""
        # What is left of a line for which the disk was too small must not spoil the next.
        line = b"\n" * self._torn + audit_line(record).encode() + b"\n"
        try:
            # One write: lines of two services in one file do not mix.
            written = os.write(self._file, line)
        except OSError as error:
            logger.error("id=%s is not in the audit log: %s", record.id, error.strerror)
            return
        self._torn = written < len(line)
        if self._torn:
            logger.error("id=%s is in the audit log in part only: no space", record.id)


def audit_line(record: CallRecord) -> str:
    """A record as one line of JSON in ASCII; null is what is not known."""
    return json.dumps(
        {
            "time": record.began.isoformat(timespec="milliseconds"),
            "id": record.id,
            "client": record.client or None,
            "method": record.method,
            "model": record.model or None,
            "model_sha256": record.digest or None,
            "input_sha256": record.input_sha256 or None,
            "outcome": record.outcome,
            "seconds": round(record.seconds, 3),
            "stages_s": {time.stage: round(time.seconds, 3) for time in record.stages},
        }
    )
