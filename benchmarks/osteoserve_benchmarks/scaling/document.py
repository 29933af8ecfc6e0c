"""Measured scaling as the JSON document that docs/benchmarks.md describes, key by key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from osteoserve_benchmarks.document import spread, stage_medians
from osteoserve_benchmarks.scaling.line import Line
from osteoserve_benchmarks.scaling.measure import Point, Scaling

#: Every key of the document, and no other.
KEYS = ("slices", "rounds", "points", "fit", "spread", "machine", "versions")

#: Every key of a point, an item of ``points``.
POINT_KEYS = (
    "slices",
    "end_to_end_s",
    "stages",
    "above_idle_mb",
    "idle_mb",
    "client_peak_rss_mb",
)


def scaling_document(found: Scaling) -> dict[str, Any]:
    """The keys of `KEYS`; what was not measured, or is undefined, is None."""
    return {
        "slices": [point.slices for point in found.points],
        "rounds": found.rounds,
        "points": [_point(point) for point in found.points],
        "fit": {
            "end_to_end_s": _line(found.points, lambda point: [run.seconds for run in point.runs]),
            "above_idle_mb": _line(found.points, _memory),
        },
        "spread": {
            f"slices.{point.slices}.end_to_end_s": spread([run.seconds for run in point.runs])
            for point in found.points
        },
        "machine": found.machine.document(),
        "versions": dict(found.versions),
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "slices": point.slices,
        "end_to_end_s": median(run.seconds for run in point.runs),
        "stages": stage_medians([run.stages for run in point.runs]),
        "above_idle_mb": point.above_idle_mb,
        "idle_mb": point.idle_mb,
        "client_peak_rss_mb": point.client_peak_mb,
    }


def _memory(point: Point) -> list[float]:
    return [] if point.above_idle_mb is None else [point.above_idle_mb]


def _line(
    points: Sequence[Point], values: Callable[[Point], Sequence[float]]
) -> dict[str, float] | None:
    """Through every value, not the medians alone."""
    pairs = [(point.slices, value) for point in points for value in values(point)]
    line = Line.through([slices for slices, _ in pairs], [value for _, value in pairs])
    return asdict(line) if line else None
