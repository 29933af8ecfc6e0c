"""Weights on disk: safetensors only, which can hold no code."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from osteoserve_export.architectures import UNet
from osteoserve_export.errors import CheckpointError


def save_checkpoint(network: UNet, path: Path) -> None:
    """Save a network's weights, whole or not at all.

    Args:
        network: Trained.
        path: File to write; its parent exists.
    """
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    partial = path.with_name(path.name + ".partial")
    save_file(weights, partial, metadata={"first_channels": str(network.first_channels)})
    partial.replace(path)


def load_checkpoint(path: Path, first_channels: int = 8) -> UNet:
    """Load a network.

    Args:
        path: What ``save_checkpoint`` wrote.
        first_channels: F of the U-Net.

    Returns:
        The network in evaluation mode.

    Raises:
        CheckpointError: The file is no safetensors file, or holds another network's weights.
    """
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is no safetensors checkpoint") from error
    network = UNet(first_channels)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not fit a U-Net with F = {first_channels}") from error
    return network.eval()
