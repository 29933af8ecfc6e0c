"""The jobs as a table, for people and their spreadsheets."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from osteoserve_client.batch.digests import PIXELS, REPRODUCIBLE
from osteoserve_client.errors import OutputError
from osteoserve_client.jobs import Job

_DIGESTED = (*REPRODUCIBLE, *PIXELS)
_RESULT = ("found", "model", "model_version", "model_sha256")
COLUMNS = (
    "job",
    "state",
    "modality",
    "error_kind",
    "error",
    "attempts",
    "interruptions",
    "started",
    "ended",
    *_RESULT,
    "warnings",
    *(f"sha256 {name}" for name in _DIGESTED),
)


def write_table(path: Path, jobs: Iterable[Job], *, names: Mapping[str, str] | None) -> None:
    """Write the table, one row for each job, in place of the one that is there.

    Args:
        path: Where. RFC 4180, UTF-8.
        jobs: In the order of the rows.
        names: Adds a column ``input``, by key; None leaves it out: it may name a patient.

    Raises:
        OutputError: It could not be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS if names is None else (*COLUMNS, "input"))
            for job in jobs:
                cells = row(job)
                table.writerow(cells if names is None else (*cells, names.get(job.key, "")))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path.name} could not be written: {error.strerror}") from error


def row(job: Job) -> tuple[str, ...]:
    """One job's cells, in the order of `COLUMNS`."""
    warnings = job.result.get("warnings", [])
    return (
        job.key,
        job.state,
        str(job.payload["modality"] or ""),
        job.error_kind,
        job.error,
        str(job.attempts),
        str(job.interruptions),
        _time(job.started),
        _time(job.ended),
        *(str(job.result.get(name, "")) for name in _RESULT),
        str(len(warnings) if isinstance(warnings, list) else 0),
        *(job.digests.get(name, "") for name in _DIGESTED),
    )


def _time(seconds: float | None) -> str:
    """UTC, ISO 8601."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
