"""State dicts: whose weights they are, and whether they fit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from torch import Tensor, nn

from osteoserve_export.errors import CheckpointError

#: Names that an error lists; the rest is counted.
SHOWN = 3


def without_common_prefix(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out what all names begin with.

    Training frameworks write a network's state dict as that of a part of something larger:
    ``module.`` (DistributedDataParallel), ``model.`` (Lightning modules), ``_orig_mod.``
    (torch.compile).

    Args:
        weights: State dict.

    Returns:
        The same tensors.
    """
    length = len(_common_prefix(weights))
    return {name[length:]: value for name, value in weights.items()}


def load_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give a network its weights: all of them, and nothing else.

    Args:
        network: Changed in place.
        weights: State dict. Where none of its names is the network's, it is tried under the
            network's common prefix instead of its own.

    Raises:
        CheckpointError: Names or shapes differ; says how many, and the first.
    """
    expected = network.state_dict()
    if not expected.keys() & weights.keys():
        prefix = _common_prefix(expected)
        weights = {prefix + name: value for name, value in without_common_prefix(weights).items()}
    # BatchNorm counts its steps, which old versions of torch did not; nothing depends on them.
    missing = [
        name
        for name in expected
        if name not in weights and not name.endswith("num_batches_tracked")
    ]
    unexpected = [name for name in weights if name not in expected]
    other = [
        f"{name} is {tuple(value.shape)}, not {tuple(expected[name].shape)}"
        for name, value in weights.items()
        if name in expected and value.shape != expected[name].shape
    ]
    found = [
        _count(missing, "is missing", "are missing"),
        _count(unexpected, "is unknown", "are unknown"),
        _count(other, "has another shape", "have another shape"),
    ]
    if any(found):
        raise CheckpointError("; ".join(filter(None, found)))
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise CheckpointError(" ".join(str(error).split())) from error


def shape(weights: Mapping[str, Tensor], name: str) -> tuple[int, ...]:
    """The shape of one tensor.

    Args:
        weights: State dict.
        name: Of a tensor that the architecture cannot be without.

    Raises:
        CheckpointError: It is not there.
    """
    if name not in weights:
        raise CheckpointError(f"{name} is missing; it holds {_list(weights) or 'nothing'}")
    return tuple(weights[name].shape)


def _common_prefix(names: Iterable[str]) -> str:
    """The dotted components, each with its dot, that all names begin with, never the last."""
    split = [name.split(".")[:-1] for name in names]
    shared = []
    for components in zip(*split, strict=False):
        if len(set(components)) > 1:
            break
        shared.append(f"{components[0]}.")
    return "".join(shared)


def _count(names: Sequence[str], one: str, many: str) -> str:
    return f"{len(names)} {one if len(names) == 1 else many} ({_list(names)})" if names else ""


def _list(names: Collection[str]) -> str:
    first = ", ".join(list(names)[:SHOWN])
    return f"{first}, ..." if len(names) > SHOWN else first
