"""Networks whose weights and statistics are far from those they are made with."""

from __future__ import annotations

import torch
from torch import nn


def stirred(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give batch normalisation something to do, so that leaving it out, or twice in, shows."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(like: torch.Tensor, low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(like.shape, generator=generator)

    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.copy_(uniform(layer.running_mean, -0.5, 0.5))
            layer.running_var.copy_(uniform(layer.running_var, 0.3, 2.0))
            layer.weight.data.copy_(uniform(layer.weight, 0.5, 1.5))
            layer.bias.data.copy_(uniform(layer.bias, -0.5, 0.5))
    return network.eval()


def seeded(make, *args, seed: int = 0, **kwargs) -> nn.Module:
    """A network with the same random weights each time, whatever ran before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make(*args, **kwargs)
    return stirred(network, seed)
