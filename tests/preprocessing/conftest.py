"""Tiny models in a model repository, and one real Triton that serves them to all tests here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from onnx import TensorProto, helper, numpy_helper
from tritonclient.grpc import model_config_pb2

from osteoserve_preprocessing.core import Normalisation, Window
from osteoserve_preprocessing.inference import (
    Code,
    DetectionContract,
    Label,
    ModelContract,
    SegmentationContract,
)
from osteoserve_preprocessing.inference.configuration import model_configurations
from osteoserve_preprocessing.triton import EmbeddedTriton

EditConfiguration = Callable[[model_config_pb2.ModelConfig], object]
WriteModel = Callable[..., SegmentationContract]


def threshold_network(
    layers: list[np.ndarray[Any, Any]],
    threshold: float,
    *,
    value: int = 1,
    lost_rows: int = 0,
) -> bytes:
    """A chain of convolutions, then a threshold, as an ONNX file.

    Args:
        layers: (C_out, C_in, k, k) float32 kernels, with a ReLU between; first C_in and last
            C_out are 1.
        threshold: What the last layer must exceed to be labelled.
        value: The label.
        lost_rows: Rows that the answer has fewer than the question.
    """
    node, nodes = helper.make_node, []
    constants = {"axis": np.array([1], np.int64), "threshold": np.float32(threshold)}
    nodes.append(node("Cast", ["slices"], ["grey"], to=TensorProto.FLOAT))
    nodes.append(node("Unsqueeze", ["grey", "axis"], ["x0"]))
    for index, kernel in enumerate(layers):
        constants[f"kernel{index}"] = kernel.astype(np.float32)
        pads = [kernel.shape[-1] // 2] * 4
        pads[0] -= lost_rows if index == 0 else 0
        nodes.append(
            node("Conv", [f"x{index}", f"kernel{index}"], [f"convolved{index}"], pads=pads)
        )
        nodes.append(node("Relu", [f"convolved{index}"], [f"x{index + 1}"]))
    constants["value"] = np.uint8(value)
    nodes += [
        node("Squeeze", [f"x{len(layers)}", "axis"], ["logits"]),
        node("Greater", ["logits", "threshold"], ["above"]),
        node("Cast", ["above"], ["ones"], to=TensorProto.UINT8),
        node("Mul", ["ones", "value"], ["labels"]),
    ]
    graph = helper.make_graph(
        nodes,
        "threshold_network",
        [helper.make_tensor_value_info("slices", TensorProto.UINT8, ["n", "h", "w"])],
        [helper.make_tensor_value_info("labels", TensorProto.UINT8, ["n", "h_out", "w"])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


@dataclass(frozen=True)
class Process:
    """A process, as /proc shows it."""

    pid: int
    parent: int
    command: str


def all_processes() -> list[Process]:
    """Every process of this machine that has not ended."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it ended while we looked
            continue
        if state not in "ZX":
            found.append(Process(int(folder.name), int(parent), command.strip()))
    return found


def tree_below(root: int) -> list[Process]:
    """Processes that descend from one, itself excluded."""
    everything = all_processes()
    found, parents = [], {root}
    while parents:
        children = [process for process in everything if process.parent in parents]
        found += children
        parents = {process.pid for process in children}
    return found


#: `box_network` labels a pixel where its 3x3 neighbourhood sums to more than this.
BOX_THRESHOLD = 900


def box_network(**changes: Any) -> bytes:
    """Sums over 3x3 pixels and a threshold: whole numbers, so that every engine agrees exactly."""
    return threshold_network([np.ones((1, 1, 3, 3))], BOX_THRESHOLD, **changes)


def random_network(width: int = 8, *, kernel: int = 3) -> bytes:
    """Two layers of random weights, whose sums are rounded."""
    random = np.random.default_rng(2)
    first = random.normal(size=(width, 1, kernel, kernel))
    last = random.normal(size=(1, width, kernel, kernel))
    return threshold_network([first, last], 100.0)


