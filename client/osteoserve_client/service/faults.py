"""gRPC's errors become the client's own, here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import sleep
from typing import TypeVar

import grpc

from osteoserve_client.errors import (
    OsteoserveError,
    ServiceBusyError,
    ServiceError,
    ServiceRefusedError,
    ServiceUnavailableError,
)

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
    """The client's error for gRPC's; its text is one line."""
    code, details = error.code(), " ".join((error.details() or "").split())
    if code is grpc.StatusCode.UNAVAILABLE:
        return ServiceUnavailableError(f"no service answers at {address}: {details}")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return ServiceBusyError(f"the service at {address} is busy: {details}{_hint(error)}")
    if code in REFUSALS:
        return ServiceRefusedError(f"the service refused the request: {details}")
    return ServiceError(f"the service failed ({code.name}): {details}")


def _hint(error: grpc.RpcError) -> str:
    """When to try again, where the service says so."""
    metadata = error.trailing_metadata() or ()
    seconds = next((value for key, value in metadata if key == "retry-after-s"), None)
    return f"; try again in {seconds} s" if seconds else ""


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
