"""Whether what may be resident fits into this machine, or into the control group around us."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from osteoserve_preprocessing.server.doctor.findings import Finding, State
from osteoserve_preprocessing.server.limits import Limits

MEBIBYTE: Final = 1 << 20

#: Of its size as int16, what a volume takes while it is worked on: source, canonical copy, grey
#: values, masks and labels.
MEMORY_PER_VOLUME: Final = 5

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")

#: Files of limit and usage: of cgroup v2, and of the memory controller of v1.
_FILES: Final = (
    ("memory.max", "memory.current"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def memory(limits: Limits, *, proc: Path = PROC, cgroups: Path = CGROUPS) -> Finding:
    """Whether as many volumes fit as may be resident, all of the largest size."""
    rooms = [(_available(proc), "available")]
    rooms += [(left, "left in the control group") for left in _left_in_groups(proc, cgroups)]
    room, where = min(rooms)
    worst = limits.resident_volumes * limits.volume_bytes * MEMORY_PER_VOLUME
    detail = f"{room // MEBIBYTE} MiB {where}"
    if room < worst:
        return Finding(
            "memory",
            State.NOTE,
            f"{detail}; {limits.resident_volumes} volumes of the largest size may take "
            f"{worst // MEBIBYTE} MiB",
            "lower --volume-bytes or --resident-volumes, or add memory; volumes of 512x512x500 "
            f"take {512 * 512 * 500 * 2 * MEMORY_PER_VOLUME // MEBIBYTE} MiB each",
        )
    return Finding("memory", State.OK, detail)


def _available(proc: Path) -> int:
    lines = (proc / "meminfo").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(fields["MemAvailable"].split()[0]) * 1024


def _left_in_groups(proc: Path, cgroups: Path) -> Iterator[int]:
    """What is left of every limit on the way from our group up to the root."""
    groups = proc / "self" / "cgroup"
    for line in groups.read_text().splitlines() if groups.is_file() else ():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            mount = cgroups / controllers
            # In a container, the path may be the host's, and not there: the mount itself is ours.
            group = mount / path.strip("/")
            for folder in (group, *group.parents):
                if folder.is_relative_to(mount):
                    yield from _left(folder)


def _left(folder: Path) -> Iterator[int]:
    for limit, usage in _FILES:
        if (folder / limit).is_file() and (folder / usage).is_file():
            stated = (folder / limit).read_text().strip()
            if stated != "max":
                yield max(0, int(stated) - int((folder / usage).read_text()))
