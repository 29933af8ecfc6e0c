"""What of a Mask R-CNN is constant once the size of its images is: sizes and anchors."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor
from torch.func import functional_call
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.image_list import ImageList


@dataclass(frozen=True)
class Pyramid:
    """Sizes inside a network that is given images of one size.

    Args:
        image: (H, W) that the transform resizes an image to, pixels.
        padded: (H, W) after padding, what the backbone is given.
        levels: (H, W) of each feature map, by its name, the finest first.
    """

    image: tuple[int, int]
    padded: tuple[int, int]
    levels: dict[str, tuple[int, int]]


def pyramid_of(network: MaskRCNN, size: tuple[int, int]) -> Pyramid:
    """Ask a network's own transform and backbone for their sizes.

    Args:
        network: In evaluation mode.
        size: (H, W) of the images, pixels.
    """
    channels = len(network.transform.image_mean)
    images, _ = network.transform([torch.zeros(channels, *size)])
    height, width = images.tensors.shape[-2:]
    # On the meta device nothing is computed but shapes.
    backbone = network.backbone
    named = chain(backbone.named_parameters(), backbone.named_buffers())
    weights = {name: tensor.detach().to("meta") for name, tensor in named}
    blank = torch.empty((1, channels, height, width), device="meta")
    features: dict[str, Tensor] = functional_call(backbone, weights, (blank,))
    levels = {name: (level.shape[2], level.shape[3]) for name, level in features.items()}
    return Pyramid(images.image_sizes[0], (height, width), levels)


def anchors_of(network: MaskRCNN, pyramid: Pyramid) -> list[Tensor]:
    """The anchors of each level, which torchvision computes anew for every image.

    Args:
        network: The network.
        pyramid: Its sizes.

    Returns:
        One (H W A, 4) float for each level: x1, y1, x2, y2, pixels of the padded image.
    """
    generator = network.rpn.anchor_generator
    maps = [torch.zeros(1, 1, *size) for size in pyramid.levels.values()]
    (anchors,) = generator(ImageList(torch.zeros(1, 1, *pyramid.padded), [pyramid.image]), maps)
    each = generator.num_anchors_per_location()
    counts = [h * w * n for (h, w), n in zip(pyramid.levels.values(), each, strict=True)]
    return list(anchors.split(counts))
