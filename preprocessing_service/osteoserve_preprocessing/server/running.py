"""Puts a service together, runs it, and lets it drain."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.admission import Admission
from osteoserve_preprocessing.server.calls import Calls
from osteoserve_preprocessing.server.generations import Generations
from osteoserve_preprocessing.server.health import (
    SERVICE_NAME,
    Health,
    HealthService,
)
from osteoserve_preprocessing.server.limits import MESSAGE_BYTES
from osteoserve_preprocessing.server.observability.endpoint import metrics_endpoint
from osteoserve_preprocessing.server.observability.metrics import CallMetrics
from osteoserve_preprocessing.server.observability.origins import Origins
from osteoserve_preprocessing.server.observability.state import ServiceState
from osteoserve_preprocessing.server.observability.traces import tracing
from osteoserve_preprocessing.server.observability.triton_metrics import triton_metrics
from osteoserve_preprocessing.server.opening import open_generation
from osteoserve_preprocessing.server.records import Keep, every
from osteoserve_preprocessing.server.security.audit import AuditLog
from osteoserve_preprocessing.server.security.guard import TokenGuard
from osteoserve_preprocessing.server.security.tls import (
    TlsFiles,
    server_context,
    server_credentials,
)
from osteoserve_preprocessing.server.security.tokens import TokenFile
from osteoserve_preprocessing.server.service import PreprocessingService
from osteoserve_preprocessing.server.settings import (
    Settings,
    host_and_port,
)
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import (
    add_PreprocessingServiceServicer_to_server,
)

logger = logging.getLogger(__name__)

SERVER_OPTIONS = (
    # Without this a second service on the same port starts without complaint.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Our own client asks for signs of life every 20 s, also between calls.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


@dataclass(frozen=True)
class Service:
    """A running service.

    Args:
        address: "HOST:PORT".
        health: What is known of it.
        admission: Who is in.
        generations: What answers, now and after a reload.
        server: gRPC's.
    """

    address: str
    health: Health
    admission: Admission
    generations: Generations
    server: Any

    async def serving(self) -> None:
        """Wait until it is SERVING."""
        async for status in self.health.statuses(SERVICE_NAME):
            if status == health_pb2.HealthCheckResponse.SERVING:
                return

    async def give_up_when(self, asked: asyncio.Event) -> None:
        """Let running calls go on no longer; for a service that drains."""
        await asked.wait()
        logger.warning("told to stop again: running calls are cancelled")
        await self.server.stop(None)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Service]:
    """A service that runs until the context ends, and then drains.

    Raises:
        OptionError: The port is taken, or a file of TLS, tokens or audit log is not sound.
        TritonStartError: The embedded Triton could not be started.
    """
    async with AsyncExitStack() as stack:
        registry = CollectorRegistry()
        audit = stack.enter_context(_audit_log(settings.audit_log))
        keep = every(CallMetrics(registry).keep, audit)
        traces = await stack.enter_async_context(tracing(settings.traces_endpoint))
        server = grpc.aio.server(interceptors=_guards(settings, keep), options=SERVER_OPTIONS)
        address = _bind(server, settings)
        executor = ThreadPoolExecutor(2 * settings.limits.resident_volumes, "compute")
        stack.callback(executor.shutdown)
        health, admission = Health(), Admission(settings.limits)
        generations = Generations(
            lambda: open_generation(settings, admission, executor, health), health
        )
        stack.push_async_callback(generations.close)
        await generations.begin()
        service = PreprocessingService(
            Calls(admission, settings.limits, generations.remembered, keep, traces),
            generations,
            health,
            chunk_bytes=settings.limits.chunk_bytes,
            shared_memory=settings.shared_memory,
        )
        add_PreprocessingServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(HealthService(health), server)
        if settings.reflection:
            _add_reflection(server)
        registry.register(
            ServiceState(
                admission,
                health,
                settings.limits,
                version=version("osteoserve"),
                restarts=lambda: generations.current.triton.restarts(),
            )
        )
        registry.register(ProcessCollector(registry=None))
        await stack.enter_async_context(_metrics(settings, registry, generations))
        await server.start()
        generations.watch()
        stack.push_async_callback(server.stop, settings.limits.drain_s)
        stack.push_async_callback(health.drain)
        yield Service(address, health, admission, generations, server)


def _bind(server: Any, settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    credentials = _credentials(settings)
    try:
        if credentials is None:
            port = server.add_insecure_port(f"{host}:{settings.port}")
        else:
            port = server.add_secure_port(f"{host}:{settings.port}", credentials)
    except RuntimeError as error:
        raise OptionError(f"port {settings.port} on {settings.host} is taken") from error
    return f"{host}:{port}"


def _credentials(settings: Settings) -> Any:
    files = _tls_files(settings)
    return None if files is None else server_credentials(files)


def _tls_files(settings: Settings) -> TlsFiles | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)


def _guards(settings: Settings, keep: Keep) -> tuple[grpc.aio.ServerInterceptor, ...]:
    if settings.tokens is None:
        return (Origins(),)
    return Origins(), TokenGuard(TokenFile(settings.tokens), keep)


@asynccontextmanager
async def _metrics(
    settings: Settings, registry: CollectorRegistry, generations: Generations
) -> AsyncIterator[None]:
    if settings.metrics_address is None:
        yield
        return

    async def render() -> bytes:
        triton = generations.current.triton
        return generate_latest(registry) + await triton_metrics(triton.metrics_url)

    files = _tls_files(settings)
    async with metrics_endpoint(
        *host_and_port(settings.metrics_address),
        render,
        context=None if files is None else server_context(files),
        tokens=None if settings.tokens is None else TokenFile(settings.tokens),
    ):
        yield


@contextmanager
def _audit_log(path: Path | None) -> Iterator[Keep]:
    if path is None:
        yield lambda _: None
        return
    with AuditLog(path) as log:
        yield log.keep


def _add_reflection(server: Any) -> None:
    from grpc_reflection.v1alpha import reflection

    reflection.enable_server_reflection(
        (SERVICE_NAME, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name), server
    )
