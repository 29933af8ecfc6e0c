"""ONNX Runtime on the CPU or on CUDA."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from .engine import (
    EngineError,
    EngineRequest,
    Parts,
    Tensors,
    available_cores,
    batch_size,
    check_outputs,
)

#: Slices that a CUDA run computes together. Always as many, filled up with zeros, since cuDNN
#: picks its algorithm, and with it the rounding, by the shape.
CUDA_BATCH = 8

_CUDA = "CUDAExecutionProvider"

#: ONNX Runtime's ``use_tf32``, by precision.
_CUDA_PRECISIONS = {"fp32": "0", "tf32": "1"}


class OnnxRuntimeEngine:
    """ONNX Runtime in runs of a fixed number of slices.

    Args:
        session: An ``onnxruntime.InferenceSession``.
        outputs: Names of the tensors that are wanted of it.
        batch: Slices in each run.
        precision: What it computes in.
        description: For the log.

    Raises:
        EngineError: The model has no such output.
    """

    def __init__(
        self,
        session: Any,
        outputs: tuple[str, ...],
        *,
        batch: int,
        precision: str,
        description: str,
    ) -> None:
        check_outputs(outputs, {output.name for output in session.get_outputs()})
        self._session = session
        self._outputs = outputs
        self._batch = batch
        self.precision = precision
        self.description = description
        self.parallel = 1
        self._runs = ThreadPoolExecutor(1, thread_name_prefix="onnxruntime-run")

    def begin(self, inputs: Tensors, *, batched: bool) -> Parts:
        """See `Engine.begin`."""
        if not batched:
            return [self._runs.submit(self._infer, inputs)]
        starts = range(0, batch_size(inputs), self._batch)
        return [self._runs.submit(self._infer_part, inputs, start) for start in starts]

    def close(self) -> None:
        """See `Engine.close`."""
        self._runs.shutdown()

    def _infer_part(self, inputs: Tensors, start: int) -> Tensors:
        part = {name: tensor[start : start + self._batch] for name, tensor in inputs.items()}
        size = batch_size(part)
        outputs = self._infer(self._filled_up(part, self._batch - size))
        return {name: tensor[:size] for name, tensor in outputs.items()}

    @staticmethod
    def _filled_up(part: Tensors, missing: int) -> Tensors:
        if not missing:
            return part
        return {
            name: np.concatenate([tensor, np.zeros((missing, *tensor.shape[1:]), tensor.dtype)])
            for name, tensor in part.items()
        }

    def _infer(self, inputs: Tensors) -> Tensors:
        return dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))


def open_cpu(request: EngineRequest) -> OnnxRuntimeEngine:
    """Open a model on the CPU, in fp32."""
    import onnxruntime

    threads = request.threads or available_cores()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        str(request.model), options, providers=["CPUExecutionProvider"]
    )
    description = f"ONNX Runtime {onnxruntime.__version__}, fp32, {threads} threads"
    return OnnxRuntimeEngine(
        session, request.outputs, batch=1, precision="fp32", description=description
    )


def open_cuda(request: EngineRequest) -> OnnxRuntimeEngine:
    """Open a model on an NVIDIA GPU, in fp32 or in TF32, which is what CUDA does unless told.

    Raises:
        EngineError: ONNX Runtime cannot use the GPU, or has no such precision there.
    """
    import onnxruntime

    precision = request.precision or "tf32"
    if precision not in _CUDA_PRECISIONS:
        raise EngineError(f"CUDA computes in one of {sorted(_CUDA_PRECISIONS)}, not {precision!r}")
    if _CUDA not in onnxruntime.get_available_providers():
        raise EngineError("this ONNX Runtime has no CUDA; install onnxruntime-gpu in its place")
    settings = {
        "device_id": request.device,
        "use_tf32": _CUDA_PRECISIONS[precision],
        # Slices come in many shapes. To try all algorithms for each takes long, and the fastest in
        # a trial need not be the same twice, nor what it rounds to.
        "cudnn_conv_algo_search": "HEURISTIC",
    }
    session = onnxruntime.InferenceSession(str(request.model), providers=[(_CUDA, settings)])
    # It lists providers that it then does not use: only the session's own list is true.
    if session.get_providers()[:1] != [_CUDA]:
        raise EngineError(f"ONNX Runtime fell back from CUDA to {session.get_providers()}")
    description = f"ONNX Runtime {onnxruntime.__version__} on CUDA, {precision}"
    return OnnxRuntimeEngine(
        session, request.outputs, batch=CUDA_BATCH, precision=precision, description=description
    )
