"""Non-maximum suppression with fixed shapes, equal to the greedy one box after another.

ONNX's own operator has outputs of varying length, which TensorRT and fixed-size answers do not
take. Two forms stand here, each where it is the cheaper: `suppress` where hundreds of boxes stay
(proposals), `pick` where few are wanted of very many (detections). Both repeat until nothing
changes, so neither has a number of steps beyond which it would be wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._higher_order_ops.while_loop import while_loop_op

from osteoserve_export.graphs.detection.boxes import rows


def suppress(boxes: Tensor, valid: Tensor, threshold: float) -> Tensor:
    """Drop every box that a better one which stays overlaps.

    A box stays if none of those that stay before it overlaps it. That is repeated on all boxes at
    once: after k rounds every decision that hangs on fewer than k others is final, and when a round
    changes nothing, all are.

    Args:
        boxes: (N, K, 4) float, x1, y1, x2, y2; the best first.
        valid: (N, K) bool; others neither stay nor suppress.
        threshold: Greatest intersection over union of two boxes that both stay.

    Returns:
        (N, K) bool: those that stay.
    """
    overlapping = torch.triu(_overlap(boxes, boxes, threshold).to(boxes.dtype), diagonal=1)
    allowed = valid.to(boxes.dtype)

    def changing(stay: Tensor, before: Tensor, *_: Tensor) -> Tensor:
        return (stay != before).any()

    def again(
        stay: Tensor, _before: Tensor, overlapping: Tensor, allowed: Tensor
    ) -> tuple[Tensor, Tensor]:
        covered = torch.matmul(stay.unsqueeze(1), overlapping).squeeze(1)
        return torch.where(covered > 0, torch.zeros_like(allowed), allowed), stay.clone()

    start = (allowed.clone(), allowed - 1.0)
    stay, _ = _while(changing, again, start, (overlapping, allowed))
    return stay.to(torch.bool)


def pick(
    boxes: Tensor, labels: Tensor, scores: Tensor, threshold: float, count: int
) -> tuple[Tensor, Tensor]:
    """Take the best box, drop those of its label that it overlaps, and again.

    Args:
        boxes: (N, M, 4) float, x1, y1, x2, y2.
        labels: (M,) int64.
        scores: (N, M) float; 0 for what is no candidate.
        threshold: Greatest intersection over union of two boxes of one label that both stay.
        count: Most boxes that are taken of an image.

    Returns:
        (N, count) int64, which of the M, the best first, and (N, count) float, their scores; 0 in
        both where fewer are left.
    """
    batch = scores.shape[0]
    places, slots = (
        torch.arange(length, device=scores.device).unsqueeze(0)
        for length in (labels.shape[0], count)
    )
    start = (
        torch.zeros((), dtype=torch.int64, device=scores.device),
        scores.clone(),
        torch.zeros((batch, count), dtype=torch.int64, device=scores.device),
        torch.zeros((batch, count), dtype=scores.dtype, device=scores.device),
    )

    def wanting(step: Tensor, left: Tensor, *_: Tensor) -> Tensor:
        return torch.logical_and(step < count, (left > 0).any())

    def take(
        step: Tensor,
        left: Tensor,
        taken: Tensor,
        values: Tensor,
        boxes: Tensor,
        labels: Tensor,
        places: Tensor,
        slots: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        score, best = left.max(dim=1, keepdim=True)
        rival = labels == labels.take(best)
        covered = _overlap(rows(boxes, best), boxes, threshold).squeeze(1)
        # A box of no area overlaps nothing, not even itself.
        itself = places == best
        gone = torch.logical_or(torch.logical_and(rival, covered), itself)
        left = torch.where(gone, torch.zeros_like(left), left)
        here = torch.logical_and(slots == step, score > 0)
        return step + 1, left, torch.where(here, best, taken), torch.where(here, score, values)

    _, _, taken, values = _while(wanting, take, start, (boxes, labels, places, slots))
    return taken, values


def _while(
    condition: Callable[..., Tensor],
    body: Callable[..., tuple[Tensor, ...]],
    start: tuple[Tensor, ...],
    constants: tuple[Tensor, ...],
) -> tuple[Tensor, ...]:
    """Repeat a step on tensors while a condition holds: a loop in the graph, not in its tracing.

    Args:
        condition: Of the tensors and the constants; () bool.
        body: Gives the next tensors.
        start: The first tensors.
        constants: What both read besides.
    """
    # The operator and not torch's function around it, which compiles at each call in eager mode.
    operator: Any = while_loop_op
    end: tuple[Tensor, ...] = operator(condition, body, start, constants)
    return end


def _overlap(boxes: Tensor, others: Tensor, threshold: float) -> Tensor:
    """(N, K, L) bool: where (N, K, 4) boxes overlap (N, L, 4) others by more than a threshold.

    I / (A + B - I) > t is I > t / (1 + t) A + t / (1 + t) B: no division, and one step less on
    the largest arrays that the graph has.
    """
    # One (N, K, 1) or (N, 1, L) array for each edge: a last axis of two or four would be slow.
    x1, y1, x2, y2 = boxes.split(1, dim=2)
    u1, v1, u2, v2 = others.transpose(1, 2).split(1, dim=1)
    share = threshold / (1.0 + threshold)
    width = torch.relu(torch.minimum(x2, u2) - torch.maximum(x1, u1))
    height = torch.relu(torch.minimum(y2, v2) - torch.maximum(y1, v1))
    allowed = share * ((x2 - x1) * (y2 - y1)) + share * ((u2 - u1) * (v2 - v1))
    return torch.gt(width * height, allowed)
