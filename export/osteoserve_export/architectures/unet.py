"""The U-Net of Milara 2024: the depth of Ronneberger 2015 with few channels."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import nn

#: Downsamplings by two; height and width must be multiples of ``2**DOWNSAMPLINGS``.
DOWNSAMPLINGS = 4


class UNet(nn.Module):
    """A 2-D U-Net for one grey channel and one foreground class.

    Each level has two 3x3 convolutions with batch normalisation and ReLU; channels double with
    each of the four maximum poolings (Milara 2024, "U-Net"). Upsampling is a transposed 2x2
    convolution with stride 2: its factor is fixed, so the exported graph holds no resizing whose
    rounding could differ between runtimes.

    Args:
        first_channels: Channels of the first level, the F of Milara 2024. 8 gives 486,409
            parameters.
    """

    def __init__(self, first_channels: int = 8) -> None:
        super().__init__()
        self.first_channels = first_channels
        channels = [first_channels * 2**level for level in range(DOWNSAMPLINGS + 1)]
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
            [double_convolution(2 * here, here) for here in channels[:DOWNSAMPLINGS]]
        )
        self.head = nn.Conv2d(first_channels, 1, kernel_size=1)

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        """Compute the skeleton's logit of every pixel.

        Args:
            grey: (N, 1, H, W) float, grey values 0..1; H and W multiples of 16.

        Returns:
            (N, 1, H, W) float, logits; above 0 means skeleton.
        """
        skips = []
        features = grey
        for level, block in enumerate(self.down):
            features = block(self.pool(features) if level else features)
            skips.append(features)
        for level in reversed(range(DOWNSAMPLINGS)):
            upsampled = self.up[level](features)
            features = self.merge[level](torch.cat([skips[level], upsampled], dim=1))
        return cast(torch.Tensor, self.head(features))


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
