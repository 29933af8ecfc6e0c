"""Asks a Triton, embedded or external, over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from types import TracebackType
from typing import Final

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc import aio as triton
from tritonclient.utils import InferenceServerException

from osteoserve_preprocessing.errors import InferenceTimeoutError, ModelNotFoundError
from osteoserve_preprocessing.inference.answer import checked_labels, checked_slices
from osteoserve_preprocessing.inference.canary import canary_slices
from osteoserve_preprocessing.inference.contract import ModelContract, contract_from_config
from osteoserve_preprocessing.inference.translation import is_unavailable, translated

Slices = npt.NDArray[np.uint8]

#: Slices in a request. Larger ones are no faster on a CPU, tell of progress less often, and keep
#: a canary waiting longer; on a GPU, Triton's dynamic batching joins them.
BATCH: Final = 8

#: Requests under way at a time, of all calls together: one computed, one waiting, one on its way.
#: More would only wait in Triton's queue, in front of the next canary.
IN_FLIGHT: Final = 3

#: Seconds before the first and the second retry. An embedded Triton that was killed is back after
#: two or three.
RETRY_DELAYS_S: Final = (3.0, 6.0)

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


class TritonSession:
    """A connection to one Triton; an asynchronous context manager.

    Args:
        url: "host:port" of Triton's gRPC endpoint.
        batch: Slices in a request; fewer where a model's largest batch is smaller.
        in_flight: Requests under way at a time.
        retry_delays_s: Seconds before each retry of a request to a Triton that is unavailable.
    """

    def __init__(
        self,
        url: str,
        *,
        batch: int = BATCH,
        in_flight: int = IN_FLIGHT,
        retry_delays_s: tuple[float, ...] = RETRY_DELAYS_S,
    ) -> None:
        self._url = url
        self._batch = batch
        self._retry_delays_s = retry_delays_s
        self._places = asyncio.Semaphore(in_flight)
        self._workers = in_flight

    async def __aenter__(self) -> TritonSession:
        self._client = triton.InferenceServerClient(self._url, channel_args=_CHANNEL)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.close()

    async def model_names(self) -> list[str]:
        """Names of the models that are ready, sorted.

        Raises:
            TritonUnavailableError: Triton does not answer.
        """
        return sorted(await self._ready_versions())

    async def contract(self, name: str) -> ModelContract:
        """The contract of a model, in its newest version that is ready.

        Raises:
            ModelNotFoundError: No model of that name is ready.
            ContractError: Its configuration states no contract, or an impossible one.
            TritonUnavailableError: Triton does not answer.
        """
        versions = await self._ready_versions()
        if name not in versions:
            raise ModelNotFoundError(f"Triton serves no model {name}")
        version = versions[name]
        async with _translating(f"model {name}"):
            answer = await self._client.get_model_config(
                name, version, client_timeout=QUESTION_TIMEOUT_S
            )
        return contract_from_config(answer.config, version)

    async def segment(
        self,
        contract: ModelContract,
        slices: Slices,
        *,
        on_progress: Callable[[int], None] | None = None,
        timeout_s: float,
    ) -> Slices:
        """Label slices.

        Args:
            contract: The model to ask.
            slices: (N, H, W) uint8, 0..255 over the contract's window; H and W multiples of its
                ``size_multiple``.
            on_progress: Told how many slices are labelled, whenever more are; in no fixed order.
            timeout_s: Longest that all of them may take, seconds.

        Returns:
            (N, H, W) uint8, label values of the contract, in the order of ``slices``.

        Raises:
            VoxelError: The slices are not such as the model takes.
            TritonUnavailableError: Triton does not answer, nor after two retries.
            InferenceTimeoutError: It did not answer in time.
            InferenceError: It answered with nothing usable.
        """
        checked_slices(slices, contract)
        labelling = self._label_all(contract, slices, on_progress, monotonic() + timeout_s)
        try:
            return await asyncio.wait_for(labelling, timeout_s)
        except TimeoutError as error:
            # Of the wait, or of the request that was under way: whichever ends first.
            raise InferenceTimeoutError(
                f"model {contract.name}: {len(slices)} slices took longer than {timeout_s:g} s"
            ) from error

    async def canary(self, contract: ModelContract) -> None:
        """Have a small slice labelled, and check what comes back.

        Raises:
            TritonUnavailableError: Triton does not answer.
            InferenceError: It answers, but not with labels.
        """
        slices = canary_slices(contract.size_multiple)
        async with _translating(f"model {contract.name}"):
            await self._infer(contract, slices, monotonic() + QUESTION_TIMEOUT_S)

    async def _label_all(
        self,
        contract: ModelContract,
        slices: Slices,
        on_progress: Callable[[int], None] | None,
        deadline: float,
    ) -> Slices:
        labels = np.empty(slices.shape, np.uint8)
        step = min(self._batch, contract.max_batch)
        starts = iter(range(0, len(slices), step))
        done = 0

        async def work() -> None:
            nonlocal done
            for start in starts:  # shared: each worker takes the next that nobody has taken
                part = slices[start : start + step]
                labels[start : start + step] = await self._ask(contract, part, deadline)
                done += len(part)
                if on_progress is not None:
                    on_progress(done)

        await _all_or_none([asyncio.create_task(work()) for _ in range(self._workers)])
        return labels

    async def _ask(self, contract: ModelContract, slices: Slices, deadline: float) -> Slices:
        """One request, again where Triton is unavailable."""
        async with _translating(f"model {contract.name}"):
            for delay in self._retry_delays_s:
                try:
                    return await self._infer_in_turn(contract, slices, deadline)
                except InferenceServerException as error:
                    if not is_unavailable(error):
                        raise
                await asyncio.sleep(delay)
            return await self._infer_in_turn(contract, slices, deadline)

    async def _infer_in_turn(
        self, contract: ModelContract, slices: Slices, deadline: float
    ) -> Slices:
        async with self._places:
            return await self._infer(contract, slices, deadline)

    async def _infer(self, contract: ModelContract, slices: Slices, deadline: float) -> Slices:
        tensor = InferInput(contract.input_name, list(slices.shape), "UINT8")
        tensor.set_data_from_numpy(np.ascontiguousarray(slices))
        remaining = max(deadline - monotonic(), 0.001)
        answer = await self._client.infer(
            contract.name,
            [tensor],
            model_version=contract.version,
            outputs=[InferRequestedOutput(contract.output_name)],
            # Triton rejects what has waited this long, instead of computing it for nobody.
            timeout=int(remaining * 1e6),
            client_timeout=remaining,
        )
        return checked_labels(answer, contract, slices.shape)

    async def _ready_versions(self) -> dict[str, str]:
        """The newest ready version of every model that has one, by name."""
        async with _translating("Triton"):
            index = await self._client.get_model_repository_index(client_timeout=QUESTION_TIMEOUT_S)
        ready = [model for model in index.models if model.state == "READY"]
        newest_last = sorted(ready, key=lambda model: int(model.version))
        return {model.name: model.version for model in newest_last}


@asynccontextmanager
async def _translating(subject: str) -> AsyncIterator[None]:
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
