"""A measured volume as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

#: Milara 2024, limitations: preprocessing and segmentation of a volume take about 32 s, on a PC
#: with a GPU of 6 GB.
PUBLISHED_S: Final = 32.0

_WIDTH: Final = 100
_UNDEFINED: Final = "-"
_NAMES: Final = {
    "plain": ("plain: PyTorch fp32, slice by slice", "plain_end_to_end_s"),
    "tuned": ("tuned: ONNX Runtime fp32, in process", "tuned_end_to_end_s"),
    "ours": ("Osteoserve, warm service", "end_to_end_s"),
}


def show(document: dict[str, Any], console: Console | None = None) -> None:
    """Print what ``volume_document`` made.

    Args:
        document: All keys of it.
        console: Where; standard output unless given.
    """
    console = console or Console(highlight=False)
    if not console.is_terminal or console.width < _WIDTH:
        console = Console(highlight=False, width=_WIDTH, file=console.file)
    console.print(_ways(document))
    console.print(_stages(document))
    for line in _lines(document):
        console.print(line, soft_wrap=True, markup=False)


def _ways(document: dict[str, Any]) -> Table:
    heads = ("DICOM files to SEG and NIfTI", "p50, s", "p95, s", "p99, s", "min - max, s", "MB")
    rounds = document["rounds"]
    table = _table(
        f"{document['slices']} slices of 512x512, {rounds} round{'s' * (rounds != 1)}", heads
    )
    table.add_row("published (Milara 2024), with a GPU", f"~{PUBLISHED_S:.0f}", *[_UNDEFINED] * 4)
    for way, (name, key) in _NAMES.items():
        spread = document["spread"][key]
        table.add_row(
            name,
            *(f"{spread[each]:.2f}" for each in ("p50", "p95", "p99")),
            f"{spread['min']:.2f} - {spread['max']:.2f}",
            f"{document['peak_rss_mb'][way]:.0f}",
        )
    return table


def _stages(document: dict[str, Any]) -> Table:
    table = _table("Stages, median", ("way", "stage", "s", "share"))
    for way in ("plain", "tuned", "ours", "in_process"):
        stages = document["stages"][way]
        whole = sum(seconds for name, seconds in stages.items() if "." not in name)
        for n, (stage, seconds) in enumerate(stages.items()):
            name = f"  {stage}" if "." in stage else stage
            table.add_row(way if n == 0 else "", name, f"{seconds:.3f}", f"{seconds / whole:.0%}")
    return table


def _lines(document: dict[str, Any]) -> Sequence[str]:
    machine, memory = document["machine"], document["peak_rss_mb"]
    lines = [
        f"{_number(document['speedup'], 2)} times faster than the plain way, "
        f"{_number(document['speedup_tuned'], 2)} times than the tuned one; Dice against the plain "
        f"way {_number(document['mask_dice_vs_plain'], 5)}",
        f"in process {_number(document['in_process_s'], 2)} s, through service and Triton "
        f"{_number(document['serving_overhead'], 3)} times that; floor of this machine "
        f"{document['floor_s']:.2f} s ({machine['gemm_gflops']:.0f} GF/s "
        f"{machine['gemm_precision']}, copy {machine['copy_gb_s']:.1f} GB/s)",
    ]
    if "service" in memory:
        lines.append(
            f"service and Triton {memory['service']:.0f} MB at most, idle "
            f"{memory['service_idle']:.0f} MB"
        )
    flags = ", ".join(machine["flags"]) or "no AVX2"
    lines.append(
        f"{machine['cpu']}, {machine['cores']} cores ({flags}), {machine['memory_gb']:.0f} GB; "
        f"GPU: {'; '.join(machine['gpu']) or 'none'}; load before {machine['load_average']:.1f}; "
        f"{document['versions']['model'].rpartition(',')[0]}"
    )
    return lines


def _number(value: float | None, decimals: int) -> str:
    return _UNDEFINED if value is None else f"{value:.{decimals}f}"


def _table(title: str, heads: Sequence[str]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1))
    for head in heads:
        words = head in ("way", "stage") or head.startswith("DICOM")
        table.add_column(head, justify="left" if words else "right", no_wrap=True)
    return table
