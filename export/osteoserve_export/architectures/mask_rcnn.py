"""Mask R-CNN with a ResNet and a feature pyramid, as in Yu 2023: that of torchvision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import (
    FastRCNNConvFCHead,
    FastRCNNPredictor,
    TwoMLPHead,
)
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from osteoserve_export.architectures.settings import settings
from osteoserve_export.architectures.weights import shape
from osteoserve_export.errors import ArchitectureError, CheckpointError

#: Bins along each side of a box that is pooled for the box head; torchvision's constant.
BOX_BINS: Final = 7

#: What the weights do not tell, under torchvision's own names and with its own values: who trained
#: otherwise has said so there too. Images are resized to ``min_size`` and ``max_size``, or where
#: there is one to ``fixed_size``, (width, height).
OPTIONS: Final[Mapping[str, Any]] = {
    "fixed_size": (),
    "min_size": 800,
    "max_size": 1333,
    "anchor_sizes": (32, 64, 128, 256, 512),
    "aspect_ratios": (0.5, 1.0, 2.0),
    "rpn_pre_nms_top_n_test": 1000,
    "rpn_post_nms_top_n_test": 1000,
    "rpn_nms_thresh": 0.7,
    "rpn_score_thresh": 0.0,
    "box_score_thresh": 0.05,
    "box_nms_thresh": 0.5,
    "box_detections_per_img": 100,
    # torchvision's own COCO weights, and what was trained from them, were used with 0.
    "norm_eps": 1e-5,
}

#: Mean and standard deviation of grey values 0..1, by the channels that the network takes: those of
#: ImageNet, as torchvision has them, and nothing subtracted where a network takes grey.
NORMALISATION: Final = {
    1: ((0.0,), (1.0,)),
    3: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


@dataclass(frozen=True, kw_only=True)
class MaskRCNNShape:
    """Sizes of a network; all of them can be read from its weights.

    Args:
        blocks: In each of the four layers of the ResNet.
        bottleneck: Whether they are bottlenecks (ResNet-50 and deeper).
        channels: Of an image: 3, or 1 where the first convolution takes grey.
        pyramid: Channels of the feature pyramid.
        normalised: Whether pyramid and heads have batch normalisation (``_fpn_v2``).
        proposal_depth: Convolutions of the region proposal network.
        box_convolutions: Channels of those in the box head; () where it has none.
        representation: Width of the box head.
        mask_layers: Channels of the mask head's convolutions.
        mask_reduced: Channels of its transposed convolution.
        classes: With background.
    """

    blocks: tuple[int, ...]
    bottleneck: bool
    channels: int
    pyramid: int
    normalised: bool
    proposal_depth: int
    box_convolutions: tuple[int, ...]
    representation: int
    mask_layers: tuple[int, ...]
    mask_reduced: int
    classes: int


#: 16.2 million parameters, so that half precision takes 32 MB; background and the ten regions of
#: Yu 2023.
SMALL: Final = MaskRCNNShape(
    blocks=(2, 2, 2, 2),
    bottleneck=False,
    channels=1,
    pyramid=128,
    normalised=False,
    proposal_depth=1,
    box_convolutions=(),
    representation=512,
    mask_layers=(128, 128, 128, 128),
    mask_reduced=128,
    classes=11,
)


def build(weights: Mapping[str, Tensor], options: Mapping[str, Any]) -> nn.Module:
    """Build the network that a state dict of ``torchvision.models.detection.MaskRCNN`` belongs to.

    Args:
        weights: State dict; only shapes are read.
        options: Those of `OPTIONS`, and ``image_mean`` and ``image_std``, one for each channel.

    Returns:
        The network, a ``MaskRCNN``, with the weights' form, not their values.

    Raises:
        ArchitectureError: An option is unknown or impossible.
        CheckpointError: The weights are not those of such a network.
    """
    network: nn.Module = new_mask_rcnn(shape_of(weights), options)
    return network


def new_mask_rcnn(
    form: MaskRCNNShape = SMALL, options: Mapping[str, Any] | None = None
) -> MaskRCNN:
    """Make a network with random weights, to be trained.

    Args:
        form: Its sizes.
        options: See `build`.

    Raises:
        ArchitectureError: An option is unknown or impossible.
    """
    mean, std = NORMALISATION.get(form.channels, ((), ()))
    chosen = settings({"image_mean": mean, "image_std": std, **OPTIONS}, options or {})
    for name in ("image_mean", "image_std"):
        if len(chosen[name]) != form.channels:
            raise ArchitectureError(f"{name} needs {form.channels} values, not {chosen[name]}")
    anchors = _anchors(chosen.pop("anchor_sizes"), chosen.pop("aspect_ratios"))
    epsilon = chosen.pop("norm_eps")
    if not chosen["fixed_size"]:
        del chosen["fixed_size"]
    network = _assemble(form, anchors, chosen)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = epsilon
    return network


def shape_of(weights: Mapping[str, Tensor]) -> MaskRCNNShape:
    """Read a network's sizes from its weights.

    Args:
        weights: State dict; only shapes are read.

    Raises:
        CheckpointError: The weights are not those of such a network.
    """
    named = current_names(weights)
    body, head, mask = "backbone.body", "roi_heads.box_head", "roi_heads.mask_head"
    convolutions = _numbered(named, head, "0.weight")
    return MaskRCNNShape(
        blocks=tuple(
            len(_numbered(named, f"{body}.layer{n}", "conv1.weight")) for n in range(1, 5)
        ),
        bottleneck=f"{body}.layer1.0.conv3.weight" in named,
        channels=shape(named, f"{body}.conv1.weight")[1],
        pyramid=shape(named, "backbone.fpn.inner_blocks.0.0.weight")[0],
        normalised="backbone.fpn.inner_blocks.0.1.weight" in named,
        proposal_depth=len(_numbered(named, "rpn.head.conv", "0.weight")),
        box_convolutions=convolutions,
        representation=shape(named, "roi_heads.box_predictor.cls_score.weight")[1],
        mask_layers=_numbered(named, mask, "0.weight"),
        mask_reduced=shape(named, "roi_heads.mask_predictor.conv5_mask.weight")[1],
        classes=shape(named, "roi_heads.box_predictor.cls_score.weight")[0],
    )


def current_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name weights as torchvision does since 0.13, which put each convolution into a block.

    Args:
        weights: State dict, of before or after; the weights that torchvision publishes are named as
            before.

    Returns:
        The same tensors.
    """
    renamed: dict[str, Tensor] = {}
    for name, value in weights.items():
        name = re.sub(r"(rpn\.head\.conv)\.(weight|bias)$", r"\1.0.0.\2", name)
        name = re.sub(r"(fpn\.\w+_blocks\.\d)\.(weight|bias)$", r"\1.0.\2", name)
        block = re.search(r"mask_head\.mask_fcn(\d+)\.", name)
        if block:
            name = name.replace(block[0], f"mask_head.{int(block[1]) - 1}.0.")
        renamed[name] = value
    return renamed


