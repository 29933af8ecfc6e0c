"""Batch normalisation made a part of the convolution before it, and the proof that it may be."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass
from typing import Final, cast

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from osteoserve_export.errors import in_one_line

#: Largest difference of a logit, relative to the largest logit, from the unfolded float64 network.
TOLERANCE: Final = 1e-4

_CONVOLUTIONS: Final = (nn.Conv2d, nn.ConvTranspose2d)
_NORMALISATIONS: Final = (nn.BatchNorm2d, nn.SyncBatchNorm)


@dataclass(frozen=True)
class Folding:
    """What came of folding.

    Args:
        network: With identities in place of the folded normalisations; as it was where none could
            be folded.
        folded: Names of the normalisations that are now part of a convolution.
        kept: Names of those that are not.
        error: Largest difference of a logit from the unfolded float64 network, relative to its
            largest logit; None where nothing was folded.
        reason: Why nothing was folded, where that has a reason; empty otherwise.
    """

    network: nn.Module
    folded: tuple[str, ...]
    kept: tuple[str, ...]
    error: float | None = None
    reason: str = ""


def fold_batch_norm(network: nn.Module, example: Tensor) -> Folding:
    """Make every batch normalisation that follows a convolution a part of it.

    What follows what is read from the network's torch.fx graph, so that it does not matter how the
    modules are nested; a convolution whose output goes anywhere else as well is left alone. The
    weights are folded in float64, and the result is compared with the unfolded network.

    Args:
        network: In evaluation mode; it is copied, not changed.
        example: (N, C, H, W) float32 to compare on, with structure and with a network's usual
            values.

    Returns:
        The folded network; the unfolded one, with the reason, where torch.fx cannot trace the
        network or where the folded one answers differently.
    """
    kept = tuple(name for name, layer in network.named_modules() if _normalises(layer))
    if not kept:
        return Folding(network, (), ())
    precise = copy.deepcopy(network).double()
    # A network's forward may raise anything where it meets symbols, or float64.
    try:
        pairs = _pairs(precise)
        expected = _answer(precise, example.double())
        for convolution, normalisation in pairs:
            _fold(precise, convolution, normalisation)
        found = _answer(precise.float(), example)
    except Exception as error:  # noqa: BLE001 - the reason is given back
        return Folding(network, (), kept, reason=f"cannot be traced: {in_one_line(error)}")
    if not pairs:
        return Folding(network, (), kept)
    relative = float((found.double() - expected).abs().max() / expected.abs().max())
    if not relative <= TOLERANCE:
        reason = f"answers differ by {relative:.1g} of the largest logit when folded"
        return Folding(network, (), kept, reason=reason)
    folded = tuple(normalisation for _, normalisation in pairs)
    return Folding(precise, folded, tuple(n for n in kept if n not in folded), relative)


def _pairs(network: nn.Module) -> list[tuple[str, str]]:
    """Names of convolutions and of the normalisations that alone use their output."""
    nodes = fx.Tracer().trace(network).nodes
    layers = dict(network.named_modules())
    calls = Counter(node.target for node in nodes if node.op == "call_module")
    # Layers whose weights are used otherwise than by calling the layer.
    read = {str(node.target).rpartition(".")[0] for node in nodes if node.op == "get_attr"}
    pairs = []
    for node in nodes:
        if node.op != "call_module" or not _normalises(layers[node.target]):
            continue
        before = node.args[0]
        if (
            before.op == "call_module"
            and _foldable(layers[before.target])
            and len(before.users) == 1
            and calls[before.target] == calls[node.target] == 1
            and not {before.target, node.target} & read
        ):
            pairs.append((before.target, node.target))
    return pairs


def _normalises(layer: nn.Module) -> bool:
    return type(layer) in _NORMALISATIONS


def _foldable(layer: nn.Module) -> bool:
    # No subclass: a parametrised convolution computes its weights anew.
    return (
        type(layer) in _CONVOLUTIONS
        and not layer._forward_pre_hooks
        and not layer._forward_hooks
        and not (isinstance(layer, nn.ConvTranspose2d) and layer.groups > 1)
    )


def _fold(network: nn.Module, convolution: str, normalisation: str) -> None:
    before, after = network.get_submodule(convolution), network.get_submodule(normalisation)
    transposed = isinstance(before, nn.ConvTranspose2d)
    fused = fuse_conv_bn_eval(
        cast(nn.Conv2d, before), cast(nn.BatchNorm2d, after), transpose=transposed
    )
    network.set_submodule(convolution, fused)
    network.set_submodule(normalisation, nn.Identity())


@torch.no_grad()
def _answer(network: nn.Module, example: Tensor) -> Tensor:
    output = network(example)
    if not isinstance(output, Tensor):
        raise TypeError(f"the network gives a {type(output).__name__}")
    return output
