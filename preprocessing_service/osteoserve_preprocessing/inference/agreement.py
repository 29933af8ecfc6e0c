"""Which of several Tritons may answer for a model: those that state one and the same contract.

A contract is read from one Triton, and the slices may be answered by another. Where the two serve
different files under one name, that is a wrong mask that looks right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import fields

from osteoserve_preprocessing.inference.contract import ModelContract


def agreed(stated: Iterable[ModelContract], in_use: ModelContract | None) -> ModelContract:
    """The contract that most Tritons state; where as many state others, the one in use stays.

    Args:
        stated: What each Triton states of one model, in an order that stays; one or more.
        in_use: What was agreed before.
    """
    votes = Counter(stated)
    most = max(votes.values())
    winners = [contract for contract, count in votes.items() if count == most]
    return in_use if in_use in winners else winners[0]


def difference(contract: ModelContract, other: ModelContract) -> str:
    """In which parameters one contract differs from another, for a log."""
    if type(contract) is not type(other):
        return f"task {contract.task} instead of {other.task}"
    differing = [
        field.name
        for field in fields(contract)
        if getattr(contract, field.name) != getattr(other, field.name)
    ]
    digests = f" ({contract.digest[:12]} instead of {other.digest[:12]})"
    return ", ".join(name + (digests if name == "digest" else "") for name in differing)
