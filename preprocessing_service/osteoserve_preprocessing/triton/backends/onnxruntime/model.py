"""Triton's ``onnxruntime`` backend where the native one is absent: a Python-based backend.

Triton loads this file for every model whose configuration says ``backend: "onnxruntime"``. In
NVIDIA's container the native backend of that name takes its place, with the same repository.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as triton
from onnx_engines import (  # type: ignore[import-not-found]  # Triton puts this folder on the path
    EngineRequest,
    Tensors,
    open_engine,
)

_ACCELERATORS = {"CPU": "cpu_execution_accelerator", "GPU": "gpu_execution_accelerator"}
_DIGEST = "osteoserve.model_sha256"
_PRECISION = "osteoserve.precision"
_THREADS = "intra_op_thread_count"  # the native backend's own name for it; 0 means its default


class DigestError(Exception):
    """The model file is not the one that the configuration names."""


class TritonPythonModel:
    """One instance of one model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the engine that the configuration asks for.

        Raises:
            triton.TritonModelException: It cannot be had, or the model file is not the one that
                the configuration names. Triton then does not serve the model.
        """
        _end_with_server()
        config = json.loads(args["model_config"])
        try:
            _check_numpy()
            request = _engine_request(args, config)
            _check_digest(request.model, _parameters(config).get(_DIGEST))
            self._engine = open_engine(request)
        # Whatever a runtime throws at a broken model file, Triton is told in one line.
        except Exception as error:
            reason = " ".join(str(error).split())
            raise triton.TritonModelException(f"{type(error).__name__}: {reason}") from error
        self._batched = config["max_batch_size"] > 0
        self._inputs = [tensor["name"] for tensor in config["input"]]
        self._dtypes = {
            tensor["name"]: triton.triton_string_to_numpy(tensor["data_type"])
            for tensor in config["output"]
        }
        self._runs = ThreadPoolExecutor(self._engine.parallel, thread_name_prefix="request")
        name = args["model_instance_name"]
        triton.Logger.log_info(f"{name}: {self._engine.description}")

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request by itself, so that one bad request spoils no other."""
        inputs = [self._read(request) for request in requests]
        running = [self._runs.submit(self._compute, tensors) for tensors in inputs]
        return [
            self._response(request, outputs)
            for request, outputs in zip(requests, running, strict=True)
        ]

    def finalize(self) -> None:
        """Let go of the threads."""
        self._runs.shutdown()

    def _read(self, request: Any) -> Tensors | None:
        if request.is_cancelled():
            return None
        return {
            name: triton.get_input_tensor_by_name(request, name).as_numpy() for name in self._inputs
        }

    def _compute(self, inputs: Tensors | None) -> Tensors | None:
        if inputs is None:
            return None
        for name, tensor in inputs.items():
            if not tensor.size:
                raise ValueError(f"input {name} of shape {list(tensor.shape)} is empty")
        return self._engine.run(inputs, batched=self._batched)

    def _response(self, request: Any, running: Future[Tensors | None]) -> Any:
        try:
            outputs = running.result()
            if outputs is None:
                return _refusal("cancelled by the client", triton.TritonError.CANCELLED)
            names = request.requested_output_names()
            return triton.InferenceResponse([self._tensor(name, outputs[name]) for name in names])
        # The process must outlive whatever a runtime throws at bad input.
        except Exception as error:  # noqa: BLE001
            reason = " ".join(str(error).split())[:500]
            return _refusal(f"{type(error).__name__}: {reason}", triton.TritonError.INTERNAL)

    def _tensor(self, name: str, values: np.ndarray[Any, Any]) -> Any:
        if values.dtype != self._dtypes[name]:
            raise TypeError(f"output {name} is {values.dtype}, not {self._dtypes[name]}")
        return triton.Tensor(name, np.ascontiguousarray(values))


def _end_with_server() -> None:
    """End this process when tritonserver is gone.

    The guardian kills both, but a guardian that was killed itself takes tritonserver alone with
    it, and Triton's stub goes on waiting for requests for ever. (Where it waits for a lock of
    tritonserver's, with the interpreter's, the thread below waits too: the service kills it then,
    or the next one does.)
    """
    server = os.getppid()

    def watch() -> None:
        while os.getppid() == server:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, name="server-watcher", daemon=True).start()


def _refusal(reason: str, code: int) -> Any:
    return triton.InferenceResponse(error=triton.TritonError(reason, code))


def _engine_request(args: dict[str, str], config: dict[str, Any]) -> EngineRequest:
    kind = args["model_instance_kind"]
    execution = config.get("optimization", {}).get("execution_accelerators", {})
    parameters = _parameters(config)
    return EngineRequest(
        model=_model_file(args, config),
        outputs=tuple(tensor["name"] for tensor in config["output"]),
        kind=kind,
        device=int(args["model_instance_device_id"]),
        accelerators=tuple(
            (accelerator["name"], accelerator.get("parameters", {}))
            for accelerator in execution.get(_ACCELERATORS.get(kind, ""), [])
        ),
        precision=parameters.get(_PRECISION),
        threads=int(parameters.get(_THREADS, "0")) or None,
    )


def _model_file(args: dict[str, str], config: dict[str, Any]) -> Path:
    folder = Path(args["model_repository"]) / args["model_version"]
    return folder / (config.get("default_model_filename") or "model.onnx")


def _parameters(config: dict[str, Any]) -> dict[str, str]:
    return {key: value["string_value"] for key, value in config.get("parameters", {}).items()}


def _check_numpy() -> None:
    if int(np.__version__.split(".")[0]) >= 2:
        raise ImportError(
            f"numpy {np.__version__}: with numpy 2 this Triton answers zeros; install numpy<2"
        )


def _check_digest(model: Path, expected: str | None) -> None:
    if expected is None:
        return
    actual = hashlib.sha256(model.read_bytes()).hexdigest()
    if actual != expected:
        raise DigestError(f"{model.name} has SHA-256 {actual}, its configuration names {expected}")
