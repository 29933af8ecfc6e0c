"""On whose behalf Triton is asked: the call that runs, as logs, traces and Triton know it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Origin:
    """Where a request to Triton comes from.

    Args:
        request_id: Of the call; empty where there is none, as for a canary.
        traceparent: W3C trace context, section 3.2, to be sent on; empty where there is none.
    """

    request_id: str = ""
    traceparent: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What goes with a request, beside its id."""
        return {"traceparent": self.traceparent} if self.traceparent else {}


_NOBODY: Final = Origin()

#: Set for every call; tasks and threads that work for it inherit it.
ORIGIN: Final[ContextVar[Origin]] = ContextVar("ORIGIN", default=_NOBODY)
