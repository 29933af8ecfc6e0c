"""What Prometheus counts. No label holds what a caller typed: neither model nor client.

Documented name by name in docs/observability.md.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from osteoserve_preprocessing.server.records import CallRecord
from osteoserve_preprocessing.server.status import REASONS, UNEXPECTED

METHODS: Final = ("Segment", "SegmentScintigram", "Preprocess", "ListModels", "GetModel")

#: Seconds: from a refusal to the longest that a call may take.
BUCKETS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
    *(5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0),
)


class CallMetrics:
    """Counts calls that have ended.

    Args:
        registry: Where they are shown.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "osteoserve_requests",
            "Calls that have ended, by gRPC status; model is empty for one that is not served",
            ("method", "model", "outcome"),
            registry=registry,
        )
        self._seconds = Histogram(
            "osteoserve_request_duration_seconds",
            "From the first byte of a call to its end",
            ("method",),
            buckets=BUCKETS,
            registry=registry,
        )
        self._stage_seconds = Histogram(
            "osteoserve_stage_duration_seconds",
            "Stages of calls with an upload; of a call that failed, up to where it did",
            ("method", "stage"),
            buckets=BUCKETS,
            registry=registry,
        )
        self._refusals = Counter(
            "osteoserve_refusals",
            "Calls that were refused or failed, by reason; busy where there was no place",
            ("reason",),
            registry=registry,
        )
        self._received = Counter(
            "osteoserve_received_bytes", "Bytes of voxels of calls that ended", registry=registry
        )
        # A counter that appears with its first event shows no increase of it.
        for reason in (*REASONS.values(), "token", UNEXPECTED):
            self._refusals.labels(reason)
        for method in METHODS:
            self._seconds.labels(method)

    def keep(self, record: CallRecord) -> None:
        """Count a call."""
        self._requests.labels(record.method, record.model, record.outcome).inc()
        self._received.inc(record.received_bytes)
        if record.reason:
            self._refusals.labels(record.reason).inc()
        if record.method in METHODS:
            self._seconds.labels(record.method).observe(record.seconds)
        for stage in record.stages:
            if stage.stage != "total":
                self._stage_seconds.labels(record.method, stage.stage).observe(stage.seconds)
