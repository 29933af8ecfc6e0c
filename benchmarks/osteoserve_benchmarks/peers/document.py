"""Measured peers as the JSON document that docs/benchmarks.md describes, key by key."""

from __future__ import annotations

from statistics import median
from typing import Any

from osteoserve_benchmarks.document import spread, stage_medians
from osteoserve_benchmarks.peers.measure import Measured, PeersBenchmark

#: Every key of the document, and no other. No ratio is among them: every peer does another task.
KEYS = ("slices", "rounds", "ours", "peers", "left_out", "spread", "machine", "versions")

#: Every key of ``ours``, and of an item of ``peers``.
SYSTEM_KEYS = (
    "name",
    "computes",
    "version",
    "parameters",
    "end_to_end_s",
    "stages",
    "peak_rss_mb",
)


def peers_document(found: PeersBenchmark) -> dict[str, Any]:
    """The keys of `KEYS`."""
    return {
        "slices": found.slices,
        "rounds": found.rounds,
        "ours": _system(found.ours),
        "peers": [_system(peer) for peer in found.peers],
        "left_out": dict(found.left_out),
        "spread": {
            f"{each.name}.end_to_end_s": spread([run.seconds for run in each.runs])
            for each in (found.ours, *found.peers)
        },
        "machine": found.machine.document(),
        "versions": dict(found.versions) | {peer.name: peer.version for peer in found.peers},
    }


def _system(each: Measured) -> dict[str, Any]:
    return {
        "name": each.name,
        "computes": each.computes,
        "version": each.version,
        "parameters": each.parameters,
        "end_to_end_s": median(run.seconds for run in each.runs),
        "stages": stage_medians([run.stages for run in each.runs]),
        "peak_rss_mb": each.most_mb,
    }
