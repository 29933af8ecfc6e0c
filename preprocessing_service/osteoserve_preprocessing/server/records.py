"""What is kept of a call: nothing that could come from a patient's record."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

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
        stages: How long each stage took.
        id: The same here, in the log and in the audit log.
    """

    method: str
    outcome: str
    client: str
    began: datetime
    seconds: float
    model: str = ""
    digest: str = ""
    input_sha256: str = ""
    stages: tuple[StageTime, ...] = ()
    id: str = field(default_factory=lambda: secrets.token_hex(4))


#: Keeps a record, or does not.
Keep = Callable[[CallRecord], None]


def utc_now() -> datetime:
    """Now, UTC."""
    return datetime.now(UTC)
