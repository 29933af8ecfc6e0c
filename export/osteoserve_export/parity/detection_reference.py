"""What an exported detector must agree with: torchvision's own network, one image after another.

Scale is done here in NumPy, and masks are pasted by torchvision: nothing of the serving graph or of
the service's code stands on this side of the comparison.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN

from osteoserve_preprocessing.inference import Detections


@dataclass(frozen=True, eq=False)
class Found:
    """What torchvision finds in one image.

    Args:
        detections: With the masks as they are before they are pasted.
        pasted: (K, H, W) bool, the masks in the image, cut at one half.
    """

    detections: Detections
    pasted: npt.NDArray[np.bool_]


class DetectionReference:
    """A Mask R-CNN in PyTorch, in the precision of its weights.

    Args:
        network: In evaluation mode, as loaded.
    """

    def __init__(self, network: MaskRCNN) -> None:
        self._network = network
        self._channels = len(network.transform.image_mean)
        self._dtype = next(network.parameters()).dtype

    @torch.no_grad()
    def find(self, image: npt.NDArray[np.uint8]) -> Found:
        """Find what there is in an image.

        Args:
            image: (H, W) uint8.
        """
        small: list[Tensor] = []

        def keep(_module: Any, _given: Any, output: Any) -> None:
            small.append(output[0][0]["masks"][:, 0])

        grey = np.broadcast_to(image / 255.0, (self._channels, *image.shape)).astype(np.float32)
        hook = self._network.roi_heads.register_forward_hook(keep)
        try:
            (answer,) = self._network([torch.from_numpy(grey).to(self._dtype)])
        finally:
            hook.remove()
        return Found(_detections(answer, small[0]), answer["masks"][:, 0].numpy() > 0.5)

    def find_all(self, images: npt.NDArray[np.uint8], _batch: int) -> tuple[Detections, ...]:
        """What `find` detects in each of (N, H, W) images, whatever the batch."""
        return tuple(self.find(image).detections for image in images)


def _detections(answer: Mapping[str, Tensor], masks: Tensor) -> Detections:
    boxes, scores = (answer[name].float().numpy() for name in ("boxes", "scores"))
    return Detections(boxes, answer["labels"].numpy(), scores, masks.float().numpy())
