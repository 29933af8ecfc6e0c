"""What every pipeline works with: Triton, places in memory, threads, bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import prod
from typing import TypeVar

from osteoserve_preprocessing.inference import TritonSession
from osteoserve_preprocessing.server.admission import Admission
from osteoserve_preprocessing.server.exchange import Progress, Request, Stage, Tell
from osteoserve_preprocessing.server.limits import VOXEL_BYTES, Limits
from osteoserve_preprocessing.server.models import Models
from osteoserve_preprocessing.server.threads import in_thread

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False, kw_only=True)
class Resources:
    """Shared by all calls.

    Args:
        models: What Triton serves.
        session: Asks Triton.
        admission: Places for volumes.
        limits: Bounds.
        executor: Where arrays are computed.
        version: What reports say of the service.
        note_success: Called with a model's name whenever it answered.
    """

    models: Models
    session: TritonSession
    admission: Admission
    limits: Limits
    executor: Executor
    version: str
    note_success: Callable[[str], None]

    @asynccontextmanager
    async def place(self, request: Request, tell: Tell) -> AsyncIterator[None]:
        """A place in memory for what a request sends; the caller is told where it must wait."""
        if self.admission.volume_must_wait:
            await tell(Progress(Stage.QUEUED, 0, request.shape[0]))
        async with self.admission.volume(prod(request.shape) * VOXEL_BYTES):
            yield

    async def compute(self, work: Callable[[], Result]) -> Result:
        """Run work on arrays in a thread."""
        return await in_thread(self.executor, work)
