from __future__ import annotations

import hashlib
import shutil

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

import numpy as np  # noqa: E402 - only where torch is
import onnxruntime  # noqa: E402

from osteoserve_export.conversion.tensorrt_build import PlanOptions, ShapeProfile  # noqa: E402
from osteoserve_export.conversion.tensorrt_plan import (  # noqa: E402
    PlanRunner,
    build_plan,
    trtexec_command,
)
from osteoserve_export.errors import ConversionError, UnavailableError  # noqa: E402
from tests.export.conversion.networks import convolution  # noqa: E402

OPTIONS = PlanOptions(profile=ShapeProfile.of_size(64, 96))

without_gpu = pytest.mark.skipif(
    shutil.which("nvidia-smi") is not None, reason="this machine has an NVIDIA driver"
)


@without_gpu
def test_without_a_gpu_it_says_so_and_how_else(tmp_path):
    network, plan = convolution(tmp_path / "network.onnx"), tmp_path / "model.plan"
    with pytest.raises(UnavailableError, match=r"^no NVIDIA GPU on this machine: ") as found:
        build_plan(network, plan, OPTIONS)
    assert "\n" not in str(found.value)
    assert "osteoserve export ... --format tensorrt" in str(found.value)
    assert "trtexec --onnx=network.onnx --saveEngine=model.plan" in str(found.value)
    assert str(tmp_path) not in str(found.value)
    assert [path.name for path in tmp_path.iterdir()] == ["network.onnx"]


@without_gpu
def test_a_plan_cannot_be_run_without_a_gpu(tmp_path):
    with pytest.raises(UnavailableError, match="no NVIDIA GPU on this machine"):
        PlanRunner(tmp_path / "model.plan")


def test_the_command_for_nvidia_s_container(tmp_path):
    network = convolution(tmp_path / "network.onnx")
    options = PlanOptions(
        profile=ShapeProfile((1, 64, 96), (4, 64, 96), (32, 512, 512)),
        optimisation_level=5,
        workspace_bytes=3 << 29,
        timing_cache=tmp_path / "timings",
    )
    assert trtexec_command(network, tmp_path / "model.plan", options) == [
        "trtexec",
        f"--onnx={network}",
        f"--saveEngine={tmp_path}/model.plan",
        "--stronglyTyped",
        "--minShapes=slices:1x64x96",
        "--optShapes=slices:4x64x96",
        "--maxShapes=slices:32x512x512",
        "--builderOptimizationLevel=5",
        "--memPoolSize=workspace:1536",
        f"--timingCacheFile={tmp_path}/timings",
        "--skipInference",
    ]


@pytest.mark.parametrize("content", [b"nothing of the kind", None])
def test_a_file_that_is_no_onnx_is_named(tmp_path, content):
    network = tmp_path / "network.onnx"
    if content is not None:
        network.write_bytes(content)
    with pytest.raises(ConversionError, match=r"network.onnx is no ONNX file that can be read"):
        trtexec_command(network, tmp_path / "model.plan", OPTIONS)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU and CUDA's torch")
def test_a_plan_answers_as_onnx_runtime_does(tmp_path):
    pytest.importorskip("tensorrt", reason="needs TensorRT: pip install tensorrt on a GPU machine")
    network, plan = convolution(tmp_path / "network.onnx"), tmp_path / "model.plan"
    report = build_plan(network, plan, OPTIONS)
    assert report.sha256 == hashlib.sha256(plan.read_bytes()).hexdigest()
    assert report.plan_bytes == plan.stat().st_size
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    runner = PlanRunner(plan)
    for batch in (1, 3, 32):
        slices = np.random.default_rng(batch).integers(0, 256, (batch, 64, 96), dtype=np.uint8)
        (expected,) = session.run(["values"], {"slices": slices})
        # TF32 keeps ten bits of a factor's mantissa.
        np.testing.assert_allclose(runner.run(slices)["values"], expected, rtol=2e-3)
    with pytest.raises(ConversionError, match="does not take slices"):
        runner.run(np.zeros((33, 64, 96), np.uint8))
