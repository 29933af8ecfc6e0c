"""What a test started, and whether any of it still lives."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

Command = Callable[..., "subprocess.CompletedProcess[str]"]

#: In the environment of everything that a test starts, so that what is left can be found.
MARK = "OSTEOSERVE_TEST_MARK"


def marked_processes(mark: str) -> dict[int, str]:
    """Process id and command line of every living process that carries the mark."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found[int(folder.name)] = (folder / "cmdline").read_bytes().decode()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            # It ended while we looked, or is not ours.
            continue
    return found
