"""Opens what answers calls, on a Triton of its own or an external one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from importlib.metadata import version

from osteoserve_preprocessing.inference import TritonSession
from osteoserve_preprocessing.profiles import chosen_profile
from osteoserve_preprocessing.server.admission import Admission
from osteoserve_preprocessing.server.generations import Generation, TritonInUse
from osteoserve_preprocessing.server.health import Health, HealthMonitor
from osteoserve_preprocessing.server.models import Models
from osteoserve_preprocessing.server.pipeline import VolumePipeline
from osteoserve_preprocessing.server.resources import Resources
from osteoserve_preprocessing.server.scintigraphy import ScintigramPipeline
from osteoserve_preprocessing.server.settings import Settings, packaged_repository
from osteoserve_preprocessing.triton import EmbeddedTriton


@asynccontextmanager
async def open_generation(
    settings: Settings, admission: Admission, executor: Executor, health: Health
) -> AsyncIterator[Generation]:
    """A generation that lasts as long as the context.

    Args:
        settings: Of the service.
        admission: Who is in, whichever generation answers.
        executor: Where arrays are computed.
        health: Where the results of canaries go.

    Raises:
        TritonStartError: The embedded Triton could not be started.
    """
    async with _triton(settings) as triton, TritonSession(triton.address) as session:
        models = Models(session)
        monitor = HealthMonitor(models, session.canary, health)
        resources = Resources(
            models=models,
            session=session,
            admission=admission,
            limits=settings.limits,
            executor=executor,
            version=version("osteoserve"),
            note_success=monitor.note_success,
        )
        yield Generation(
            triton=triton,
            models=models,
            monitor=monitor,
            volumes=VolumePipeline(resources),
            scintigrams=ScintigramPipeline(resources),
        )


@asynccontextmanager
async def _triton(settings: Settings) -> AsyncIterator[TritonInUse]:
    """The external Triton, or an embedded one that ends with the context."""
    if settings.triton is not None:
        yield TritonInUse(settings.triton)
        return
    repository = settings.repository or packaged_repository()
    embedded = EmbeddedTriton(
        repository,
        profile=chosen_profile(settings.profile),
        models=settings.models,
        log=settings.triton_log,
        metrics=settings.metrics_address is not None,
    )
    starting = asyncio.create_task(asyncio.to_thread(embedded.start))
    try:
        await asyncio.shield(starting)
        yield TritonInUse(embedded.grpc_address, embedded.metrics_url, lambda: embedded.restarts)
    finally:
        await asyncio.to_thread(embedded.stop)  # which ends a start that is under way
        await asyncio.gather(starting, return_exceptions=True)
