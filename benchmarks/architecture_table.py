"""Makes the table and the plot of architectures from pytest-benchmark's JSON.

python -m pytest benchmarks/test_architectures.py --benchmark-json times.json
python benchmarks/architecture_table.py times.json docs/architectures.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

#: Krawczyk 2021, table 2: milliseconds for one 512x512 image, and parameters. The processor is not
#: stated there. Milara 2024 and Yu 2023 tabulate neither.
PUBLISHED = {
    "FCN8, Krawczyk 2021": (57.6, 69_736_873),
    "FCN32, Krawczyk 2021": (59.5, 69_769_603),
    "PSPNet, Krawczyk 2021": (23.3, 3_282_819),
    "U-Net, Krawczyk 2021": (26.3, 4_472_323),
    "SegNet, Krawczyk 2021": (24.4, 3_698_179),
}

Times = dict[str, dict[str, float]]


def read(document: dict[str, Any]) -> tuple[Times, dict[str, int]]:
    """Median milliseconds by architecture and runtime, and parameters by architecture.

    Args:
        document: What ``--benchmark-json`` wrote.
    """
    times: Times = {}
    parameters: dict[str, int] = {}
    for entry in document["benchmarks"]:
        info = entry["extra_info"]
        if "architecture" in info:
            milliseconds = 1000 * entry["stats"]["median"]
            times.setdefault(info["architecture"], {})[info["runtime"]] = milliseconds
            parameters[info["architecture"]] = info["parameters"]
    return times, parameters


def table(times: Times, parameters: dict[str, int]) -> str:
    """Both as Markdown, published figures below."""
    runtimes = _runtimes(times)
    titles = " | ".join(f"{name}, ms" for name in runtimes)
    lines = [
        f"| network | parameters | {titles} | published, ms |",
        f"| --- | ---: | {' | '.join('---:' for _ in runtimes)} | ---: |",
    ]
    for name, measured in times.items():
        cells = " | ".join(f"{measured[r]:.1f}" if r in measured else "" for r in runtimes)
        lines.append(f"| {name} | {parameters[name]:,} | {cells} | |")
    for name, (milliseconds, count) in PUBLISHED.items():
        lines.append(
            f"| {name} | {count:,} | {' | '.join('' for _ in runtimes)} | {milliseconds} |"
        )
    return "\n".join(lines)


def plot(times: Times, path: Path) -> None:
    """Draw a bar for each architecture and runtime, and one for each published figure."""
    runtimes = _runtimes(times)
    figure = Figure(figsize=(8, 6.5), layout="constrained")
    axes = figure.add_subplot()
    names = [*times, *PUBLISHED]
    height = 0.8 / len(runtimes)
    for n, runtime in enumerate(runtimes):
        rows = [row for row, name in enumerate(times) if runtime in times[name]]
        places = [row + (n - (len(runtimes) - 1) / 2) * height for row in rows]
        widths = [times[names[row]][runtime] for row in rows]
        axes.bar_label(
            axes.barh(places, widths, height, label=runtime), fmt="%.0f", padding=2, fontsize=7
        )
    rows = range(len(times), len(names))
    published = [milliseconds for milliseconds, _ in PUBLISHED.values()]
    axes.bar_label(
        axes.barh(rows, published, 0.5, color="0.6", label="as published"), padding=2, fontsize=7
    )
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(right=2 * max(max(measured.values()) for measured in times.values()))
    axes.set_xlabel("milliseconds an image of 512x512, Mask R-CNN 950x512 (median, log scale)")
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=110)


def _runtimes(times: Times) -> list[str]:
    return list(dict.fromkeys(name for measured in times.values() for name in measured))


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    times, parameters = read(json.loads(source.read_text(encoding="utf-8")))
    plot(times, target)
    print(table(times, parameters))  # noqa: T201
