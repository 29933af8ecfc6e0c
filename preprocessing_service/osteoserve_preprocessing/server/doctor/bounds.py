"""Limits that contradict each other."""

from __future__ import annotations

from osteoserve_preprocessing.server.doctor.findings import Finding, State
from osteoserve_preprocessing.server.limits import Limits


def limits(chosen: Limits) -> Finding:
    """Whether every one of them can come to bear."""
    vain = []
    if chosen.resident_volumes > chosen.concurrent_calls:
        vain.append("more resident_volumes than concurrent_calls: places that nobody can take")
    if chosen.idle_s > chosen.upload_s:
        vain.append("idle_s above upload_s: a silent upload is ended by the latter")
    if chosen.inference_s < chosen.idle_s:
        vain.append("inference_s below idle_s: work is given less time than silence")
    if vain:
        return Finding("limits", State.NOTE, "; ".join(vain), "see docs/configuration.md")
    return Finding("limits", State.OK, "go together")
