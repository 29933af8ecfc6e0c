"""A measured volume as the JSON document that docs/benchmarks.md describes, key by key."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

import numpy as np

from osteoserve_benchmarks.volume import IN_PROCESS, OURS, PLAIN, TUNED, WAYS, VolumeBenchmark
from osteoserve_benchmarks.way import Stages, total
from osteoserve_benchmarks.workers import Run

#: Every key of the document, and no other.
KEYS = (
    "slices",
    "rounds",
    "end_to_end_s",
    "plain_end_to_end_s",
    "tuned_end_to_end_s",
    "speedup",
    "speedup_tuned",
    "stages",
    "in_process_s",
    "serving_overhead",
    "floor_s",
    "mask_dice_vs_plain",
    "peak_rss_mb",
    "spread",
    "machine",
    "versions",
)


def volume_document(found: VolumeBenchmark) -> dict[str, Any]:
    """The keys of `KEYS`; what was not measured, or is undefined, is None."""
    seconds = {way: times_of(found.runs[way], way) for way in WAYS}
    ours, plain, tuned, in_process = (median(seconds[way]) for way in WAYS)
    service = median(run.stages["service"] for run in found.runs[OURS])
    agreement = found.mask_dice[OURS]
    return {
        "slices": found.slices,
        "rounds": found.rounds,
        "end_to_end_s": ours,
        "plain_end_to_end_s": plain,
        "tuned_end_to_end_s": tuned,
        "speedup": plain / ours,
        "speedup_tuned": tuned / ours,
        "stages": {way: stage_medians([run.stages for run in found.runs[way]]) for way in WAYS},
        "in_process_s": in_process if found.same_engine else None,
        "serving_overhead": service / in_process if found.same_engine else None,
        "floor_s": found.floor_s,
        "mask_dice_vs_plain": None if math.isnan(agreement) else agreement,
        "peak_rss_mb": dict(found.peak_rss_mb),
        "spread": {
            "end_to_end_s": spread(seconds[OURS]),
            "plain_end_to_end_s": spread(seconds[PLAIN]),
            "tuned_end_to_end_s": spread(seconds[TUNED]),
            "in_process_s": spread(seconds[IN_PROCESS]),
        },
        "machine": found.machine.document()
        | {
            "gemm_precision": found.floor.precision,
            "gemm_gflops": found.floor.gflops,
            "copy_gb_s": found.floor.copy_gb_s,
        },
        "versions": dict(found.versions),
    }


def times_of(runs: Iterable[Run], way: str) -> list[float]:
    """Seconds of each run: by the wall clock, in process the sum of what is timed."""
    return [total(run.stages) if way == IN_PROCESS else run.seconds for run in runs]


def stage_medians(runs: Sequence[Stages]) -> Stages:
    """The median of each stage."""
    return {stage: median(run[stage] for run in runs) for stage in runs[0]}


def spread(seconds: Sequence[float]) -> dict[str, Any]:
    """Percentiles (interpolated linearly), extremes and every value, in the order of the rounds."""
    p50, p95, p99 = (float(value) for value in np.percentile(seconds, (50, 95, 99)))
    return {
        "p50": p50,
        "p95": p95,
        "p99": p99,
        "min": min(seconds),
        "max": max(seconds),
        "values": list(seconds),
    }
