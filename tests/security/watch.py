"""Holds on to every temporary file that processes make, also those that are gone in a moment."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tests.preprocessing.conftest import tree_below

SHARED_MEMORY = "/dev/shm/"  # noqa: S108
PERIOD_S = 0.01
#: Looking through processes takes longer; files without a name live as long as these.
PROCESSES_EVERY = 20


class TemporaryFiles:
    """Opens what appears in folders, and what processes below this one hold elsewhere.

    That is what they have open without a name, and the shared memory that they have mapped.

    An open file keeps its content when it is deleted, so that it can be read in the end.

    Args:
        folders: Watched with all below.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._held: dict[tuple[int, int], int] = {}
        self.names: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> TemporaryFiles:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def contents(self) -> Iterator[bytes]:
        """What each held in the end, without the zeros of what was never used; closes them."""
        for descriptor in self._held.values():
            with os.fdopen(descriptor, "rb") as file:
                yield file.read().replace(bytes(512), b"")
        self._held.clear()

    def _watch(self) -> None:
        turn = 0
        while not self._ended.wait(PERIOD_S):
            for folder in self._folders:
                for parent, folders, files in os.walk(folder):
                    self.names.update(folders, files)
                    for name in files:
                        self._hold(Path(parent, name))
            turn += 1
            if turn % PROCESSES_EVERY == 0:
                for process in tree_below(os.getpid()):
                    with suppress(OSError):  # it has ended
                        self._hold_of(Path("/proc", str(process.pid)))

    def _hold_of(self, process: Path) -> None:
        for link in (process / "fd").iterdir():
            if str(link.readlink()).endswith("(deleted)"):
                self._hold(link)
        for line in (process / "maps").read_text().splitlines():
            path = line[line.find("/") :]
            if path.startswith(SHARED_MEMORY):
                self.names.add(path)
                self._hold(Path(path))

    def _hold(self, path: Path) -> None:
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or (status.st_dev, status.st_ino) in self._held:
                return
            self._held[status.st_dev, status.st_ino] = os.open(path, os.O_RDONLY)
        except OSError:  # gone in that moment, or not ours to read
            return
