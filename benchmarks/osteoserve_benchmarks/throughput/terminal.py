"""Measured throughput as tables for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from osteoserve_benchmarks.terminal import machine_line, new_table, number, wide_enough

_FIGURES = (
    "volumes/h",
    "p50, s",
    "p95, s",
    "p99, s",
    "answered",
    "rejected",
    "busy",
    "queue, s",
    "cores",
)


def show(document: dict[str, Any], console: Console | None = None) -> None:
    """Print what ``throughput_document`` made.

    Args:
        document: All keys of it.
        console: Where; standard output unless given.
    """
    console = wide_enough(console)
    console.print(_closed(document))
    console.print(_open(document))
    digests = len(document["mask_sha256"])
    masks = "the same mask" if document["masks_identical"] else f"{digests} DIFFERENT MASKS"
    lateness = max(load["longest_lateness_s"] for load in document["open_loop"])
    for line in (
        f"every answer brought {masks}; volumes of the open loop were sent at most "
        f"{lateness:.3f} s after their arrival",
        machine_line(document),
    ):
        console.print(line, soft_wrap=True, markup=False)


def _closed(document: dict[str, Any]) -> Table:
    title = (
        f"Closed loop: {document['slices']} slices, {document['duration_s']:g} s, median of "
        f"{document['rounds']}"
    )
    table = new_table(title, ("clients", *_FIGURES, "share"), words=0)
    for load in document["closed_loop"]:
        share = number(load["slowest_client_share"], 2)
        table.add_row(str(load["clients"]), *_figures(load), share)
    return table


def _open(document: dict[str, Any]) -> Table:
    table = new_table("Open loop: latency from arrival", ("arrivals/h", *_FIGURES), words=0)
    for load in document["open_loop"]:
        table.add_row(number(load["offered_per_hour"], 0), *_figures(load))
    return table


def _figures(load: dict[str, Any]) -> tuple[str, ...]:
    busy = load["triton_busy"]
    return (
        number(load["volumes_per_hour"], 0),
        *(number(load["latency_s"][each], 2) for each in ("p50", "p95", "p99")),
        str(load["answered"]),
        str(load["rejected"]),
        number(busy and 100 * busy, 0) + ("" if busy is None else " %"),
        number(load["triton_queue_s"], 3),
        number(load["service_cores"], 2),
    )
