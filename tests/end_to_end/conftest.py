"""A running service, a phantom on disk, and the command as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from osteoserve_client.local_service import LocalService
from tests.end_to_end.processes import MARK, Command


@pytest.fixture(scope="session")
def service() -> Iterator[str]:
    """Address of a service with an embedded Triton."""
    with LocalService() as local:
        yield local.address


@pytest.fixture(scope="session")
def osteoserve() -> Command:
    """Run the command to its end."""

    def run(*arguments: str | Path, mark: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "osteoserve_client", *map(str, arguments)],
            env=os.environ | {MARK: mark},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def phantom(osteoserve: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``dicom/`` and ``labels.nii.gz``: a whole body in few slices."""
    folder = tmp_path_factory.mktemp("phantom")
    made = osteoserve("phantom", "ct", "-o", folder, "--slices", "12", "--labels")
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def mark() -> str:
    """A word that no other process carries in its environment."""
    return uuid.uuid4().hex
