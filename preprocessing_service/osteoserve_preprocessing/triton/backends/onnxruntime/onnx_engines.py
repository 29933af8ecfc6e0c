"""Engines that run an ONNX file: OpenVINO or ONNX Runtime on the CPU, ONNX Runtime on CUDA.

Runs inside Triton's Python process, where this package is not importable: it imports nothing of
ours. An engine is opened for exactly what a model's configuration says, or refused.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import local
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Tensors = dict[str, npt.NDArray[Any]]

#: Slices that a CUDA run computes together. Always as many, filled up with zeros, since cuDNN
#: picks its algorithm, and with it the rounding, by the shape.
CUDA_BATCH = 8

_OPENVINO_PRECISIONS = {"fp32": ("f32", "FP32"), "bf16": ("bf16", "BF16")}
_OPENVINO_PARAMETERS = {"precision", "num_streams", "num_of_threads"}
_CUDA_PRECISIONS = {"fp32": "0", "tf32": "1"}


class EngineError(Exception):
    """The engine that the configuration asks for cannot be had on this machine."""


class Engine(Protocol):
    """Something that computes a model's outputs.

    ``parallel`` is how many calls of `run` at a time it gains from.
    """

    description: str
    precision: str
    parallel: int

    def run(self, inputs: Tensors, *, batched: bool) -> Tensors:
        """Outputs by name; axis 0 of all tensors is the batch where ``batched``.

        A slice's result does not depend on which others are computed beside it.
        """


@dataclass(frozen=True)
class EngineRequest:
    """What a model's configuration asks for.

    Args:
        model: The ONNX file.
        kind: "CPU" or "GPU".
        device: Number of the GPU.
        accelerators: Names of the execution accelerators of that kind, with their parameters.
        precision: Precision that the contract states; None where there is no contract.
        threads: Threads of ONNX Runtime on the CPU; None for one per available core.
    """

    model: Path
    kind: str
    device: int
    accelerators: tuple[tuple[str, Mapping[str, str]], ...]
    precision: str | None
    threads: int | None


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def open_engine(request: EngineRequest) -> Engine:
    """Open the engine that is asked for, and no other.

    Raises:
        EngineError: It cannot be had here, or would not compute in the stated precision.
    """
    names = [name for name, _ in request.accelerators]
    engine: Engine
    if request.kind == "GPU" and not names:
        engine = _open_cuda(request)
    elif request.kind == "CPU" and names == ["openvino"]:
        engine = OpenVinoEngine(request.model, request.accelerators[0][1])
    elif request.kind == "CPU" and not names:
        engine = _open_cpu(request)
    else:
        raise EngineError(f"no engine for instance kind {request.kind} with accelerators {names}")
    if request.precision not in (None, engine.precision):
        raise EngineError(
            f"the configuration states precision {request.precision!r}, "
            f"its engine computes in {engine.precision!r}"
        )
    return engine


class OpenVinoEngine:
    """OpenVINO on the CPU: streams of few threads, one slice each.

    Args:
        model: The ONNX file.
        parameters: ``precision`` ("fp32" or "bf16"), ``num_streams`` and ``num_of_threads``
            (both one per available core unless given).
    """

    def __init__(self, model: Path, parameters: Mapping[str, str]) -> None:
        unknown = set(parameters) - _OPENVINO_PARAMETERS
        if unknown:
            raise EngineError(f"unknown parameters of accelerator openvino: {sorted(unknown)}")
        self.precision = parameters.get("precision", "fp32")
        threads = _count(parameters, "num_of_threads")
        streams = min(_count(parameters, "num_streams"), threads)
        openvino = _import_openvino()
        self._compiled = openvino.Core().compile_model(
            str(model), "CPU", self._settings(openvino, streams, threads)
        )
        self._confirm_precision()
        self._names = [output.get_any_name() for output in self._compiled.outputs]
        self._streams = ThreadPoolExecutor(streams, thread_name_prefix="openvino-stream")
        self._own = local()
        self.parallel = streams
        self.description = (
            f"OpenVINO {openvino.__version__.split('-')[0]}, {self.precision}, "
            f"{streams} streams, {threads} threads"
        )

    def run(self, inputs: Tensors, *, batched: bool) -> Tensors:
        """See `Engine.run`."""
        if not batched:
            return self._infer(inputs)
        parts = [
            {name: tensor[index : index + 1] for name, tensor in inputs.items()}
            for index in range(_batch_size(inputs))
        ]
        return _joined(list(self._streams.map(self._infer, parts)))

    def _infer(self, inputs: Tensors) -> Tensors:
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        self._own.request.infer(inputs, share_inputs=True)
        return {
            name: self._own.request.get_output_tensor(index).data.copy()
            for index, name in enumerate(self._names)
        }

    def _settings(self, openvino: Any, streams: int, threads: int) -> dict[str, object]:
        if self.precision not in _OPENVINO_PRECISIONS:
            raise EngineError(
                f"precision of accelerator openvino must be one of "
                f"{sorted(_OPENVINO_PRECISIONS)}, not {self.precision!r}"
            )
        hint, capability = _OPENVINO_PRECISIONS[self.precision]
        if capability not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise EngineError(f"this CPU has no {self.precision} arithmetic")
        return {
            "INFERENCE_PRECISION_HINT": hint,
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": threads,
            # Another process on the same cores would be pinned to the same ones.
            "ENABLE_CPU_PINNING": False,
        }

    def _confirm_precision(self) -> None:
        wanted = _OPENVINO_PRECISIONS[self.precision][0]
        used = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if used != wanted:
            raise EngineError(f"OpenVINO computes in {used} where {wanted} is asked for")


class OnnxRuntimeEngine:
    """ONNX Runtime with one execution provider, in runs of a fixed number of slices.

    Args:
        session: An ``onnxruntime.InferenceSession``.
        batch: Slices in each run.
        precision: What it computes in.
        description: For the log.
    """

    def __init__(self, session: Any, *, batch: int, precision: str, description: str) -> None:
        self._session = session
        self._batch = batch
        self._names = [output.name for output in session.get_outputs()]
        self.precision = precision
        self.description = description
        self.parallel = 1

    def run(self, inputs: Tensors, *, batched: bool) -> Tensors:
        """See `Engine.run`."""
        if not batched:
            return self._infer(inputs)
        size = _batch_size(inputs)
        starts = range(0, size, self._batch)
        outputs = _joined([self._infer(self._part(inputs, start)) for start in starts])
        return {name: tensor[:size] for name, tensor in outputs.items()}

    def _part(self, inputs: Tensors, start: int) -> Tensors:
        part = {name: tensor[start : start + self._batch] for name, tensor in inputs.items()}
        missing = self._batch - _batch_size(part)
        if not missing:
            return part
        return {
            name: np.concatenate([tensor, np.zeros((missing, *tensor.shape[1:]), tensor.dtype)])
            for name, tensor in part.items()
        }

    def _infer(self, inputs: Tensors) -> Tensors:
        return dict(zip(self._names, self._session.run(self._names, inputs), strict=True))


def _open_cpu(request: EngineRequest) -> OnnxRuntimeEngine:
    import onnxruntime

    threads = request.threads or available_cores()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        str(request.model), options, providers=["CPUExecutionProvider"]
    )
    description = f"ONNX Runtime {onnxruntime.__version__}, fp32, {threads} threads"
    return OnnxRuntimeEngine(session, batch=1, precision="fp32", description=description)


def _open_cuda(request: EngineRequest) -> OnnxRuntimeEngine:
    import onnxruntime

    precision = request.precision or "tf32"
    if precision not in _CUDA_PRECISIONS:
        raise EngineError(f"CUDA computes in one of {sorted(_CUDA_PRECISIONS)}, not {precision!r}")
    settings = {"device_id": request.device, "use_tf32": _CUDA_PRECISIONS[precision]}
    try:
        session = onnxruntime.InferenceSession(
            str(request.model), providers=[("CUDAExecutionProvider", settings)]
        )
    except ValueError as error:
        raise EngineError(f"ONNX Runtime cannot use CUDA here: {error}") from error
    # ONNX Runtime lists providers that it then does not use: only the session's own list is true.
    if session.get_providers()[:1] != ["CUDAExecutionProvider"]:
        raise EngineError(f"ONNX Runtime fell back from CUDA to {session.get_providers()}")
    description = f"ONNX Runtime {onnxruntime.__version__} on CUDA, {precision}"
    return OnnxRuntimeEngine(
        session, batch=CUDA_BATCH, precision=precision, description=description
    )


def _import_openvino() -> Any:
    # Importing openvino sends an event to its makers where this package is found; without it,
    # openvino uses a stand-in of its own that sends nothing.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino


def _count(parameters: Mapping[str, str], key: str) -> int:
    text = parameters.get(key, str(available_cores()))
    if not text.isdecimal() or int(text) < 1:
        raise EngineError(f"parameter {key} must be a whole number above 0, not {text!r}")
    return int(text)


def _batch_size(inputs: Tensors) -> int:
    return min(len(tensor) for tensor in inputs.values())


def _joined(parts: list[Tensors]) -> Tensors:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
