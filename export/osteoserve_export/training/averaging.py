"""A moving average of a network's weights, which answers better than the last step's."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def move_average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Move averaged weights, and the statistics of batch normalisation, towards the new.

    Args:
        averaged: Is changed.
        network: The same network after a step.
        decay: Share of the old that stays, 0..1.
    """
    for old, new in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.lerp_(new, 1.0 - decay)
        else:
            old.copy_(new)
