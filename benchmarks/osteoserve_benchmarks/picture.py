"""The frame of every plot: its size, and below it of what and of which machine it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


@contextmanager
def picture(path: Path, document: dict[str, Any], caption: str) -> Iterator[Figure]:
    """A figure to draw on, written as PNG when the context ends without an error.

    Args:
        path: PNG.
        document: Of any benchmark, with its machine.
        caption: What the figures are of.
    """
    figure = Figure(figsize=(9, 4), layout="constrained")
    machine = document["machine"]
    figure.supxlabel(f"{caption}; {machine['cpu']}, {machine['cores']} cores", fontsize=8)
    yield figure
    figure.savefig(path, dpi=110)
