"""What is left on the machine of a Triton."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108


@pytest.fixture
def no_trace_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running_processes: Callable[[], list[Any]]
) -> Callable[[], None]:
    """Asserts that nothing is left of a Triton that was started in this test, or soon is not.

    Other Tritons may run, start and stop on this machine meanwhile: those of this test have their
    files in a folder of its own, and a segment of shared memory is left when none runs that it
    belongs to.
    """
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setenv("TMPDIR", str(private))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def traces() -> set[str]:
        running = [process.command for process in running_processes()]
        segments = {path.name for path in SHARED_MEMORY.glob("osteoserve_*")}
        owned = {found for command in running for found in re.findall(r"osteoserve_\w+_", command)}
        return {
            *(command for command in running if str(private) in command),
            *(path.name for path in private.iterdir()),
            *(name for name in segments if not name.startswith(tuple(owned))),
        }

    before = traces()

    def check(within_s: float = 15.0) -> None:
        deadline = time.monotonic() + within_s
        while (left := traces() - before) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert left == set()

    return check


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """Waits for something to become true."""

    def wait(condition: Callable[[], bool], *, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"it did not happen within {within_s} s"
            time.sleep(0.05)

    return wait
