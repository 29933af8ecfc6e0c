"""How every network here is optimised: AdamW, one cycle, and a moving average of the weights."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


class Optimisation(Generic[Network]):
    """A network that is being trained, and its average, which answers better than the last step's.

    Args:
        network: In training mode; is changed.
        learning_rate: Highest rate of the one-cycle schedule.
        weight_decay: Of AdamW.
        cycle_steps: Length of the schedule; there are no more steps.
        average: Decay a step of the moving average, 0..1.
        largest_gradient: Norm that the gradient is limited to.

    Attributes:
        averaged: The network with the moving average of its weights, in evaluation mode.
    """

    def __init__(
        self,
        network: Network,
        *,
        learning_rate: float,
        weight_decay: float,
        cycle_steps: int,
        average: float,
        largest_gradient: float,
    ) -> None:
        for parameter in network.parameters():
            # Height and width outside, channels inside: a fifth faster on a CPU.
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(network).eval()
        self._network = network
        self._average, self._largest_gradient = average, largest_gradient
        self._steps = 0
        self._optimiser = torch.optim.AdamW(
            network.parameters(), learning_rate, weight_decay=weight_decay
        )
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser, learning_rate, total_steps=cycle_steps, pct_start=0.15
        )

    def step(self, loss: torch.Tensor) -> None:
        """Follow the gradient of a loss, once.

        Args:
            loss: Scalar, computed with the network.
        """
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), self._largest_gradient)
        self._optimiser.step()
        self._schedule.step()
        self._steps += 1
        # A young average follows quickly.
        self._move(min(self._average, self._steps / (self._steps + 9.0)))

    @torch.no_grad()
    def _move(self, decay: float) -> None:
        """Move the average, and the statistics of batch normalisation, towards the new weights."""
        pairs = zip(
            self.averaged.state_dict().values(), self._network.state_dict().values(), strict=True
        )
        for old, new in pairs:
            if old.dtype.is_floating_point:
                old.lerp_(new, 1.0 - decay)
            else:
                old.copy_(new)
