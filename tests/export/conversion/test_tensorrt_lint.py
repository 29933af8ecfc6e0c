from __future__ import annotations

import sys

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")
rtx = pytest.importorskip("tensorrt_rtx", reason="pip install tensorrt-rtx: it needs no GPU")

import numpy as np  # noqa: E402 - only where both are installed
import segmentation_models_pytorch as smp  # noqa: E402
from torch.export import Dim  # noqa: E402

from osteoserve_export.conversion.precision import to_fp16, to_int8  # noqa: E402
from osteoserve_export.conversion.tensorrt_build import ShapeProfile  # noqa: E402
from osteoserve_export.conversion.tensorrt_lint import lint_with_rtx  # noqa: E402
from osteoserve_export.errors import ConversionError, UnavailableError  # noqa: E402
from tests.export.conversion.networks import SHIPPED, cast_first, convolution  # noqa: E402

FULL_SIZE = ShapeProfile.of_size(512, 512)


class ThreeClasses(torch.nn.Module):
    """Bytes in, the class that is likeliest out, around a network that takes three channels."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = smp.Unet("resnet18", encoder_weights=None, classes=3).eval()

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        grey = (slices.to(torch.float32) * (1 / 255)).unsqueeze(1).repeat(1, 3, 1, 1)
        return self.network(grey).argmax(1).to(torch.uint8)


@pytest.fixture(scope="module")
def unet(tmp_path_factory):
    return cast_first(SHIPPED, tmp_path_factory.mktemp("unet") / "unet.onnx")


def blocks():
    """(1, H, W) uint8 with bone as bright as it gets."""
    slices = np.full((1, 128, 128), 30, np.uint8)
    slices[:, 30:60, 40:90] = 255
    return slices


def test_the_shipped_model_builds_for_full_size(unet):
    report = lint_with_rtx(unet, FULL_SIZE)
    assert report.version == rtx.__version__
    assert report.profile == FULL_SIZE
    # 19 convolutions and four upsamplings, each with what follows.
    assert report.layers > 40
    assert report.plan_bytes > 486_409 * 4


def test_fp16_builds_to_half_the_size(unet, tmp_path):
    to_fp16(unet, tmp_path / "fp16.onnx")
    halved = lint_with_rtx(tmp_path / "fp16.onnx", FULL_SIZE).plan_bytes
    assert 486_409 * 2 < halved < lint_with_rtx(unet, FULL_SIZE).plan_bytes - 486_409


@pytest.mark.parametrize("after_concatenation", [False, True])
def test_int8_builds(unet, tmp_path, after_concatenation):
    target = tmp_path / "int8.onnx"
    to_int8(unet, target, [blocks()], least_agreement=0.1, after_concatenation=after_concatenation)
    report = lint_with_rtx(target, FULL_SIZE)
    # Each of 19 or 23 convolutions with the scales of its input and weight.
    assert report.layers > lint_with_rtx(unet, FULL_SIZE).layers + 2 * 19
    assert report.plan_bytes > 0


@pytest.mark.slow
# The exporter's own, and onnxscript's, against newer Pythons and torch.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_resnet_unet_with_argmax_builds(tmp_path, precision):
    path = tmp_path / "fp32.onnx"
    sizes = {
        0: Dim("batch", min=1, max=32),
        1: 32 * Dim("rows", min=1),
        2: 32 * Dim("columns", min=1),
    }
    torch.onnx.export(
        ThreeClasses().eval(),
        (torch.zeros((2, 64, 96), dtype=torch.uint8),),
        path,
        dynamo=True,
        opset_version=20,
        external_data=False,
        input_names=["slices"],
        output_names=["labels"],
        dynamic_shapes=(sizes,),
        verbose=False,
    )
    if precision == "fp16":
        to_fp16(path, tmp_path / "fp16.onnx")
        path = tmp_path / "fp16.onnx"
    report = lint_with_rtx(path, FULL_SIZE)
    assert report.plan_bytes > 14_000_000 * (4 if precision == "fp32" else 2)


def test_what_does_not_parse_is_named(tmp_path):
    network = convolution(tmp_path / "network.onnx", operator="Levitate")
    with pytest.raises(ConversionError, match=r"network.onnx: .*node last \(Levitate\)"):
        lint_with_rtx(network, ShapeProfile.of_size(64, 64))


def test_without_the_package_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(UnavailableError, match="pip install tensorrt-rtx"):
        lint_with_rtx(convolution(tmp_path / "network.onnx"), ShapeProfile.of_size(64, 64))
