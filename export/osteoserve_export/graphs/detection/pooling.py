"""RoIAlign over a feature pyramid (He 2017, section 3) as one gather and one product.

ONNX's RoiAlign reads one level: every box has to be pooled on every level and three results thrown
away, and TensorRT has it as a plugin alone. Here all pixels of all levels are the rows of one
table, each box reads rows of its own level, and the bilinear weights and the mean over a bin's
sampling points are one product. That is exact, and faster on CPUs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torchvision.ops import MultiScaleRoIAlign

from osteoserve_export.errors import ArchitectureError
from osteoserve_export.graphs.detection.boxes import sizes
from osteoserve_export.graphs.detection.pyramid import Pyramid

#: Boxes of each image that are pooled at a time: with 7x7 bins and 128 channels, 256 read 100 MB.
CHUNK = 256


class PyramidRoIAlign(nn.Module):
    """torchvision's ``MultiScaleRoIAlign`` for a fixed number of boxes in each image.

    Args:
        pool: What it stands for.
        pyramid: Sizes of the feature maps.

    Raises:
        ArchitectureError: The bins are no square, or have as many sampling points as a box is
            large, which is no fixed number.
    """

    scales: Tensor
    starts: Tensor
    areas: Tensor

    def __init__(self, pool: MultiScaleRoIAlign, pyramid: Pyramid) -> None:
        super().__init__()
        rows, columns = pool.output_size
        if pool.sampling_ratio <= 0 or rows != columns:
            raise ArchitectureError(
                f"{pool} cannot be exported: it needs a sampling_ratio above 0 and square bins"
            )
        self.bins: int = rows
        self.samples: int = pool.sampling_ratio
        self.names = [name for name in pyramid.levels if name in pool.featmap_names]
        levels = [pyramid.levels[name] for name in self.names]
        halvings = [round(math.log2(pyramid.image[0] / height)) for height, _ in levels]
        scales = [
            [2.0**-k, width, height] for k, (height, width) in zip(halvings, levels, strict=True)
        ]
        starts = [sum(h * w for h, w in levels[:n]) for n in range(len(levels))]
        # Lin 2017, equation 1, with torchvision's epsilon: the least area, px2, of coarser levels.
        areas = [
            (pool.canonical_scale * 2.0 ** (k - pool.canonical_level - 1e-6)) ** 2
            for k in range(halvings[0] + 1, halvings[-1] + 1)
        ]
        self.pixels = sum(h * w for h, w in levels)
        self.register_buffer("scales", torch.tensor(scales), persistent=False)
        self.register_buffer("starts", torch.tensor(starts), persistent=False)
        self.register_buffer("areas", torch.tensor(areas), persistent=False)

    def forward(self, features: dict[str, Tensor], boxes: Tensor) -> Tensor:
        """Pool.

        Args:
            features: (N, C, H, W) float of each level.
            boxes: (N, K, 4) float, x1, y1, x2, y2, pixels of the resized image.

        Returns:
            (N K, C, bins, bins) float.
        """
        maps = torch.cat([features[name].flatten(2) for name in self.names], dim=2)
        table = maps.transpose(1, 2).flatten(0, 1)
        pooled = [
            self._weigh(table, *chunk).view(
                boxes.shape[0], -1, self.bins, self.bins, table.shape[1]
            )
            for chunk in zip(*(part.split(CHUNK, dim=1) for part in self._taps(boxes)), strict=True)
        ]
        return torch.cat(pooled, dim=1).flatten(0, 1).permute(0, 3, 1, 2)

    def _weigh(self, table: Tensor, read: Tensor, weights: Tensor) -> Tensor:
        """(B, 1, C): the weighted sum of each bin's rows of the (pixels, C) table."""
        taps = read.shape[-1]
        values = table.index_select(0, read.flatten()).view(-1, taps, table.shape[1])
        return torch.matmul(weights.reshape(-1, 1, taps), values)

    def _taps(self, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Which pixels of the table each bin reads, and their weights.

        Args:
            boxes: (N, K, 4) float.

        Returns:
            (N, K, bins bins, taps) int64 and float: of each sampling point in a bin, the two
            pixels beside it in either direction.
        """
        batch, count = boxes.shape[:2]
        width, height = sizes(boxes).split(1, dim=-1)
        level = (width * height >= self.areas).sum(dim=-1).flatten()
        scale, extent = self.scales.index_select(0, level).view(batch, count, 3).split((1, 2), -1)
        pixels, weights = self._axes(boxes * scale, extent)
        x, y = pixels.unbind(2)
        lines = y * extent[:, :, :1, None].to(torch.int64)
        image = self.pixels * torch.arange(batch, device=boxes.device).view(-1, 1, 1, 1)
        lines = lines + image + self.starts.index_select(0, level).view(batch, count, 1, 1)
        across, down = weights.unbind(2)
        read = lines[:, :, :, None, :, None] + x[:, :, None, :, None, :]
        share = down[:, :, :, None, :, None] * across[:, :, None, :, None, :]
        return read.flatten(4).flatten(2, 3), share.flatten(4).flatten(2, 3)

    def _axes(self, boxes: Tensor, extent: Tensor) -> tuple[Tensor, Tensor]:
        """The same for columns and lines apart.

        Args:
            boxes: (N, K, 4) float, pixels of their level.
            extent: (N, K, 2) float, width and height of their level, pixels.

        Returns:
            (N, K, 2, bins, 2 samples) int64 and float, x before y.
        """
        low = boxes[..., :2, None, None]
        step = torch.clamp(sizes(boxes), min=1.0)[..., None, None] / self.bins
        bins = torch.arange(self.bins, dtype=boxes.dtype, device=boxes.device).view(-1, 1)
        sample = torch.arange(self.samples, dtype=boxes.dtype, device=boxes.device) + 0.5
        point = low + bins * step + sample * step / self.samples
        limit = extent[..., None, None]
        # Up to a pixel outside the border counts, further out is zero: torchvision's rule.
        inside = torch.logical_and(point >= -1.0, point <= limit).to(boxes.dtype)
        point = torch.minimum(torch.relu(point), limit - 1.0)
        before = torch.floor(point)
        after = torch.minimum(before + 1.0, limit - 1.0)
        share = point - before
        pixels = torch.stack((before, after), dim=-1).to(torch.int64)
        weights = torch.stack((1.0 - share, share), dim=-1) * inside.unsqueeze(-1) / self.samples
        return pixels.flatten(-2), weights.flatten(-2)
