"""The one table from domain errors to gRPC statuses, and what a caller gets to read."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

from grpc import StatusCode

from osteoserve_preprocessing import errors
from osteoserve_preprocessing.server.observability.origins import current_request_id

logger = logging.getLogger(__name__)

#: Every error of this package; a test fails where one is missing.
STATUS: dict[type[errors.PreprocessingError], StatusCode] = {
    errors.GeometryError: StatusCode.INVALID_ARGUMENT,
    errors.VoxelError: StatusCode.INVALID_ARGUMENT,
    errors.ScintigramError: StatusCode.INVALID_ARGUMENT,
    errors.OptionError: StatusCode.INVALID_ARGUMENT,
    errors.UploadError: StatusCode.INVALID_ARGUMENT,
    errors.SharedMemoryError: StatusCode.INVALID_ARGUMENT,
    errors.StreamTimeoutError: StatusCode.DEADLINE_EXCEEDED,
    errors.ModelNotFoundError: StatusCode.NOT_FOUND,
    errors.ContractError: StatusCode.FAILED_PRECONDITION,
    errors.DigestError: StatusCode.FAILED_PRECONDITION,
    errors.ModelError: StatusCode.FAILED_PRECONDITION,
    errors.TritonUnavailableError: StatusCode.UNAVAILABLE,
    errors.TritonStartError: StatusCode.UNAVAILABLE,
    errors.InferenceTimeoutError: StatusCode.DEADLINE_EXCEEDED,
    errors.InferenceError: StatusCode.INTERNAL,
    errors.TritonError: StatusCode.INTERNAL,
    errors.BusyError: StatusCode.RESOURCE_EXHAUSTED,
}

#: What each of them is called in metrics: its name in snake case, without "error".
REASONS: dict[type[errors.PreprocessingError], str] = {
    kind: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower().removesuffix("_error")
    for kind in STATUS
}
UNEXPECTED = "unexpected"


@dataclass(frozen=True)
class Refusal:
    """How a call ends that does not succeed.

    Args:
        code: The gRPC status.
        details: One line for the caller.
        reason: Which of the errors in the table, in short, such as "busy"; or "unexpected".
        metadata: Trailing metadata.
    """

    code: StatusCode
    details: str
    reason: str
    metadata: tuple[tuple[str, str], ...] = ()


def refusal(error: Exception, *, retry_after_s: int) -> Refusal:
    """What a caller is told about an error.

    An error that is not in the table could say anything: the caller gets an id, and the log,
    under the same id, the traceback.

    Args:
        error: Any.
        retry_after_s: The hint that goes with RESOURCE_EXHAUSTED.
    """
    kind = next((kind for kind in type(error).__mro__ if kind in STATUS), None)
    if kind is None:
        incident = current_request_id()
        logger.error("incident=%s unexpected error", incident, exc_info=error)
        return Refusal(StatusCode.INTERNAL, f"internal error {incident}", UNEXPECTED)
    code, reason = STATUS[kind], REASONS[kind]
    details = " ".join(str(error).split())
    if code is StatusCode.RESOURCE_EXHAUSTED:
        # The second is gRPC's own pushback (gRFC A6), which other languages' clients honour.
        return Refusal(
            code,
            details,
            reason,
            (
                ("retry-after-s", str(retry_after_s)),
                ("grpc-retry-pushback-ms", str(retry_after_s * 1000)),
            ),
        )
    return Refusal(code, details, reason)
