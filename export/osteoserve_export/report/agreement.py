"""A proof for readers: figures for the JSON document, facts and tables for the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from osteoserve_export.parity.detection_proof import DetectionProof, DetectionRow
from osteoserve_export.parity.proof import SegmentationProof
from osteoserve_export.parity.rows import Row
from osteoserve_export.specification import (
    LEAST_DICE,
    LOGIT_TOLERANCE,
    MATCH_RATE,
    SCORE_TOLERANCE,
)
from osteoserve_export.tasks.task import Proof


def figures(proof: Proof) -> Mapping[str, Any]:
    """Every comparison, what was required, and the worst of each."""
    dice = {
        "required_dice": proof.asked.required_dice,
        "default_required_dice": LEAST_DICE[proof.asked.precision],
        "least_dice": proof.least.dice,
    }
    if isinstance(proof, SegmentationProof):
        return dice | {
            "logit_tolerance": proof.asked.logit_tolerance,
            "default_logit_tolerance": LOGIT_TOLERANCE,
            "largest_logit_error": proof.logit_error,
            "comparisons": [asdict(row) for row in proof.rows],
        }
    return dice | {
        "match_rate": proof.asked.match_rate,
        "default_match_rate": MATCH_RATE,
        "least_match_rate": proof.least_rate.agreement.rate,
        "score_tolerance": proof.asked.score_tolerance,
        "default_score_tolerance": SCORE_TOLERANCE,
        "largest_score_error": proof.score_error,
        "detections": [_figures(row) for row in proof.rows],
        "comparisons": [asdict(row) for row in proof.label_rows],
    }


def facts(proof: Proof) -> list[str]:
    """The worst of every kind, what was required, and in bold where the user required less."""
    asked, least = proof.asked, proof.least
    found = [
        f"Least Dice against PyTorch: {least.dice:.6f} ({least.where}); "
        f"required: {asked.required_dice}"
        + _changed(asked.required_dice, LEAST_DICE[asked.precision])
    ]
    if isinstance(proof, SegmentationProof):
        return [*found, *_logits(proof)]
    rate, limits = proof.least_rate, proof.asked
    return [
        f"Least share of detections that match by overlap and label: {rate.agreement.rate:.1%} "
        f"({rate.where}); required: {limits.match_rate:.1%}"
        + _changed(limits.match_rate, MATCH_RATE),
        f"Largest difference of a detection's score: {proof.score_error:.1e}; allowed: "
        f"{limits.score_tolerance}" + _changed(limits.score_tolerance, SCORE_TOLERANCE),
        *found,
    ]


def tables(proof: Proof) -> list[str]:
    """Markdown lines: every comparison of label maps or of detections."""
    if isinstance(proof, SegmentationProof):
        return [
            "| runtime | study | slices | batch | label | pixels | Dice | logits |",
            "| --- | --- | --- | ---: | --- | ---: | ---: | ---: |",
            *map(_row, proof.rows),
        ]
    return [
        "Detections, paired by overlap and label:",
        "",
        "| runtime | study | images | batch | PyTorch's | found | match | score off by | "
        "box off by, pixels | masks, mean Dice |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *map(_detections, proof.rows),
        "",
        "Masks pasted into the image, those of each label together: least Dice of all batch sizes:",
        "",
        *_pasted(proof),
    ]


def _logits(proof: SegmentationProof) -> list[str]:
    if proof.logit_error is None:
        return []
    allowed = proof.asked.logit_tolerance
    return [
        f"Largest difference of a logit, relative to the largest: {proof.logit_error:.1e}; "
        f"allowed: {allowed}" + _changed(allowed, LOGIT_TOLERANCE)
    ]


def _changed(value: float, default: float) -> str:
    return "." if value == default else f" (**changed by the user**; the default is {default})."


def _row(row: Row) -> str:
    shape = "x".join(map(str, row.shape))
    error = "" if row.logit_error is None else f"{row.logit_error:.1e}"
    return (
        f"| {row.runtime} | {row.study} | {shape} | {row.batch} | {row.label} | {row.pixels:,} | "
        f"{row.dice:.6f} | {error} |"
    )


def _figures(row: DetectionRow) -> dict[str, Any]:
    agreement = row.agreement
    return {
        "runtime": row.runtime,
        "study": row.study,
        "images": row.images,
        "batch": row.batch,
        "rate": agreement.rate,
        **asdict(agreement),
    }


def _detections(row: DetectionRow) -> str:
    agreement = row.agreement
    return (
        f"| {row.runtime} | {row.study} | {row.images} | {row.batch} | {agreement.expected} | "
        f"{agreement.found} | {agreement.rate:.1%} | {agreement.score_error:.1e} | "
        f"{agreement.box_error:.1e} | {agreement.mean_dice:.6f} |"
    )


def _pasted(proof: DetectionProof) -> list[str]:
    """One line for each study and label, one column for each runtime.

    The JSON document has every batch size; a page of them nobody would read.
    """
    runtimes = list(dict.fromkeys(row.runtime for row in proof.rows))
    least: dict[tuple[str, str, int], dict[str, float]] = {}
    for row in proof.label_rows:
        found = least.setdefault((row.study, row.label, row.pixels), {})
        found[row.runtime] = min(row.dice, found.get(row.runtime, 1.0))
    shown = {
        place: found for place, found in least.items() if place[2] or min(found.values()) < 1.0
    }
    return [
        f"| study | label | pixels | {' | '.join(runtimes)} |",
        f"| --- | --- | ---: |{' ---: |' * len(runtimes)}",
        *(
            f"| {study} | {label} | {pixels:,} | "
            f"{' | '.join(f'{found[runtime]:.6f}' for runtime in runtimes)} |"
            for (study, label, pixels), found in shown.items()
        ),
    ]
