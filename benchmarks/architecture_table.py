"""Makes the table of architectures from pytest-benchmark's JSON, beside published figures.

python -m pytest benchmarks/test_architectures.py --benchmark-json times.json
python benchmarks/architecture_table.py times.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

#: Krawczyk 2021, table 2: milliseconds for one 512x512 image, and parameters. Its processor is not
#: stated there.
PUBLISHED = {
    "U-Net of Krawczyk 2021": (26.3, 4_472_323),
    "PSPNet of Krawczyk 2021": (23.3, 3_282_819),
}


def table(document: dict[str, object]) -> str:
    """Median milliseconds an image by architecture and runtime, as Markdown.

    Args:
        document: What ``--benchmark-json`` wrote.
    """
    rows: dict[str, dict[str, float]] = {}
    parameters: dict[str, int] = {}
    for entry in document["benchmarks"]:  # type: ignore[attr-defined]
        info = entry["extra_info"]
        if "architecture" in info:
            rows.setdefault(info["architecture"], {})[info["runtime"]] = entry["stats"]["median"]
            parameters[info["architecture"]] = info["parameters"]
    runtimes = list(dict.fromkeys(name for times in rows.values() for name in times))
    titles = " | ".join(f"{name}, ms" for name in runtimes)
    lines = [
        f"| network | parameters | {titles} | published, ms |",
        f"| --- | ---: | {' | '.join('---:' for _ in runtimes)} | ---: |",
    ]
    for name, times in rows.items():
        cells = [f"{1000 * times[runtime]:.1f}" if runtime in times else "" for runtime in runtimes]
        lines.append(f"| {name} | {parameters[name]:,} | {' | '.join(cells)} | |")
    for name, (milliseconds, count) in PUBLISHED.items():
        lines.append(
            f"| {name} | {count:,} | {' | '.join('' for _ in runtimes)} | {milliseconds} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))  # noqa: T201
