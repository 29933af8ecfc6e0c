"""Engines that run an ONNX file: OpenVINO or ONNX Runtime on the CPU, ONNX Runtime on CUDA.

They run inside Triton's Python process, where nothing of ours but this folder is importable. An
engine is opened for exactly what a model's configuration says, or refused.
"""

from .engine import Engine, EngineError, EngineRequest, Parts, Tensors, joined
from .onnx_runtime import open_cpu, open_cuda
from .openvino_cpu import OpenVinoEngine

__all__ = ["Engine", "EngineError", "EngineRequest", "Parts", "Tensors", "joined", "open_engine"]


def open_engine(request: EngineRequest) -> Engine:
    """Open the engine that is asked for, and no other.

    Raises:
        EngineError: It cannot be had here, or would not compute in the stated precision.
    """
    engine = _open(request)
    if request.precision not in (None, engine.precision):
        raise EngineError(
            f"the configuration states precision {request.precision!r}, "
            f"its engine computes in {engine.precision!r}"
        )
    return engine


def _open(request: EngineRequest) -> Engine:
    names = [name for name, _ in request.accelerators]
    if request.kind == "GPU" and not names:
        return open_cuda(request)
    if request.kind == "CPU" and names == ["openvino"]:
        return OpenVinoEngine(request.model, request.outputs, request.accelerators[0][1])
    if request.kind == "CPU" and not names:
        return open_cpu(request)
    raise EngineError(f"no engine for instance kind {request.kind} with accelerators {names}")
