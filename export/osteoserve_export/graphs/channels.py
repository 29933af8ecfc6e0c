"""What a network takes and gives, found by asking it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from osteoserve_export.architectures import size_multiple_of
from osteoserve_export.errors import ArchitectureError, in_one_line


def input_channels(network: nn.Module, *, size_multiple: int | None = None) -> int:
    """Whether a network takes grey images, or colour images that grey must be repeated for.

    Args:
        network: In evaluation mode.
        size_multiple: What H and W must be multiples of; what the network says unless given.

    Returns:
        C of its (N, C, H, W) input: 1 or 3.

    Raises:
        ArchitectureError: It takes neither.
    """
    reasons = []
    for channels in (1, 3):
        # A user's network may raise anything.
        try:
            _answer(network, channels, _size(network, size_multiple))
        except Exception as error:  # noqa: BLE001 - both reasons are given
            reasons.append(f"with {channels}: {in_one_line(error)}")
        else:
            return channels
    raise ArchitectureError(f"the network takes no images of 1 or 3 channels; {'; '.join(reasons)}")


def output_classes(network: nn.Module, channels: int, *, size_multiple: int | None = None) -> int:
    """How many logits a network gives for every pixel.

    Args:
        network: In evaluation mode.
        channels: C of its input.
        size_multiple: As for ``input_channels``.

    Returns:
        K of its (N, K, H, W) output.

    Raises:
        ArchitectureError: It gives something else.
    """
    height, width = size = _size(network, size_multiple)
    output = _answer(network, channels, size)
    if not isinstance(output, Tensor):
        raise ArchitectureError(
            f"the network gives a {type(output).__name__}: wrap it in one that gives a tensor of "
            "logits (N, K, H, W)"
        )
    if output.ndim != 4 or output.shape[0] != 2 or output.shape[2:] != (height, width):
        raise ArchitectureError(
            f"for slices (2, {channels}, {height}, {width}) the network gives "
            f"{tuple(output.shape)}, not logits (2, K, {height}, {width})"
        )
    return output.shape[1]


def _size(network: nn.Module, stated: int | None) -> tuple[int, int]:
    """(H, W) that differ, so that swapped axes show, and that no layer shrinks to one pixel."""
    multiple = stated or size_multiple_of(network)
    return 2 * multiple, 3 * multiple


@torch.no_grad()
def _answer(network: nn.Module, channels: int, size: tuple[int, int]) -> object:
    answer: object = network(torch.zeros(2, channels, *size))
    return answer
