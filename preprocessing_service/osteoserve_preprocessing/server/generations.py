"""One Triton and everything that answers from it; where models are reloaded, one follows another.

A call stays with the generation that it began with, so that no answer is of two models. A new one
takes over only when every model of it has answered; the one before ends when its last call has.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from osteoserve_preprocessing.errors import ContractError, PreprocessingError
from osteoserve_preprocessing.inference import ModelContract
from osteoserve_preprocessing.inference.tasks import end
from osteoserve_preprocessing.server.health import Health, HealthMonitor
from osteoserve_preprocessing.server.models import Models
from osteoserve_preprocessing.server.pipeline import VolumePipeline
from osteoserve_preprocessing.server.scintigraphy import ScintigramPipeline

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TritonInUse:
    """The Triton that a generation asks.

    Args:
        address: "HOST:PORT" of its gRPC, or whatever else ``--triton`` names.
        metrics_url: Where the metrics of an embedded one are, if it serves them.
        restarts: How often an embedded one was started again; of others that is not known.
    """

    address: str
    metrics_url: str | None = None
    restarts: Callable[[], int | None] = lambda: None


class Generation:
    """What answers calls, from the start of one Triton to its end.

    Args:
        triton: What it asks.
        models: What it serves.
        monitor: Asks its models for canaries.
        volumes: Answers calls with volumes.
        scintigrams: Answers calls with bone scans.
    """

    def __init__(
        self,
        *,
        triton: TritonInUse,
        models: Models,
        monitor: HealthMonitor,
        volumes: VolumePipeline,
        scintigrams: ScintigramPipeline,
    ) -> None:
        self.triton = triton
        self.models = models
        self.monitor = monitor
        self.volumes = volumes
        self.scintigrams = scintigrams
        self._calls = 0
        self._left = asyncio.Condition()

    @asynccontextmanager
    async def call(self) -> AsyncIterator[Generation]:
        """Keep it for a call."""
        self._calls += 1
        try:
            yield self
        finally:
            self._calls -= 1
            async with self._left:
                self._left.notify_all()

    async def unused(self) -> None:
        """Wait until no call has it."""
        async with self._left:
            await self._left.wait_for(lambda: not self._calls)


#: Starts a Triton, or finds it; what it yields is gone when the context ends.
OpenGeneration = Callable[[], AbstractAsyncContextManager[Generation]]


class Generations:
    """The generation that new calls go to, and the one before while it still has calls.

    Args:
        open_next: Opens a generation.
        health: Told when another takes over.
    """

    def __init__(self, open_next: OpenGeneration, health: Health) -> None:
        self._open_next = open_next
        self._health = health
        self._open: list[tuple[Generation, AsyncExitStack]] = []
        self._watching: asyncio.Task[None] | None = None
        self._reloading: asyncio.Task[None] | None = None

    @property
    def current(self) -> Generation:
        """The one that new calls go to."""
        return self._open[-1][0]

    def call(self) -> AbstractAsyncContextManager[Generation]:
        """Keep the current one for a whole call."""
        return self.current.call()

    def remembered(self, model: str) -> ModelContract | None:
        """A model's contract as it was when last asked for, without asking."""
        return self.current.models.remembered(model)

    async def begin(self) -> None:
        """Open the first; it is watched from `watch` on.

        Raises:
            PreprocessingError: It cannot be had.
        """
        stack = AsyncExitStack()
        self._open.append((await stack.enter_async_context(self._open_next()), stack))

    def watch(self) -> None:
        """Have the current one asked for canaries, again and again."""
        self._watching = asyncio.create_task(self.current.monitor.run())

    def reload_whenever(self, asked: asyncio.Event) -> None:
        """Reload whenever the event is set; set again meanwhile, once more afterwards."""

        async def reload_again_and_again() -> None:
            while await asked.wait():
                asked.clear()
                await self.reload()

        self._reloading = asyncio.create_task(reload_again_and_again())

    async def reload(self) -> None:
        """Open the next and, where it is sound, have it take over; return when the last is gone.

        Where it is not sound the log says why, and nothing has changed.
        """
        logger.info("reloading the models")
        try:
            contracts = await self._take_over()
        except PreprocessingError as error:
            logger.error("not reloaded, what was served is served on: %s", error)
            return
        # Whatever it is: the next time must be possible.
        except Exception:
            logger.exception("not reloaded, what was served is served on")
            return
        served = ", ".join(f"{each.name} {each.digest[:12]}" for each in contracts.values())
        logger.info("reloaded: %s", served)
        while len(self._open) > 1:
            await self._open[0][0].unused()
            await self._open.pop(0)[1].aclose()

    async def close(self) -> None:
        """End all of them."""
        await end(self._reloading)
        await end(self._watching)
        while self._open:
            await self._open.pop()[1].aclose()

    async def _take_over(self) -> dict[str, ModelContract]:
        async with AsyncExitStack() as stack:
            following = await stack.enter_async_context(self._open_next())
            contracts = await self._proven(following)
            await end(self._watching)
            self._open.append((following, stack.pop_all()))
        await self._health.note(dict.fromkeys(contracts, True))
        self.watch()
        return contracts

    async def _proven(self, following: Generation) -> dict[str, ModelContract]:
        contracts = await following.monitor.prove()
        known = self.current.models.without_contract
        for name, reason in following.models.without_contract.items():
            if name not in known:
                raise ContractError(reason)
        if not contracts:
            raise ContractError("no model states a contract")
        return contracts
