"""A real service on a real Triton, with a tiny model whose answer depends on the orientation."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from osteoserve_client.local_service import LocalService
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.core import Normalisation, Window
from osteoserve_preprocessing.geometry import Geometry, Volume
from osteoserve_preprocessing.inference import SegmentationContract
from osteoserve_preprocessing.inference.configuration import model_configurations
from osteoserve_preprocessing.inference.labels import Code, Label
from osteoserve_preprocessing.triton import EmbeddedTriton

RUNNER = Path(__file__).with_name("run_service.py")

#: Of the model below.
BRIGHT, EDGE = 1, 2
MODEL = "edges"


def edges_model() -> bytes:
    """Marks what is bright, and otherwise where it ends to the left and to the back."""
    # Grey value minus that of the neighbours to the left and to the back: asymmetric on purpose,
    # so that a mirrored or turned slice gives another answer.
    kernel = np.zeros((1, 1, 3, 3), dtype=np.float32)
    kernel[0, 0, 1, 1], kernel[0, 0, 1, 2], kernel[0, 0, 2, 1] = 1.0, -0.75, -0.25
    constants = {"kernel": kernel, "half": np.float32(100), "step": np.float32(30)}
    axis = numpy_helper.from_array(np.array([1], dtype=np.int64), "axis")
    grid = ["batch", "rows", "columns"]
    node = helper.make_node
    graph = helper.make_graph(
        [
            node("Cast", ["slices"], ["grey"], to=TensorProto.FLOAT),
            node("Unsqueeze", ["grey", "axis"], ["image"]),
            node("Conv", ["image", "kernel"], ["differences"], pads=[1, 1, 1, 1]),
            node("Squeeze", ["differences", "axis"], ["difference"]),
            node("Greater", ["grey", "half"], ["bright"]),
            node("Greater", ["difference", "step"], ["ends"]),
            node("And", ["bright", "ends"], ["edge"]),
            node("Cast", ["bright"], ["ones"], to=TensorProto.UINT8),
            node("Cast", ["edge"], ["twos"], to=TensorProto.UINT8),
            node("Add", ["ones", "twos"], ["labels"]),
        ],
        "edges",
        [helper.make_tensor_value_info("slices", TensorProto.UINT8, grid)],
        [helper.make_tensor_value_info("labels", TensorProto.UINT8, grid)],
        [axis, *(numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def write_model(folder: Path, model: bytes, **changes: Any) -> SegmentationContract:
    """A model folder of Triton."""
    anatomy = Code("123037004", "SCT", "Anatomical Structure")
    bone = Code("272673000", "SCT", "Bone")
    stated = {
        "name": folder.name,
        "version": "1",
        "modality": "CT",
        "labels": (Label(BRIGHT, "bright", anatomy, bone), Label(EDGE, "edge", anatomy, bone)),
        "window": Window(0, 300),
        "normalisation": Normalisation.INTERPATIENT,
        "pixel_spacing_mm": 1.0,
        "pixel_spacing_range_mm": (0.5, 1.5),
        "size_multiple": 16,
        "cut_to_body": True,
        "digest": hashlib.sha256(model).hexdigest(),
        "precision": "fp32",
        "max_batch": 8,
    }
    contract = SegmentationContract(**(stated | changes))
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(model)
    for path, text in model_configurations(contract).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    return contract


@pytest.fixture(scope="session")
def contract(model_repository: Path) -> SegmentationContract:
    """What the model states."""
    folder = model_repository / MODEL
    digest = hashlib.sha256((folder / "1" / "model.onnx").read_bytes()).hexdigest()
    return write_model(model_repository.parent / "again" / MODEL, edges_model(), digest=digest)


@pytest.fixture(scope="session")
def model_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one model."""
    repository = tmp_path_factory.mktemp("triton") / "repository"
    write_model(repository / MODEL, edges_model())
    return repository


@pytest.fixture(scope="session")
def triton(model_repository: Path) -> Iterator[str]:
    """Address of a Triton that all services of the session share."""
    with EmbeddedTriton(model_repository, log=None) as embedded:
        yield embedded.grpc_address


class StartedService:
    """A service in a process of its own."""

    def __init__(self, local: LocalService, log: Path) -> None:
        self.address = local.address
        self.process = local.process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def calls(self) -> list[str]:
        """The log's lines about calls with a volume."""
        return [line for line in self.log.splitlines() if "call=Segment" in line]


StartService = Callable[..., StartedService]


@pytest.fixture(scope="session")
def start_session_service(triton: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Starts a service on the shared Triton, with given settings and limits."""
    with ExitStack() as stack:

        def start(given: dict[str, str] | None = None, **limits: float) -> StartedService:
            log = tmp_path_factory.mktemp("service") / "service.log"
            settings = json.dumps({"triton": triton, "limits": limits} | (given or {}))
            command = (sys.executable, str(RUNNER), settings)
            return StartedService(stack.enter_context(LocalService(log=log, command=command)), log)

        yield start


@pytest.fixture(scope="session")
def service(start_session_service: StartService) -> StartedService:
    """A service with the default limits."""
    return start_session_service()


@pytest.fixture(scope="session")
def narrow_service(start_session_service: StartService) -> StartedService:
    """A service with room for one call and one in the queue, and little patience."""
    return start_session_service(
        resident_volumes=1, concurrent_calls=1, queued_calls=1, idle_s=1.0, retry_after_s=3
    )


@pytest.fixture
def client(service: StartedService) -> Iterator[ServiceClient]:
    with ServiceClient(service.address) as connected:
        yield connected


@pytest.fixture(scope="session")
def volume() -> Volume:
    """A canonical torso in air: fat, muscle and bones that no mirror maps onto each other."""
    z, y, x = np.ogrid[:12, :48, :64]
    voxels = np.full((12, 48, 64), -1000, dtype=np.int16)

    def fill(cz: float, cy: float, cx: float, rz: float, ry: float, rx: float, hu: int) -> None:
        inside = ((z - cz) / rz) ** 2 + ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1
        voxels[inside] = hu

    fill(6, 24, 32, 60, 20, 28, -90)
    fill(6, 24, 32, 60, 17, 25, 45)
    fill(6, 33, 30, 50, 5, 6, 500)
    fill(3, 16, 18, 3, 3, 6, 900)
    fill(9, 22, 47, 2, 6, 3, 250)
    return Volume(voxels, Geometry(voxels.shape, (2.0, 0.9, 0.9), (-30.0, 12.0, 400.0)))
