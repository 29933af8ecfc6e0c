"""Half precision in the learnt layers alone: types, sizes, and answers that hardly change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - only where the extra is

from osteoserve_export.conversion.mixed_precision import to_mixed  # noqa: E402
from osteoserve_export.errors import ConversionError  # noqa: E402

HALF, FULL = TensorProto.FLOAT16, TensorProto.FLOAT


def network(path: Path, *, weight: float = 0.1, area: float = 1e6) -> Path:
    """Two convolutions with a residual sum, and beside them areas that half precision has not.

    The first convolution is read in both precisions, and so is the weight ``shared``.
    """
    random = np.random.default_rng(0)
    node = helper.make_node
    constants = {
        "scale": np.float32(1 / 255),
        "axis": np.array([1], np.int64),
        "first": (weight * random.normal(size=(4, 1, 3, 3))).astype(np.float32),
        "second": (0.1 * random.normal(size=(4, 4, 3, 3))).astype(np.float32),
        "shared": random.normal(size=4).astype(np.float32),
        "area": np.float32(area),
        "wide": np.array([0, 2, 3], np.int64),
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    nodes = [
        node("Cast", ["views"], ["float"], to=FULL, name="cast"),
        node("Mul", ["float", "scale"], ["grey"], name="mul"),
        node("Unsqueeze", ["grey", "axis"], ["image"], name="unsqueeze"),
        node("Conv", ["image", "first", "shared"], ["a"], pads=[1] * 4, name="conv1"),
        node("Relu", ["a"], ["b"], name="relu1"),
        node("Conv", ["b", "second"], ["c"], pads=[1] * 4, name="conv2"),
        node("Add", ["c", "b"], ["d"], name="residual"),
        node("Resize", ["d", "", "scales"], ["e"], mode="nearest", name="resize"),
        node("ReduceMean", ["a", "wide"], ["means"], keepdims=0, name="mean"),
        node("Add", ["means", "shared"], ["sums"], name="sum"),
        node("Mul", ["sums", "area"], ["areas"], name="areas"),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("views", TensorProto.UINT8, ["n", 16, 24])],
        [
            helper.make_tensor_value_info("e", FULL, ["n", 4, 32, 48]),
            helper.make_tensor_value_info("areas", FULL, [4]),
        ],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def types(path: Path) -> dict[str, int]:
    """Element type of what each named node answers."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    of = {
        value.name: value.type.tensor_type.elem_type
        for value in (*model.graph.value_info, *model.graph.output)
    }
    return {node.name: of[node.output[0]] for node in model.graph.node}


def answer(path: Path, views: np.ndarray) -> list[np.ndarray]:
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    return session.run(None, {"views": views})


def test_layers_are_halved_and_the_rest_is_not(tmp_path):
    to_mixed(network(tmp_path / "fp32.onnx"), tmp_path / "fp16.onnx")
    found = types(tmp_path / "fp16.onnx")
    half = {"conv1", "relu1", "conv2", "residual", "resize"}
    assert {name for name in half if found[name] == HALF} == half
    assert {found[name] for name in ("mul", "mean", "sum", "areas")} == {FULL}


def test_answers_hardly_change_and_keep_what_half_precision_has_not(tmp_path):
    source = network(tmp_path / "fp32.onnx")
    to_mixed(source, tmp_path / "fp16.onnx")
    views = np.random.default_rng(1).integers(0, 256, (3, 16, 24), dtype=np.uint8)
    expected, found = answer(source, views), answer(tmp_path / "fp16.onnx", views)
    for before, after in zip(expected, found, strict=True):
        assert after.dtype == np.float32
        np.testing.assert_allclose(after, before, rtol=2e-2, atol=2e-3 * np.abs(before).max())
    assert np.abs(found[1]).max() > np.finfo(np.float16).max


def test_the_weights_take_half_the_room(tmp_path):
    to_mixed(network(tmp_path / "fp32.onnx"), tmp_path / "fp16.onnx")
    stored = {
        tensor.name: tensor.data_type
        for tensor in onnx.load(tmp_path / "fp16.onnx").graph.initializer
    }
    assert stored["first_half"] == stored["second_half"] == HALF
    assert not {"first", "second"} & set(stored)
    # Read in both precisions.
    assert (stored["shared"], stored["shared_half"]) == (FULL, HALF)


@pytest.mark.parametrize(("weight", "word"), [(1e5, "weight first reaches"), (2e4, "a reaches")])
def test_numbers_beyond_half_precision_are_refused(tmp_path, weight, word):
    source = network(tmp_path / "fp32.onnx", weight=weight)
    with pytest.raises(ConversionError, match=word) as caught:
        to_mixed(source, tmp_path / "fp16.onnx")
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "fp16.onnx").exists()


def test_what_is_no_model_is_one_line(tmp_path):
    (tmp_path / "garbage.onnx").write_bytes(b"garbage")
    with pytest.raises(ConversionError, match=r"garbage\.onnx cannot become fp16"):
        to_mixed(tmp_path / "garbage.onnx", tmp_path / "fp16.onnx")
