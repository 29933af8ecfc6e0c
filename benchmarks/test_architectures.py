"""Parameters, and milliseconds an image, of each architecture in each runtime.

Weights are random: only times are looked at. Images are 512x512, for scintigraphy 950x512, one a
request. `make bench` runs it; ``python benchmarks/architecture_table.py JSON`` makes the table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

import segmentation_models_pytorch as smp  # noqa: E402 - only where torch is
from pytest_benchmark.fixture import BenchmarkFixture  # noqa: E402
from tritonclient.grpc import InferenceServerClient, InferInput  # noqa: E402

from osteoserve_export.architectures.mask_rcnn import SMALL, new_mask_rcnn  # noqa: E402
from osteoserve_export.architectures.unet import UNet  # noqa: E402
from osteoserve_export.conversion.onnx_file import export_onnx  # noqa: E402
from osteoserve_export.graphs.segmentation import SegmentationGraph  # noqa: E402
from osteoserve_export.label_codes import labels_of_names  # noqa: E402
from osteoserve_export.parity.runtimes import OnnxRuntime, OpenVino  # noqa: E402
from osteoserve_preprocessing.core import Normalisation, Window  # noqa: E402
from osteoserve_preprocessing.inference.configuration import model_configurations  # noqa: E402
from osteoserve_preprocessing.inference.contract import SegmentationContract  # noqa: E402
from osteoserve_preprocessing.triton import EmbeddedTriton  # noqa: E402

Images = np.ndarray
Run = Callable[[Images], object]

#: From name to a network and the number of its classes beside background.
SEGMENTATION: dict[str, Callable[[], tuple[torch.nn.Module, int]]] = {
    "U-Net, F = 2": lambda: (UNet(2), 1),
    "U-Net, F = 4": lambda: (UNet(4), 1),
    "U-Net, F = 8": lambda: (UNet(8), 1),
    "U-Net, ResNet-18": lambda: (_smp("resnet18"), 2),
    "U-Net, ResNet-50": lambda: (_smp("resnet50"), 2),
}

MULTIPLE = 32


@cache
def _network(name: str) -> tuple[torch.nn.Module, int]:
    torch.manual_seed(0)
    network, labels = SEGMENTATION[name]()
    return network.eval(), labels


def _smp(encoder: str) -> torch.nn.Module:
    network: torch.nn.Module = smp.Unet(encoder, encoder_weights=None, in_channels=1, classes=3)
    return network


@pytest.fixture(scope="module")
def images() -> Images:
    return np.random.default_rng(0).integers(0, 256, (1, 512, 512), np.uint8)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a model folder of an architecture, once."""
    root = tmp_path_factory.mktemp("architectures")

    @cache
    def make(name: str) -> Path:
        network, labels = _network(name)
        folder = root / hashlib.sha256(name.encode()).hexdigest()[:8]
        (folder / "model" / "1").mkdir(parents=True)
        graph = SegmentationGraph(network, activation="threshold" if labels == 1 else "argmax")
        file = folder / "model" / "1" / "model.onnx"
        export_onnx(graph, file, root / "proof.onnx", size_multiple=MULTIPLE, max_batch=8)
        contract = SegmentationContract(
            name="model",
            version="1",
            modality="CT",
            labels=labels_of_names(["patient", "bone"][-labels:]),
            window=Window(),
            normalisation=Normalisation.INTERPATIENT,
            pixel_spacing_mm=1.0,
            pixel_spacing_range_mm=(0.5, 2.0),
            size_multiple=MULTIPLE,
            digest=hashlib.sha256(file.read_bytes()).hexdigest(),
            precision="fp32",
            max_batch=8,
        )
        for path, text in model_configurations(contract).items():
            (folder / "model" / path).parent.mkdir(exist_ok=True)
            (folder / "model" / path).write_text(text)
        return folder

    return make


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _pytorch(name: str, _: Path, __: ExitStack) -> Run:
    network, _labels = _network(name)

    def run(images: Images) -> object:
        with torch.no_grad():
            return network(torch.from_numpy(images)[:, None].float() / 255.0)

    return run


def _onnx_runtime(_: str, folder: Path, __: ExitStack) -> Run:
    return OnnxRuntime(folder / "model" / "1" / "model.onnx").run


def _openvino(_: str, folder: Path, __: ExitStack) -> Run:
    return OpenVino(folder / "model" / "1" / "model.onnx").run


def _triton(_: str, folder: Path, stack: ExitStack) -> Run:
    triton = stack.enter_context(EmbeddedTriton(folder))
    client = stack.enter_context(InferenceServerClient(triton.grpc_address))

    def run(images: Images) -> object:
        tensor = InferInput("slices", list(images.shape), "UINT8")
        tensor.set_data_from_numpy(images)
        return client.infer("model", [tensor]).as_numpy("labels")

    return run


RUNTIMES = {
    "PyTorch": _pytorch,
    "ONNX Runtime": _onnx_runtime,
    "OpenVINO": _openvino,
    "Triton": _triton,
}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("architecture", SEGMENTATION)
def test_segmentation(
    benchmark: BenchmarkFixture,
    architecture: str,
    runtime: str,
    images: Images,
    repository: Callable[[str], Path],
    opened: ExitStack,
) -> None:
    """One slice of 512x512 through one runtime."""
    run = RUNTIMES[runtime](architecture, repository(architecture), opened)
    network, _ = _network(architecture)
    benchmark.extra_info["architecture"], benchmark.extra_info["runtime"] = architecture, runtime
    benchmark.extra_info["parameters"] = sum(p.numel() for p in network.parameters())
    assert benchmark.pedantic(run, args=(images,), rounds=7, warmup_rounds=2) is not None


def test_detection(benchmark: BenchmarkFixture) -> None:
    """One whole-body scan of 950x512 through torchvision's Mask R-CNN with a ResNet-18."""
    torch.manual_seed(0)
    network = new_mask_rcnn(SMALL).eval()
    scan = torch.rand(1, 950, 512)

    def run() -> object:
        with torch.no_grad():
            return network([scan])

    benchmark.extra_info["architecture"] = "Mask R-CNN, ResNet-18, 950x512"
    benchmark.extra_info["runtime"] = "PyTorch"
    benchmark.extra_info["parameters"] = sum(p.numel() for p in network.parameters())
    assert benchmark.pedantic(run, rounds=3, warmup_rounds=1)
