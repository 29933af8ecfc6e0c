"""One folder for each job, which appears whole or not at all, also where the process is killed.

`writing` undoes what fails; nothing undoes what is killed. So the outputs are written into a
hidden folder, which is renamed when they are complete and synced: one step of the file system.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from osteoserve_client.durable import sync
from osteoserve_client.errors import OutputError

STAGING = ".osteoserve-batch"


class Folders:
    """The folders of the jobs in the folder of a batch.

    Args:
        out: The folder of the batch; it exists.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self._staging = out / STAGING

    def clean(self) -> None:
        """Remove what a killed process left half done.

        Raises:
            OutputError: It cannot be removed, or the hidden folder cannot be made.
        """
        with _said_as_ours():
            self._remove(self._staging)
            self._staging.mkdir()

    def close(self) -> None:
        """Remove the hidden folder; errors as of `clean`."""
        with _said_as_ours():
            self._remove(self._staging)

    def of(self, key: str) -> Path:
        """Where a job's outputs appear."""
        return self.out / key

    def staged(self, key: str) -> Path:
        """Where they are written."""
        return self._staging / key

    def publish(self, key: str) -> None:
        """Let a job's outputs appear; those that an earlier run left there are removed.

        Raises:
            OutputError: They could not be moved.
        """
        earlier = self._staging / f"{key}.earlier"
        with _said_as_ours():
            sync(self.staged(key))
            if os.path.lexists(self.of(key)):
                self.of(key).rename(earlier)
            self.staged(key).rename(self.of(key))
            sync(self.out)
            self._remove(earlier)

    def _remove(self, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _said_as_ours() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"the outputs could not be put in place: {error.strerror}") from error
