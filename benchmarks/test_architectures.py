"""Parameters, and milliseconds an image, of each architecture in each runtime.

Weights are random, but those of the shipped detector: how long a detector takes depends on what it
finds. Images are 512x512, for scintigraphy 950x512, one a request. `make bench` runs it;
``python benchmarks/architecture_table.py JSON`` makes the table and the plot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

import segmentation_models_pytorch as smp  # noqa: E402 - only where torch is
from pytest_benchmark.fixture import BenchmarkFixture  # noqa: E402
from torch import nn  # noqa: E402
from tritonclient.grpc import InferenceServerClient, InferInput  # noqa: E402

from osteoserve_export.architectures.mask_rcnn import MaskRCNNShape, new_mask_rcnn  # noqa: E402
from osteoserve_export.architectures.unet import UNet  # noqa: E402
from osteoserve_export.checkpoints import save_checkpoint  # noqa: E402
from osteoserve_export.label_codes import labels_of_names  # noqa: E402
from osteoserve_export.parity.runtimes import OnnxRuntime, OpenVino  # noqa: E402
from osteoserve_export.phantoms import phantom_studies  # noqa: E402
from osteoserve_export.specification import read_specification, specification  # noqa: E402
from osteoserve_export.tasks import Task, task_of  # noqa: E402
from osteoserve_export.training.scintigraphy.views import read_views  # noqa: E402
from osteoserve_preprocessing.core.scintigram import compose_views  # noqa: E402
from osteoserve_preprocessing.inference.configuration import (  # noqa: E402
    ONNX_FILE,
    model_configurations,
)
from osteoserve_preprocessing.triton import EmbeddedTriton  # noqa: E402

Images = npt.NDArray[np.uint8]
Run = Callable[[Images], object]

CHECKPOINTS = Path(__file__).resolve().parents[1] / "export" / "checkpoints"
RESNET50 = MaskRCNNShape(
    blocks=(3, 4, 6, 3),
    bottleneck=True,
    channels=1,
    pyramid=256,
    normalised=False,
    proposal_depth=1,
    box_convolutions=(),
    representation=1024,
    mask_layers=(256, 256, 256, 256),
    mask_reduced=256,
    classes=11,
)

SKELETON = {"labels": labels_of_names(["skeleton"])}
PELVIS = {"labels": labels_of_names(["patient", "bone"]), "activation": "argmax"}
AS_IT_IS = {"fixed_size": (512, 950)}
REGIONS = {"labels": labels_of_names([f"region {n}" for n in range(1, 11)]), "options": AS_IT_IS}


@dataclass(frozen=True)
class Subject:
    """One row of the table.

    Args:
        architecture: Under which it is exported.
        asked: What else the export is told.
        network: Makes it with random weights; the shipped checkpoint of a name otherwise.
    """

    architecture: str
    asked: dict[str, Any]
    network: Callable[[], nn.Module] | str


SUBJECTS = {
    "U-Net, F = 2": Subject("unet", SKELETON, lambda: UNet(2)),
    "U-Net, F = 4": Subject("unet", SKELETON, lambda: UNet(4)),
    "U-Net, F = 8": Subject("unet", SKELETON, lambda: UNet(8)),
    "U-Net, ResNet-18": Subject("resnet_unet", PELVIS, lambda: _smp("resnet18")),
    "U-Net, ResNet-50": Subject("resnet_unet", PELVIS, lambda: _smp("resnet50")),
    "Mask R-CNN, ResNet-18, halved image": Subject("mask_rcnn", {}, "mask_rcnn_scintigraphy"),
    "Mask R-CNN, ResNet-50": Subject(
        "mask_rcnn", REGIONS, lambda: new_mask_rcnn(RESNET50, AS_IT_IS)
    ),
}


def _smp(encoder: str) -> nn.Module:
    network: nn.Module = smp.Unet(encoder, encoder_weights=None, in_channels=1, classes=3)
    return network


@dataclass(frozen=True)
class Served:
    """A model folder, and the network that it was made of."""

    task: Task
    repository: Path

    @property
    def onnx(self) -> Path:
        """The file that is served."""
        return self.repository / "model" / "1" / ONNX_FILE


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Served]:
    """Makes a model folder of a row, once, by the steps of an export."""

    @cache
    def make(name: str) -> Served:
        subject, root = SUBJECTS[name], tmp_path_factory.mktemp("architecture")
        if isinstance(subject.network, str):
            weights = CHECKPOINTS / f"{subject.network}.safetensors"
            asked = read_specification(weights.with_suffix(".toml"), {"name": "model"})
        else:
            weights = root / "weights.safetensors"
            torch.manual_seed(0)
            save_checkpoint(subject.network(), weights)
            architecture = {"architecture": subject.architecture, "name": "model"}
            asked = specification(architecture | subject.asked)
        task = task_of(asked, weights)
        repository, scratch = root / "repository", root / "scratch"
        (repository / "model" / "1").mkdir(parents=True)
        scratch.mkdir()
        files = task.write(repository / "model" / "1", scratch)
        contract = task.contract(hashlib.sha256(files.onnx.read_bytes()).hexdigest())
        for path, text in model_configurations(contract).items():
            (repository / "model" / path).parent.mkdir(exist_ok=True)
            (repository / "model" / path).write_text(text)
        return Served(task, repository)

    return make


@pytest.fixture(scope="module")
def images() -> dict[str, Images]:
    """One image for each architecture."""
    slice_ = np.random.default_rng(0).integers(0, 256, (1, 512, 512), np.uint8)
    with phantom_studies("scintigraphy", [11]) as (study,):
        views = read_views(study)
    scan = compose_views(views["anterior"], views["posterior"]).image[None]
    return {"unet": slice_, "resnet_unet": slice_, "mask_rcnn": scan}


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _pytorch(served: Served, _: ExitStack) -> Run:
    network = served.task.network.eval()
    detects = served.task.contract("0" * 64).task == "detection"

    def run(images: Images) -> object:
        grey = torch.from_numpy(images)[:, None].float() / 255.0
        with torch.inference_mode():
            return network(list(grey) if detects else grey)

    return run


def _onnx_runtime(served: Served, _: ExitStack) -> Run:
    return OnnxRuntime(served.onnx).run


def _openvino(served: Served, _: ExitStack) -> Run:
    return OpenVino(served.onnx).run


def _triton(served: Served, stack: ExitStack) -> Run:
    triton = stack.enter_context(EmbeddedTriton(served.repository))
    client = stack.enter_context(InferenceServerClient(triton.grpc_address))
    contract = served.task.contract("0" * 64)

    def run(images: Images) -> object:
        tensor = InferInput(contract.input_name, list(images.shape), "UINT8")
        tensor.set_data_from_numpy(images)
        answer = client.infer("model", [tensor])
        return [answer.as_numpy(name) for name in contract.output_names]

    return run


RUNTIMES = {
    "PyTorch": _pytorch,
    "ONNX Runtime": _onnx_runtime,
    "OpenVINO": _openvino,
    "Triton": _triton,
}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("architecture", SUBJECTS)
def test_architecture(
    benchmark: BenchmarkFixture,
    architecture: str,
    runtime: str,
    images: dict[str, Images],
    served: Callable[[str], Served],
    opened: ExitStack,
) -> None:
    """One image through one runtime."""
    model = served(architecture)
    run = RUNTIMES[runtime](model, opened)
    benchmark.extra_info["architecture"], benchmark.extra_info["runtime"] = architecture, runtime
    benchmark.extra_info["parameters"] = sum(p.numel() for p in model.task.network.parameters())
    image = images[SUBJECTS[architecture].architecture]
    assert benchmark.pedantic(run, args=(image,), rounds=5, warmup_rounds=1) is not None
