"""What Prometheus is told of the present: read when it asks, so that nothing can go stale."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from osteoserve_preprocessing.server.admission import Admission
from osteoserve_preprocessing.server.health import Health
from osteoserve_preprocessing.server.limits import Limits


class ServiceState(Collector):
    """Reads the state of a service.

    Args:
        admission: Who is in.
        health: What is known of the models.
        limits: Bounds.
        version: Of the service.
        restarts: How often the embedded Triton was started again; answers None where there is none.
    """

    def __init__(
        self,
        admission: Admission,
        health: Health,
        limits: Limits,
        *,
        version: str,
        restarts: Callable[[], int | None],
    ) -> None:
        self._admission = admission
        self._health = health
        self._limits = limits
        self._version = version
        self._restarts = restarts

    def collect(self) -> Iterator[Metric]:
        """The metrics, now."""
        admission, limits = self._admission, self._limits
        for name, text, value in (
            ("open_calls", "Calls with an upload that run or wait", admission.open_calls),
            (
                "waiting_calls",
                "Those that wait for their turn or for a place for their volume",
                admission.waiting_calls,
            ),
            (
                "open_calls_limit",
                "Most of them: one more is refused as busy",
                limits.concurrent_calls + limits.queued_calls,
            ),
            ("resident_volumes", "Volumes in memory", admission.resident_volumes),
            ("resident_volumes_limit", "Most of them", limits.resident_volumes),
            ("resident_bytes", "Bytes of their voxels, as received", admission.resident_bytes),
            ("serving", "1 while the service is SERVING", int(self._health.serving)),
        ):
            yield GaugeMetricFamily(f"osteoserve_{name}", text, value)
        ready = GaugeMetricFamily(
            "osteoserve_model_ready", "1 while the model's last canary succeeded", labels=["model"]
        )
        for model, alive in self._health.models.items():
            ready.add_metric([model], int(alive))
        yield ready
        restarts = self._restarts()
        if restarts is not None:
            yield CounterMetricFamily(
                "osteoserve_triton_restarts",
                "How often the embedded Triton was started again",
                restarts,
            )
        build = GaugeMetricFamily("osteoserve_build_info", "Always 1", labels=["version"])
        build.add_metric([self._version], 1)
        yield build
