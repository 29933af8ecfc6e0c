"""Mask R-CNN as it is served: bytes in, a fixed number of detections out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import MaskRCNN

from osteoserve_export.errors import ArchitectureError
from osteoserve_export.graphs.detection.classification import Classification
from osteoserve_export.graphs.detection.pooling import PyramidRoIAlign
from osteoserve_export.graphs.detection.proposals import Proposals
from osteoserve_export.graphs.detection.pyramid import pyramid_of
from osteoserve_preprocessing.core.scintigram import IMAGE_SIZE

#: Labels are bytes, and 0 is background.
MOST_CLASSES = 256


class DetectionGraph(nn.Module):
    """torchvision's Mask R-CNN in evaluation mode, with the shapes of all arrays fixed.

    It answers as ``network(images)`` does, but for pasting the masks into the image, which is done
    outside (`osteoserve_preprocessing.core.mask_paste`).

    Args:
        network: Its modules become parts of the graph; it is set to evaluation mode.
        detections: Most of an image; ``box_detections_per_img`` of the network does not count.
        size: (H, W) of the views, pixels.

    Raises:
        ArchitectureError: The network has more classes than a byte has values, or pools adaptively.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: MaskRCNN, *, detections: int = 100, size: tuple[int, int] = IMAGE_SIZE
    ) -> None:
        super().__init__()
        network.eval()
        self.pyramid = pyramid_of(network, size)
        self.size = size
        mean, std = (
            torch.tensor(values).view(1, -1, 1, 1)
            for values in (network.transform.image_mean, network.transform.image_std)
        )
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)
        self.backbone = network.backbone
        self.proposals = Proposals(network, self.pyramid)
        self.classification = Classification(network, self.pyramid, detections)
        heads = network.roi_heads
        self.mask_pool = PyramidRoIAlign(heads.mask_roi_pool, self.pyramid)
        self.mask_head, self.mask_predictor = heads.mask_head, heads.mask_predictor
        classes = self.mask_predictor.mask_fcn_logits.out_channels
        if classes > MOST_CLASSES:
            raise ArchitectureError(f"{classes} classes are more than the {MOST_CLASSES} of a byte")
        #: Cells along each side of a mask.
        self.mask_cells: int = self.mask_pool.bins * self.mask_predictor.conv5_mask.stride[0]
        self.eval()

    def forward(self, views: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Detect; the tensors are those of ``inference.detections``, in its order.

        Args:
            views: (N, H, W) uint8, grey values 0..255 that stand for 0..1; H and W as stated.

        Returns:
            boxes: (N, D, 4) float32, x1, y1, x2, y2 in pixels of the view, the best first; edges,
                so that a box over the whole view is 0, 0, W, H.
            labels: (N, D) uint8, classes from 1; 0 where there is no further detection.
            scores: (N, D) float32, 0..1; 0 where there is none.
            masks: (N, D, M, M) float32, probability in the M x M cells (28 x 28) of each box.
                Bytes would be a quarter of the size, and would move contours: they are cut at 0.5
                after being enlarged, and the size of the answer is that of the view either way.
            count: (N,) int32, how many detections there are.
        """
        features = self.backbone(self._prepare(views))
        proposals, valid = self.proposals(features)
        boxes, labels, scores = self.classification(features, proposals, valid)
        masks = self._masks(features, boxes, labels)
        count = (labels > 0).sum(dim=1).to(torch.int32)
        return self._in_view(boxes), labels.to(torch.uint8), scores, masks, count

    def _prepare(self, views: Tensor) -> Tensor:
        """(N, C, H, W) float, normalised, resized and padded as the network's transform does."""
        # Cast first: TensorRT takes bytes into a cast and nowhere else.
        grey = views.to(torch.float32).unsqueeze(1) / 255.0
        images = (grey - self.mean) / self.std
        height, width = self.pyramid.image
        if (height, width) != self.size:
            images = functional.interpolate(images, (height, width), mode="bilinear")
        below, beside = self.pyramid.padded[0] - height, self.pyramid.padded[1] - width
        return functional.pad(images, (0, beside, 0, below))

    def _masks(self, features: dict[str, Tensor], boxes: Tensor, labels: Tensor) -> Tensor:
        pooled = self.mask_pool(features, boxes)
        logits: Tensor = self.mask_predictor(self.mask_head(pooled))
        side = logits.shape[-1]
        channel = labels.view(-1, 1, 1, 1).expand(-1, 1, side, side)
        chosen = torch.sigmoid(torch.gather(logits, 1, channel))
        masks = chosen.view(-1, boxes.shape[1], side, side)
        return torch.where((labels > 0)[:, :, None, None], masks, torch.zeros_like(masks))

    def _in_view(self, boxes: Tensor) -> Tensor:
        (height, width), (rows, columns) = self.size, self.pyramid.image
        if (height, width) == (rows, columns):
            return boxes
        x1, y1, x2, y2 = boxes.unbind(-1)
        across, down = width / columns, height / rows
        return torch.stack((x1 * across, y1 * down, x2 * across, y2 * down), dim=-1)
