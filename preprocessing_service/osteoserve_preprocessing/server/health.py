"""Health that tells the truth: SERVING only while a canary inference through Triton succeeds.

Triton's own readiness does not: it says 200 while a model fails for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from time import monotonic
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from osteoserve_preprocessing.errors import PreprocessingError
from osteoserve_preprocessing.inference import DetectionContract, ModelContract
from osteoserve_preprocessing.server.canaries import SeldomCanary
from osteoserve_preprocessing.server.models import Models

logger = logging.getLogger(__name__)

SERVICE_NAME: Final = "osteoserve.preprocessing.v1.PreprocessingService"

#: Names under which the service as a whole is asked for.
WHOLE_SERVICE: Final = ("", SERVICE_NAME)

#: Between two checks, and longest that a canary may take: together below five seconds.
INTERVAL_S: Final = 1.0
CANARY_S: Final = 3.0

_SERVING: Final[int] = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final[int] = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN: Final[int] = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health:
    """What is known of the health of the service and of every model."""

    def __init__(self) -> None:
        self._ready: dict[str, bool] = {}
        self._draining = False
        self._changed = asyncio.Condition()

    def ready(self, model: str) -> bool:
        """Whether the last canary of a model succeeded."""
        return self._ready.get(model, False) and not self._draining

    @property
    def serving(self) -> bool:
        """Whether there is a model and the last canary of every model succeeded."""
        return bool(self._ready) and all(map(self.ready, self._ready))

    @property
    def models(self) -> dict[str, bool]:
        """For every model whether it is ready."""
        return {model: self.ready(model) for model in self._ready}

    def status(self, service: str) -> int:
        """Status of grpc.health.v1 for the service or a model."""
        if service in WHOLE_SERVICE:
            return _SERVING if self.serving else _NOT_SERVING
        if service not in self._ready:
            return _UNKNOWN
        return _SERVING if self.ready(service) else _NOT_SERVING

    async def note(self, ready: dict[str, bool]) -> None:
        """Take the result of a check: for every model whether its canary succeeded."""
        async with self._changed:
            self._ready = ready
            self._changed.notify_all()

    async def drain(self) -> None:
        """From now on, nothing is SERVING."""
        async with self._changed:
            self._draining = True
            self._changed.notify_all()

    async def statuses(self, service: str) -> AsyncIterator[int]:
        """The status now, and again whenever it changes; ends when the service drains."""
        last = None
        while True:
            async with self._changed:
                while self.status(service) == last and not self._draining:
                    await self._changed.wait()
                if self.status(service) == last:
                    return
                last = self.status(service)
            yield last


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """grpc.health.v1.

    The servicer of ``grpc_health`` forgets all watchers of a service when one of them leaves.
    """

    def __init__(self, health: Health) -> None:
        self._health = health

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """The status of a service or model; NOT_FOUND where there is none of that name."""
        status = self._health.status(request.service)
        if status == _UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no service or model of that name")
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(self, request: Any, _context: Any) -> AsyncIterator[Any]:  # noqa: N802
        """The status, and every change of it."""
        async for status in self._health.statuses(request.service):
            yield health_pb2.HealthCheckResponse(status=status)


class HealthMonitor:
    """Asks every model for a canary inference, again and again.

    Args:
        models: What there is.
        canary: One small inference; raises where it fails.
        health: Where the results go.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        models: Models,
        canary: Callable[[ModelContract], Awaitable[None]],
        health: Health,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._models = models
        self._canary = canary
        self._health = health
        self._clock = clock
        self._succeeded_at: dict[str, float] = {}
        self._seldom: dict[str, SeldomCanary] = {}

    def note_success(self, model: str) -> None:
        """An inference for a caller succeeded, which says as much as a canary."""
        self._succeeded_at[model] = self._clock()

    async def run(self) -> None:
        """Check until cancelled."""
        try:
            while True:
                try:
                    await self.check()
                # Whatever it is: a check that did not end says nothing good of any model.
                except Exception:
                    logger.exception("the check of health failed")
                    await self._fail()
                await asyncio.sleep(INTERVAL_S)
        finally:
            for canary in self._seldom.values():
                await canary.end()

    async def prove(self) -> dict[str, ModelContract]:
        """Have every model answer its canary, and wait for it.

        Returns:
            The models that state a contract, by name.

        Raises:
            TritonUnavailableError: Triton does not answer.
            InferenceError: A model does not, or not with what its contract promises.
        """
        contracts = await self._models.contracts()
        for contract in contracts.values():
            if isinstance(contract, DetectionContract):
                await self._seldom_canary(contract).ask(contract)
            else:
                await self._canary(contract)
            self.note_success(contract.name)
        return contracts

    async def check(self) -> None:
        """Check once."""
        try:
            contracts = await asyncio.wait_for(self._models.contracts(), CANARY_S)
        except (TimeoutError, PreprocessingError) as error:
            logger.warning("Triton does not answer: %s", error)
            await self._fail()
            return
        ready = dict(
            zip(contracts, await asyncio.gather(*map(self._alive, contracts.values())), strict=True)
        )
        await self._health.note(ready)

    async def _fail(self) -> None:
        self._models.forget()
        for canary in self._seldom.values():
            canary.forget()
        known = (*self._succeeded_at, *self._seldom)
        await self._health.note(dict.fromkeys(known, False))

    async def _alive(self, contract: ModelContract) -> bool:
        if isinstance(contract, DetectionContract):
            return self._seldom_canary(contract).alive(contract)
        try:
            await asyncio.wait_for(self._canary(contract), CANARY_S)
        except TimeoutError:
            # Behind a queue of large batches a canary waits; what was answered meanwhile counts.
            last = self._succeeded_at.get(contract.name, float("-inf"))
            alive = self._clock() - last <= INTERVAL_S + CANARY_S
        except PreprocessingError as error:
            logger.warning("canary of %s failed: %s", contract.name, error)
            alive = False
        else:
            alive = True
            self.note_success(contract.name)
        return alive

    def _seldom_canary(self, contract: ModelContract) -> SeldomCanary:
        if contract.name not in self._seldom:
            self._seldom[contract.name] = SeldomCanary(self._canary, self._clock)
        return self._seldom[contract.name]
