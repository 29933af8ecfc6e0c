"""What a check says: a verdict, how strong its evidence is, and what to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["plausible", "implausible", "undetermined"]


@dataclass(frozen=True)
class Plausibility:
    """Whether pixels agree with what the file says of them.

    Args:
        verdict: "undetermined" where the scan does not show it: no reason to refuse.
        evidence: Above 0 for what the file says, below 0 against it; each check has its own scale.
        reason: One line: what was seen, and what to check. Nothing of the patient.
    """

    verdict: Verdict
    evidence: float
    reason: str


def judge(
    evidence: float, least: float, *, plausible: str, implausible: str, undetermined: str
) -> Plausibility:
    """Turn evidence into a verdict.

    Args:
        evidence: Signed, see `Plausibility`.
        least: Evidence that is nearer to 0 decides nothing.
        plausible: Reason to give for each verdict.
        implausible: Likewise.
        undetermined: Likewise.
    """
    if evidence >= least:
        return Plausibility("plausible", evidence, plausible)
    if evidence <= -least:
        return Plausibility("implausible", evidence, implausible)
    return Plausibility("undetermined", evidence, undetermined)
