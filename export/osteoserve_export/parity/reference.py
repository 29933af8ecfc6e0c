"""What an export must agree with: the network itself, and nothing of the export's own code.

Scale and decision are done here in NumPy, on the network as it was loaded: a mistake in the
serving graph (a scale left out, a threshold on the wrong side) cannot stand on both sides.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from osteoserve_export.specification import SegmentationSpecification


class Reference:
    """A network in PyTorch, slice by slice, in float32.

    Args:
        network: In evaluation mode, as loaded: nothing folded.
        asked: Scale and decision.
        channels: Input channels of the network; grey is repeated.
    """

    def __init__(
        self, network: nn.Module, asked: SegmentationSpecification, *, channels: int
    ) -> None:
        self._network = network
        self._asked = asked
        self._channels = channels

    @torch.no_grad()
    def logits(self, slices: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The network's output.

        Args:
            slices: (N, H, W) uint8.

        Returns:
            (N, K, H, W) float32.
        """
        return np.concatenate([self._one(slice_) for slice_ in slices])

    def labels(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """The decision.

        Args:
            logits: (N, K, H, W) float32.

        Returns:
            (N, H, W) uint8.
        """
        if self._asked.activation == "argmax":
            decided = logits.argmax(axis=1)
        else:
            limit = math.log(self._asked.threshold / (1.0 - self._asked.threshold))
            decided = logits[:, 0] > limit
        labels: npt.NDArray[np.uint8] = decided.astype(np.uint8)
        return labels

    def _one(self, slice_: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        mean, std = (
            np.reshape(values, (-1, 1, 1)) for values in (self._asked.mean, self._asked.std)
        )
        grey = (slice_ / 255.0 - mean) / std
        batch = np.broadcast_to(grey, (1, self._channels, *slice_.shape)).astype(np.float32)
        output: npt.NDArray[np.float32] = self._network(torch.from_numpy(batch)).numpy()
        return output
