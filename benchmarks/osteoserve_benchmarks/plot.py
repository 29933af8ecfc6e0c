"""A measured volume as one picture: every way's stages end to end, beside the published time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from osteoserve_benchmarks.picture import picture
from osteoserve_benchmarks.terminal import PUBLISHED_S

#: Bars from the top; the keys of ``stages``, and what they are called.
_BARS = {"plain": "plain", "tuned": "tuned", "ours": "Osteoserve", "in_process": "in process"}

#: The same colour for what is the same work.
_COLOURS = {
    "read": "C0",
    "table": "C1",
    "preprocess": "C1",
    "window": "C5",
    "network": "C3",
    "inference": "C3",
    "service": "C4",
    "measure": "C6",
    "write": "C2",
}


def plot(document: dict[str, Any], path: Path) -> None:
    """Draw what ``volume_document`` made.

    Args:
        document: All keys of it.
        path: PNG.
    """
    caption = f"seconds, {document['slices']} slices, median of {document['rounds']}"
    with picture(path, document, caption) as figure:
        _draw(figure.add_subplot(), document)


def _draw(axes: Axes, document: dict[str, Any]) -> None:
    for row, way in enumerate(_BARS):
        left = 0.0
        for stage, seconds in _outer(document["stages"][way]).items():
            colour = _COLOURS.get(stage, "C7")
            axes.barh(row, seconds, left=left, color=colour, edgecolor="white", linewidth=0.5)
            if seconds > 0.07 * _longest(document):
                axes.text(left + seconds / 2, row, stage, ha="center", va="center", fontsize=7)
            left += seconds
        axes.text(left, row, f"  {left:.2f} s", va="center", fontsize=8)
    floor = len(_BARS)
    axes.barh(floor, document["floor_s"], color="0.6")
    axes.text(document["floor_s"], floor, f"  {document['floor_s']:.2f} s", va="center", fontsize=8)
    axes.axvline(PUBLISHED_S, color="0.4", linestyle="--", linewidth=1)
    # Below the bars, where no figure can lie under it.
    label = f"  published, ~{PUBLISHED_S:.0f} s"
    axes.text(PUBLISHED_S, floor + 0.7, label, fontsize=8, va="center", color="0.3")
    axes.set_yticks(range(floor + 1), [*_BARS.values(), "floor"])
    axes.set_ylim(floor + 1, -0.6)
    axes.set_xlim(0, 1.12 * _longest(document))


def _outer(stages: dict[str, float]) -> dict[str, float]:
    return {stage: seconds for stage, seconds in stages.items() if "." not in stage}


def _longest(document: dict[str, Any]) -> float:
    sums = [sum(_outer(stages).values()) for stages in document["stages"].values()]
    return max(PUBLISHED_S, *sums)
