"""What is left on the machine of a Triton."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.traces import Traces


@pytest.fixture
def no_trace_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running_processes: Callable[[], list[Any]]
) -> Callable[[], None]:
    """Asserts that nothing is left of a Triton that was started in this test, or soon is not."""
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setenv("TMPDIR", str(private))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return Traces(private, running_processes).check


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """Waits for something to become true."""

    def wait(condition: Callable[[], bool], *, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"it did not happen within {within_s} s"
            time.sleep(0.05)

    return wait
