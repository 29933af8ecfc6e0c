"""Measured peers as a table for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from osteoserve_benchmarks.terminal import machine_line, new_table, number, wide_enough


def show(document: dict[str, Any], console: Console | None = None) -> None:
    """Print what ``peers_document`` made.

    Args:
        document: All keys of it.
        console: Where; standard output unless given.
    """
    console = wide_enough(console)
    console.print(_table(document))
    for line in (
        "every peer does another task than Osteoserve and than the others, with random weights "
        "and on the CPU: times to know, not to divide",
        *(f"{name} is left out: {why}" for name, why in document["left_out"].items()),
        machine_line(document),
    ):
        console.print(line, soft_wrap=True, markup=False)


def _table(document: dict[str, Any]) -> Table:
    rounds = document["rounds"]
    table = new_table(
        f"DICOM files to results on disk: {document['slices']} slices of 512x512, {rounds} "
        f"round{'s' * (rounds != 1)}",
        ("peer", "computes", "version", "10^6 par.", "p50, s", "min - max, s", "MB"),
        words=3,
    )
    table.columns[1].no_wrap = False
    for each in (document["ours"], *document["peers"]):
        spread = document["spread"][f"{each['name']}.end_to_end_s"]
        table.add_row(
            each["name"],
            each["computes"],
            each["version"],
            number(each["parameters"] / 1e6, 2),
            number(spread["p50"], 2),
            f"{spread['min']:.2f} - {spread['max']:.2f}",
            number(each["peak_rss_mb"], 0),
        )
    return table
