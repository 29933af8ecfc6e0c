"""Level 0 of a U-Net at half resolution with four times the channels: the same function.

Every 2x2 block of pixels becomes one pixel with four channels for each that it had, so the widest
and thinnest level of the network does its arithmetic in shapes that matrix units such as AMX like.
The weights are the network's own, laid out anew (and mostly zeros): no rounding but that of another
order of summation.

Pixel p = 2 * row + column of a block is channel ``p * C + c``: four groups of C channels.
"""

from __future__ import annotations

import copy
from itertools import product
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from osteoserve_export.architectures.unet import UNet
from osteoserve_export.errors import ArchitectureError


def space_to_depth(network: nn.Module) -> nn.Module:
    """Rewrite level 0 of a U-Net.

    Args:
        network: ``UNet`` with at least one downsampling, in evaluation mode; not changed.

    Returns:
        A network that answers the same.

    Raises:
        ArchitectureError: It is another network.
    """
    if not isinstance(network, UNet) or not network.downsamplings:
        raise ArchitectureError("space-to-depth needs the architecture unet, of two levels or more")
    return SpaceToDepthUNet(network).eval()


class SpaceToDepthUNet(nn.Module):
    """A U-Net whose level 0 is computed in blocks of 2x2 pixels.

    Args:
        network: Whose function it computes, in evaluation mode.
    """

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.size_multiple = network.size_multiple
        self.first = _block_layers(network.down[0])
        self.down = copy.deepcopy(network.down[1:])
        self.pool = nn.MaxPool2d(2)
        self.up = copy.deepcopy(network.up[1:])
        self.merge = copy.deepcopy(network.merge[1:])
        self.spread = _block_upsampling(cast(nn.ConvTranspose2d, network.up[0]))
        self.last = _block_layers(network.merge[0], parts=2)
        self.head = _block_head(network.head)

    def forward(self, grey: Tensor) -> Tensor:
        """See ``UNet.forward``."""
        blocks = self.first(functional.pixel_unshuffle(grey, 2))
        a, b, c, d = blocks.chunk(4, dim=1)
        features = torch.maximum(torch.maximum(a, b), torch.maximum(c, d))
        skips = []
        for level, block in enumerate(self.down):
            features = block(self.pool(features) if level else features)
            skips.append(features)
        for level in reversed(range(len(self.up))):
            upsampled = self.up[level](features)
            features = self.merge[level](torch.cat([skips[level], upsampled], dim=1))
        features = self.last(torch.cat([blocks, self.spread(features)], dim=1))
        return functional.pixel_shuffle(self.head(features), 2)


def _block_layers(layers: nn.Module, *, parts: int = 1) -> nn.Sequential:
    """Convolutions, batch normalisations and ReLUs that work on blocks.

    Args:
        layers: A level of the U-Net.
        parts: Feature maps of equal size that were concatenated to be its input.
    """
    rewritten: list[nn.Module] = []
    for layer in layers.children():
        if isinstance(layer, nn.Conv2d):
            rewritten.append(_block_convolution(layer, parts))
            parts = 1
        elif isinstance(layer, nn.BatchNorm2d):
            rewritten.append(_block_normalisation(layer))
        else:
            rewritten.append(copy.deepcopy(layer))
    return nn.Sequential(*rewritten)


def _block_convolution(layer: nn.Conv2d, parts: int) -> nn.Conv2d:
    """A 3x3 convolution with padding 1 as a 3x3 convolution of blocks."""
    after, before = layer.out_channels, layer.in_channels
    weight = layer.weight.new_zeros(4, after, parts, 4, before // parts, 3, 3)
    taps = layer.weight.detach().unflatten(1, (parts, before // parts))
    for row, column, y, x in product(range(2), range(2), range(3), range(3)):
        # The pixel that this tap looks at: in which neighbouring block, and where in that.
        (down, source_row), (right, source_column) = (
            divmod(row + y - 1, 2),
            divmod(column + x - 1, 2),
        )
        source = 2 * source_row + source_column
        weight[2 * row + column, :, :, source, :, down + 1, right + 1] = taps[..., y, x]
    blocks = nn.Conv2d(4 * before, 4 * after, 3, padding=1, bias=layer.bias is not None)
    return _with_values(blocks, weight, layer.bias)


def _block_upsampling(layer: nn.ConvTranspose2d) -> nn.Conv2d:
    """A transposed 2x2 convolution with stride 2 as a 1x1 convolution: its pixels are channels."""
    blocks = nn.Conv2d(layer.in_channels, 4 * layer.out_channels, 1)
    return _with_values(blocks, layer.weight.permute(2, 3, 1, 0), layer.bias)


def _block_head(layer: nn.Conv2d) -> nn.Conv2d:
    """A 1x1 convolution on each pixel of a block; channel ``4 * class + p``, for pixel_shuffle."""
    classes, before = layer.out_channels, layer.in_channels
    weight = layer.weight.new_zeros(classes, 4, 4, before)
    for pixel in range(4):
        weight[:, pixel, pixel] = layer.weight.detach()[..., 0, 0]
    blocks = nn.Conv2d(4 * before, 4 * classes, 1)
    bias = None if layer.bias is None else layer.bias.repeat_interleave(4)
    return _with_values(blocks, weight, bias)


def _block_normalisation(layer: nn.BatchNorm2d) -> nn.BatchNorm2d:
    blocks = nn.BatchNorm2d(4 * layer.num_features, eps=layer.eps).to(layer.weight)
    values = layer.state_dict()
    blocks.load_state_dict(
        {name: value.tile(4) if value.ndim else value for name, value in values.items()}
    )
    return blocks


def _with_values(blocks: nn.Conv2d, weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """A convolution with these values; a bias for one pixel is used for all four."""
    blocks.weight = nn.Parameter(weight.detach().reshape(blocks.weight.shape))
    if bias is not None:
        repeats = blocks.out_channels // bias.numel()
        blocks.bias = nn.Parameter(bias.detach().tile(repeats))
    return blocks
