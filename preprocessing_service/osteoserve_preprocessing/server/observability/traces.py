"""OpenTelemetry: a span a call with its stages as children, exported by OTLP over gRPC.

Nothing is exported unless an address is configured. Attributes hold no text that a caller chose.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from grpc import StatusCode

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.health import SERVICE_NAME
from osteoserve_preprocessing.server.observability.spans import UNTRACED, Span, Traces
from osteoserve_preprocessing.server.records import CallRecord

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

#: OpenTelemetry's own variables, either of which turns tracing on.
ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


@asynccontextmanager
async def tracing(
    endpoint: str | None, environment: Mapping[str, str] = os.environ
) -> AsyncIterator[Traces]:
    """Traces to a collector, all of which are sent when the context ends; or to nobody.

    Args:
        endpoint: Such as "http://localhost:4317"; None takes OpenTelemetry's variables.
        environment: Where these are looked for.

    Raises:
        OptionError: An address is configured, and OpenTelemetry is not installed.
    """
    if not endpoint and not any(environment.get(name) for name in ENDPOINTS):
        yield UNTRACED
        return
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise OptionError(
            f"traces need {error.name}, which is not installed: pip install 'osteoserve[tracing]'"
        ) from error
    release = version("osteoserve")
    # Not OpenTelemetry's global one: a service leaves nothing behind in its process.
    provider = TracerProvider(
        resource=Resource.create(
            {
                "service.name": environment.get("OTEL_SERVICE_NAME") or "osteoserve",
                "service.version": release,
            }
        ),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    try:
        yield OpenTelemetryTraces(provider.get_tracer("osteoserve", release))
    finally:
        await asyncio.to_thread(provider.shutdown)


class OpenTelemetryTraces:
    """Makes spans.

    Args:
        tracer: OpenTelemetry's.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def begin(self, method: str, traceparent: str, began: datetime) -> Span:
        """See `Traces`."""
        from opentelemetry.trace import SpanKind, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        propagator, sent_on = TraceContextTextMapPropagator(), dict[str, str]()
        span = self._tracer.start_span(
            f"{SERVICE_NAME}/{method}",
            propagator.extract({"traceparent": traceparent}),
            kind=SpanKind.SERVER,
            start_time=nanoseconds(began),
        )
        within = set_span_in_context(span)
        propagator.inject(sent_on, within)

        def end(record: CallRecord) -> None:
            span.set_attributes(attributes(record))
            if record.outcome in SERVER_FAULTS:
                from opentelemetry.trace import Status
                from opentelemetry.trace import StatusCode as SpanStatus

                span.set_status(Status(SpanStatus.ERROR, record.reason))
            began, past = nanoseconds(record.began), 0.0
            ended = began + _after(record.seconds)
            begins = began
            for stage in record.stages:
                if stage.stage == "total":
                    continue
                past += stage.seconds
                # Rounded once from the beginning: no stage outlives its call.
                ends = min(began + _after(past), ended)
                child = self._tracer.start_span(stage.stage, within, start_time=begins)
                child.end(ends)
                begins = ends
            span.end(ended)

        return Span(sent_on.get("traceparent", ""), end)


#: Statuses that make a server's span an error (OpenTelemetry's semantic conventions for gRPC).
SERVER_FAULTS: Final = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)


def attributes(record: CallRecord) -> dict[str, str | int]:
    """What a span says of a call."""
    return {
        "rpc.system": "grpc",
        "rpc.service": SERVICE_NAME,
        "rpc.method": record.method,
        "rpc.grpc.status_code": StatusCode[record.outcome].value[0],
        "osteoserve.request_id": record.id,
        "osteoserve.model": record.model,
        "osteoserve.received_bytes": record.received_bytes,
    }


def _after(seconds: float) -> int:
    return round(seconds * 1e9)


def nanoseconds(moment: datetime) -> int:
    """Since 1970, as OpenTelemetry counts."""
    return int(moment.timestamp() * 1e6) * 1000
