"""A service that tells all it can: metrics, log, audit log; and what of it reaches others."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as otlp_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tritonclient.grpc import service_pb2

from tests.preprocessing.server.observability.scrapes import Scrape, metrics_url
from tests.preprocessing.server.security.conftest import Folder, make


@dataclass(frozen=True)
class Observed:
    """A running service, and its audit log."""

    service: Any
    audit: Path

    @property
    def address(self) -> str:
        return str(self.service.address)

    @property
    def text(self) -> str:
        with urllib.request.urlopen(metrics_url(self.service.log), timeout=20) as answer:  # noqa: S310
            return str(answer.read().decode())

    def scrape(self) -> Scrape:
        return Scrape(self.text)

    def lines(self) -> list[dict[str, Any]]:
        """The log's whole lines."""
        whole = self.service.log.rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def audited(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.audit.read_text().splitlines()]


@pytest.fixture(scope="session")
def observed(
    start_session_service: Any, model_repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Observed:
    """With a Triton of its own."""
    audit = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    settings = {
        "triton": None,
        "repository": str(model_repository),
        "metrics_address": "127.0.0.1:0",
        "audit_log": str(audit),
        "log_format": "json",
        "log_level": "debug",
    }
    limits = {"resident_volumes": 1, "concurrent_calls": 2, "queued_calls": 0}
    return Observed(start_session_service(settings, **limits), audit)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Credentials of the services below."""
    return make(tmp_path_factory.mktemp("observability") / "credentials")


@pytest.fixture(scope="session")
def guarded(
    start_session_service: Any, folder: Folder, tmp_path_factory: pytest.TempPathFactory
) -> Observed:
    """With TLS and tokens."""
    audit = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    settings = {
        "tokens": str(folder["tokens.json"]),
        "audit_log": str(audit),
        "metrics_address": "127.0.0.1:0",
    }
    return Observed(start_session_service(folder.tls | settings), audit)


@dataclass
class Recorder(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Passes everything on to Triton, and remembers by what id and in what trace it was asked."""

    triton: Any
    inferences: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def service(self, details: Any) -> Any:
        def forward(request: bytes, context: Any) -> bytes:
            if details.method.endswith("/ModelInfer"):
                request_id = service_pb2.ModelInferRequest.FromString(request).id
                self.inferences.append((request_id, dict(context.invocation_metadata())))
            try:
                call = self.triton.unary_unary(details.method)
                return bytes(call(request, timeout=context.time_remaining()))
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
                raise

        return grpc.unary_unary_rpc_method_handler(forward)


@pytest.fixture(scope="session")
def recorder(triton: str) -> Iterator[tuple[str, Recorder]]:
    """Address on the way to the shared Triton, and what passes there."""
    with grpc.insecure_channel(triton) as channel:
        handler = Recorder(channel)
        server = grpc.server(ThreadPoolExecutor(8))
        server.add_generic_rpc_handlers((handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}", handler
        server.stop(None).wait()


class Collector(otlp_grpc.TraceServiceServicer):
    """An OTLP collector that keeps every span."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resources: list[dict[str, str]] = []
        self._came = threading.Condition()

    def Export(self, request: Any, _context: Any) -> Any:  # noqa: N802 - gRPC's name
        with self._came:
            for each in request.resource_spans:
                attributes = each.resource.attributes
                self.resources.append({a.key: a.value.string_value for a in attributes})
                self.spans += [span for scope in each.scope_spans for span in scope.spans]
            self._came.notify_all()
        return otlp.ExportTraceServiceResponse()

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of a trace, once its call's own is there, which is sent last."""

        def there() -> list[Span]:
            spans = [span for span in self.spans if span.trace_id.hex() == trace_id]
            return spans if any(span.kind == Span.SPAN_KIND_SERVER for span in spans) else []

        with self._came:
            assert self._came.wait_for(there, 60), "the call's span did not come"
            return there()


@pytest.fixture(scope="session")
def collector() -> Iterator[tuple[str, Collector]]:
    """Address of an OTLP collector, and what it has got."""
    servicer, server = Collector(), grpc.server(ThreadPoolExecutor(2))
    otlp_grpc.add_TraceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}", servicer
    server.stop(None).wait()


@pytest.fixture(scope="session")
def traced(
    start_session_service: Any,
    recorder: tuple[str, Recorder],
    collector: tuple[str, Collector],
) -> Any:
    """Sends its traces to the collector, and asks Triton through the recorder."""
    return start_session_service({"triton": recorder[0], "traces_endpoint": collector[0]})


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Asks until the answer is true, and returns it."""

    def ask(question: Callable[[], Any], seconds: float = 60.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := question()):
            assert time.monotonic() < deadline, "it did not come about"
            time.sleep(0.1)
        return answer

    return ask
