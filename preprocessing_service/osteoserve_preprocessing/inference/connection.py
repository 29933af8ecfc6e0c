"""A connection to one Triton over gRPC: images there, answers back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc import aio as triton
from tritonclient.utils import InferenceServerException

from osteoserve_preprocessing.inference.contract import ModelContract
from osteoserve_preprocessing.inference.origin import ORIGIN
from osteoserve_preprocessing.inference.parameters import contract_from_config
from osteoserve_preprocessing.inference.translation import translated

Images = npt.NDArray[np.uint8]

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
    """

    def __init__(self, url: str) -> None:
        self._url = url

    async def open(self) -> None:
        """Begin; gRPC's channel belongs to the event loop that runs now."""
        self._client = triton.InferenceServerClient(self._url, channel_args=_CHANNEL)

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()

    async def ready_versions(self, timeout_s: float = QUESTION_TIMEOUT_S) -> dict[str, str]:
        """The newest ready version of every model that has one, by name.

        Raises:
            TritonUnavailableError: Triton does not answer.
            InferenceTimeoutError: It does not answer in time.
        """
        async with translating("Triton"):
            # Not the repository's index: that looks at the disk, where models come and go.
            answer = await self._client.get_inference_statistics(client_timeout=timeout_s)
        newest_last = sorted(answer.model_stats, key=lambda model: int(model.version))
        return {model.name: model.version for model in newest_last}

    async def contract(
        self, name: str, version: str, timeout_s: float = QUESTION_TIMEOUT_S
    ) -> ModelContract:
        """What a model's configuration states.

        Raises:
            ModelNotFoundError: It is not ready.
            ContractError: Its configuration states no contract, or an impossible one.
            TritonUnavailableError: Triton does not answer.
            InferenceTimeoutError: It does not answer in time.
        """
        async with translating(f"model {name}"):
            answer = await self._client.get_model_config(name, version, client_timeout=timeout_s)
        return contract_from_config(answer.config, version)

    async def infer(self, contract: ModelContract, images: Images, deadline: float) -> InferResult:
        """One request.

        Args:
            contract: The model.
            images: (N, H, W) uint8, no more than its largest batch.
            deadline: Monotonic time, seconds.

        Raises:
            TritonUnavailableError: Triton does not answer.
            InferenceTimeoutError: It did not answer in time.
            InferenceError: It refused.
        """
        tensor = InferInput(contract.input_name, list(images.shape), "UINT8")
        tensor.set_data_from_numpy(np.ascontiguousarray(images))
        remaining = max(deadline - monotonic(), 0.001)
        origin = ORIGIN.get()
        async with translating(f"model {contract.name}"):
            return await self._client.infer(
                contract.name,
                [tensor],
                model_version=contract.version,
                outputs=[InferRequestedOutput(name) for name in contract.output_names],
                request_id=origin.request_id,
                headers=origin.headers,
                # Triton rejects what has waited this long, instead of computing it for nobody.
                timeout=int(remaining * 1e6),
                client_timeout=remaining,
            )


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
