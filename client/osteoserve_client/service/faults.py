"""gRPC's errors become the client's own, here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import sleep
from typing import Any, TypeVar

import grpc

from osteoserve_client.errors import (
    OsteoserveError,
    ServiceBusyError,
    ServiceError,
    ServiceRefusedError,
    ServiceUnavailableError,
)
from osteoserve_preprocessing.v1.request_ids import REQUEST_ID

#: Seconds before the second and the third attempt; only UNAVAILABLE is tried again.
RETRY_DELAYS_S = (0.5, 2.0)

#: Statuses that blame the request: sending the same again cannot help.
REFUSALS = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)

#: Statuses that blame the caller: waiting cannot help.
STRANGERS = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})

Answer = TypeVar("Answer")


def translate(error: grpc.RpcError, address: str) -> OsteoserveError:
    """The client's error for gRPC's; its text is one line.

    It ends with the request's id where the service knows it: a word to look for in its logs.
    """
    code, details = error.code(), " ".join((error.details() or "").split())
    request_id = _said(error, REQUEST_ID)
    translated = _translated(code, details, address, _said(error, "retry-after-s"), request_id)
    translated.request_id = request_id
    return translated


def _translated(
    code: Any, details: str, address: str, retry_after_s: str | None, request_id: str | None
) -> OsteoserveError:
    details += f"; try again in {retry_after_s} s" if retry_after_s else ""
    details += f" (request {request_id})" if request_id else ""
    if code is grpc.StatusCode.UNAVAILABLE:
        return ServiceUnavailableError(f"no service answers at {address}: {details}")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return ServiceBusyError(f"the service at {address} is busy: {details}")
    if code in REFUSALS:
        return ServiceRefusedError(f"the service refused the request: {details}")
    return ServiceError(f"the service failed ({code.name}): {details}")


def _said(error: grpc.RpcError, name: str) -> str | None:
    """What the service says by that name beside the error."""
    metadata = error.trailing_metadata() or ()
    return next((str(value) for key, value in metadata if key == name), None)


def attempt(call: Callable[[], Answer], address: str, delays_s: Iterable[float]) -> Answer:
    """Run ``call``, again where the service is unavailable, and translate what goes wrong.

    Args:
        call: One attempt.
        address: Named in errors.
        delays_s: Seconds before each further attempt.

    Raises:
        OsteoserveError: The last attempt's error.
    """
    for delay in delays_s:
        try:
            return call()
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise translate(error, address) from error
        sleep(delay)
    try:
        return call()
    except grpc.RpcError as error:
        raise translate(error, address) from error
