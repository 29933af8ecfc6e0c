"""Whether a Triton answers inference requests, whatever its readiness endpoints say.

When the process of a Python model is killed, every readiness endpoint goes on saying 200 while
each request fails, for ever (seen with 2.51.0). So readiness here is an answered request.
"""

from __future__ import annotations

from queue import Empty, Queue
from typing import Final

import numpy as np
from tritonclient import grpc as triton
from tritonclient.grpc import model_config_pb2
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

from osteoserve_preprocessing.errors import InferenceError, TritonError, TritonUnavailableError

#: Seconds for the answer of a model. One that is gone is noticed at once, a busy one may take long.
TIMEOUT_S: Final = 30.0

#: Seconds for what Triton answers by itself, before whatever it computes: longer means that it
#: hangs, and it is to be replaced within half a minute.
QUESTION_TIMEOUT_S: Final = 5.0

#: Least height and width of a probe where the model leaves them open.
_OPEN_SIZE: Final = 64

#: A new Triton on the old port should be found soon.
_RECONNECT: Final = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]


class Probe:
    """Asks a Triton to run every one of its models.

    Args:
        address: "host:port" of its gRPC endpoint.
    """

    def __init__(self, address: str) -> None:
        self._client = triton.InferenceServerClient(address, channel_args=_RECONNECT)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def check(self) -> None:
        """Return where every model answers a request.

        Raises:
            TritonUnavailableError: No Triton answers.
            InferenceError: A model does not answer.
        """
        try:
            # Not the repository's index: that looks at the disk, where models come and go.
            served = self._client.get_inference_statistics(
                client_timeout=QUESTION_TIMEOUT_S
            ).model_stats
            for name in {model.name for model in served}:
                self._check_model(name)
        except InferenceServerException as error:
            raise _translated(error, "Triton") from error

    def _check_model(self, name: str) -> None:
        before = self._executions(name)
        try:
            self._await_answer(name)
        except InferenceServerException as error:
            # A long queue is no fault: others are being answered meanwhile.
            overdue = error.status() == "StatusCode.DEADLINE_EXCEEDED"
            if not (overdue and self._executions(name) > before):
                raise _translated(error, f"model {name}") from error

    def _await_answer(self, name: str) -> None:
        """Have the model answer a request; Triton itself must answer questions meanwhile."""
        answered: Queue[InferenceServerException | None] = Queue()

        def told(result: object, error: InferenceServerException | None) -> None:  # noqa: ARG001
            answered.put(error)

        self._client.async_infer(name, self._inputs(name), told, client_timeout=TIMEOUT_S)
        while True:
            try:
                error = answered.get(timeout=QUESTION_TIMEOUT_S)
            except Empty:
                self._executions(name)
                continue
            if error is not None:
                raise error
            return

    def _executions(self, name: str) -> int:
        statistics = self._client.get_inference_statistics(name, client_timeout=QUESTION_TIMEOUT_S)
        return sum(int(model.execution_count) for model in statistics.model_stats)

    def _inputs(self, name: str) -> list[triton.InferInput]:
        config = self._client.get_model_config(name, client_timeout=QUESTION_TIMEOUT_S).config
        return [_zeros(config, tensor) for tensor in config.input]


def _zeros(
    config: model_config_pb2.ModelConfig, tensor: model_config_pb2.ModelInput
) -> triton.InferInput:
    stated = config.parameters["osteoserve.size_multiple"].string_value
    multiple = int(stated) if stated.isdecimal() and int(stated) else 1
    open_size = -(-_OPEN_SIZE // multiple) * multiple
    batch = [1] if config.max_batch_size > 0 else []
    shape = [*batch, *(size if size > 0 else open_size for size in tensor.dims)]
    datatype = model_config_pb2.DataType.Name(tensor.data_type).removeprefix("TYPE_")
    zeros = triton.InferInput(tensor.name, shape, datatype)
    zeros.set_data_from_numpy(np.zeros(shape, triton_to_np_dtype(datatype)))
    return zeros


def _translated(error: InferenceServerException, subject: str) -> TritonError:
    kind = TritonUnavailableError if error.status() == "StatusCode.UNAVAILABLE" else InferenceError
    return kind(f"{subject}: {error.message()}")
