"""Measured throughput as the JSON document that docs/benchmarks.md describes, key by key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from osteoserve_benchmarks.document import spread
from osteoserve_benchmarks.throughput.load import Load
from osteoserve_benchmarks.throughput.measure import Throughput

#: Every key of the document, and no other.
KEYS = (
    "slices",
    "rounds",
    "duration_s",
    "closed_loop",
    "open_loop",
    "masks_identical",
    "mask_sha256",
    "spread",
    "machine",
    "versions",
)

#: Every key of a load, an item of ``closed_loop`` and ``open_loop``.
LOAD_KEYS = (
    "clients",
    "offered_per_hour",
    "volumes_per_hour",
    "latency_s",
    "answered",
    "rejected",
    "slowest_client_share",
    "longest_lateness_s",
    "triton_busy",
    "triton_queue_s",
    "triton_compute_s",
    "service_cores",
    "client_cores",
)


def throughput_document(found: Throughput) -> dict[str, Any]:
    """The keys of `KEYS`; what was not measured, or is undefined, is None."""
    loads = [*found.closed_loop.values(), *found.open_loop.values()]
    digests = dict.fromkeys(c.digest for rounds in loads for load in rounds for c in load.answered)
    return {
        "slices": found.slices,
        "rounds": len(loads[0]),
        "duration_s": found.duration_s,
        "closed_loop": [load_document(rounds) for rounds in found.closed_loop.values()],
        "open_loop": [load_document(rounds) for rounds in found.open_loop.values()],
        "masks_identical": len(digests) == 1,
        "mask_sha256": list(digests),
        "spread": {
            f"closed_loop.{clients}.seconds_per_volume": spread(
                [load.seconds_per_volume for load in rounds]
            )
            for clients, rounds in found.closed_loop.items()
        },
        "machine": found.machine.document(),
        "versions": dict(found.versions),
    }


def load_document(rounds: Sequence[Load]) -> dict[str, Any]:
    """The keys of `LOAD_KEYS` for all rounds of one load."""
    calls = [call for load in rounds for call in load.calls]
    latencies = [call.latency for call in calls if call.answered]
    return {
        "clients": rounds[0].clients,
        "offered_per_hour": rounds[0].per_hour,
        "volumes_per_hour": 3600 / median(load.seconds_per_volume for load in rounds),
        "latency_s": spread(latencies),
        "answered": len(latencies),
        "rejected": len(calls) - len(latencies),
        "slowest_client_share": _of(min, [load.slowest_share for load in rounds]),
        "longest_lateness_s": max(call.sent - call.intended for call in calls),
        "triton_busy": _of(median, [load.triton_busy for load in rounds]),
        "triton_queue_s": _of(
            median, [load.triton and load.triton.queue_s / load.triton.requests for load in rounds]
        ),
        "triton_compute_s": _of(
            median,
            [load.triton and load.triton.compute_s / load.triton.executions for load in rounds],
        ),
        "service_cores": _of(median, [load.service_cores for load in rounds]),
        "client_cores": median(load.client_cores for load in rounds),
    }


def _of(statistic: Callable[[list[float]], float], values: Sequence[float | None]) -> float | None:
    """Over the rounds, where each has a value."""
    stated = [value for value in values if value is not None]
    return statistic(stated) if len(stated) == len(values) else None
