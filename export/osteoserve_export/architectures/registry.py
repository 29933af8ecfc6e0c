"""Architectures by name: built from a name, weights and options."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from osteoserve_export.architectures import own
from osteoserve_export.errors import ArchitectureError, CheckpointError

if TYPE_CHECKING:
    from torch import Tensor, nn

Weights = Mapping[str, "Tensor"]
Options = Mapping[str, Any]
Task = Literal["segmentation", "detection"]

#: What H and W must be multiples of where a network does not say: five halvings, as in a ResNet.
SIZE_MULTIPLE: Final = 32


@dataclass(frozen=True)
class Architecture:
    """A way to build a network.

    Args:
        name: What a user calls it.
        task: ``segmentation``: (N, C, H, W) grey to (N, K, H, W) logits; ``detection``: Mask R-CNN.
        build: Takes a state dict, whose shapes tell the sizes, and options, which go before them.
            Gives a network that has that state dict's form, not yet its values.
        renamed: The same weights under the names of today, where older ones are about.
    """

    name: str
    task: Task
    build: Callable[[Weights, Options], nn.Module]
    renamed: Callable[[Weights], Weights] = dict


def find_architecture(name: str) -> Architecture:
    """Find an architecture.

    Args:
        name: A registered name, or ``package.module:factory`` for a network of the user's own.

    Raises:
        ArchitectureError: There is none of that name.
    """
    if name in REGISTERED:
        return REGISTERED[name]
    if ":" in name:
        return Architecture(name, "segmentation", partial(own.build, name))
    raise ArchitectureError(
        f"no architecture is called {name!r}: give {', '.join(REGISTERED)}, or "
        "package.module:factory for a network of your own"
    )


def build_network(
    name: str, weights: Weights, options: Options | None = None, *, source: str = "the checkpoint"
) -> nn.Module:
    """Build a network and give it its weights.

    Args:
        name: See ``find_architecture``.
        weights: State dict, as the training left it; a prefix that all names share, such as
            ``module.``, is left out where the network has none.
        options: Of the architecture; what the weights tell need not be stated.
        source: What errors call the weights: their file.

    Returns:
        The network in evaluation mode.

    Raises:
        ArchitectureError: There is no such architecture, or it cannot be built with these options.
        CheckpointError: The weights are not the network's: one is missing, too many, or has
            another shape.
    """
    from osteoserve_export.architectures import weights as loading

    architecture = find_architecture(name)
    try:
        weights = architecture.renamed(weights)
        network = architecture.build(loading.without_common_prefix(weights), options or {})
        loading.load_weights(network, weights)
    except CheckpointError as error:
        raise CheckpointError(f"{source} does not fit {name}: {error}") from error
    return network.eval()


def size_multiple_of(network: nn.Module) -> int:
    """What height and width must be multiples of.

    Args:
        network: Says so by an attribute ``size_multiple``; 32 is assumed where it has none.
    """
    return int(getattr(network, "size_multiple", SIZE_MULTIPLE))


def _torchvision_names(weights: Weights) -> Weights:
    from osteoserve_export.architectures.mask_rcnn import current_names

    return current_names(weights)


def _registered(
    name: str, task: Task, renamed: Callable[[Weights], Weights] = dict
) -> Architecture:
    """An architecture whose module, and torch with it, is imported when it is built."""

    def build(weights: Weights, options: Options) -> nn.Module:
        try:
            module = importlib.import_module(f"osteoserve_export.architectures.{name}")
        except ModuleNotFoundError as error:
            raise ArchitectureError(
                f"{name} needs {error.name}: install osteoserve[export]"
            ) from error
        network: nn.Module = module.build(weights, options)
        return network

    return Architecture(name, task, build, renamed)


REGISTERED: Final[Mapping[str, Architecture]] = {
    architecture.name: architecture
    for architecture in (
        _registered("unet", "segmentation"),
        _registered("resnet_unet", "segmentation"),
        _registered("mask_rcnn", "detection", _torchvision_names),
    )
}
