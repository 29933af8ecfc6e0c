"""What is kept of a call: nothing that could come from a patient's record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from osteoserve_preprocessing.server.observability.origins import current_request_id
from osteoserve_preprocessing.server.stages import StageTime


@dataclass(frozen=True, kw_only=True)
class CallRecord:
    """One call, after its end.

    Args:
        method: Such as "Segment".
        outcome: Name of its gRPC status.
        client: Name of its token, or subject of its certificate; empty where it has neither.
        began: When, UTC.
        seconds: How long it took.
        model: Name of the model that it asked for, where there is one of that name.
        digest: Of that model's file, hexadecimal digits.
        input_sha256: Of what it sent, hexadecimal digits; empty where that was not whole.
        received_bytes: How many bytes of voxels it sent.
        stages: How long each stage took, one after the other, and "total".
        reason: Why it did not end well, such as "busy"; empty where it did, or was cancelled.
        id: The same in the client, in both logs, in Triton and in traces.
    """

    method: str
    outcome: str
    client: str
    began: datetime
    seconds: float
    model: str = ""
    digest: str = ""
    input_sha256: str = ""
    received_bytes: int = 0
    stages: tuple[StageTime, ...] = ()
    reason: str = ""
    id: str = field(default_factory=current_request_id)

    def said(self) -> dict[str, object]:
        """What the log says of it, field by field."""
        return {
            "call": self.method,
            "id": self.id,
            "client": Quoted(self.client),
            "model": Quoted(self.model),
            "outcome": self.outcome,
            "reason": self.reason or "-",
            "seconds": round(self.seconds, 3),
            "stages": Stages((each.stage, round(each.seconds, 3)) for each in self.stages),
        }


class Quoted(str):
    """What somebody chose, as text of a log line: within quotes, or a dash where there is none."""

    __slots__ = ()

    def __str__(self) -> str:
        return repr(str.__str__(self)) if self else "-"


class Stages(dict[str, float]):
    """Seconds by stage, as text of a log line: ``queue=0.000 receive=0.400``."""

    def __str__(self) -> str:
        return " ".join(f"{stage}={seconds:.3f}" for stage, seconds in self.items())


#: Keeps a record, counts it, or does not.
Keep = Callable[[CallRecord], None]


def every(*keeps: Keep) -> Keep:
    """One that does what all of them do."""

    def keep(record: CallRecord) -> None:
        for each in keeps:
            each(record)

    return keep


def utc_now() -> datetime:
    """Now, UTC."""
    return datetime.now(UTC)
