"""Half precision where a detector can bear it: in its learnt layers, and not in its boxes.

Coordinates of 950 pixels have steps of half a pixel in half precision, and areas of boxes go beyond
its greatest number. So only convolutions and fully connected layers, and what merely passes their
values on, are computed in it; the casts stand where the two meet. What goes in and comes out keeps
its type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from osteoserve_export.conversion.trial_run import (
    check_half_values,
    check_half_weights,
    one_error,
    try_converted,
)
from osteoserve_export.conversion.whole_file import whole_file
from osteoserve_export.errors import ConversionError

#: What has learnt weights.
LEARNT: Final = frozenset({"Conv", "ConvTranspose", "Gemm"})

#: What is computed as its inputs are.
PASSING: Final = frozenset({"Add", "MaxPool", "Relu", "Resize"})


def to_mixed(source: Path, target: Path) -> None:
    """Convert the learnt layers of a detector's ONNX file to half precision.

    Args:
        source: ONNX file in fp32 with uint8 inputs.
        target: File to write; its parent exists.

    Raises:
        ConversionError: The file cannot be read, has no such layers, or holds or computes numbers
            beyond 65504 in them; nothing was written.
    """
    with one_error(source, "fp16"):
        model = onnx.load(source)
        half = _half_nodes(model.graph)
        if not half:
            raise ConversionError("it has no convolution and no fully connected layer")
        _check_range(onnx.load(source), half)
        mixed = _Halves(model.graph, half)
        nodes = list(mixed.nodes())
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        mixed.finish()
        with whole_file(target) as partial:
            onnx.save(model, partial)
            try_converted(source, partial)


def _half_nodes(graph: onnx.GraphProto) -> set[str]:
    """Names of the nodes that are computed in half precision; a graph's nodes are in order."""
    weights = {tensor.name for tensor in graph.initializer}
    produced: set[str] = set()
    names: set[str] = set()
    for node in graph.node:
        given = [name for name in _float_inputs(node) if name not in weights]
        passes = node.op_type in PASSING and given and produced.issuperset(given)
        if node.op_type in LEARNT or passes:
            names.add(node.name)
            produced.update(node.output)
    return names


def _float_inputs(node: onnx.NodeProto) -> list[str]:
    """Inputs that have the precision of the output."""
    names = node.input[:1] if node.op_type == "Resize" else node.input
    return [name for name in names if name]


def _check_range(model: onnx.ModelProto, half: set[str]) -> None:
    nodes = [node for node in model.graph.node if node.name in half]
    read = {name for node in nodes for name in _float_inputs(node)}
    check_half_weights(tensor for tensor in model.graph.initializer if tensor.name in read)
    check_half_values(model, [node.output[0] for node in nodes])


class _Halves:
    """Puts the two precisions together.

    A tensor that is wanted in half precision has a second name, and one cast, there or back, where
    it is wanted in both.

    Args:
        graph: In fp32; `finish` changes its weights.
        half: Names of the nodes for half precision.
    """

    def __init__(self, graph: onnx.GraphProto, half: set[str]) -> None:
        self._graph = graph
        self._half = half
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._there: set[str] = set()
        self._full = {tensor.name for tensor in graph.output}
        for node in graph.node:
            if node.name not in half:
                self._full.update(_all_inputs(node))
            else:
                self._full.update(set(node.input) - set(_float_inputs(node)))

    def nodes(self) -> Iterator[onnx.NodeProto]:
        """The graph's nodes in order, with casts between them."""
        for node in self._graph.node:
            if node.name not in self._half:
                yield node
                continue
            given = _float_inputs(node)
            for name in given:
                yield from self._cast_there(name)
            changed = onnx.NodeProto()
            changed.CopyFrom(node)
            for index, name in enumerate(node.input[: len(given)]):
                changed.input[index] = _second(name) if name else name
            for index, name in enumerate(node.output):
                changed.output[index] = _second(name)
                self._there.add(name)
            yield changed
            for name in node.output:
                if name in self._full:
                    yield _cast(_second(name), name, onnx.TensorProto.FLOAT)

    def finish(self) -> None:
        """Halve the weights, and forget the types of tensors that are no more."""
        for name in self._there & set(self._weights):
            values = onnx.numpy_helper.to_array(self._weights[name]).astype(np.float16)
            halved = onnx.numpy_helper.from_array(values, _second(name))
            if name in self._full:
                self._graph.initializer.append(halved)
            else:
                self._weights[name].CopyFrom(halved)
        del self._graph.value_info[:]

    def _cast_there(self, name: str) -> Iterable[onnx.NodeProto]:
        if name in self._there:
            return ()
        self._there.add(name)
        if name in self._weights:
            return ()
        return (_cast(name, _second(name), onnx.TensorProto.FLOAT16),)


def _second(name: str) -> str:
    return f"{name}_half"


def _cast(source: str, target: str, to: int) -> onnx.NodeProto:
    return onnx.helper.make_node("Cast", [source], [target], name=f"cast_{target}", to=to)


def _all_inputs(node: onnx.NodeProto) -> Iterator[str]:
    """What a node reads, with what the bodies of a loop read from outside."""
    yield from node.input
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield from (output.name for output in attribute.g.output)
            for inner in attribute.g.node:
                yield from _all_inputs(inner)
