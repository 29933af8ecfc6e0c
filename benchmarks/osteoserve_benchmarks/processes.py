"""Memory and processor time of processes, as Linux states them (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def peak_rss_mb(process: int | str = "self") -> float:
    """The most that a process has held since it began, in MB of 10^6 bytes."""
    return _figure(PROC / str(process) / "status", "VmHWM")


def proportional_mb(process: int) -> float:
    """What a process holds now, in MB of 10^6 bytes; 0 where it has ended.

    Of pages that several hold, each counts its part, so that a sum counts them once: Triton and its
    backend's processes share what they exchange.
    """
    try:
        return _figure(PROC / str(process) / "smaps_rollup", "Pss")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def cpu_seconds(process: int) -> float:
    """Processor time of all threads of a process since it began, in user and system mode."""
    fields = _stat_fields((PROC / str(process) / "stat").read_text())
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def process_tree(root: int) -> tuple[int, ...]:
    """A process and all that descend from it, as they are now."""
    children: dict[int, list[int]] = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit() and (parent := _parent(int(folder.name))) is not None:
            children.setdefault(parent, []).append(int(folder.name))
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += children.get(process, [])
    return tuple(found)


def _figure(file: Path, key: str) -> float:
    for line in file.read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"{file} states no {key}")


def _parent(process: int) -> int | None:
    try:
        text = (PROC / str(process) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None  # it ended while we looked
    return int(_stat_fields(text)[1])


def _stat_fields(text: str) -> list[str]:
    """What follows the program's name, which may hold blanks and brackets itself."""
    return text.rpartition(")")[2].split()
