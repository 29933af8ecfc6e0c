"""What Triton itself counts of a model (its statistics extension), between two moments."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, NamedTuple

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from osteoserve_client.errors import ServiceUnavailableError

TIMEOUT_S: Final = 10.0


class Counts(NamedTuple):
    """Counted since the model was loaded, or between two moments.

    Args:
        requests: Answered; Triton may execute several together.
        executions: Of the model.
        queue_s: That requests waited for an instance, summed over requests.
        compute_s: That instances worked, input and output with it, summed over executions.
    """

    requests: int
    executions: int
    queue_s: float
    compute_s: float

    def since(self, earlier: Counts) -> Counts:
        """What came on top."""
        return Counts(
            requests=self.requests - earlier.requests,
            executions=self.executions - earlier.executions,
            queue_s=self.queue_s - earlier.queue_s,
            compute_s=self.compute_s - earlier.compute_s,
        )


class Watcher:
    """Asks a Triton for what it counts of one model; a context manager.

    Args:
        address: "HOST:PORT" of its gRPC endpoint.
        model: Name of the model.

    Both questions raise ServiceUnavailableError where Triton does not answer them.
    """

    def __init__(self, address: str, model: str) -> None:
        self._address = address
        self._client = InferenceServerClient(address)
        self._model = model

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def counts(self) -> Counts:
        """Since the model was loaded."""
        (found,) = self._ask(self._client.get_inference_statistics).model_stats
        return Counts(
            requests=found.inference_stats.success.count,
            executions=found.execution_count,
            queue_s=found.inference_stats.queue.ns / 1e9,
            compute_s=sum(map(_compute_ns, found.batch_stats)) / 1e9,
        )

    def instances(self) -> int:
        """How many executions may run at once."""
        config = self._ask(self._client.get_model_config).config
        return sum(group.count * max(1, len(group.gpus)) for group in config.instance_group)

    def _ask(self, question: Callable[..., Any]) -> Any:
        try:
            return question(self._model, client_timeout=TIMEOUT_S)
        except InferenceServerException as error:
            raise ServiceUnavailableError(
                f"Triton at {self._address} does not tell of {self._model}: {error.message()}"
            ) from error


def _compute_ns(batch: Any) -> int:
    """Of executions of one batch size; those of requests would count each execution repeatedly."""
    return int(batch.compute_input.ns + batch.compute_infer.ns + batch.compute_output.ns)
