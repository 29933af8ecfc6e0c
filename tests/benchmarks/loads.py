"""Made-up logs of clients, with round numbers."""

from __future__ import annotations

from typing import Any

from osteoserve_benchmarks.machine import Machine
from osteoserve_benchmarks.throughput.client import Call
from osteoserve_benchmarks.throughput.load import Load
from osteoserve_benchmarks.throughput.measure import Throughput
from osteoserve_benchmarks.triton_statistics import Counts

MACHINE = Machine("A processor", 2, ("avx2",), 16.0, 0.1, (), "Linux")
VERSIONS = {"measure": "1", "python": "3.11", "model": "unet_skeleton version 1, fp32, 0123"}


def answered(client: int, intended: float, ended: float, *, sent: float | None = None) -> Call:
    return Call(client, intended, intended if sent is None else sent, ended, "aa")


def rejected(client: int, intended: float) -> Call:
    return Call(client, intended, intended, intended + 0.01, "")


def load(*calls: Call, **changes: Any) -> Load:
    """Of two clients and a Triton with one instance."""
    stated: dict[str, Any] = {
        "clients": 2,
        "per_hour": None,
        "calls": calls,
        "triton": Counts(requests=4, executions=2, queue_s=2.0, compute_s=9.0),
        "instances": 1,
        "service_cpu_s": 15.0,
        "client_cpu_s": 5.0,
    }
    return Load(**(stated | changes))


#: Ten seconds, three answers to client 0 and one to client 1.
UNEVEN = load(
    answered(0, 0.0, 2.0), answered(0, 2.0, 5.0), answered(0, 5.0, 9.0), answered(1, 0.0, 10.0)
)


def measured_throughput(**changes: Any) -> Throughput:
    opened = load(answered(0, 0.0, 2.0), answered(1, 1.0, 5.0, sent=1.5), rejected(0, 2.0))
    stated: dict[str, Any] = {
        "slices": 12,
        "duration_s": 10.0,
        "closed_loop": {2: (UNEVEN,)},
        "open_loop": {1800.0: (Load(**(vars(opened) | {"per_hour": 1800.0})),)},
        "machine": MACHINE,
        "versions": VERSIONS,
    }
    return Throughput(**(stated | changes))
