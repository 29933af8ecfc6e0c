"""Who may come in: a bounded number of calls, of them a bounded number with a volume in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from osteoserve_preprocessing.errors import BusyError
from osteoserve_preprocessing.server.limits import Limits


class Admission:
    """Counts calls and volumes; places are given in the order of asking."""

    def __init__(self, limits: Limits) -> None:
        self._most = limits.concurrent_calls + limits.queued_calls
        self._calls = asyncio.Semaphore(limits.concurrent_calls)
        self._volumes = asyncio.Semaphore(limits.resident_volumes)
        self._open = 0
        #: Calls that wait, be it for their turn or for a place for their volume.
        self.waiting_calls = 0
        #: Volumes in memory, and the bytes that their voxels have on the wire.
        self.resident_volumes = self.resident_bytes = 0

    @property
    def open_calls(self) -> int:
        """Calls that run or wait."""
        return self._open

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """A place for a call, waited for in the queue.

        Raises:
            BusyError: The queue is full.
        """
        if self._open >= self._most:
            raise BusyError(f"{self._open} calls are running or waiting, which is all there may be")
        self._open += 1
        try:
            async with self._turn(self._calls):
                yield
        finally:
            self._open -= 1

    @property
    def volume_must_wait(self) -> bool:
        """Whether `volume` would have to wait."""
        return self._volumes.locked()

    @asynccontextmanager
    async def volume(self, declared_bytes: int) -> AsyncIterator[None]:
        """A place in memory for a volume of so many bytes, waited for."""
        async with self._turn(self._volumes):
            self.resident_volumes += 1
            self.resident_bytes += declared_bytes
            try:
                yield
            finally:
                self.resident_volumes -= 1
                self.resident_bytes -= declared_bytes

    @asynccontextmanager
    async def _turn(self, places: asyncio.Semaphore) -> AsyncIterator[None]:
        self.waiting_calls += 1
        try:
            await places.acquire()
        finally:
            self.waiting_calls -= 1
        try:
            yield
        finally:
            places.release()
