"""Runtimes that an exported file is tried in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime

from osteoserve_export.conversion.model_files import ModelFiles
from osteoserve_export.conversion.tensorrt_plan import PlanRunner
from osteoserve_export.errors import ParityError, in_one_line
from osteoserve_preprocessing.inference.configuration import PLAN_FILE

#: Outputs of a file by name.
Outputs = dict[str, npt.NDArray[Any]]


class Runtime(Protocol):
    """Something that runs one file."""

    def run(self, images: npt.NDArray[np.uint8], /) -> Outputs:
        """All outputs for (N, H, W) uint8 images, in one request."""
        ...


def runtimes_of(files: ModelFiles) -> Iterator[tuple[str, Runtime]]:
    """Every runtime that the served files are for, with its name, each with its file loaded.

    Args:
        files: What was written.
    """
    for runtime in (OnnxRuntime(files.onnx), OpenVino(files.onnx)):
        yield runtime.name, runtime
    if files.plan:
        name = f"TensorRT {files.plan.tensorrt} on {files.plan.gpu.name}"
        yield name, PlanRunner(files.onnx.with_name(PLAN_FILE))


def in_batches(runtime: Runtime, images: npt.NDArray[np.uint8], batch: int) -> Outputs:
    """All outputs for (N, H, W) uint8 images, in requests of ``batch`` images."""
    parts = [runtime.run(images[n : n + batch]) for n in range(0, len(images), batch)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class OnnxRuntime:
    """ONNX Runtime on the CPU.

    Args:
        model: The ONNX file.

    Raises:
        ParityError: It is not loaded, here or where it is run.
    """

    def __init__(self, model: Path) -> None:
        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _cores()
        options.log_severity_level = 3  # errors only; they are raised as well
        with _trouble(f"{self.name} does not load the file"):
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        (self._input,) = (tensor.name for tensor in self._session.get_inputs())
        self._outputs = [tensor.name for tensor in self._session.get_outputs()]

    def run(self, images: npt.NDArray[np.uint8]) -> Outputs:
        """See `Runtime.run`."""
        with _trouble(f"{self.name} does not run the file"):
            answers = self._session.run(self._outputs, {self._input: images})
        return dict(zip(self._outputs, answers, strict=True))


class OpenVino:
    """OpenVINO on the CPU, in float32.

    Args:
        model: The ONNX file.

    Raises:
        ParityError: It is not loaded, here or where it is run.
    """

    def __init__(self, model: Path) -> None:
        openvino = import_openvino()
        self.name = f"OpenVINO {openvino.__version__.split('-')[0]}"
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": _cores()}
        with _trouble(f"{self.name} does not load the file"):
            self._compiled = openvino.Core().compile_model(str(model), "CPU", settings)

    def run(self, images: npt.NDArray[np.uint8]) -> Outputs:
        """See `Runtime.run`."""
        with _trouble(f"{self.name} does not run the file"):
            answers = self._compiled([images])
        named: Outputs = {}
        for port in self._compiled.outputs:
            # A tensor may have several names; each stands for it.
            named |= dict.fromkeys(port.get_names(), answers[port])
        return named


def import_openvino() -> Any:
    """OpenVINO, without the package through which its import tells its makers of itself."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino


@contextmanager
def _trouble(what: str) -> Iterator[None]:
    """Whatever a runtime raises is a proof that failed."""
    try:
        yield
    except Exception as error:
        raise ParityError(f"{what}: {in_one_line(error)}") from error


def _cores() -> int:
    return len(os.sched_getaffinity(0))
