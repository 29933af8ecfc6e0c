"""A U-Net with a ResNet as encoder, as in Krawczyk 2021: that of segmentation_models_pytorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import segmentation_models_pytorch as smp
from torch import Tensor, nn

from osteoserve_export.architectures.settings import settings
from osteoserve_export.architectures.weights import shape
from osteoserve_export.errors import ArchitectureError, CheckpointError

#: Blocks in each of the four layers, and whether they are bottlenecks (He 2016, table 1).
ENCODERS: Final[Mapping[tuple[tuple[int, ...], bool], str]] = {
    ((2, 2, 2, 2), False): "resnet18",
    ((3, 4, 6, 3), False): "resnet34",
    ((3, 4, 6, 3), True): "resnet50",
}


def build(weights: Mapping[str, Tensor], options: Mapping[str, Any]) -> nn.Module:
    """Build the network that a state dict of ``segmentation_models_pytorch.Unet`` belongs to.

    Args:
        weights: State dict; only shapes are read.
        options: ``encoder_name``, ``in_channels``, ``classes``, ``decoder_channels``, all of which
            the weights tell, and ``decoder_interpolation``, which they do not: ``nearest``, unless
            the network was trained with another.

    Returns:
        The network: (N, C, H, W) float to (N, K, H, W) logits; H and W multiples of 32, or less
        where the encoder is cut short.

    Raises:
        ArchitectureError: An option is unknown or impossible.
        CheckpointError: The weights are not those of such a network.
    """
    blocks = _children(weights, "decoder.blocks.")
    chosen = settings(
        {
            "encoder_name": _encoder(weights),
            "in_channels": shape(weights, "encoder.conv1.weight")[1],
            "classes": shape(weights, "segmentation_head.0.weight")[0],
            "decoder_channels": tuple(
                shape(weights, f"decoder.blocks.{n}.conv2.0.weight")[0] for n in range(blocks)
            ),
            "decoder_interpolation": "nearest",
        },
        options,
    )
    attention = any(".attention1.attention." in name for name in weights)
    try:
        network = smp.Unet(
            encoder_weights=None,
            encoder_depth=len(chosen["decoder_channels"]),
            decoder_attention_type="scse" if attention else None,
            **chosen,
        )
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise ArchitectureError(f"resnet_unet cannot be built with {chosen}: {error}") from error
    network.size_multiple = network.encoder.output_stride
    built: nn.Module = network
    return built


def new_resnet_unet(encoder_name: str = "resnet18", classes: int = 3) -> nn.Module:
    """Make a network for grey slices with random weights, to be trained.

    Args:
        encoder_name: One of `ENCODERS`.
        classes: Output channels: 1 for a sigmoid, or one for each class and background.

    Raises:
        ArchitectureError: There is no such encoder, or no class.
    """
    if encoder_name not in ENCODERS.values():
        raise ArchitectureError(
            f"resnet_unet has no encoder {encoder_name!r}: there are {', '.join(ENCODERS.values())}"
        )
    if classes < 1:
        raise ArchitectureError(f"resnet_unet needs 1 class or more, not {classes}")
    network: nn.Module = smp.Unet(
        encoder_name, encoder_weights=None, in_channels=1, classes=classes
    )
    return network


def _encoder(weights: Mapping[str, Tensor]) -> str:
    counts = tuple(_children(weights, f"encoder.layer{layer}.") for layer in range(1, 5))
    bottleneck = "encoder.layer1.0.conv3.weight" in weights
    if (counts, bottleneck) not in ENCODERS:
        kind = "bottlenecks" if bottleneck else "basic blocks"
        raise CheckpointError(
            f"an encoder of {counts} {kind} is none of {', '.join(ENCODERS.values())}"
        )
    return ENCODERS[counts, bottleneck]


def _children(weights: Mapping[str, Tensor], prefix: str) -> int:
    """How many numbered parts there are below a prefix."""
    inside = (name.removeprefix(prefix) for name in weights if name.startswith(prefix))
    return len({name.partition(".")[0] for name in inside})
