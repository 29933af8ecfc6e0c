"""From proposals to detections: class, box and score (Ren 2015, as torchvision does it)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN

from osteoserve_export.graphs.detection.boxes import clip, decode, rows, sizes
from osteoserve_export.graphs.detection.pooling import PyramidRoIAlign
from osteoserve_export.graphs.detection.pyramid import Pyramid
from osteoserve_export.graphs.detection.suppression import pick

#: Least width and height of a detection, pixels; torchvision's constant.
LEAST_SIZE = 1e-2


class Classification(nn.Module):
    """The box head.

    Args:
        network: Whose head; in evaluation mode.
        pyramid: Its sizes.
        detections: Most of an image.
    """

    weights: Tensor

    def __init__(self, network: MaskRCNN, pyramid: Pyramid, detections: int) -> None:
        super().__init__()
        heads = network.roi_heads
        self.pool = PyramidRoIAlign(heads.box_roi_pool, pyramid)
        self.head, self.predictor = heads.box_head, heads.box_predictor
        self.largest = heads.box_coder.bbox_xform_clip
        self.score_threshold, self.nms_threshold = heads.score_thresh, heads.nms_thresh
        self.image = pyramid.image
        self.detections = detections
        weights = torch.tensor(heads.box_coder.weights)
        self.register_buffer("weights", weights, persistent=False)

    def forward(
        self, features: dict[str, Tensor], proposals: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Classify proposals.

        Args:
            features: (N, C, H, W) float of each level.
            proposals: (N, P, 4) float, x1, y1, x2, y2, pixels of the resized image.
            valid: (N, P) bool; others are filling.

        Returns:
            (N, D, 4) float boxes like the proposals, (N, D) int64 labels from 1, (N, D) float
            scores, the best first; all 0 where there is no further detection.
        """
        count = proposals.shape[1]
        logits, regression = self.predictor(self.head(self.pool(features, proposals)))
        scores = torch.softmax(logits, dim=-1).unflatten(0, (-1, count))[:, :, 1:]
        classes = scores.shape[2]
        deltas = regression.unflatten(0, (-1, count)).unflatten(2, (-1, 4))[:, :, 1:]
        boxes = decode(deltas, proposals.unsqueeze(2), self.weights, self.largest)
        boxes = clip(boxes, self.image)
        large = sizes(boxes).amin(dim=-1) >= LEAST_SIZE
        candidate = large & (scores > self.score_threshold) & valid.unsqueeze(2)
        scores = torch.where(candidate, scores, torch.zeros_like(scores)).flatten(1)
        boxes = boxes.flatten(1, 2)
        labels = torch.arange(1, classes + 1, device=boxes.device).repeat(count)
        index, values = pick(boxes, labels, scores, self.nms_threshold, self.detections)
        taken = (values > 0).to(boxes.dtype)
        return (
            rows(boxes, index) * taken.unsqueeze(-1),
            labels.take(index) * taken.to(torch.int64),
            values,
        )
