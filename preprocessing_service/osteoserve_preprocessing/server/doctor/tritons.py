"""Questions about several Tritons: about each one, and whether they serve the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from osteoserve_preprocessing.errors import ModelError, TritonError
from osteoserve_preprocessing.inference import ModelContract, TritonSession
from osteoserve_preprocessing.inference.agreement import difference
from osteoserve_preprocessing.inference.targets import addresses, parse_targets
from osteoserve_preprocessing.server.doctor.findings import Finding, State


async def tritons(
    url: str, examine: Callable[[str], Awaitable[tuple[Finding, ...]]]
) -> tuple[Finding, ...]:
    """What there is to say of all that ``--triton`` names.

    Args:
        url: See `parse_targets`.
        examine: Looks at the Triton at one "host:port".
    """
    findings: list[Finding] = []
    places: list[str] = []
    for target in parse_targets(url):
        try:
            places += await addresses(target)
        except OSError as error:
            detail = f"the name has no address: {error.strerror}"
            findings.append(
                Finding(f"Triton at {target}", State.BROKEN, detail, "check the name, and DNS")
            )
    if len(places) == 1:
        return (*findings, *await examine(places[0]))
    for place in places:
        for finding in await examine(place):
            subject = finding.subject
            named = subject if place in subject else f"{subject} at {place}"
            findings.append(replace(finding, subject=named))
    return (*findings, *_differing({place: await _contracts(place) for place in places}))


async def _contracts(place: str) -> dict[str, ModelContract]:
    """What one Triton serves; what it cannot say, its own findings do."""
    found = {}
    try:
        async with TritonSession(place) as session:
            for name in await session.model_names():
                try:
                    found[name] = await session.contract(name)
                except ModelError:
                    continue
    except TritonError:
        return {}
    return found


def _differing(stated: dict[str, dict[str, ModelContract]]) -> list[Finding]:
    first: dict[str, tuple[str, ModelContract]] = {}
    findings = []
    for place, contracts in stated.items():
        for name, contract in contracts.items():
            other, expected = first.setdefault(name, (place, contract))
            if contract != expected:
                detail = f"differs from that at {other}: {difference(contract, expected)}"
                findings.append(
                    Finding(
                        f"{name} at {place}",
                        State.BROKEN,
                        detail,
                        "serve the same model in all of them",
                    )
                )
    return findings
