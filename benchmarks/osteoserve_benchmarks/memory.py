"""Resident memory of processes, as Linux states it (proc(5), /proc/PID/status)."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def rss_mb(process: int | str = "self") -> float:
    """What a process holds now, in MB of 10^6 bytes."""
    return _status(process, "VmRSS")


def peak_rss_mb(process: int | str = "self") -> float:
    """The most that a process has held since it began, in MB of 10^6 bytes."""
    return _status(process, "VmHWM")


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
    # The program's name stands in brackets and may hold blanks and brackets itself.
    return int(text.rpartition(")")[2].split()[1])
