"""Many images as many requests: in batches, several at a time, again where a Triton is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from tritonclient.grpc import InferResult

from osteoserve_preprocessing.errors import (
    InferenceError,
    InferenceTimeoutError,
    ModelNotFoundError,
    PreprocessingError,
    TritonUnavailableError,
)
from osteoserve_preprocessing.inference.connection import Images
from osteoserve_preprocessing.inference.contract import ModelContract
from osteoserve_preprocessing.inference.member import Member
from osteoserve_preprocessing.inference.tasks import end
from osteoserve_preprocessing.inference.tritons import Tritons, Use

#: Takes the number of the first image of a request, how many they are, and the answer to them.
Take = Callable[[int, int, InferResult], None]


class Asking:
    """Asks for many images.

    Args:
        tritons: Who can be asked.
        batch: Images in a request; fewer where a model's largest batch is smaller.
        in_flight: Requests under way at a time, to each Triton.
        retry_delays_s: Seconds before each retry of a request that no Triton has answered.
    """

    def __init__(
        self, tritons: Tritons, *, batch: int, in_flight: int, retry_delays_s: tuple[float, ...]
    ) -> None:
        self._tritons = tritons
        self._batch = batch
        self._in_flight = in_flight
        self._retry_delays_s = retry_delays_s

    async def ask_all(
        self, contract: ModelContract, images: Images, take: Take, *, timeout_s: float
    ) -> None:
        """Ask in batches, several at a time.

        Args:
            contract: The model.
            images: (N, H, W) uint8.
            take: Given each answer; in no fixed order.
            timeout_s: Longest that all of them may take, seconds.

        Raises:
            TritonUnavailableError: No Triton answers, nor after the retries, or none serves the
                model with this contract any more.
            InferenceTimeoutError: They did not answer in time.
            InferenceError: They refused, or ``take`` did.
        """
        deadline = monotonic() + timeout_s
        try:
            await asyncio.wait_for(self._ask_all(contract, images, take, deadline), timeout_s)
        except TimeoutError as error:
            # Of the wait, or of the request that was under way: whichever ends first.
            raise InferenceTimeoutError(
                f"model {contract.name}: {len(images)} images took longer than {timeout_s:g} s"
            ) from error

    async def _ask_all(
        self, contract: ModelContract, images: Images, take: Take, deadline: float
    ) -> None:
        step = min(self._batch, contract.max_batch)
        starts = iter(range(0, len(images), step))
        answered: set[Member] = set()

        async def work() -> None:
            for start in starts:  # shared: each worker takes the next that nobody has taken
                part = images[start : start + step]

                def use(answer: InferResult, start: int = start, count: int = len(part)) -> None:
                    take(start, count, answer)

                answered.add(await self._ask(contract, part, deadline, use))

        workers = self._in_flight * max(1, len(self._tritons))
        await _all_or_none([asyncio.create_task(work()) for _ in range(workers)])
        await _confirm(contract, answered, deadline)

    async def _ask(
        self, contract: ModelContract, images: Images, deadline: float, use: Use
    ) -> Member:
        """Have one request answered, again where no Triton is there; returns who answered."""
        for delay in self._retry_delays_s:
            try:
                return await self._ask_each(contract, images, deadline, use)
            except TritonUnavailableError:
                await asyncio.sleep(delay)
        return await self._ask_each(contract, images, deadline, use)

    async def _ask_each(
        self, contract: ModelContract, images: Images, deadline: float, use: Use
    ) -> Member:
        """Have one request answered, at once by another where one fails."""
        await self._tritons.find_serving(contract)
        failures: dict[Member, PreprocessingError] = {}
        while (member := self._tritons.least_busy(contract, failures)) is not None:
            try:
                use(await member.infer_in_turn(contract, images, deadline))
            except InferenceTimeoutError:
                raise
            except (TritonUnavailableError, ModelNotFoundError) as error:
                failures[member] = error
            except InferenceError as error:
                member.failing.add(contract.name)
                # Two that refuse: it is the images, which the others would refuse as well.
                if any(isinstance(earlier, InferenceError) for earlier in failures.values()):
                    raise
                failures[member] = error
            else:
                member.failing.discard(contract.name)
                return member
        raise list(failures.values())[-1]


async def _confirm(contract: ModelContract, answered: set[Member], deadline: float) -> None:
    """Make sure that nobody who answered was replaced meanwhile by one with another model.

    Raises:
        TritonUnavailableError: Somebody was: the answers are not to be trusted.
    """
    timeout_s = max(deadline - monotonic(), 0.001)
    same = await asyncio.gather(
        *(member.still_states(contract, min(timeout_s, 2.0)) for member in answered)
    )
    if not all(same):
        raise TritonUnavailableError(
            f"model {contract.name} was replaced while it answered: ask again"
        )


async def _all_or_none(tasks: list[asyncio.Task[None]]) -> None:
    """Wait for all tasks; where one fails, or the wait is cancelled, none goes on."""
    try:
        await asyncio.gather(*tasks)
    finally:
        await end(*tasks)