#: Height, width, most detections and mask cells of `finding_network`.
VIEWS, PLACES, CELLS = (24, 32), 3, 2


def finding_network(*, value: int = 1, score: float = 0.5) -> bytes:
    """Finds as many objects in an image as its first pixel says, all alike, as an ONNX file.

    Args:
        value: Their label.
        score: Their score.
    """
    node = helper.make_node
    constants: dict[str, Any] = {
        "places": np.arange(PLACES, dtype=np.float32)[None],
        "axes": np.array([1, 2], np.int64),
        "corner": np.array([0, 0], np.int64),
        "end": np.array([1, 1], np.int64),
        "value": np.float32(value),
        "score": np.float32(score),
        "box": np.array([2, 3, 12, 13], np.float32),
        "mask": np.full((CELLS, CELLS), 0.75, np.float32),
        "last": np.array([2], np.int64),
        "both": np.array([2, 3], np.int64),
        "one": np.array([1], np.int64),
    }
    nodes = [
        node("Slice", ["views", "corner", "end", "axes"], ["pixel"]),
        node("Cast", ["pixel"], ["wide"], to=TensorProto.FLOAT),
        node("Squeeze", ["wide", "axes"], ["wanted"]),
        node("Cast", ["wanted"], ["count"], to=TensorProto.INT32),
        node("Unsqueeze", ["wanted", "one"], ["column"]),
        node("Greater", ["column", "places"], ["there"]),
        node("Cast", ["there"], ["ones"], to=TensorProto.FLOAT),
        node("Mul", ["ones", "score"], ["scores"]),
        node("Mul", ["ones", "value"], ["values"]),
        node("Cast", ["values"], ["labels"], to=TensorProto.UINT8),
        node("Unsqueeze", ["ones", "last"], ["ones3"]),
        node("Mul", ["ones3", "box"], ["boxes"]),
        node("Unsqueeze", ["ones", "both"], ["ones4"]),
        node("Mul", ["ones4", "mask"], ["masks"]),
    ]
    outputs = {
        "boxes": (TensorProto.FLOAT, ["n", PLACES, 4]),
        "labels": (TensorProto.UINT8, ["n", PLACES]),
        "scores": (TensorProto.FLOAT, ["n", PLACES]),
        "masks": (TensorProto.FLOAT, ["n", PLACES, CELLS, CELLS]),
        "count": (TensorProto.INT32, ["n"]),
    }
    graph = helper.make_graph(
        nodes,
        "finding_network",
        [helper.make_tensor_value_info("views", TensorProto.UINT8, ["n", *VIEWS])],
        [helper.make_tensor_value_info(name, *tensor) for name, tensor in outputs.items()],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def write_one_detector(folder: Path, model: bytes, **changes: Any) -> DetectionContract:
    anatomy = Code("123037004", "SCT", "Anatomical Structure")
    stated = {
        "name": folder.name,
        "version": "1",
        "modality": "NM",
        "labels": (Label(1, "skull", anatomy, Code("89546000", "SCT", "Skull")),),
        "image_size": VIEWS,
        "detections": PLACES,
        "mask_cells": CELLS,
        "digest": hashlib.sha256(model).hexdigest(),
        "precision": "fp32",
        "max_batch": 4,
    }
    contract = DetectionContract(**(stated | changes))
    write_files(folder, model, contract)
    return contract


def write_files(folder: Path, model: bytes, contract: ModelContract) -> None:
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(model)
    for path, text in model_configurations(contract).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)


def write_one_model(folder: Path, model: bytes, **changes: Any) -> SegmentationContract:
    anatomy = Code("123037004", "SCT", "Anatomical Structure")
    bone = Code("272673000", "SCT", "Bone")
    stated = {
        "name": folder.name,
        "version": "1",
        "modality": "CT",
        "labels": (Label(1, "bright", anatomy, bone),),
        "window": Window(),
        "normalisation": Normalisation.INTERPATIENT,
        "pixel_spacing_mm": 1.0,
        "pixel_spacing_range_mm": (0.5, 1.5),
        "size_multiple": 16,
        "cut_to_body": True,
        "digest": hashlib.sha256(model).hexdigest(),
        "precision": "fp32",
        "max_batch": 16,
    }
    contract = SegmentationContract(**(stated | changes))
    write_files(folder, model, contract)
    return contract


