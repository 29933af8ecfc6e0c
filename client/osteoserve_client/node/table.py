"""What a node holds, for people and programs; it may be running."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from osteoserve_client.errors import InputNotFoundError
from osteoserve_client.jobs import read_jobs
from osteoserve_client.node.daemon import STORE_NAME
from osteoserve_client.node.ledger import Task

HEADINGS = ("job", "state", "instances", "attempts", "added", "why")


def rows(root: Path) -> list[dict[str, Any]]:
    """One row a job, in the order in which they were made.

    Args:
        root: Folder of the spool.

    Raises:
        InputNotFoundError: No node has used it.
        JobStoreError: It cannot be read.
    """
    path = root / STORE_NAME
    if not path.is_file():
        raise InputNotFoundError(f"no node has used the spool {root}")
    return [_row(Task(job)) for job in read_jobs(path)]


def _row(task: Task) -> dict[str, Any]:
    job = task.job
    return {
        "job": task.key,
        "state": task.outcome or str(job.state),
        "instances": len(task.instances),
        "attempts": job.attempts,
        "interruptions": job.interruptions,
        "added": datetime.fromtimestamp(job.added, UTC).isoformat(timespec="seconds"),
        "sent": sorted(task.sent),
        "kind": job.error_kind,
        "why": job.error,
    }


def lines(found: list[dict[str, Any]]) -> list[str]:
    """The rows as a table of text, its columns aligned."""
    cells = [HEADINGS, *(tuple(str(row[name]) for name in HEADINGS) for row in found)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
