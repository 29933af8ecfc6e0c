from __future__ import annotations

import hashlib

import numpy as np
import onnx
import pytest

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
openvino = pytest.importorskip("openvino", reason="the extra 'export' is not installed")

from onnx import TensorProto, numpy_helper  # noqa: E402 - only where the extra is installed

from osteoserve_client.phantom import make_ct_phantom  # noqa: E402
from osteoserve_export.conversion.precision import to_fp16, to_int8  # noqa: E402
from osteoserve_export.errors import ConversionError  # noqa: E402
from tests.export.conversion.networks import SHIPPED, convolution  # noqa: E402


def phantom_slices(seed: int, count: int):
    """(N, H, W) uint8 over 0..300 HU."""
    phantom = make_ct_phantom(
        slices=count, seed=seed, rows=320, columns=320, pixel_spacing_mm=1.3, region="trunk"
    )
    scaled = np.clip(phantom.volume.voxels, 0, 300) * (255 / 300)
    return scaled.round().astype(np.uint8)


@pytest.fixture(scope="module")
def trial():
    return phantom_slices(5, 6)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """The shipped model by precision; int8 wherever it can be, whatever that does to the masks."""
    folder = tmp_path_factory.mktemp("precision")
    to_fp16(SHIPPED, folder / "fp16.onnx")
    to_int8(SHIPPED, folder / "int8.onnx", [phantom_slices(1, 2)], least_agreement=0.5)
    return {name: folder / f"{name}.onnx" for name in ("fp16", "int8")}


def with_onnxruntime(path, slices):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: slices})[0]


def with_openvino(path, slices):
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}
    return openvino.Core().compile_model(path, "CPU", settings)([slices])[0]


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.mark.parametrize("run", [with_onnxruntime, with_openvino])
def test_the_shipped_model_s_masks_stay_in_fp16(converted, trial, run):
    expected, answer = with_onnxruntime(SHIPPED, trial), run(converted["fp16"], trial)
    assert answer.dtype == np.uint8
    assert expected.mean() > 0.005
    assert dice(answer, expected) >= 0.999


@pytest.mark.slow
def test_the_shipped_model_s_masks_stay_in_int8(tmp_path, trial):
    calibration = np.split(phantom_slices(1, 6), 6)
    found = to_int8(SHIPPED, tmp_path / "int8.onnx", calibration)
    assert found.agreement >= 0.999
    # How many bear it depends on the weights.
    assert len(found.int8) >= 4
    assert not set(found.int8) & set(found.fp32)
    # Slices of another patient than those that the choice was made on.
    expected = with_onnxruntime(SHIPPED, trial)
    for run in (with_onnxruntime, with_openvino):
        answer = run(tmp_path / "int8.onnx", trial)
        assert answer.dtype == np.uint8
        # What the export demands is 0.995; how close another patient comes depends on the processor
        # (0.992 to 0.999 seen), which is why every export proves it anew.
        assert dice(answer, expected) >= 0.99


@pytest.mark.parametrize(("precision", "most"), [("fp16", 0.55), ("int8", 0.45)])
def test_the_weights_become_smaller(converted, precision, most):
    def weights(path):
        return sum(
            numpy_helper.to_array(tensor).nbytes for tensor in onnx.load(path).graph.initializer
        )

    assert weights(converted[precision]) < most * weights(SHIPPED)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_inputs_and_outputs_keep_their_names_and_types(converted, precision):
    before, after = onnx.load(SHIPPED).graph, onnx.load(converted[precision]).graph

    def border(graph):
        return [(t.name, t.type.tensor_type.elem_type) for t in (*graph.input, *graph.output)]

    assert border(after) == border(before)


def test_float_outputs_stay_float32_around_half_arithmetic(tmp_path):
    source = convolution(tmp_path / "fp32.onnx")
    to_fp16(source, tmp_path / "fp16.onnx")
    weight = next(
        t for t in onnx.load(tmp_path / "fp16.onnx").graph.initializer if t.dims == [1, 1, 3, 3]
    )
    assert weight.data_type == TensorProto.FLOAT16
    slices = np.arange(2 * 16 * 16, dtype=np.uint16).reshape(2, 16, 16).astype(np.uint8)
    answer = with_onnxruntime(tmp_path / "fp16.onnx", slices)
    assert answer.dtype == np.float32
    # Eleven significant bits, nine products.
    np.testing.assert_allclose(answer, with_onnxruntime(source, slices), rtol=2e-3)