def edit_one_configuration(path: Path, edit: EditConfiguration) -> None:
    config = text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())
    edit(config)
    path.write_text(text_format.MessageToString(config))


@pytest.fixture(scope="session")
def running_processes() -> Callable[[], list[Process]]:
    """Every process of this machine, as the kernel sees it."""
    return all_processes


@pytest.fixture(scope="session")
def processes_below() -> Callable[[int], list[Process]]:
    """Processes that descend from a given one, as the kernel sees it."""
    return tree_below


@pytest.fixture(scope="session")
def write_model() -> WriteModel:
    """Writes a model and its configurations as one folder of a model repository."""

    def write(folder: Path, model: bytes | None = None, **changes: Any) -> SegmentationContract:
        return write_one_model(folder, model or box_network(), **changes)

    return write


@pytest.fixture(scope="session")
def write_detector() -> Callable[..., DetectionContract]:
    """The same for a detection model."""

    def write(folder: Path, model: bytes | None = None, **changes: Any) -> DetectionContract:
        return write_one_detector(folder, model or finding_network(), **changes)

    return write


@pytest.fixture(scope="session")
def edit_configuration() -> Callable[[Path, EditConfiguration], None]:
    """Changes a configuration file in place."""
    return edit_one_configuration


@pytest.fixture(scope="session")
def box_labels() -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """What `box_network` answers, in whole numbers."""

    def labels(slices: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        padded = np.pad(slices.astype(np.int64), ((0, 0), (1, 1), (1, 1)))
        rows, columns = slices.shape[1:]
        total = sum(padded[:, i : i + rows, j : j + columns] for i in range(3) for j in range(3))
        return (total > BOX_THRESHOLD).astype(np.uint8)

    return labels


@pytest.fixture(scope="session")
def shared_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of every kind that the tests ask.

    ``box`` and ``random`` run in OpenVINO, ``box_plain`` in ONNX Runtime, ``stranger`` answers a
    value that is no label, ``shrinking`` a row too few, ``slow`` takes long, and ``bare`` states
    no contract. ``finder`` finds, ``finder_plain`` in ONNX Runtime, ``finder_strange`` what is no
    label, ``finder_lost`` with a score that is no number.
    """
    repository = tmp_path_factory.mktemp("models")
    write_one_model(repository / "box", box_network())
    write_one_model(repository / "box_plain", box_network())
    write_one_model(repository / "random", random_network())
    write_one_model(repository / "stranger", box_network(value=7))
    write_one_model(repository / "shrinking", box_network(lost_rows=1))
    write_one_model(repository / "slow", random_network(32, kernel=15))
    write_one_model(repository / "bare", box_network())
    write_one_detector(repository / "finder", finding_network())
    write_one_detector(repository / "finder_plain", finding_network())
    write_one_detector(repository / "finder_strange", finding_network(value=7))
    write_one_detector(repository / "finder_lost", finding_network(score=np.nan))
    for path in ("config.pbtxt", "configs/cpu.pbtxt"):
        edit_one_configuration(
            repository / "bare" / path, lambda config: config.ClearField("parameters")
        )
        for name in ("box_plain", "finder_plain"):
            edit_one_configuration(
                repository / name / path, lambda config: config.ClearField("optimization")
            )
    return repository


@pytest.fixture(scope="session")
def shared_triton(
    shared_repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of a Triton that serves `shared_repository`; tests leave it as it is."""
    log = tmp_path_factory.mktemp("triton") / "triton.log"
    with EmbeddedTriton(shared_repository, log=log) as triton:
        yield triton.grpc_address
