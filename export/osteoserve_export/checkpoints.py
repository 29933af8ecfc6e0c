"""Weights on disk: safetensors, or what torch loads without running code."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from osteoserve_export.architectures import build_network
from osteoserve_export.architectures.unet import UNet
from osteoserve_export.errors import CheckpointError, in_one_line

TORCH_SUFFIXES: Final = (".pt", ".pth", ".ckpt")

#: Where training scripts put the state dict among other things.
WRAPPERS: Final = ("state_dict", "model_state_dict", "model")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict.

    Args:
        path: ``.safetensors``; or ``.pt``, ``.pth``, ``.ckpt`` with a state dict, alone or as
            ``state_dict``, ``model_state_dict`` or ``model`` in a dictionary. A pickle of anything
            else is refused, and nothing in it is run.

    Returns:
        Tensors on the CPU by name; floating-point ones in float32.

    Raises:
        CheckpointError: The file cannot be read, holds other things than weights, or weights that
            are not finite.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} is no file")
    if path.suffix == ".safetensors":
        weights: Mapping[str, Any] = _read_safetensors(path)
    elif path.suffix in TORCH_SUFFIXES:
        weights = _state_dict(_read_torch(path), path)
    else:
        raise CheckpointError(
            f"{path}: weights are read from .safetensors, {', '.join(TORCH_SUFFIXES)}"
        )
    if not weights:
        raise CheckpointError(f"{path} holds no weights")
    found = {name: _in_float32(name, value, path) for name, value in weights.items()}
    _check_finite(found, path)
    return found


def load_network(path: Path, name: str, options: Mapping[str, Any] | None = None) -> nn.Module:
    """Load a network of any architecture.

    Args:
        path: As for ``read_weights``.
        name: Architecture.
        options: Of the architecture; what the weights tell need not be stated.

    Returns:
        The network in evaluation mode.

    Raises:
        ArchitectureError: There is no such architecture, or it cannot be built.
        CheckpointError: The file cannot be read, or holds another network's weights.
    """
    return build_network(name, read_weights(path), options, source=str(path))


def load_checkpoint(path: Path, first_channels: int | None = None) -> UNet:
    """Load a U-Net.

    Args:
        path: As for ``read_weights``.
        first_channels: F that it must have; any unless given.

    Returns:
        The network in evaluation mode.

    Raises:
        CheckpointError: The file cannot be read, or holds another network's weights.
    """
    network = cast(UNet, load_network(path, "unet"))
    if first_channels not in (None, network.first_channels):
        raise CheckpointError(
            f"{path} is a U-Net with F = {network.first_channels}, not F = {first_channels}"
        )
    return network


def save_checkpoint(network: nn.Module, path: Path, *, half: bool = False) -> None:
    """Save a network's weights, whole or not at all.

    Args:
        network: Trained.
        path: ``.safetensors`` file to write; its parent exists.
        half: Whether kernels are stored in half precision. Biases and the statistics of batch
            normalisation stay as they are: they are small, and what they scale is not.

    Raises:
        CheckpointError: A weight is not finite, or not in half precision; or the file cannot be
            written.
    """
    weights = {
        name: (value.half() if half and _is_kernel(value) else value).contiguous()
        for name, value in network.state_dict().items()
    }
    _check_finite(weights, path)
    partial = path.with_name(path.name + ".partial")
    try:
        save_file(weights, partial)
        partial.replace(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be written: {in_one_line(error)}") from error
    finally:
        partial.unlink(missing_ok=True)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is no safetensors file: {in_one_line(error)}") from error


def _read_torch(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            # torch warns of what it then refuses, and of its own deprecations.
            warnings.simplefilter("ignore")
            content: object = torch.load(path, map_location="cpu", weights_only=True)
    # torch raises errors of many kinds for files that are cut off.
    except Exception as error:
        # Its own text recommends to load such a file all the same.
        if isinstance(error, pickle.UnpicklingError) or "TorchScript" in str(error):
            raise CheckpointError(
                f"{path} is not weights alone, and a pickle of other things could run any code: "
                "where you trust it, load it yourself and torch.save(model.state_dict(), "
                "'weights.pt')"
            ) from error
        raise CheckpointError(
            f"{path} is cut off, or no checkpoint of torch ({in_one_line(error)})"
        ) from error
    return content


def _state_dict(content: object, path: Path) -> Mapping[str, Tensor]:
    """The one state dict in what a training script saved."""
    if _is_state_dict(content):
        return cast(Mapping[str, Tensor], content)
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a state dict")
    inside = [key for key in WRAPPERS if _is_state_dict(content.get(key))]
    if len(inside) != 1:
        found = (
            f"several: {', '.join(inside)}" if inside else f"only {', '.join(map(str, content))}"
        )
        raise CheckpointError(f"{path} should hold one state dict; it holds {found}")
    return cast(Mapping[str, Tensor], content[inside[0]])


def _is_state_dict(content: object) -> bool:
    return isinstance(content, Mapping) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    )


def _in_float32(name: str, value: Tensor, path: Path) -> Tensor:
    if value.layout != torch.strided or value.is_quantized:
        raise CheckpointError(f"{path}: {name} is sparse or quantised; plain tensors are needed")
    return value.float() if value.is_floating_point() else value


def _is_kernel(value: Tensor) -> bool:
    return value.is_floating_point() and value.ndim > 1


def _check_finite(weights: Mapping[str, Tensor], path: Path) -> None:
    wrong = [
        name
        for name, value in weights.items()
        if value.is_floating_point() and not value.isfinite().all()
    ]
    if wrong:
        raise CheckpointError(f"{path}: {len(wrong)} tensors are not finite, such as {wrong[0]}")
