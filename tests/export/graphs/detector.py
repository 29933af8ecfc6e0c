"""A Mask R-CNN that finds many different things, without having been trained.

Random weights find nothing, or the same everywhere. Here each head's outputs on images with
structure are centred and given a spread that a trained network has, so that objectness, classes,
boxes and masks all vary with what is seen, overlap at every degree, and lie on every level of the
pyramid. That makes thousands of candidates, which is harder on the export than a trained network,
and takes seconds.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN

from osteoserve_export.architectures.mask_rcnn import MaskRCNNShape, new_mask_rcnn
from osteoserve_export.parity.detection_reference import DetectionReference
from osteoserve_preprocessing.inference import Detections

TINY = MaskRCNNShape(
    blocks=(1, 1, 1, 1),
    bottleneck=False,
    channels=3,
    pyramid=24,
    normalised=False,
    proposal_depth=1,
    box_convolutions=(),
    representation=48,
    mask_layers=(24, 24),
    mask_reduced=16,
    classes=6,
)


def views(count: int, size: tuple[int, int], *, seed: int = 0) -> np.ndarray:
    """(N, H, W) uint8: dark noise with bright ellipses, small and large."""
    random = np.random.default_rng(seed)
    height, width = size
    y, x = np.mgrid[:height, :width]
    grey = random.normal(30.0, 8.0, (count, height, width))
    for view in grey:
        for _ in range(14):
            row, column = random.uniform(0, height), random.uniform(0, width)
            radius, longer = (
                np.exp(random.uniform(np.log(5), np.log(width / 3))),
                random.uniform(1, 3),
            )
            inside = ((y - row) / radius) ** 2 + ((x - column) / radius / longer) ** 2 < 1
            view[inside] += random.uniform(20, 120)
    return grey.clip(0, 255).astype(np.uint8)


def images(grey: np.ndarray, channels: int = 3) -> list[Tensor]:
    """What torchvision takes: each (C, H, W) float, 0..1."""
    return [torch.from_numpy(view).float().div(255).expand(channels, -1, -1) for view in grey]


def reference(network: MaskRCNN, grey: np.ndarray) -> list[Detections]:
    """What torchvision itself answers, with the masks as they are before it pastes them."""
    asked = DetectionReference(network)
    return [asked.find(view).detections for view in grey]


#: Fewer proposals than torchvision's thousand: all levels take part, and tests are quick.
FEW: tuple[tuple[str, int], ...] = (
    ("rpn_pre_nms_top_n_test", 150),
    ("rpn_post_nms_top_n_test", 400),
)


@functools.cache
def varied_detector(
    form: MaskRCNNShape = TINY,
    size: tuple[int, int] = (288, 224),
    options: tuple[tuple[str, object], ...] = FEW,
) -> MaskRCNN:
    """A network that finds many different things in `views`, and nothing in a black image.

    Args:
        form: Its sizes.
        size: (H, W) of the views.
        options: Names and values, of the architecture.
    """
    torch.manual_seed(0)
    network = new_mask_rcnn(form, {"fixed_size": size[::-1], **dict(options)})
    seen = images(views(2, size, seed=100), form.channels)
    heads, rpn = network.roi_heads, network.rpn
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
        batch, _ = network.eval().transform([*seen, torch.zeros_like(seen[0])])
        network.backbone.train()(batch.tensors[: len(seen)])
        features = network.eval().backbone(batch.tensors)
        _spread(rpn.head.cls_logits, 3.0, lambda: rpn(batch, features))
        _spread(rpn.head.bbox_pred, 0.3, lambda: rpn(batch, features))
        proposals, _ = rpn(batch, features)
        find = functools.partial(heads, features, proposals, batch.image_sizes)
        _spread(heads.box_predictor.bbox_pred, 0.6, find)
        _spread(heads.box_predictor.cls_score, 2.5, find)
        _nothing_in_last(heads.box_predictor.cls_score, len(proposals[-1]), find)
        _spread(heads.mask_predictor.mask_fcn_logits, 3.0, find)
    return network


def _spread(layer: nn.Module, deviation: float, run: Callable[[], object]) -> None:
    """Let each channel of a layer's output have mean 0 and a standard deviation."""
    channels = torch.cat(
        [output.transpose(0, 1).flatten(1) for _, output in _calls(layer, run)], dim=1
    )
    gain = deviation / channels.std(dim=1).clamp(min=1e-6)
    layer.weight.mul_(gain.view(-1, *[1] * (layer.weight.dim() - 1)))
    layer.bias.copy_((layer.bias - channels.mean(dim=1)) * gain)


def _nothing_in_last(score: nn.Linear, last: int, run: Callable[[], object]) -> None:
    """Let the background's logit tell the last image, a black one, from the others."""
    ((given, logits),) = _calls(score, run)
    black, bright = given[-last:], given[:-last]
    direction = black.mean(dim=0) - bright.mean(dim=0)
    slope = direction * 30.0 / direction.square().sum()
    needed = logits[-last:, 1:].max(dim=1).values - black @ slope + 5.0
    score.weight[0] = slope
    score.bias[0] = needed.max()


def _calls(layer: nn.Module, run: Callable[[], object]) -> list[tuple[Tensor, Tensor]]:
    """Input and output of each call of a layer."""
    calls: list[tuple[Tensor, Tensor]] = []
    hook = layer.register_forward_hook(lambda _, given, output: calls.append((given[0], output)))
    run()
    hook.remove()
    return calls
