"""One process at a time may hold a store: the kernel keeps the lock, and drops it with the process.

So whatever is marked as running when a store is opened was left by a process that is gone.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from osteoserve_client.errors import JobStoreError, JobStoreHeldError


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file; it stays behind, for removing it would let two processes hold one each.

    Raises:
        JobStoreHeldError: Another process holds it, or another part of this one.
        JobStoreError: It cannot be made.
    """
    try:
        # Not inheritable (PEP 446): a child that outlives this process holds nothing.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise JobStoreError(f"{path.name}: cannot be made: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JobStoreHeldError(
                f"{path.name}: another process works with this folder; wait for it or stop it"
            ) from None
        except OSError as error:
            raise JobStoreError(f"{path.name}: cannot be locked: {error.strerror}") from None
        yield
    finally:
        os.close(descriptor)
