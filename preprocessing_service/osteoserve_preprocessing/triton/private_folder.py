"""The folder and the shared memory of one run of tritonserver, and of runs that nobody tidied.

Whoever runs holds a lock on the folder, which ends with the process: what is not locked is left
over from a service and a guardian that were killed together, as by ``systemctl kill``.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import tempfile
from pathlib import Path

from osteoserve_preprocessing.errors import TritonStartError
from osteoserve_preprocessing.triton import guardian

_NAME = "osteoserve-run-"


class PrivateFolder:
    """A folder that only this user can read, locked.

    Raises:
        TritonStartError: It cannot be made.
    """

    def __init__(self) -> None:
        token = secrets.token_hex(8)
        root = Path(tempfile.gettempdir())
        self.path = root / f"{_NAME}{token}"
        unlocked = root / f"osteoserve-new-{token}"
        try:
            unlocked.mkdir(mode=0o700)
            self.lock = _locked(unlocked)
            unlocked.rename(self.path)
        except OSError as error:
            raise TritonStartError(f"no temporary folder can be made: {error}") from error

    @property
    def shm_prefix(self) -> str:
        """How the names of the segments of shared memory begin that belong to it."""
        return _shm_prefix(self.path)

    def release(self) -> None:
        """Leave the lock to a process that has inherited it."""
        os.close(self.lock)


def remove_leftovers() -> None:
    """Remove folders and shared memory of this user's runs that ended with nobody to tidy."""
    for path in Path(tempfile.gettempdir()).glob(f"{_NAME}*"):
        try:
            lock = _locked(path)
        except OSError:  # somebody holds it, or it is gone
            continue
        if os.fstat(lock).st_uid == os.getuid():
            guardian.remove_traces(path, _shm_prefix(path))
        os.close(lock)


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _shm_prefix(path: Path) -> str:
    return f"osteoserve_{path.name.removeprefix(_NAME)}_"
