"""A connection to one Triton over gRPC: batches of images there, answers back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc import aio as triton
from tritonclient.utils import InferenceServerException

from osteoserve_preprocessing.errors import InferenceTimeoutError
from osteoserve_preprocessing.inference.contract import ModelContract
from osteoserve_preprocessing.inference.translation import is_unavailable, translated

Images = npt.NDArray[np.uint8]

#: Takes the number of the first image of a request, how many they are, and the answer to them.
Take = Callable[[int, int, InferResult], None]

#: Longest that Triton may take to say what it serves, or to answer a canary, in seconds.
QUESTION_TIMEOUT_S: Final = 10.0

_CHANNEL: Final = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A Triton that was started again should be found soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class TritonConnection:
    """Knows how to ask; what the answers mean is for others.

    Args:
        url: "host:port" of Triton's gRPC endpoint.
        batch: Images in a request; fewer where a model's largest batch is smaller.
        in_flight: Requests under way at a time.
        retry_delays_s: Seconds before each retry of a request to a Triton that is unavailable.
    """

    def __init__(
        self, url: str, *, batch: int, in_flight: int, retry_delays_s: tuple[float, ...]
    ) -> None:
        self._url = url
        self._batch = batch
        self._retry_delays_s = retry_delays_s
        self._places = asyncio.Semaphore(in_flight)
        self._workers = in_flight

    async def open(self) -> None:
        """Begin; gRPC's channel belongs to the event loop that runs now."""
        self._client = triton.InferenceServerClient(self._url, channel_args=_CHANNEL)

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()

    async def ready_versions(self) -> dict[str, str]:
        """The newest ready version of every model that has one, by name.

        Raises:
            TritonUnavailableError: Triton does not answer.
        """
        async with translating("Triton"):
            index = await self._client.get_model_repository_index(client_timeout=QUESTION_TIMEOUT_S)
        ready = [model for model in index.models if model.state == "READY"]
        newest_last = sorted(ready, key=lambda model: int(model.version))
        return {model.name: model.version for model in newest_last}

    async def configuration(self, name: str, version: str) -> Any:
        """A model's configuration, a ``ModelConfig``.

        Raises:
            ModelNotFoundError: It is not ready.
            TritonUnavailableError: Triton does not answer.
        """
        async with translating(f"model {name}"):
            answer = await self._client.get_model_config(
                name, version, client_timeout=QUESTION_TIMEOUT_S
            )
        return answer.config

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
            TritonUnavailableError: Triton does not answer, nor after the retries.
            InferenceTimeoutError: It did not answer in time.
            InferenceError: It refused, or ``take`` did.
        """
        deadline = monotonic() + timeout_s
        try:
            await asyncio.wait_for(self._ask_all(contract, images, take, deadline), timeout_s)
        except TimeoutError as error:
            # Of the wait, or of the request that was under way: whichever ends first.
            raise InferenceTimeoutError(
                f"model {contract.name}: {len(images)} images took longer than {timeout_s:g} s"
            ) from error

    async def infer(self, contract: ModelContract, images: Images, deadline: float) -> InferResult:
        """One request, once.

        Args:
            contract: The model.
            images: (N, H, W) uint8, no more than its largest batch.
            deadline: Monotonic time, seconds.

        Raises:
            InferenceServerException: tritonclient's own; see `translating`.
        """
        tensor = InferInput(contract.input_name, list(images.shape), "UINT8")
        tensor.set_data_from_numpy(np.ascontiguousarray(images))
        remaining = max(deadline - monotonic(), 0.001)
        return await self._client.infer(
            contract.name,
            [tensor],
            model_version=contract.version,
            outputs=[InferRequestedOutput(name) for name in contract.output_names],
            # Triton rejects what has waited this long, instead of computing it for nobody.
            timeout=int(remaining * 1e6),
            client_timeout=remaining,
        )

    async def _ask_all(
        self, contract: ModelContract, images: Images, take: Take, deadline: float
    ) -> None:
        step = min(self._batch, contract.max_batch)
        starts = iter(range(0, len(images), step))

        async def work() -> None:
            for start in starts:  # shared: each worker takes the next that nobody has taken
                part = images[start : start + step]
                take(start, len(part), await self._ask(contract, part, deadline))

        await _all_or_none([asyncio.create_task(work()) for _ in range(self._workers)])

    async def _ask(self, contract: ModelContract, images: Images, deadline: float) -> InferResult:
        """One request, again where Triton is unavailable."""
        async with translating(f"model {contract.name}"):
            for delay in self._retry_delays_s:
                try:
                    return await self._infer_in_turn(contract, images, deadline)
                except InferenceServerException as error:
                    if not is_unavailable(error):
                        raise
                await asyncio.sleep(delay)
            return await self._infer_in_turn(contract, images, deadline)

    async def _infer_in_turn(
        self, contract: ModelContract, images: Images, deadline: float
    ) -> InferResult:
        async with self._places:
            return await self.infer(contract, images, deadline)


@asynccontextmanager
async def translating(subject: str) -> AsyncIterator[None]:
    """Turn tritonclient's errors into those of this package.

    Args:
        subject: What is asked, such as "model unet_skeleton".
    """
    try:
        yield
    except InferenceServerException as error:
        raise translated(error, subject) from error


async def _all_or_none(tasks: list[asyncio.Task[None]]) -> None:
    """Wait for all tasks; where one fails, or the wait is cancelled, none goes on."""
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
