"""Measured scaling as tables for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from osteoserve_benchmarks.terminal import machine_line, new_table, number, wide_enough


def show(document: dict[str, Any], console: Console | None = None) -> None:
    """Print what ``scaling_document`` made.

    Args:
        document: All keys of it.
        console: Where; standard output unless given.
    """
    console = wide_enough(console)
    console.print(_points(document))
    for name, unit in (("end_to_end_s", "s"), ("above_idle_mb", "MB")):
        line = document["fit"][name]
        if line is not None:
            console.print(
                f"{name}: {line['per_slice']:.5f} {unit} a slice + {line['intercept']:.3f} {unit}; "
                f"R^2 {line['r_squared']:.5f}, no point further than "
                f"{100 * line['largest_deviation']:.1f} % from the line",
                soft_wrap=True,
                markup=False,
            )
    console.print(machine_line(document), soft_wrap=True, markup=False)


def _points(document: dict[str, Any]) -> Table:
    stages = [stage for stage in document["points"][0]["stages"] if "." not in stage]
    rounds = document["rounds"]
    table = new_table(
        f"DICOM files to SEG and NIfTI, median of {rounds}; memory above idle of service and "
        "Triton",
        ("slices", "s", "min - max, s", "ms a slice", *(f"{s}, s" for s in stages), "MB", "client"),
        words=0,
    )
    for point in document["points"]:
        spread = document["spread"][f"slices.{point['slices']}.end_to_end_s"]
        table.add_row(
            str(point["slices"]),
            number(point["end_to_end_s"], 2),
            f"{spread['min']:.2f} - {spread['max']:.2f}",
            number(1000 * point["end_to_end_s"] / point["slices"], 2),
            *(number(point["stages"][stage], 2) for stage in stages),
            number(point["above_idle_mb"], 0),
            number(point["client_peak_rss_mb"], 0),
        )
    return table
