"""What the doctor found, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum

from osteoserve_preprocessing.server.configuration import Row


class State(Enum):
    """How a question was answered."""

    #: As it should be.
    OK = "ok"
    #: Works, but less well, or is worth knowing.
    NOTE = "note"
    #: Something that is needed does not work.
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """The answer to one question.

    Args:
        subject: What was looked at.
        state: How it is.
        detail: What was seen.
        remedy: How to mend it; empty where nothing needs mending.
    """

    subject: str
    state: State
    detail: str
    remedy: str = ""


def healthy(findings: tuple[Finding, ...]) -> bool:
    """Whether nothing that is needed is broken."""
    return all(finding.state is not State.BROKEN for finding in findings)


def report(findings: tuple[Finding, ...], settings: tuple[Row, ...], *, as_json: bool) -> str:
    """Findings, and the settings they are about, as text or as one JSON document."""
    if as_json:
        rows = [asdict(finding) | {"state": finding.state.value} for finding in findings]
        document = {
            "healthy": healthy(findings),
            "findings": rows,
            "settings": list(map(asdict, settings)),
        }
        return json.dumps(document, indent=2)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state.value:<6}  {finding.subject}: {finding.detail}")
        if finding.remedy:
            lines.append(f"        -> {finding.remedy}")
    width = max((len(row.key) for row in settings), default=0)
    lines += [f"{row.source:<11}  {row.key:<{width}}  {row.shown}" for row in settings]
    return "\n".join(lines)
