"""Boxes as torchvision computes them, for any leading axes: x1, y1, x2, y2 in the last."""

from __future__ import annotations

import torch
from torch import Tensor


def decode(deltas: Tensor, anchors: Tensor, weights: Tensor, largest: float) -> Tensor:
    """Boxes of a regression (Girshick 2014, appendix C).

    Args:
        deltas: (..., 4) float: shift of the centre in widths and heights, logarithm of the growth.
        anchors: (..., 4) float; broadcast against the deltas.
        weights: (4,) float, what the deltas were multiplied by in training.
        largest: Greatest logarithm of the growth.

    Returns:
        (..., 4) float.
    """
    low, high = anchors.split(2, dim=-1)
    shift, growth = (deltas / weights).split(2, dim=-1)
    size = high - low
    centre = shift * size + (low + 0.5 * size)
    half = 0.5 * (torch.exp(growth.clamp(max=largest)) * size)
    return torch.cat((centre - half, centre + half), dim=-1)


def clip(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """What of (..., 4) boxes lies in an image of (H, W) pixels."""
    height, width = size
    corner = torch.tensor([width, height, width, height], dtype=boxes.dtype, device=boxes.device)
    return torch.minimum(torch.relu(boxes), corner)


def sizes(boxes: Tensor) -> Tensor:
    """(..., 2) width and height of (..., 4) boxes."""
    low, high = boxes.split(2, dim=-1)
    extent: Tensor = high - low
    return extent


def rows(values: Tensor, index: Tensor) -> Tensor:
    """(N, K, 4): those of (N, M, 4) boxes or deltas that (N, K) indices name."""
    return torch.gather(values, 1, index.unsqueeze(-1).expand(-1, -1, 4))
