"""Bone scans as `osteoserve phantom scintigraphy --labels` writes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study folder; made by the command, as export knows nothing of the client's code."""
    folder = tmp_path_factory.mktemp("scintigraphy") / "scan"
    command = [sys.executable, "-m", "osteoserve_client", "phantom", "scintigraphy"]
    subprocess.run([*command, "-o", folder, "--seed", "3", "--labels"], check=True)
    return folder