def _numbered(weights: Mapping[str, Tensor], parent: str, child: str) -> tuple[int, ...]:
    """Output channels of ``parent.0.child``, ``parent.1.child`` and so on."""
    channels: list[int] = []
    while (name := f"{parent}.{len(channels)}.{child}") in weights:
        channels.append(weights[name].shape[0])
    return tuple(channels)


def _anchors(sizes: tuple[Any, ...], ratios: tuple[Any, ...]) -> AnchorGenerator:
    """Anchors for the four levels of the pyramid and the coarser one that is made of the last."""
    if len(sizes) != 5:
        raise ArchitectureError(f"anchor_sizes needs one entry for each of 5 levels, not {sizes}")
    levels = tuple(tuple(size) if isinstance(size, list) else (size,) for size in sizes)
    return AnchorGenerator(levels, (ratios,) * len(levels))


def _assemble(
    form: MaskRCNNShape, anchors: AnchorGenerator, options: Mapping[str, Any]
) -> MaskRCNN:
    norm = nn.BatchNorm2d if form.normalised else None
    proposal = RPNHead(form.pyramid, anchors.num_anchors_per_location()[0], form.proposal_depth)
    if form.box_convolutions:
        box_head: nn.Module = FastRCNNConvFCHead(
            (form.pyramid, BOX_BINS, BOX_BINS),
            list(form.box_convolutions),
            [form.representation],
            norm_layer=norm,
        )
    else:
        box_head = TwoMLPHead(form.pyramid * BOX_BINS**2, form.representation)
    return MaskRCNN(
        _backbone(form),
        rpn_anchor_generator=anchors,
        rpn_head=proposal,
        box_head=box_head,
        box_predictor=FastRCNNPredictor(form.representation, form.classes),
        mask_head=MaskRCNNHeads(form.pyramid, list(form.mask_layers), 1, norm_layer=norm),
        mask_predictor=MaskRCNNPredictor(form.mask_layers[-1], form.mask_reduced, form.classes),
        **options,
    )


def _backbone(form: MaskRCNNShape) -> BackboneWithFPN:
    if len(form.blocks) != 4 or 0 in form.blocks or not form.mask_layers:
        raise CheckpointError(
            f"no ResNet with a mask head has {form.blocks} blocks and "
            f"{form.mask_layers} mask layers"
        )
    block = Bottleneck if form.bottleneck else BasicBlock
    body = ResNet(block, list(form.blocks))
    if form.channels != 3:
        body.conv1 = nn.Conv2d(form.channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(body.conv1.weight, mode="fan_out", nonlinearity="relu")
    widths = [64 * block.expansion * 2**level for level in range(4)]
    return BackboneWithFPN(
        body,
        {f"layer{level + 1}": str(level) for level in range(4)},
        widths,
        form.pyramid,
        extra_blocks=LastLevelMaxPool(),
        norm_layer=nn.BatchNorm2d if form.normalised else None,
    )
