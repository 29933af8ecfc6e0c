"""The network that a recipe asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import nn

from osteoserve_export.architectures.resnet_unet import new_resnet_unet
from osteoserve_export.architectures.unet import UNet
from osteoserve_export.training.recipe import TrainingOptions

FACTORIES: Final[Mapping[str, Callable[..., nn.Module]]] = {
    "unet": UNet,
    "resnet_unet": new_resnet_unet,
}


def new_network(options: TrainingOptions) -> nn.Module:
    """Make a network with random weights.

    Args:
        options: Its architecture, sizes and classes, and the seed of its weights.

    Returns:
        (N, 1, H, W) float to (N, K, H, W) logits; K is ``options.channels``.

    Raises:
        ArchitectureError: There is no network of these sizes.
    """
    torch.manual_seed(options.seed)
    return FACTORIES[options.architecture](**options.network_options)
