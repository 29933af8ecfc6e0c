"""Runtimes that an exported file is tried in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime

#: Outputs of a file by name.
Outputs = dict[str, npt.NDArray[Any]]


class Runtime(Protocol):
    """Something that runs one file."""

    def run(self, slices: npt.NDArray[np.uint8]) -> Outputs:
        """All outputs for (N, H, W) uint8 slices, in one request."""
        ...


class OnnxRuntime:
    """ONNX Runtime on the CPU.

    Args:
        model: The ONNX file.
    """

    def __init__(self, model: Path) -> None:
        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _cores()
        options.log_severity_level = 3  # errors only; they are raised as well
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        (self._input,) = (tensor.name for tensor in self._session.get_inputs())
        self._outputs = [tensor.name for tensor in self._session.get_outputs()]

    def run(self, slices: npt.NDArray[np.uint8]) -> Outputs:
        """See `Runtime.run`."""
        answers = self._session.run(self._outputs, {self._input: slices})
        return dict(zip(self._outputs, answers, strict=True))


class OpenVino:
    """OpenVINO on the CPU, in float32.

    Args:
        model: The ONNX file.
    """

    def __init__(self, model: Path) -> None:
        openvino = import_openvino()
        self.name = f"OpenVINO {openvino.__version__.split('-')[0]}"
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": _cores()}
        self._compiled = openvino.Core().compile_model(str(model), "CPU", settings)

    def run(self, slices: npt.NDArray[np.uint8]) -> Outputs:
        """See `Runtime.run`."""
        answers = self._compiled([slices])
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


def _cores() -> int:
    return len(os.sched_getaffinity(0))
