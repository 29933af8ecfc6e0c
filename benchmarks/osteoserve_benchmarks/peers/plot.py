"""Measured peers as one picture: how long each takes, and what for."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any, Final

from osteoserve_benchmarks.picture import picture

#: Characters of a line beside the bars.
_LINE: Final = 52


def plot(document: dict[str, Any], path: Path) -> None:
    """Draw what ``peers_document`` made.

    Args:
        document: All keys of it.
        path: PNG.
    """
    caption = (
        f"seconds, {document['slices']} slices, median of {document['rounds']}; "
        "each does another task"
    )
    with picture(path, document, caption) as figure:
        axes = figure.add_subplot()
        systems = (document["ours"], *document["peers"])
        for row, each in enumerate(systems):
            values = document["spread"][f"{each['name']}.end_to_end_s"]["values"]
            colour = "C4" if each is document["ours"] else "0.7"
            axes.barh(row, each["end_to_end_s"], color=colour, height=0.6)
            axes.plot(values, [row] * len(values), "o", color="0.3", alpha=0.5, markersize=4)
            label = f"   {each['end_to_end_s']:.1f} s, {each['peak_rss_mb'] / 1000:.1f} GB"
            axes.text(max(values), row, label, va="center", fontsize=8)
        labels = [fill(f"{each['name']}: {each['computes']}", _LINE) for each in systems]
        axes.set_yticks(range(len(systems)), labels, fontsize=7)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.25 * axes.dataLim.xmax)
