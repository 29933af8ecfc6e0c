"""What an error means for a job, and for the batch."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from osteoserve_client.errors import (
    JobStoreError,
    OsteoserveError,
    OutputError,
    ServiceBusyError,
    ServiceError,
    ServiceNotTrustedError,
    ServiceRefusedError,
    ServiceUnavailableError,
)

#: How often a job is begun with which the service fails, or goes away, each time anew.
ATTEMPTS: Final = 5
#: How often one is begun that finds the service full: with the longest delays, half an hour.
ATTEMPTS_BUSY: Final = 32

#: Kinds of failures that are not the input's fault: the next run begins these jobs anew.
TRANSIENT: Final = frozenset(
    kind.__name__ for kind in (ServiceBusyError, ServiceError, ServiceUnavailableError)
)


class WholeBatchError(Exception):
    """No other job would fare better.

    Args:
        cause: Why.
    """

    def __init__(self, cause: OsteoserveError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Verdict(Enum):
    """What becomes of a job, or of all."""

    #: It is not tried again by itself.
    FAILED = auto()
    #: The service failed, went away or is full: later.
    LATER = auto()
    #: The batch ends, and the job is as if it had not begun.
    FATAL = auto()


def verdict_on(error: Exception, attempts: int) -> Verdict:
    """What an error means.

    Args:
        error: What a job ended with.
        attempts: How often it was begun, this time included.
    """
    match error:
        case WholeBatchError() | OutputError() | JobStoreError() | ServiceNotTrustedError():
            return Verdict.FATAL
        case ServiceBusyError():
            return Verdict.LATER if attempts < ATTEMPTS_BUSY else Verdict.FAILED
        case ServiceRefusedError():
            return Verdict.FAILED
        case ServiceError() | ServiceUnavailableError():
            return Verdict.LATER if attempts < ATTEMPTS else Verdict.FAILED
        case _:
            return Verdict.FAILED


def text_of(error: Exception) -> str:
    """One line; of an error that nobody foresaw its kind alone, for its words may hold anything."""
    if isinstance(error, OsteoserveError):
        return " ".join(str(error).split())
    kind = type(error).__name__
    return f"unexpected {kind}; osteoserve segment with OSTEOSERVE_TRACEBACK=1 shows where"
