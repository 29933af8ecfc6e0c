"""What becomes of a job that did not succeed: another attempt, and when, or none."""

from __future__ import annotations

from time import time
from typing import Final

from osteoserve_client.errors import (
    DeliveryError,
    DeliveryRefusedError,
    InconsistentViewsError,
    InputError,
    NoImageError,
    OsteoserveError,
    OutputError,
    SeriesChoiceError,
    ServiceUnavailableError,
    SlicePositionError,
    UsageError,
)
from osteoserve_client.jobs import delay_s
from osteoserve_client.node.ledger import Task
from osteoserve_client.node.settings import Patience

#: Longest pause between two attempts, seconds.
LONGEST_S: Final = 600.0
#: Attempts at what was refused, or failed for no known reason: once is no proof.
ATTEMPTS: Final = 5

#: What a series looks like of which instances are still to come.
_PERHAPS_INCOMPLETE = (SlicePositionError, InconsistentViewsError, NoImageError)
#: Passes, sooner or later, without anybody touching the job.
_PASSES = (ServiceUnavailableError, DeliveryError, OutputError, UsageError, OSError)


class LateInstancesError(OsteoserveError):
    """More of a series came while it was segmented."""


def pause_s(error: Exception, task: Task, patience: Patience) -> float | None:
    """Seconds until the next attempt; None where there is to be none.

    Args:
        error: What went wrong.
        task: With what.
        patience: How long to go on.
    """
    attempts = task.job.attempts
    if isinstance(error, LateInstancesError):
        return patience.settle_s
    if isinstance(error, _PERHAPS_INCOMPLETE) and attempts == 1:
        return patience.settle_s
    if isinstance(error, InputError | SeriesChoiceError):
        return None
    waited = delay_s(attempts, first_s=patience.retry_s, longest_s=LONGEST_S)
    if isinstance(error, _PASSES) and not isinstance(error, DeliveryRefusedError):
        return waited if time() - task.since < patience.give_up_s else None
    return waited if attempts < ATTEMPTS else None


def told(error: Exception) -> str:
    """One line about an error: its own words where they are ours, which never name a patient."""
    if isinstance(error, OsteoserveError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"unexpected {type(error).__name__}"
