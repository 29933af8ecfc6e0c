"""What a trace is to a call: told of its begin and end. Knows no OpenTelemetry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from osteoserve_preprocessing.server.records import CallRecord


@dataclass(frozen=True, eq=False)
class Span:
    """One call in a trace.

    Args:
        traceparent: What goes with the requests that are made for the call; empty for none.
        end: To be called once, after the end.
    """

    traceparent: str
    end: Callable[[CallRecord], None]


class Traces(Protocol):
    """Where the spans go."""

    def begin(self, method: str, traceparent: str, began: datetime) -> Span:
        """A call has begun.

        Args:
            method: Such as "Segment".
            traceparent: What came with the call, well-formed or empty.
            began: When, UTC.
        """


class _Untraced:
    def begin(self, method: str, traceparent: str, began: datetime) -> Span:  # noqa: ARG002
        return Span(traceparent, lambda _: None)


#: Nowhere: what came with a call goes on as it is.
UNTRACED: Final[Traces] = _Untraced()
