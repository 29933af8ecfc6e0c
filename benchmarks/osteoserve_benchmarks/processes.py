"""Memory and processor time of processes, as Linux states them (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def rss_mb(process: int | str = "self") -> float:
    """What a process holds now, in MB of 10^6 bytes."""
    return _status(process, "VmRSS")


def peak_rss_mb(process: int | str = "self") -> float:
    """The most that a process has held, in MB of 10^6 bytes.

    Since it began, or since `forget_peak_rss`.
    """
    return _status(process, "VmHWM")


def forget_peak_rss(process: int) -> None:
    """Let the most that a process has held be what it holds now (proc(5), /proc/PID/clear_refs)."""
    (PROC / str(process) / "clear_refs").write_text("5")


def resident_mb(process: int) -> float:
    """What a process holds now, in MB of 10^6 bytes; 0 where it has ended."""
    try:
        pages = int((PROC / str(process) / "statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


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


def _status(process: int | str, key: str) -> float:
    for line in (PROC / str(process) / "status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"the kernel states no {key} of process {process}")


def _parent(process: int) -> int | None:
    try:
        text = (PROC / str(process) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None  # it ended while we looked
    return int(_stat_fields(text)[1])


def _stat_fields(text: str) -> list[str]:
    """What follows the program's name, which may hold blanks and brackets itself."""
    return text.rpartition(")")[2].split()
