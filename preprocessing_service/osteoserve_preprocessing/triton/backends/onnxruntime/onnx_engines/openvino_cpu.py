"""OpenVINO on the CPU."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import Any

import numpy as np

from .engine import EngineError, Parts, Tensors, available_cores, batch_size, check_outputs

#: By precision: OpenVINO's name for it, and the capability that a CPU must have.
_PRECISIONS = {"fp32": ("f32", "FP32"), "bf16": ("bf16", "BF16")}

#: The names that ONNX Runtime's OpenVINO provider has for them.
_PARAMETERS = {"precision", "num_streams", "num_of_threads"}


class OpenVinoEngine:
    """OpenVINO in several streams of few threads, each with one slice at a time.

    Args:
        model: The ONNX file.
        outputs: Names of the tensors that are wanted of it.
        parameters: ``precision`` ("fp32" or "bf16"), ``num_streams`` and ``num_of_threads``
            (both one per available core unless given).

    Raises:
        EngineError: A parameter is unknown or impossible, or the CPU lacks the precision.
    """

    def __init__(
        self, model: Path, outputs: tuple[str, ...], parameters: Mapping[str, str]
    ) -> None:
        unknown = set(parameters) - _PARAMETERS
        if unknown:
            raise EngineError(f"unknown parameters of accelerator openvino: {sorted(unknown)}")
        self.precision = parameters.get("precision", "fp32")
        threads = _count(parameters, "num_of_threads")
        streams = min(_count(parameters, "num_streams"), threads)
        openvino = _import_openvino()
        _set_up_numpy_bridge(openvino)
        core = openvino.Core()
        settings = {
            "INFERENCE_PRECISION_HINT": _precision_hint(core, self.precision),
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": threads,
            # Pinned threads of two processes would share one core while another is idle.
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled = core.compile_model(str(model), "CPU", settings)
        _confirm_precision(self._compiled, settings["INFERENCE_PRECISION_HINT"])
        # A tensor may have several names; only some of them come from the file.
        names: set[str] = set().union(*(port.get_names() for port in self._compiled.outputs))
        check_outputs(outputs, names)
        self._outputs = outputs
        self._streams = ThreadPoolExecutor(streams, thread_name_prefix="openvino-stream")
        self._own = local()
        self.parallel = streams
        self.description = (
            f"OpenVINO {openvino.__version__.split('-')[0]}, {self.precision}, "
            f"{streams} streams, {threads} threads"
        )

    def begin(self, inputs: Tensors, *, batched: bool) -> Parts:
        """See `Engine.begin`."""
        if not batched:
            return [self._streams.submit(self._infer, inputs)]
        slices = (
            {name: tensor[index : index + 1] for name, tensor in inputs.items()}
            for index in range(batch_size(inputs))
        )
        return [self._streams.submit(self._infer, slice_) for slice_ in slices]

    def close(self) -> None:
        """See `Engine.close`."""
        self._streams.shutdown()

    def _infer(self, inputs: Tensors) -> Tensors:
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        self._own.request.infer(inputs, share_inputs=True)
        return {name: self._own.request.get_tensor(name).data.copy() for name in self._outputs}


def _precision_hint(core: Any, precision: str) -> str:
    if precision not in _PRECISIONS:
        raise EngineError(
            f"precision of accelerator openvino must be one of {sorted(_PRECISIONS)}, "
            f"not {precision!r}"
        )
    hint, capability = _PRECISIONS[precision]
    if capability not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise EngineError(f"this CPU has no {precision} arithmetic")
    return hint


def _confirm_precision(compiled: Any, wanted: object) -> None:
    used = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if used != wanted:
        raise EngineError(f"OpenVINO computes in {used} where {wanted} was asked for")


def _count(parameters: Mapping[str, str], key: str) -> int:
    text = parameters.get(key, str(available_cores()))
    if not text.isdecimal() or int(text) < 1:
        raise EngineError(f"parameter {key} must be a whole number above 0, not {text!r}")
    return int(text)


def _import_openvino() -> Any:
    # Importing openvino sends an event to its makers where this package is found; without it,
    # openvino uses a stand-in of its own that sends nothing.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino


def _set_up_numpy_bridge(openvino: Any) -> None:
    # OpenVINO sets up its way to and from NumPy when it first needs it. Two streams that need it at
    # once wait for each other for ever: one for Python's lock, the other, with it, for the setup.
    tensor = openvino.Tensor(np.zeros(1, dtype=np.uint8), shared_memory=True)
    tensor.element_type.to_dtype()
    _ = tensor.data
