"""The store's file: how it is made, and what is refused as none of ours."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from osteoserve_client.errors import JobStoreError

#: "OSTJ", in SQLite's header (https://sqlite.org/fileformat2.html#application_id).
APPLICATION_ID = 0x4F53544A
#: Of the tables below; raised with every change of them.
VERSION = 1

_TABLES = """
CREATE TABLE jobs (
    number        INTEGER PRIMARY KEY,
    key           TEXT NOT NULL UNIQUE,
    payload       TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    attempts      INTEGER NOT NULL DEFAULT 0,
    interruptions INTEGER NOT NULL DEFAULT 0,
    not_before    REAL NOT NULL DEFAULT 0,
    error_kind    TEXT NOT NULL DEFAULT '',
    error         TEXT NOT NULL DEFAULT '',
    checkpoint    TEXT,
    result        TEXT NOT NULL DEFAULT '{}',
    digests       TEXT NOT NULL DEFAULT '{}',
    added         REAL NOT NULL,
    started       REAL,
    ended         REAL
) STRICT;
CREATE INDEX jobs_by_turn ON jobs (state, interruptions, not_before, number);
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""


def opened(path: Path) -> sqlite3.Connection:
    """Open a store's file, or make it.

    Every change is on the disk before the call that made it returns: a write-ahead log, synced
    at each commit (https://sqlite.org/pragma.html#pragma_synchronous).

    Raises:
        JobStoreError: It cannot be opened or made, is damaged, is no job store, or is one of
            another version.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise store_error(path, error) from None
    try:
        connection.row_factory = sqlite3.Row
        _check(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error as error:
        connection.close()
        raise store_error(path, error) from None
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise JobStoreError(f"{path.name}: is damaged")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (application, version, tables) == (0, 0, 0):
        # One transaction: a process killed here leaves an empty file, or a whole store.
        connection.executescript(
            f"BEGIN; {_TABLES} PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {VERSION}; COMMIT;"
        )
    elif application != APPLICATION_ID:
        raise JobStoreError(f"{path.name}: is no job store of Osteoserve")
    elif version != VERSION:
        raise JobStoreError(
            f"{path.name}: is a job store of version {version}, and this program reads version "
            f"{VERSION}"
        )


def store_error(path: Path, error: sqlite3.Error) -> JobStoreError:
    """Ours for SQLite's, in words that hold no value of a row."""
    reasons = {
        sqlite3.SQLITE_FULL: "the disk is full",
        sqlite3.SQLITE_READONLY: "may not be written",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened",
        sqlite3.SQLITE_PERM: "may not be opened",
        sqlite3.SQLITE_NOTADB: "is no job store of Osteoserve",
        sqlite3.SQLITE_CORRUPT: "is damaged",
        sqlite3.SQLITE_IOERR: "the disk fails",
        sqlite3.SQLITE_BUSY: "is locked by another program",
        sqlite3.SQLITE_LOCKED: "is locked by another program",
    }
    # The lower byte is the primary code (https://sqlite.org/rescode.html).
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return JobStoreError(f"{path.name}: {reasons.get(code, f'SQLite fails with {name}')}")
