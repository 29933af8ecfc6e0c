"""Agreement of two sets of detections: by overlap and label, never by their place in a list.

Two runtimes that agree to the last digit but one may still sort two detections of nearly equal
score otherwise, so the n-th of one answer says nothing of the n-th of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from osteoserve_export.errors import ParityError
from osteoserve_preprocessing.inference.detections import Detections


@dataclass(frozen=True, kw_only=True)
class DetectionLimits:
    """How much two sets of detections may differ.

    Args:
        iou: Least intersection over union of two boxes that are the same detection.
        rate: Least share of detections, of either set, that have a partner in the other.
        score: Largest difference of two partners' scores.
        dice: Least mean Dice of two partners' masks, cut at one half.
    """

    iou: float = 0.9
    rate: float = 0.99
    score: float = 0.02
    dice: float = 0.99


#: What float32 must keep to.
EXACT = DetectionLimits()


@dataclass(frozen=True)
class DetectionAgreement:
    """How well two sets of detections agree.

    Args:
        expected: How many there are in the first.
        found: How many there are in the second.
        matched: Pairs.
        score_error: Largest difference of score of a pair; 0 without one.
        box_error: Largest difference of an edge of a pair, pixels; 0 without one.
        mask_error: Largest difference of a mask's probability of a pair; 0 without one.
        least_iou: Smallest intersection over union of a pair; 1 without one.
        mean_dice: Mean Dice of the pairs' masks; 1 without one.
        lone: What has no partner, in words, the highest score first.
    """

    expected: int
    found: int
    matched: int
    score_error: float
    box_error: float
    mask_error: float
    least_iou: float
    mean_dice: float
    lone: tuple[str, ...] = field(default=())

    @property
    def rate(self) -> float:
        """Share of the larger set that is matched; 1 where both are empty."""
        largest = max(self.expected, self.found)
        return self.matched / largest if largest else 1.0


def match_detections(
    expected: Sequence[Detections],
    found: Sequence[Detections],
    *,
    iou: float = EXACT.iou,
    names: Sequence[str] = (),
) -> DetectionAgreement:
    """Pair detections of the same image and label, those that overlap most first.

    Args:
        expected: Of each image.
        found: Of the same images.
        iou: Least intersection over union of a pair.
        names: How the images are called; their numbers otherwise.

    Raises:
        ParityError: There are not as many images.
    """
    if len(expected) != len(found):
        raise ParityError(f"{len(found)} images were answered, not {len(expected)}")
    scores, boxes, masks, overlaps, dices = [], [], [], [], []
    lone: list[tuple[float, str]] = []
    for number, (first, second) in enumerate(zip(expected, found, strict=True)):
        pairs = _pairs(first, second, iou)
        for a, b, overlap in pairs:
            scores.append(_error(first.scores[a], second.scores[b]))
            boxes.append(_error(first.boxes[a], second.boxes[b]))
            masks.append(_error(first.masks[a], second.masks[b]))
            overlaps.append(overlap)
            dices.append(_dice(first.masks[a] > 0.5, second.masks[b] > 0.5))
        image = names[number] if names else f"image {number}"
        lone += _lone(first, {a for a, _, _ in pairs}, f"{image}: not found")
        lone += _lone(second, {b for _, b, _ in pairs}, f"{image}: found besides")
    return DetectionAgreement(
        expected=sum(map(len, expected)),
        found=sum(map(len, found)),
        matched=len(overlaps),
        score_error=max(scores, default=0.0),
        box_error=max(boxes, default=0.0),
        mask_error=max(masks, default=0.0),
        least_iou=min(overlaps, default=1.0),
        mean_dice=float(np.mean(dices)) if dices else 1.0,
        lone=tuple(words for _, words in sorted(lone, key=lambda each: -each[0])),
    )


def check_detections(
    agreement: DetectionAgreement, runtime: str, limits: DetectionLimits = EXACT
) -> None:
    """Refuse what does not agree.

    Args:
        agreement: From `match_detections`, with ``limits.iou``.
        runtime: What answered.
        limits: How much it may differ.

    Raises:
        ParityError: Nothing was expected, which proves nothing; or too few detections match, or the
            scores or masks of those that do differ. Says by how much, and where.
    """
    if agreement.expected == 0:
        raise ParityError("no proof: the network detects nothing in the trial images")
    if agreement.rate < limits.rate:
        raise ParityError(
            f"{runtime}: {agreement.matched} of {agreement.expected} detections match "
            f"({agreement.found} found, {agreement.rate:.1%}, needed: {limits.rate:.0%}); "
            f"{agreement.lone[0]}"
        )
    if agreement.score_error > limits.score:
        raise ParityError(
            f"{runtime}: a score differs by {agreement.score_error:.2g} (allowed: {limits.score})"
        )
    if agreement.mean_dice < limits.dice:
        raise ParityError(
            f"{runtime}: masks agree to a mean Dice of {agreement.mean_dice:.4f} "
            f"(needed: {limits.dice})"
        )


def box_iou(
    boxes: npt.NDArray[np.float32], others: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """(K, L): intersection over union of (K, 4) and (L, 4) boxes; 0 where both are empty."""
    a, b = boxes[:, None].astype(np.float64), others[None].astype(np.float64)
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    both = np.clip(high - low, 0.0, None).prod(axis=-1)
    either = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - both
    iou: npt.NDArray[np.float64] = np.divide(
        both, either, out=np.zeros_like(both), where=either > 0
    )
    return iou


def _pairs(first: Detections, second: Detections, least: float) -> list[tuple[int, int, float]]:
    overlap = box_iou(first.boxes, second.boxes)
    overlap[first.labels[:, None] != second.labels[None, :]] = 0.0
    candidates = np.argwhere(overlap >= least)
    # Where boxes overlap alike, the nearer score is the partner.
    nearness = np.abs(first.scores[candidates[:, 0]] - second.scores[candidates[:, 1]])
    order = np.lexsort((nearness, -overlap[tuple(candidates.T)]))
    pairs: list[tuple[int, int, float]] = []
    free_a, free_b = set(range(len(first))), set(range(len(second)))
    for a, b in candidates[order].tolist():
        if a in free_a and b in free_b:
            free_a.remove(a)
            free_b.remove(b)
            pairs.append((a, b, float(overlap[a, b])))
    return pairs


def _error(expected: npt.ArrayLike, found: npt.ArrayLike) -> float:
    return float(np.abs(np.subtract(expected, found, dtype=np.float64)).max())


def _dice(expected: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> float:
    total = int(expected.sum()) + int(found.sum())
    return 2.0 * int((expected & found).sum()) / total if total else 1.0


def _lone(given: Detections, matched: set[int], what: str) -> list[tuple[float, str]]:
    lone = []
    for n in sorted(set(range(len(given))) - matched):
        x1, y1, x2, y2 = (round(float(edge)) for edge in given.boxes[n])
        words = f"label {given.labels[n]} at {x1}, {y1} to {x2}, {y2}, score {given.scores[n]:.3f}"
        lone.append((float(given.scores[n]), f"{what}: {words}"))
    return lone
