"""Measured throughput as one picture: rate against clients, latency against arrivals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from osteoserve_benchmarks.picture import picture


def plot(document: dict[str, Any], path: Path) -> None:
    """Draw what ``throughput_document`` made.

    Args:
        document: All keys of it.
        path: PNG.
    """
    caption = f"{document['slices']} slices, median of {document['rounds']}"
    with picture(path, document, caption) as figure:
        rate, latency = figure.subplots(1, 2)
        _rate(rate, document)
        _latency(latency, document)


def _rate(axes: Axes, document: dict[str, Any]) -> None:
    loads = document["closed_loop"]
    clients = [load["clients"] for load in loads]
    medians = [load["volumes_per_hour"] for load in loads]
    rounds = [document["spread"][f"closed_loop.{n}.seconds_per_volume"]["values"] for n in clients]
    axes.plot(clients, medians, color="C4", marker="_")
    for n, values in zip(clients, rounds, strict=True):
        axes.plot([n] * len(values), [3600 / value for value in values], "o", color="C4", alpha=0.5)
    axes.set_xscale("log", base=2)
    axes.set_xticks(clients, map(str, clients))
    axes.set_ylim(0, 1.1 * axes.dataLim.ymax)
    axes.set_xlabel("clients, closed loop")
    axes.set_ylabel("volumes an hour")


def _latency(axes: Axes, document: dict[str, Any]) -> None:
    loads = sorted(document["open_loop"], key=lambda load: load["offered_per_hour"])
    rates = [load["offered_per_hour"] for load in loads]
    for percentile, style in (("p50", "-"), ("p95", "--"), ("p99", ":")):
        seconds = [load["latency_s"][percentile] for load in loads]
        axes.plot(rates, seconds, style, color="C3", marker="o", label=percentile)
    axes.set_ylim(0, 1.1 * axes.dataLim.ymax)
    axes.set_xlabel("arrivals an hour, open loop")
    axes.set_ylabel("seconds from arrival to mask")
    axes.legend()
