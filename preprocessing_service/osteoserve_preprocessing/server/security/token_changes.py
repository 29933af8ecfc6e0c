"""Adds tokens to their file and takes them out; a service sees the old file or the new one."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.security.tokens import TokenEntry, as_json, load_tokens


def add_token(path: Path, entry: TokenEntry) -> None:
    """Add a token; the file is made where there is none.

    Raises:
        OptionError: There is a client of that name, or the file is no token file.
        OSError: It cannot be written.
    """
    with _alone(path):
        entries = load_tokens(path) if path.exists() else ()
        if any(other.name == entry.name for other in entries):
            raise OptionError(f"tokens {path} has a client {entry.name} already")
        _replace(path, (*entries, entry))


def remove_token(path: Path, name: str) -> None:
    """Take a token out.

    Raises:
        OptionError: There is no client of that name, or the file is no token file.
        OSError: It cannot be written.
    """
    with _alone(path):
        entries = load_tokens(path)
        kept = tuple(entry for entry in entries if entry.name != name)
        if len(kept) == len(entries):
            raise OptionError(f"tokens {path} has no client {name}")
        _replace(path, kept)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two that add at once would lose one of the tokens. The folder is locked: the file changes."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _replace(path: Path, entries: tuple[TokenEntry, ...]) -> None:
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            if path.exists():
                # An administrator adds a token; the service must still be able to read the file.
                was = path.stat()
                if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), was.st_uid, was.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(was.st_mode))
            file.write(as_json(entries))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
