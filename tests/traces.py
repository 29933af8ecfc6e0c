"""What a service or its Triton leaves on the machine: processes, files, shared memory."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108


class Traces:
    """What there is now of Tritons whose temporary files are in one folder, and what comes after.

    Others may run, start and stop on this machine meanwhile: a segment of shared memory is left
    when none runs that it belongs to.

    Args:
        private: TMPDIR of those that are watched.
        processes: Everything that runs on this machine.
    """

    def __init__(self, private: Path, processes: Callable[[], list[Any]]) -> None:
        self._private = private
        self._processes = processes
        self._before = self._found()

    def check(self, within_s: float = 15.0) -> None:
        """Fail unless nothing is left of what came after, or soon is not."""
        deadline = time.monotonic() + within_s
        while (left := self._found() - self._before) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not left, sorted(left)

    def _found(self) -> set[str]:
        running = [process.command for process in self._processes()]
        segments = {path.name for path in SHARED_MEMORY.glob("osteoserve_*")}
        owned = {found for command in running for found in re.findall(r"osteoserve_\w+_", command)}
        return {
            *(command for command in running if str(self._private) in command),
            *(path.name for path in self._private.iterdir()),
            *(name for name in segments if not name.startswith(tuple(owned))),
        }
