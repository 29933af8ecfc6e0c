"""Region proposals, a fixed number for each image (Ren 2015, as torchvision does it)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN

from osteoserve_export.graphs.detection.boxes import clip, decode, rows, sizes
from osteoserve_export.graphs.detection.pyramid import Pyramid, anchors_of
from osteoserve_export.graphs.detection.suppression import suppress


class Proposals(nn.Module):
    """The region proposal network.

    Args:
        network: Whose proposals; in evaluation mode.
        pyramid: Its sizes.
    """

    weights: Tensor

    def __init__(self, network: MaskRCNN, pyramid: Pyramid) -> None:
        super().__init__()
        rpn = network.rpn
        self.head = rpn.head
        self.image = pyramid.image
        self.largest = rpn.box_coder.bbox_xform_clip
        self.per_level, self.count = rpn.pre_nms_top_n(), rpn.post_nms_top_n()
        self.nms_threshold, self.score_threshold = rpn.nms_thresh, rpn.score_thresh
        self.least_size = rpn.min_size
        self.register_buffer("weights", torch.tensor(rpn.box_coder.weights), persistent=False)
        for level, anchors in enumerate(anchors_of(network, pyramid)):
            self.register_buffer(f"anchors{level}", anchors, persistent=False)

    def forward(self, features: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Propose regions.

        Args:
            features: (N, C, H, W) float of each level.

        Returns:
            (N, P, 4) float boxes, x1, y1, x2, y2, pixels of the resized image, the best first, and
            (N, P) bool: which of them are proposals and no filling.
        """
        levels = enumerate(zip(*self.head(list(features.values())), strict=True))
        best = [self._best(level, *outputs) for level, outputs in levels]
        logits, deltas, anchors = (torch.cat(parts, dim=1) for parts in zip(*best, strict=True))
        boxes = clip(decode(deltas, anchors, self.weights, self.largest), self.image)
        scores = torch.sigmoid(logits)
        valid = sizes(boxes).amin(dim=-1) >= self.least_size
        valid = torch.logical_and(valid, scores >= self.score_threshold)
        counts = [level.shape[1] for level, _, _ in best]
        stay = torch.cat(
            [
                suppress(*level, self.nms_threshold)
                for level in zip(boxes.split(counts, 1), valid.split(counts, 1), strict=True)
            ],
            dim=1,
        )
        scores = torch.where(stay, scores, -torch.ones_like(scores))
        chosen, index = scores.topk(min(self.count, sum(counts)), dim=1)
        return rows(boxes, index), chosen >= 0

    def _best(self, level: int, logits: Tensor, deltas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, K) logits, (N, K, 4) deltas and (N, K, 4) anchors of a level, the best first."""
        anchors: Tensor = getattr(self, f"anchors{level}")
        count = min(self.per_level, anchors.shape[0])
        chosen, index = _by_anchor(logits, 1).squeeze(-1).topk(count, dim=1)
        own = anchors.index_select(0, index.flatten()).unflatten(0, (-1, count))
        return chosen, rows(_by_anchor(deltas, 4), index), own


def _by_anchor(values: Tensor, width: int) -> Tensor:
    """(N, A width, H, W) to (N, H W A, width), the order of the anchors."""
    ordered: Tensor = values.unflatten(1, (-1, width)).permute(0, 3, 4, 1, 2)
    return ordered.flatten(1, 3)
