"""The U-Net of Milara 2024: the depth of Ronneberger 2015 with few channels."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

from osteoserve_export.architectures.settings import settings
from osteoserve_export.architectures.weights import shape
from osteoserve_export.errors import ArchitectureError


class UNet(nn.Module):
    """A 2-D U-Net for one grey channel.

    Each level has two 3x3 convolutions with batch normalisation and ReLU; channels double with
    each maximum pooling (Milara 2024, "U-Net"). Upsampling is a transposed 2x2 convolution with
    stride 2: its factor is fixed, so the exported graph holds no resizing whose rounding could
    differ between runtimes.

    Args:
        first_channels: Channels of the first level, the F of Milara 2024. 8 gives 486,409
            parameters.
        downsamplings: Maximum poolings by two, 4 in Milara 2024.
        classes: Output channels: 1 for a sigmoid, or one for each class and background.
    """

    def __init__(self, first_channels: int = 8, downsamplings: int = 4, classes: int = 1) -> None:
        super().__init__()
        self.first_channels = first_channels
        self.downsamplings = downsamplings
        channels = [first_channels * 2**level for level in range(downsamplings + 1)]
        self.down = nn.ModuleList(
            [double_convolution(before, after) for before, after in pairwise([1, *channels])]
        )
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(
            [
                nn.ConvTranspose2d(below, here, kernel_size=2, stride=2)
                for here, below in pairwise(channels)
            ]
        )
        self.merge = nn.ModuleList(
            [double_convolution(2 * here, here) for here in channels[:downsamplings]]
        )
        self.head = nn.Conv2d(first_channels, classes, kernel_size=1)

    @property
    def size_multiple(self) -> int:
        """What height and width must be multiples of."""
        return int(2**self.downsamplings)

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        """Compute the logits of every pixel.

        Args:
            grey: (N, 1, H, W) float, grey values 0..1; H and W multiples of ``size_multiple``.

        Returns:
            (N, K, H, W) float, logits; with one class, above 0 means that class.
        """
        skips = []
        features = grey
        for level, block in enumerate(self.down):
            features = block(self.pool(features) if level else features)
            skips.append(features)
        for level in reversed(range(self.downsamplings)):
            upsampled = self.up[level](features)
            features = self.merge[level](torch.cat([skips[level], upsampled], dim=1))
        return cast(torch.Tensor, self.head(features))


def build(weights: Mapping[str, Tensor], options: Mapping[str, Any]) -> UNet:
    """Build the U-Net that a state dict belongs to.

    Args:
        weights: State dict; only shapes are read.
        options: ``first_channels``, ``downsamplings``, ``classes``, all of which the weights tell.

    Raises:
        ArchitectureError: An option is unknown or impossible.
        CheckpointError: The weights are not those of such a network.
    """
    levels = {name.split(".")[1] for name in weights if name.startswith("down.")}
    chosen = settings(
        {
            "first_channels": shape(weights, "down.0.0.weight")[0],
            "downsamplings": len(levels) - 1,
            "classes": shape(weights, "head.weight")[0],
        },
        options,
    )
    if min(chosen["first_channels"], chosen["classes"]) < 1 or chosen["downsamplings"] < 0:
        raise ArchitectureError(f"there is no U-Net of {chosen}")
    return UNet(**chosen)


def double_convolution(before: int, after: int) -> nn.Sequential:
    """Two 3x3 convolutions, each followed by batch normalisation and ReLU.

    Args:
        before: Channels that go in.
        after: Channels that come out.

    Returns:
        The block; the convolutions have no bias, since batch normalisation brings one.
    """
    return nn.Sequential(
        nn.Conv2d(before, after, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
        nn.Conv2d(after, after, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
