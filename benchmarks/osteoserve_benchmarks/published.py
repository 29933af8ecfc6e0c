"""Tables in a page that are generated from saved runs, never typed.

In the page, ``<!-- bench FILE -->`` and ``<!-- /bench -->`` stand around what is generated; FILE is
a JSON file of ``osteoserve bench volume``, ``throughput`` or ``scaling``, relative to the page.

python -m osteoserve_benchmarks.published README.md
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from osteoserve_benchmarks.terminal import machine_line

_BLOCK: Final = re.compile(r"(<!-- bench (\S+) -->\n).*?(<!-- /bench -->)", re.DOTALL)


def generated(page: Path) -> str:
    """The page's text with every table made anew.

    Args:
        page: Markdown.

    Raises:
        OSError: A run is not there.
        KeyError: It is none.
    """

    def block(found: re.Match[str]) -> str:
        document = json.loads((page.parent / found[2]).read_text(encoding="utf-8"))
        return f"{found[1]}{markdown(document)}\n{found[3]}"

    return _BLOCK.sub(block, page.read_text(encoding="utf-8"))


def markdown(document: dict[str, Any]) -> str:
    """A document of ``osteoserve bench`` as a table, with its machine below."""
    if "points" in document:
        table = _scaling(document)
    elif "closed_loop" in document:
        table = _throughput(document)
    else:
        table = _volume(document)
    return f"{table}\n\nMedians of {document['rounds']} rounds; {machine_line(document)}."


def _volume(document: dict[str, Any]) -> str:
    spread = document["spread"]
    ways = (
        ("plain: PyTorch, slice by slice", "plain_end_to_end_s"),
        ("tuned: ONNX Runtime in process, no server", "tuned_end_to_end_s"),
        ("Osteoserve: warm service and Triton", "end_to_end_s"),
    )
    rows = [
        (
            name,
            f"{document[key]:.2f}",
            f"{spread[key]['min']:.2f} - {spread[key]['max']:.2f}",
            f"{document[key] / document['end_to_end_s']:.1f}",
        )
        for name, key in ways
    ]
    return _table((f"{document['slices']} slices", "s", "min - max", "times ours"), rows)


def _throughput(document: dict[str, Any]) -> str:
    loads = [(f"{load['clients']} clients", load) for load in document["closed_loop"]] + [
        (f"{load['offered_per_hour']:.0f} arrivals an hour", load) for load in document["open_loop"]
    ]
    rows = [
        (
            name,
            f"{load['volumes_per_hour']:.0f}",
            *(f"{load['latency_s'][each]:.2f}" for each in ("p50", "p95", "p99")),
            str(load["rejected"]),
        )
        for name, load in loads
    ]
    heads = (f"{document['slices']} slices", "volumes an hour", "p50, s", "p95, s", "p99, s")
    return _table((*heads, "rejected"), rows)


def _scaling(document: dict[str, Any]) -> str:
    rows = [
        (
            str(point["slices"]),
            f"{point['end_to_end_s']:.2f}",
            "" if point["above_idle_mb"] is None else f"{point['above_idle_mb']:.0f}",
        )
        for point in document["points"]
    ]
    return _table(("slices", "s", "MB above idle"), rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = (heads, ["---", *["---:"] * (len(heads) - 1)], *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(generated(Path(name)), encoding="utf-8")
