"""Files that nobody else may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from osteoserve_preprocessing.errors import OptionError

#: Of an owner's file, what group and others may not do; of root's, what the group may not do
#: beside reading it, and others not at all. Kubernetes and systemd hand secrets to a service that
#: is not root as files of root that its group may read.
_FORBIDDEN_OF_OWN, _FORBIDDEN_OF_ROOTS = 0o077, 0o037


def read_private(path: Path, option: str) -> bytes:
    """Content of a file with a secret.

    Args:
        path: It.
        option: Named in errors.

    Raises:
        OptionError: It cannot be read, or others can read or write it too.
    """
    try:
        with path.open("rb") as file:
            # Of the file that is open, not of whatever bears its name a moment later.
            _check(os.fstat(file.fileno()), path, option)
            return file.read()
    except OSError as error:
        raise OptionError(f"{option} {path} cannot be read: {error.strerror}") from error


def write_new(path: Path, content: bytes, *, secret: bool) -> None:
    """Make a file; one that is there stays as it is.

    Args:
        path: It.
        content: All that it holds.
        secret: Whether nobody else may read it.

    Raises:
        FileExistsError: There is one of that name.
        OSError: It cannot be written; then it is not there.
    """
    mode = 0o600 if secret else 0o644
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except BaseException:
        path.unlink()
        raise


def _check(status: os.stat_result, path: Path, option: str) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid == os.geteuid():
        forbidden = _FORBIDDEN_OF_OWN
    elif status.st_uid == 0:
        forbidden = _FORBIDDEN_OF_ROOTS
    else:
        raise OptionError(f"{option} {path} belongs to another user, who could change it")
    if mode & forbidden:
        raise OptionError(
            f"{option} {path} is open to others (mode {mode:04o}): chmod 0600 {path.name}"
        )
