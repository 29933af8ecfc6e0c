"""Measured scaling as one picture: time and memory against slices, each with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from osteoserve_benchmarks.picture import picture


def plot(document: dict[str, Any], path: Path) -> None:
    """Draw what ``scaling_document`` made.

    Args:
        document: All keys of it.
        path: PNG.
    """
    caption = f"slices of 512x512; {document['rounds']} rounds"
    with picture(path, document, caption) as figure:
        time, memory = figure.subplots(1, 2)
        for point in document["points"]:
            values = document["spread"][f"slices.{point['slices']}.end_to_end_s"]["values"]
            time.plot([point["slices"]] * len(values), values, "o", color="C4", alpha=0.5)
            if point["above_idle_mb"] is not None:
                memory.plot(point["slices"], point["above_idle_mb"], "o", color="C1")
        _finish(time, document, "end_to_end_s", "seconds, DICOM files to SEG and NIfTI")
        _finish(memory, document, "above_idle_mb", "MB above idle, service and Triton")


def _finish(axes: Axes, document: dict[str, Any], name: str, label: str) -> None:
    line, most = document["fit"][name], max(document["slices"])
    if line is not None:
        ends = [line["intercept"], line["intercept"] + most * line["per_slice"]]
        axes.plot([0, most], ends, color="0.6", label=f"R² = {line['r_squared']:.4f}")
        axes.legend()
    axes.set_xlim(0, 1.05 * most)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(label)
