"""Phantom studies, made by the command: export knows nothing of the client's code."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from osteoserve_export.errors import PublishError


@contextmanager
def phantom_studies(kind: str, seeds: Sequence[int], *options: str) -> Iterator[tuple[Path, ...]]:
    """Studies that are there as long as the context.

    Args:
        kind: "ct" or "scintigraphy".
        seeds: One body each.
        options: More options of the command.

    Yields:
        A DICOM folder for each seed.

    Raises:
        PublishError: They could not be made.
    """
    with tempfile.TemporaryDirectory(prefix="osteoserve-phantom-") as folder:
        yield tuple(_phantom(Path(folder) / str(seed), kind, seed, options) for seed in seeds)


def _phantom(folder: Path, kind: str, seed: int, options: Sequence[str]) -> Path:
    command = [sys.executable, "-m", "osteoserve_client", "phantom", kind, "-o", str(folder)]
    command += ["--seed", str(seed), *options]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise PublishError(f"no phantom to try the export on: {made.stderr.strip()}")
    return folder / "dicom"
