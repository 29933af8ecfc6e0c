"""The engines themselves, without Triton around them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osteoserve_preprocessing.triton.backends.onnxruntime.onnx_engines import (
    Engine,
    EngineError,
    EngineRequest,
    joined,
    open_engine,
)
from osteoserve_preprocessing.triton.backends.onnxruntime.onnx_engines.onnx_runtime import (
    OnnxRuntimeEngine,
)

Slices = npt.NDArray[np.uint8]


@pytest.fixture(scope="session")
def model(shared_repository: Path) -> Path:
    return shared_repository / "random" / "1" / "model.onnx"


def request_for(model: Path, **changes: Any) -> EngineRequest:
    stated = {
        "outputs": ("labels",),
        "kind": "CPU",
        "device": 0,
        "accelerators": (),
        "precision": "fp32",
        "threads": None,
    }
    return EngineRequest(model=model, **(stated | changes))


def openvino(**parameters: str) -> dict[str, Any]:
    return {"accelerators": (("openvino", parameters),)}


def labels_of(engine: Engine, slices: Slices, *, batched: bool = True) -> Slices:
    labels: Slices = joined(engine.begin({"slices": slices}, batched=batched))["labels"]
    engine.close()
    return labels


@given(size=st.integers(1, 20), batch=st.integers(1, 9))
@settings(max_examples=15, deadline=None)
def test_the_number_of_slices_in_a_run_changes_nothing(model: Path, size: int, batch: int) -> None:
    """As on a GPU, where runs are filled up with empty slices."""
    slices = np.random.default_rng(size).integers(0, 256, (size, 16, 32), dtype=np.uint8)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    options: Any = {"precision": "fp32", "description": ""}
    engine = OnnxRuntimeEngine(session, ("labels",), batch=batch, **options)
    singly = OnnxRuntimeEngine(session, ("labels",), batch=1, **options)
    np.testing.assert_array_equal(labels_of(engine, slices), labels_of(singly, slices))


@pytest.mark.parametrize("streams", ["1", "2"])
def test_the_number_of_streams_changes_nothing(model: Path, streams: str) -> None:
    slices = np.random.default_rng(0).integers(0, 256, (5, 16, 32), dtype=np.uint8)
    engine = open_engine(request_for(model, **openvino(num_streams=streams, num_of_threads="2")))
    assert f"{streams} streams, 2 threads" in engine.description
    plain = open_engine(request_for(model, threads=1))
    np.testing.assert_array_equal(labels_of(engine, slices), labels_of(plain, slices))


FIRST_SLICES = """
import sys
from pathlib import Path

import numpy as np
from osteoserve_preprocessing.triton.backends.onnxruntime.onnx_engines.openvino_cpu import (
    OpenVinoEngine,
)

engine = OpenVinoEngine(Path(sys.argv[1]), ("labels",), {"num_streams": "2", "num_of_threads": "2"})
sys.setswitchinterval(1e-6)  # streams interrupt each other wherever they can
for part in engine.begin({"slices": np.zeros((4, 64, 64), np.uint8)}, batched=True):
    part.result()
"""


def test_the_first_slices_may_come_at_once(model: Path) -> None:
    """In a process of its own each time: what is first happens once."""
    for _ in range(8):
        subprocess.run([sys.executable, "-c", FIRST_SLICES, model], check=True, timeout=60)


@pytest.mark.parametrize("changes", [{}, openvino()])
def test_a_model_without_a_batch_axis_is_run_as_a_whole(
    model: Path, changes: dict[str, Any]
) -> None:
    slices = np.random.default_rng(0).integers(0, 256, (5, 16, 32), dtype=np.uint8)
    request = request_for(model, **changes)
    np.testing.assert_array_equal(
        labels_of(open_engine(request), slices, batched=False),
        labels_of(open_engine(request), slices),
    )


def test_a_precision_that_this_cpu_lacks_is_refused_and_another_is_used(model: Path) -> None:
    request = request_for(model, precision="bf16", **openvino(precision="bf16"))
    if "avx512_bf16" in Path("/proc/cpuinfo").read_text():
        assert open_engine(request).precision == "bf16"
    else:
        with pytest.raises(EngineError, match="no bf16"):
            open_engine(request)


def test_a_stated_precision_must_be_the_engines(model: Path) -> None:
    for changes in ({}, openvino()):
        with pytest.raises(EngineError, match=r"'bf16'.*'fp32'"):
            open_engine(request_for(model, precision="bf16", **changes))
        assert open_engine(request_for(model, precision=None, **changes)).precision == "fp32"


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(),
    reason="tells what happens with an ONNX Runtime without CUDA",
)
def test_cuda_that_is_not_there_is_refused(model: Path) -> None:
    with pytest.raises(EngineError, match="CUDA"):
        open_engine(request_for(model, kind="GPU", precision="tf32"))


def test_cuda_in_another_precision_is_refused(model: Path) -> None:
    with pytest.raises(EngineError, match="bf16"):
        open_engine(request_for(model, kind="GPU", precision="bf16"))
