"""Asks a Triton, embedded or external, what its models are and what they answer."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Final

import numpy as np
from tritonclient.grpc import InferResult

from osteoserve_preprocessing.inference.answer import (
    checked_detections,
    checked_labels,
    checked_slices,
    checked_views,
)
from osteoserve_preprocessing.inference.asking import Asking
from osteoserve_preprocessing.inference.canary import canary_slices, canary_views
from osteoserve_preprocessing.inference.connection import Images
from osteoserve_preprocessing.inference.contract import (
    DetectionContract,
    ModelContract,
    SegmentationContract,
)
from osteoserve_preprocessing.inference.detections import Detections
from osteoserve_preprocessing.inference.targets import Resolve, addresses
from osteoserve_preprocessing.inference.tritons import Tritons

#: Images in a request. Larger ones are no faster on a CPU, tell of progress less often, and keep
#: a canary waiting longer; on a GPU, Triton's dynamic batching joins them.
BATCH: Final = 8

#: Requests under way at a time to each Triton, of all calls together: one computed, one waiting,
#: one on its way. More would only wait in Triton's queue, in front of the next canary.
IN_FLIGHT: Final = 3

#: Seconds before each retry. An embedded Triton that was killed is back after three to six.
RETRY_DELAYS_S: Final = (1.0, 1.0, 2.0, 2.0, 3.0)


class TritonSession:
    """A session with one Triton, or with several as one; an asynchronous context manager.

    Args:
        url: "host:port" of Triton's gRPC endpoint; several with commas between, or
            "dns:///name:port", each of whose addresses is a Triton.
        batch: Images in a request; fewer where a model's largest batch is smaller.
        in_flight: Requests under way at a time, to each Triton.
        retry_delays_s: Seconds before each retry of a request that no Triton has answered.
        resolve: Finds the Tritons of each part of ``url``.

    Raises:
        OptionError: ``url`` names none.
    """

    def __init__(
        self,
        url: str,
        *,
        batch: int = BATCH,
        in_flight: int = IN_FLIGHT,
        retry_delays_s: tuple[float, ...] = RETRY_DELAYS_S,
        resolve: Resolve = addresses,
    ) -> None:
        self._tritons = Tritons(url, places=in_flight, resolve=resolve)
        self._asking = Asking(
            self._tritons, batch=batch, in_flight=in_flight, retry_delays_s=retry_delays_s
        )

    async def __aenter__(self) -> TritonSession:
        await self._tritons.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._tritons.close()

    async def model_names(self) -> list[str]:
        """Names of the models that are ready, sorted.

        Raises:
            TritonUnavailableError: Triton does not answer.
        """
        return sorted(await self._tritons.model_names())

    async def contract(self, name: str) -> ModelContract:
        """The contract of a model, in its newest version that is ready; as most Tritons state it.

        Raises:
            ModelNotFoundError: No model of that name is ready.
            ContractError: Its configuration states no contract, or an impossible one.
            TritonUnavailableError: Triton does not answer.
        """
        return await self._tritons.contract(name)

    async def segment(
        self,
        contract: SegmentationContract,
        slices: Images,
        *,
        on_progress: Callable[[int], None] | None = None,
        timeout_s: float,
    ) -> Images:
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
            TritonUnavailableError: Triton does not answer, nor after the retries.
            InferenceTimeoutError: It did not answer in time.
            InferenceError: It answered with nothing usable.
        """
        checked_slices(slices, contract)
        labels = np.empty(slices.shape, np.uint8)
        done = 0

        def take(start: int, count: int, answer: InferResult) -> None:
            nonlocal done
            shape = (count, *slices.shape[1:])
            labels[start : start + count] = checked_labels(answer, contract, shape)
            done += count
            if on_progress is not None:
                on_progress(done)

        await self._asking.ask_all(contract, slices, take, timeout_s=timeout_s)
        return labels

    async def detect(
        self, contract: DetectionContract, views: Images, *, timeout_s: float
    ) -> tuple[Detections, ...]:
        """Find what there is in images.

        Args:
            contract: The model to ask.
            views: (N, H, W) uint8 of the contract's ``image_size``.
            timeout_s: Longest that all of them may take, seconds.

        Returns:
            What was found in each image, in the order of ``views``.

        Raises:
            VoxelError: The views are not such as the model takes.
            TritonUnavailableError: Triton does not answer, nor after the retries.
            InferenceTimeoutError: It did not answer in time.
            InferenceError: It answered with nothing usable.
        """
        checked_views(views, contract)
        found: dict[int, tuple[Detections, ...]] = {}

        def take(start: int, count: int, answer: InferResult) -> None:
            found[start] = checked_detections(answer, contract, count)

        await self._asking.ask_all(contract, views, take, timeout_s=timeout_s)
        return tuple(each for start in sorted(found) for each in found[start])

    async def canary(self, contract: ModelContract) -> None:
        """Have one image answered, as small as the model allows, and check what comes back.

        Raises:
            TritonUnavailableError: Triton does not answer.
            InferenceError: It answers, but not with what the contract promises.
        """
        if isinstance(contract, SegmentationContract):
            slices = canary_slices(contract.size_multiple)
            await self._tritons.canary(
                contract, slices, lambda answer: checked_labels(answer, contract, slices.shape)
            )
        elif isinstance(contract, DetectionContract):
            views = canary_views(contract.image_size)
            await self._tritons.canary(
                contract, views, lambda answer: checked_detections(answer, contract, len(views))
            )
