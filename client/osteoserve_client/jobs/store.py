"""The store: what can be done with jobs. Every change is on the disk when its call returns."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any

from osteoserve_client.jobs.holding import held
from osteoserve_client.jobs.job import Job, State
from osteoserve_client.jobs.schema import opened, store_error

if TYPE_CHECKING:
    from osteoserve_client.study import Json

_AMONG = "(:among IS NULL OR key IN (SELECT value FROM json_each(:among)))"
_CLAIM = f"""
UPDATE jobs SET state = 'running', attempts = attempts + 1, started = :now
WHERE number = (
    SELECT number FROM jobs WHERE state = 'waiting' AND not_before <= :now AND {_AMONG}
    ORDER BY interruptions, not_before, number LIMIT 1
) RETURNING *
"""  # noqa: S608


_ALL = "SELECT * FROM jobs ORDER BY number"


def read_jobs(path: Path) -> tuple[Job, ...]:
    """All jobs of a store that another process may hold, in the order in which they were added.

    Args:
        path: The file; it exists.

    Raises:
        JobStoreError: It cannot be read, is damaged, is none, or is of another version.
    """
    with closing(opened(path)) as connection:
        try:
            return tuple(map(Job.of, connection.execute(_ALL).fetchall()))
        except sqlite3.Error as error:
            raise store_error(path, error) from None


class JobStore:
    """Jobs in one SQLite file, held by this process; a context manager, safe among threads.

    A job that is running when the store is opened was left in the middle by a process that is
    gone: it waits again.

    Args:
        path: The file; made where it is missing, in a folder that exists.
        clock: Seconds since 1970, UTC.

    Raises:
        JobStoreHeldError: Another process holds it.
        JobStoreError: It cannot be opened or made, is damaged, is none, or is of another version.
            Every method raises it as well, when the disk is full or fails.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = Path(path)
        self._clock = clock
        self._lock = Lock()
        with ExitStack() as stack:
            stack.enter_context(held(self.path.with_name(f"{self.path.name}.lock")))
            self._connection = opened(self.path)
            stack.callback(self._connection.close)
            self._recover()
            self._held = stack.pop_all()

    def __enter__(self) -> JobStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let others hold it."""
        self._held.close()

    def add(self, key: str, payload: Mapping[str, Json]) -> bool:
        """Add a job that waits; one of that key stays as it is.

        Returns:
            Whether it is new.
        """
        return self._change(
            "INSERT INTO jobs (key, payload, state, added) VALUES (:key, :payload, 'waiting', :now)"
            " ON CONFLICT (key) DO NOTHING",
            key=key,
            payload=json.dumps(payload),
        )

    def claim(self, *, among: Collection[str] | None = None) -> Job | None:
        """Begin the job whose turn it is: one that was never left in the middle comes first.

        Args:
            among: Keys that may be begun; None stands for all.

        Returns:
            The job, now running; None where none waits that may be begun now.
        """
        with self._transaction() as connection:
            row = connection.execute(
                _CLAIM, {"now": self._clock(), "among": _listed(among)}
            ).fetchone()
        return None if row is None else Job.of(row)

    def note(self, key: str, checkpoint: Mapping[str, Json]) -> None:
        """Note how far a running job has come; the next attempt sees it.

        Raises:
            ValueError: It does not run.
        """
        self._of_running(key, "checkpoint = :checkpoint", checkpoint=json.dumps(checkpoint))

    def finish(
        self,
        key: str,
        *,
        digests: Mapping[str, str] | None = None,
        result: Mapping[str, Json] | None = None,
    ) -> None:
        """Mark a running job as done.

        Args:
            key: Which.
            digests: Of its outputs.
            result: What else to keep.

        Raises:
            ValueError: It does not run.
        """
        self._of_running(
            key,
            "state = 'done', ended = :now, error_kind = '', error = '', digests = :digests,"
            " result = :result",
            digests=json.dumps(dict(digests or {})),
            result=json.dumps(dict(result or {})),
        )

    def fail(self, key: str, error: str, *, kind: str = "", retry_at: float | None = None) -> None:
        """Mark a running job as failed, or have it tried again.

        Args:
            key: Which.
            error: One line, without anything of a patient.
            kind: Name of the error's class.
            retry_at: When to try again, seconds since 1970; None gives up.

        Raises:
            ValueError: It does not run, or the error is not one line.
        """
        if len(error.splitlines()) > 1:
            raise ValueError("an error is one line")
        state = State.FAILED if retry_at is None else State.WAITING
        self._of_running(
            key,
            "state = :state, error_kind = :kind, error = :error, not_before = :retry_at,"
            " ended = CASE :state WHEN 'failed' THEN :now END",
            state=state,
            kind=kind,
            error=error,
            retry_at=retry_at or 0.0,
        )

    def release(self, key: str) -> None:
        """Put a running job back as if it had not been begun.

        Raises:
            ValueError: It does not run.
        """
        self._of_running(key, "state = 'waiting', attempts = attempts - 1, not_before = 0")

    def again(self, key: str, *, payload: Mapping[str, Json] | None = None) -> bool:
        """Have a job that has ended, or waits, done from the beginning.

        Args:
            key: Which.
            payload: In place of what it had.

        Returns:
            Whether there is such a job; one that runs is left alone.
        """
        return self._change(
            "UPDATE jobs SET state = 'waiting', attempts = 0, interruptions = 0, not_before = 0,"
            " error_kind = '', error = '', checkpoint = NULL, result = '{}', digests = '{}',"
            " ended = NULL, payload = coalesce(:payload, payload)"
            " WHERE key = :key AND state <> 'running'",
            key=key,
            payload=None if payload is None else json.dumps(payload),
        )

    def forget(self, key: str) -> bool:
        """Know nothing any more of a job that is done or has failed.

        Returns:
            Whether there was such a job.
        """
        return self._change(
            "DELETE FROM jobs WHERE key = :key AND state IN ('done', 'failed')", key=key
        )

    def get(self, key: str) -> Job | None:
        """One job; None where there is none of that key."""
        found = self._rows("SELECT * FROM jobs WHERE key = :key", key=key)
        return Job.of(found[0]) if found else None

    def jobs(self) -> tuple[Job, ...]:
        """All jobs, in the order in which they were added."""
        return tuple(map(Job.of, self._rows(_ALL)))

    def counts(self, *, among: Collection[str] | None = None) -> dict[State, int]:
        """How many jobs are in each state."""
        rows = self._rows(
            f"SELECT state, count(*) FROM jobs WHERE {_AMONG} GROUP BY state",  # noqa: S608
            among=_listed(among),
        )
        found = {State(state): count for state, count in rows}
        return {state: found.get(state, 0) for state in State}

    def next_due(self, *, among: Collection[str] | None = None) -> float | None:
        """When the next waiting job may be begun, seconds since 1970; None where none waits."""
        ((due,),) = self._rows(
            f"SELECT min(not_before) FROM jobs WHERE state = 'waiting' AND {_AMONG}",  # noqa: S608
            among=_listed(among),
        )
        return None if due is None else float(due)

    def settled(self, name: str, value: Json) -> Json:
        """Settle something for the whole store, the first time; what was settled stays.

        Returns:
            What was settled the first time: ``value``, or what it was before.
        """
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
                (name, json.dumps(value)),
            )
            (text,) = connection.execute(
                "SELECT value FROM settings WHERE name = ?", (name,)
            ).fetchone()
        found: Json = json.loads(text)
        return found

    def _recover(self) -> None:
        with self._transaction() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'waiting', attempts = attempts - 1,"
                " interruptions = interruptions + 1, not_before = 0 WHERE state = 'running'"
            )

    def _of_running(self, key: str, assignments: str, **values: Any) -> None:
        statement = f"UPDATE jobs SET {assignments} WHERE key = :key AND state = 'running'"  # noqa: S608
        if not self._change(statement, key=key, **values):
            raise ValueError(f"the job {key} does not run")

    def _change(self, statement: str, **values: Any) -> bool:
        with self._transaction() as connection:
            return connection.execute(statement, values | {"now": self._clock()}).rowcount > 0

    def _rows(self, query: str, **values: Any) -> list[sqlite3.Row]:
        with self._transaction() as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it, or nothing, and one thread at a time."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise store_error(self.path, error) from None
                raise


def _listed(keys: Collection[str] | None) -> str | None:
    return None if keys is None else json.dumps(list(keys))
