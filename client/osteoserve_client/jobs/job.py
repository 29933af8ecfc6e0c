"""One job, as it stands in the store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from osteoserve_client.study import Json


class State(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One row of the store. Times are seconds since 1970, UTC; None where it has not come to that.

    Args:
        key: Tells it from all others, in this run and the next.
        payload: What its owner needs to do it.
        state: Where it stands.
        attempts: How often it was begun and came to an end of its own, or is being done.
        interruptions: How often it was begun by a process that ended in the middle of it.
        not_before: It is not begun before.
        error_kind: Name of the error's class, after a failure; empty otherwise.
        error: One line, without anything of a patient; empty where there is none.
        checkpoint: How far the last attempt had come, where its owner noted that.
        result: What its owner wants to keep of a job that is done.
        digests: SHA-256 of each output, in hexadecimal digits, by name.
        added: When it was added.
        started: When it was last begun.
        ended: When it was done, or failed for good.
    """

    key: str
    payload: Mapping[str, Json]
    state: State
    attempts: int
    interruptions: int
    not_before: float
    error_kind: str
    error: str
    checkpoint: Mapping[str, Json] | None
    result: Mapping[str, Json]
    digests: Mapping[str, str] = field(default_factory=dict)
    added: float
    started: float | None
    ended: float | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> Job:
        """The job of a row of the table ``jobs``."""
        return cls(
            key=row["key"],
            payload=json.loads(row["payload"]),
            state=State(row["state"]),
            attempts=row["attempts"],
            interruptions=row["interruptions"],
            not_before=row["not_before"],
            error_kind=row["error_kind"],
            error=row["error"],
            checkpoint=None if row["checkpoint"] is None else json.loads(row["checkpoint"]),
            result=json.loads(row["result"]),
            digests=json.loads(row["digests"]),
            added=row["added"],
            started=row["started"],
            ended=row["ended"],
        )
