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
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as triton
from onnx_engines import (  # type: ignore[import-not-found]  # Triton puts this folder on the path
    EngineRequest,
    Parts,
    Tensors,
    joined,
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
            raise triton.TritonModelException(_one_line(error)) from error
        self._batched = config["max_batch_size"] > 0
        self._inputs = [tensor["name"] for tensor in config["input"]]
        self._dtypes = {
            tensor["name"]: triton.triton_string_to_numpy(tensor["data_type"])
            for tensor in config["output"]
        }
        self._answers = ThreadPoolExecutor(self._engine.parallel, thread_name_prefix="answer")
        name = args["model_instance_name"]
        triton.Logger.log_info(f"{name}: {self._engine.description}")

    def execute(self, requests: list[Any]) -> None:
        """Answer each request by itself, so that one bad request spoils no other.

        Returns when the engine runs out of parts to begin, not when the last is done: so Triton
        brings the next requests while that one is computed, and no core waits for another.
        """
        begun = [part for request in requests for part in self._begin(request)]
        left = len(begun)
        for _ in as_completed(begun):
            left -= 1
            if left < self._engine.parallel:
                return

    def finalize(self) -> None:
        """Answer what was begun, and let go of the threads."""
        self._answers.shutdown()
        self._engine.close()

    def _begin(self, request: Any) -> Parts:
        parts: Parts = []
        reason = ""
        try:
            if not request.is_cancelled():
                parts = self._engine.begin(self._read(request), batched=self._batched)
        # The process must outlive whatever is wrong with a request.
        except Exception as error:  # noqa: BLE001
            reason = _one_line(error)
        self._answers.submit(self._answer, request, request.get_response_sender(), parts, reason)
        return parts

    def _read(self, request: Any) -> Tensors:
        inputs = {
            name: triton.get_input_tensor_by_name(request, name).as_numpy() for name in self._inputs
        }
        for name, tensor in inputs.items():
            if not tensor.size:
                raise ValueError(f"input {name} of shape {list(tensor.shape)} is empty")
        return inputs

    def _answer(self, request: Any, sender: Any, parts: Parts, reason: str) -> None:
        response = self._response(request, parts, reason)
        try:
            sender.send(response, flags=triton.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
        # Nobody is left to be told but the log.
        except Exception as error:  # noqa: BLE001
            triton.Logger.log_error(f"an answer was not sent: {_one_line(error)}")

    def _response(self, request: Any, parts: Parts, reason: str) -> Any:
        if reason:
            return _refusal(reason, triton.TritonError.INTERNAL)
        if not parts:
            return _refusal("cancelled by the client", triton.TritonError.CANCELLED)
        try:
            outputs = joined(parts)
            names = request.requested_output_names()
            return triton.InferenceResponse([self._tensor(name, outputs[name]) for name in names])
        # The process must outlive whatever a runtime throws at bad input.
        except Exception as error:  # noqa: BLE001
            return _refusal(_one_line(error), triton.TritonError.INTERNAL)

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


def _one_line(error: Exception) -> str:
    reason = " ".join(str(error).split())[:500]
    return f"{type(error).__name__}: {reason}"


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
