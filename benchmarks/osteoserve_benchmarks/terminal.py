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

_WIDTH: Final = 110
UNDEFINED: Final = "-"
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
    console = wide_enough(console)
    console.print(_ways(document))
    console.print(_stages(document))
    for line in _lines(document):
        console.print(line, soft_wrap=True, markup=False)


def wide_enough(console: Console | None) -> Console:
    """The console, or standard output, with room for every table."""
    console = console or Console(highlight=False)
    if console.is_terminal and console.width >= _WIDTH:
        return console
    return Console(highlight=False, width=_WIDTH, file=console.file)


def _ways(document: dict[str, Any]) -> Table:
    heads = ("DICOM files to SEG and NIfTI", "p50, s", "p95, s", "p99, s", "min - max, s", "MB")
    rounds = document["rounds"]
    table = new_table(
        f"{document['slices']} slices of 512x512, {rounds} round{'s' * (rounds != 1)}", heads
    )
    table.add_row("published (Milara 2024), with a GPU", f"~{PUBLISHED_S:.0f}", *[UNDEFINED] * 4)
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
    table = new_table("Stages, median", ("way", "stage", "s", "share"), words=2)
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
        f"{number(document['speedup'], 2)} times faster than the plain way, "
        f"{number(document['speedup_tuned'], 2)} times than the tuned one; Dice against the plain "
        f"way {number(document['mask_dice_vs_plain'], 5)}",
        f"in process {number(document['in_process_s'], 2)} s, through service and Triton "
        f"{number(document['serving_overhead'], 3)} times that; floor of this machine "
        f"{document['floor_s']:.2f} s ({machine['gemm_gflops']:.0f} GF/s "
        f"{machine['gemm_precision']}, copy {machine['copy_gb_s']:.1f} GB/s)",
    ]
    if "service" in memory:
        lines.append(
            f"service and Triton {memory['service']:.0f} MB at most, idle "
            f"{memory['service_idle']:.0f} MB"
        )
    lines.append(machine_line(document))
    return lines


def machine_line(document: dict[str, Any]) -> str:
    """Where, and of what model, the figures of a document are."""
    machine = document["machine"]
    flags = ", ".join(machine["flags"]) or "no AVX2"
    return (
        f"{machine['cpu']}, {machine['cores']} cores ({flags}), {machine['memory_gb']:.0f} GB; "
        f"GPU: {'; '.join(machine['gpu']) or 'none'}; load before {machine['load_average']:.1f}; "
        f"{document['versions']['model'].rpartition(',')[0]}"
    )


def number(value: float | None, decimals: int) -> str:
    """For people; `UNDEFINED` for None."""
    return UNDEFINED if value is None else f"{value:.{decimals}f}"


def new_table(title: str, heads: Sequence[str], words: int = 1) -> Table:
    """A table with columns of figures.

    Args:
        title: Above it.
        heads: Of its columns.
        words: How many of the columns, from the left, are words.
    """
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1))
    for n, head in enumerate(heads):
        table.add_column(head, justify="left" if n < words else "right", no_wrap=True)
    return table
