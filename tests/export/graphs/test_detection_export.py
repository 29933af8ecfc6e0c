from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")
pytest.importorskip("torchvision", reason="the extra 'export' is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'service' is not installed")

import onnx  # noqa: E402 - only where torch is
from torch.export import Dim  # noqa: E402
from torchvision.models.detection.transform import GeneralizedRCNNTransform  # noqa: E402

from osteoserve_export.errors import ParityError  # noqa: E402
from osteoserve_export.graphs.detection import DetectionGraph  # noqa: E402
from osteoserve_export.parity.detections import check_detections, match_detections  # noqa: E402
from osteoserve_export.parity.runtimes import OnnxRuntime, OpenVino  # noqa: E402
from osteoserve_preprocessing.inference.detections import (  # noqa: E402
    INPUT,
    OUTPUTS,
    Detections,
    unpack_detections,
)
from tests.export.graphs.detector import images, reference, varied_detector, views  # noqa: E402

SIZE, WHOLE_BODY = (288, 224), (950, 512)
MAX_BATCH = 16

pytestmark = pytest.mark.slow


@contextmanager
def exporting() -> Iterator[None]:
    """torch's exporters warn of themselves and of their dependencies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """The graph of the varied detector, traced with a batch of 2."""
    path = tmp_path_factory.mktemp("detector") / "model.onnx"
    graph = DetectionGraph(varied_detector(size=SIZE), size=SIZE)
    with exporting():
        torch.onnx.export(
            graph,
            (torch.from_numpy(views(2, SIZE)),),
            path,
            dynamo=True,
            opset_version=20,
            external_data=False,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: Dim("batch", min=1, max=MAX_BATCH)},),
            verbose=False,
        )
    return path


@pytest.mark.parametrize("runtime", [OnnxRuntime, OpenVino])
@pytest.mark.parametrize("batch", [1, 3, 4])
def test_every_detection_matches(exported, runtime, batch):
    grey = views(4, SIZE, seed=11)
    grey[1] = 0
    engine = runtime(exported)
    found: list[Detections] = []
    for n in range(0, 4, batch):
        found += unpack_detections(engine.run(grey[n : n + batch]))
    agreement = match_detections(reference(varied_detector(size=SIZE), grey), found)
    assert agreement.rate == 1.0, agreement.lone
    assert agreement.expected > 60
    assert len(found[1]) == 0
    # The heads of this detector magnify rounding: a trained network differs by less.
    assert agreement.score_error < 1e-3
    assert agreement.box_error < 0.05
    assert agreement.mean_dice > 0.999
    check_detections(agreement, engine.name)


def test_the_file_has_a_free_batch_and_else_fixed_shapes(exported):
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 20)]
    shapes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {
        INPUT: ["batch", *SIZE],
        "boxes": ["batch", 100, 4],
        "labels": ["batch", 100],
        "scores": ["batch", 100],
        "masks": ["batch", 100, 28, 28],
        "count": ["batch"],
    }


def test_what_tensorrt_lacks_is_not_used(exported):
    nodes = {node.op_type for node in onnx.load(exported).graph.node}
    assert not nodes & {"NonZero", "NonMaxSuppression", "RoiAlign", "ScatterND", "If"}


def test_tensorrt_builds_it(exported):
    tensorrt = pytest.importorskip(
        "tensorrt_rtx", reason="pip install tensorrt-rtx: it needs no GPU to build"
    )
    said: list[str] = []

    class Log(tensorrt.ILogger):
        def log(self, severity, message):
            if severity <= tensorrt.ILogger.Severity.WARNING:
                said.append(message)

    log = Log()
    builder = tensorrt.Builder(log)
    typed = 1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(typed)
    parser = tensorrt.OnnxParser(network, log)
    parsed = parser.parse_from_file(str(exported))
    assert parsed, [str(parser.get_error(n)) for n in range(parser.num_errors)]
    assert [network.get_output(n).name for n in range(network.num_outputs)] == list(OUTPUTS)
    settings = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    profile.set_shape(INPUT, (1, *SIZE), (4, *SIZE), (MAX_BATCH, *SIZE))
    settings.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, settings)
    assert plan is not None, said
    assert plan.nbytes > exported.stat().st_size / 2


def stock_export(resize: Callable[..., GeneralizedRCNNTransform], path: Path) -> list[Detections]:
    """torchvision's own export, and what ONNX Runtime makes of it."""
    network, grey = varied_detector(size=WHOLE_BODY), views(2, WHOLE_BODY, seed=9)
    fixed = network.transform
    network.transform = resize(image_mean=fixed.image_mean, image_std=fixed.image_std)
    try:
        with exporting():
            torch.onnx.export(network, (images(grey[1:]),), path, dynamo=False, opset_version=17)
    finally:
        network.transform = fixed
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3  # the exporter's loop states shapes that it does not keep
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: images(grey[:1])[0].numpy()}
    boxes, labels, scores, _ = session.run(None, feed)
    return [Detections(boxes, labels, scores, np.zeros((len(labels), 28, 28), np.float32))]


def test_torchvision_s_own_export_is_caught(tmp_path):
    # A resize by min(512 / 512, 950 / 950), which is one: but 511 columns in the traced graph.
    found = stock_export(
        lambda **given: GeneralizedRCNNTransform(min_size=512, max_size=950, **given),
        tmp_path / "stock.onnx",
    )
    agreement = match_detections(whole_body(), found)
    assert agreement.rate < 0.5
    with pytest.raises(ParityError, match="detections match"):
        check_detections(agreement, "ONNX Runtime")


def test_with_a_fixed_size_it_is_not(tmp_path):
    found = stock_export(
        lambda **given: GeneralizedRCNNTransform(
            min_size=512, max_size=950, fixed_size=WHOLE_BODY[::-1], **given
        ),
        tmp_path / "fixed.onnx",
    )
    assert match_detections(whole_body(), found).rate == 1.0


def whole_body() -> list[Detections]:
    """Without masks, which torchvision's own export pastes."""
    (expected,) = reference(varied_detector(size=WHOLE_BODY), views(2, WHOLE_BODY, seed=9)[:1])
    return [dataclasses.replace(expected, masks=np.zeros_like(expected.masks))]