def test_int8_is_what_tensorrt_reads(converted):
    graph = onnx.load(converted["int8"]).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = [n for n in graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert nodes
    for node in nodes:
        zero_point = constants[node.input[2]]
        assert zero_point.dtype == np.int8
        assert not zero_point.any()
    producer = {output: node for node in graph.node for output in node.output}
    quantised = 0
    for node in graph.node:
        if node.op_type not in ("Conv", "ConvTranspose"):
            continue
        assert constants[node.input[2]].dtype == np.float32, "TensorRT wants the bias in fp32"
        dequantised = producer.get(node.input[1])
        if dequantised is not None:
            quantised += 1
            axis = 0 if node.op_type == "Conv" else 1
            assert [a.i for a in dequantised.attribute if a.name == "axis"] == [axis]
            channels = constants[dequantised.input[0]].shape[axis]
            assert constants[dequantised.input[1]].shape == (channels,)
    # 19 convolutions and four upsamplings, less the four that read a concatenation.
    assert quantised == 19


def test_convolutions_behind_a_concatenation_are_quantised_on_request(tmp_path):
    target = tmp_path / "all.onnx"
    to_int8(SHIPPED, target, [phantom_slices(1, 1)], least_agreement=0.5, after_concatenation=True)
    graph = onnx.load(tmp_path / "all.onnx").graph
    producer = {output: node.op_type for node in graph.node for output in node.output}
    convolutions = [node for node in graph.node if node.op_type in ("Conv", "ConvTranspose")]
    assert len(convolutions) == 23
    assert {producer[node.input[0]] for node in convolutions} == {"DequantizeLinear"}


def test_the_same_calibration_gives_the_same_file(tmp_path):
    source = convolution(tmp_path / "fp32.onnx", labels=True)
    slices = np.random.default_rng(0).integers(0, 256, (4, 2, 32, 32), dtype=np.uint8)
    digests = []
    for name in ("one.onnx", "two.onnx"):
        to_int8(source, tmp_path / name, iter(slices), least_agreement=0.9)
        digests.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert digests[0] == digests[1]
    to_int8(source, tmp_path / "other.onnx", slices // 4 * 3, least_agreement=0.9)
    assert hashlib.sha256((tmp_path / "other.onnx").read_bytes()).hexdigest() != digests[0]


def test_a_convolution_that_harms_the_masks_stays_fp32(tmp_path):
    # Half the image lies within one step of int8 of the limit: no scale keeps it apart.
    source = convolution(tmp_path / "fp32.onnx", labels=True)
    slices = np.full((1, 64, 64), 255, np.uint8)
    slices[:, :, 16:] = 111
    slices[:, :, 40:] = 112
    with pytest.raises(ConversionError, match=r"no convolution can be quantised .* Dice of 0.999"):
        to_int8(source, tmp_path / "int8.onnx", [slices])
    assert [path.name for path in tmp_path.iterdir()] == ["fp32.onnx"]


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        ([], "none were given"),
        ([np.zeros((2, 32, 32), np.float32)], "must be .N, H, W. uint8, not float32"),
        ([np.zeros((32, 32), np.uint8)], r"not uint8 \(32, 32\)"),
        ([np.zeros((1, 32, 32), np.uint8)], "finds nothing in the calibration slices"),
    ],
)
def test_calibration_that_cannot_be_used_is_refused(tmp_path, calibration, message):
    source = convolution(tmp_path / "fp32.onnx", labels=True)
    with pytest.raises(ConversionError, match=message):
        to_int8(source, tmp_path / "int8.onnx", calibration)
    assert [path.name for path in tmp_path.iterdir()] == ["fp32.onnx"]


def test_a_graph_without_labels_cannot_be_judged_in_int8(tmp_path):
    source = convolution(tmp_path / "fp32.onnx")
    with pytest.raises(ConversionError, match="values must be uint8 labels"):
        to_int8(source, tmp_path / "int8.onnx", [np.zeros((1, 32, 32), np.uint8)])


@pytest.mark.parametrize(
    ("weight", "message"),
    [(1000.0, "values reaches .*, beyond fp16"), (1e5, "weight weight reaches")],
)
def test_numbers_beyond_half_precision_are_refused_and_nothing_is_left(tmp_path, weight, message):
    source = convolution(tmp_path / "fp32.onnx", weight=weight)
    target = tmp_path / "fp16.onnx"
    target.write_bytes(b"an earlier export")
    with pytest.raises(ConversionError, match=f"fp32.onnx cannot become fp16: {message}"):
        to_fp16(source, target)
    assert target.read_bytes() == b"an earlier export"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fp16.onnx", "fp32.onnx"]


@pytest.mark.parametrize(
    ("convert", "precision"),
    [
        (to_fp16, "fp16"),
        (lambda one, other: to_int8(one, other, [np.zeros((1, 64, 64), np.uint8)]), "int8"),
    ],
)
@pytest.mark.parametrize("content", [b"no graph at all", None])
def test_a_file_that_is_no_onnx_is_one_line(tmp_path, convert, precision, content):
    source = tmp_path / "broken.onnx"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(ConversionError, match=f"broken.onnx cannot become {precision}: ") as found:
        convert(source, tmp_path / "out.onnx")
    assert "\n" not in str(found.value)
    assert not (tmp_path / "out.onnx").exists()


def test_an_operator_that_no_runtime_knows_is_refused(tmp_path):
    source = convolution(tmp_path / "fp32.onnx", operator="Levitate")
    with pytest.raises(ConversionError, match="Levitate"):
        to_fp16(source, tmp_path / "fp16.onnx")
    assert not (tmp_path / "fp16.onnx").exists()


def test_a_folder_that_is_missing_is_named(tmp_path):
    source = convolution(tmp_path / "fp32.onnx")
    with pytest.raises(ConversionError, match=r"nowhere/fp16.onnx cannot be written: No such file"):
        to_fp16(source, tmp_path / "nowhere" / "fp16.onnx")
