"""The network as it is served: bytes in, labels out, batch normalisation folded away."""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from osteoserve_export.architectures import UNet


class ServingGraph(nn.Module):
    """A U-Net with the scale before it and the threshold behind it.

    Args:
        network: In evaluation mode; it is copied, not changed.
    """

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = fold_batch_norm(network)
        self.eval()

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        """Segment slices.

        Args:
            slices: (N, H, W) uint8, grey values over the window; H and W multiples of 16.

        Returns:
            (N, H, W) uint8: 0 background, 1 skeleton (probability above one half).
        """
        grey = slices.unsqueeze(1).to(torch.float32) * (1.0 / 255.0)
        logits: torch.Tensor = self.network(grey)
        return (logits > 0).squeeze(1).to(torch.uint8)

    @torch.no_grad()
    def segment(self, slices: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Segment slices that are NumPy arrays.

        Args:
            slices: (N, H, W) uint8, as for ``forward``.

        Returns:
            (N, H, W) uint8, as from ``forward``.
        """
        labels: npt.NDArray[np.uint8] = self(torch.from_numpy(slices)).numpy()
        return labels


def fold_batch_norm(network: UNet) -> UNet:
    """Make every batch normalisation a part of the convolution before it.

    Args:
        network: In evaluation mode.

    Returns:
        A copy that answers the same, up to rounding, with fewer operations.
    """
    folded = copy.deepcopy(network).eval()
    for block in (m for m in folded.modules() if isinstance(m, nn.Sequential)):
        for n, layer in enumerate(block):
            following = block[n + 1] if n + 1 < len(block) else None
            if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
                block[n] = fuse_conv_bn_eval(layer, following)
                block[n + 1] = nn.Identity()
    return folded
