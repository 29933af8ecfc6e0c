"""ONNX files for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

SHIPPED = Path(__file__).resolve().parents[3] / "model_repository/unet_skeleton/1/model.onnx"


def cast_first(source: Path, target: Path) -> Path:
    """A copy in which the uint8 input meets its cast before anything else, as TensorRT needs it."""
    model = onnx.load(source)
    (entrance,) = model.graph.input
    (reader,) = (node for node in model.graph.node if entrance.name in node.input)
    if reader.op_type != "Cast":
        (cast,) = (node for node in model.graph.node if reader.output[0] in node.input)
        assert cast.op_type == "Cast"
        # input -> reader -> cast -> rest becomes input -> cast -> reader -> rest.
        rest, between = cast.output[0], reader.output[0]
        cast.input[0], cast.output[0] = entrance.name, between
        reader.input[0], reader.output[0] = between, rest
        model.graph.node.remove(reader)
        model.graph.node.insert(list(model.graph.node).index(cast) + 1, reader)
        del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, target)
    return target


def convolution(
    path: Path, *, weight: float = 0.01, operator: str = "Relu", labels: bool = False
) -> Path:
    """(N, H, W) uint8 -> 3x3 convolution -> one more operator -> ``values`` (N, 1, H, W) float32.

    With ``labels``, those above 10 are the one output, (N, 1, H, W) uint8.
    """
    kernel: npt.NDArray[np.float32] = np.full((1, 1, 3, 3), weight, np.float32)
    nodes = [
        helper.make_node("Cast", ["slices"], ["grey"], name="to_grey", to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["grey", "axes"], ["image"], name="to_image"),
        helper.make_node("Conv", ["image", "weight"], ["sum"], name="smooth", pads=[1] * 4),
        helper.make_node(operator, ["sum"], ["values"], name="last"),
    ]
    output, kind = "values", TensorProto.FLOAT
    if labels:
        nodes += [
            helper.make_node("Greater", ["values", "limit"], ["above"], name="decide"),
            helper.make_node("Cast", ["above"], ["labels"], name="to_labels", to=TensorProto.UINT8),
        ]
        output, kind = "labels", TensorProto.UINT8
    constants = {"axes": np.array([1], np.int64), "weight": kernel, "limit": np.float32(10)}
    graph = helper.make_graph(
        nodes,
        "convolution",
        [helper.make_tensor_value_info("slices", TensorProto.UINT8, ["n", "h", "w"])],
        [helper.make_tensor_value_info(output, kind, ["n", 1, "h", "w"])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path
    )
    return path
