"""What is left on the machine of a Triton, as the kernel sees it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108


@dataclass(frozen=True)
class Process:
    """A process, as /proc shows it."""

    pid: int
    parent: int
    command: str


def running_processes() -> list[Process]:
    """Every process of this machine that has not ended."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it ended while we looked
            continue
        if state not in "ZX":
            found.append(Process(int(folder.name), int(parent), command.strip()))
    return found


def tree_below(root: int) -> list[Process]:
    """Processes that descend from one, itself excluded."""
    everything = running_processes()
    found, parents = [], {root}
    while parents:
        children = [process for process in everything if process.parent in parents]
        found += children
        parents = {process.pid for process in children}
    return found


def traces() -> set[str]:
    """Processes, files and shared memory of any embedded Triton on this machine."""
    files = [*Path(tempfile.gettempdir()).glob("osteoserve-triton-*")]
    segments = [*SHARED_MEMORY.glob("osteoserve_*")]
    processes = [
        f"{process.pid} {process.command}"
        for process in running_processes()
        if "osteoserve-triton-" in process.command
    ]
    return {str(trace) for trace in [*files, *segments, *processes]}


@pytest.fixture(scope="session")
def processes_below() -> Callable[[int], list[Process]]:
    return tree_below


@pytest.fixture
def no_trace_left() -> Callable[[], None]:
    """Asserts that nothing is left of what was started since the test began, or soon is not."""
    before = traces()

    def check(within_s: float = 15.0) -> None:
        deadline = time.monotonic() + within_s
        while (left := traces() - before) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert left == set()

    return check


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., float]:
    """Waits for something to become true, and says how long that took."""

    def wait(condition: Callable[[], bool], *, within_s: float) -> float:
        start = time.monotonic()
        while not condition():
            assert time.monotonic() - start < within_s, "it did not happen in time"
            time.sleep(0.05)
        return time.monotonic() - start

    return wait
