"""Bone scans as `osteoserve phantom scintigraphy --labels` writes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def phantom_scan(folder: Path, seed: int) -> Path:
    """A study folder; made by the command, as export knows nothing of the client's code."""
    study = folder / f"scan_{seed}"
    command = [sys.executable, "-m", "osteoserve_client", "phantom", "scintigraphy"]
    subprocess.run([*command, "-o", study, "--seed", str(seed), "--labels"], check=True)
    return study
