"""What the embedded Triton does not start with, and what it says then."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tritonclient.grpc import model_config_pb2

from osteoserve_preprocessing.errors import TritonStartError
from osteoserve_preprocessing.triton import EmbeddedTriton
from osteoserve_preprocessing.triton.process import check_executable, check_shared_memory

Edit = Callable[[Path, Callable[[model_config_pb2.ModelConfig], object]], None]
NoTraceLeft = Callable[[], None]

NO_GPU = pytest.mark.skipif(
    shutil.which("nvidia-smi") is not None, reason="tells what happens without a GPU"
)


def refusal(repository: Path, **options: Any) -> str:
    with pytest.raises(TritonStartError) as caught:
        EmbeddedTriton(repository, **options).start()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_one_flipped_bit_in_a_model_file(
    tmp_path: Path, write_model: Any, no_trace_left: NoTraceLeft
) -> None:
    write_model(tmp_path / "box")
    file = tmp_path / "box" / "1" / "model.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    message = refusal(tmp_path)
    assert "model box: DigestError" in message
    assert "SHA-256" in message
    no_trace_left()


def test_a_file_that_is_no_model(tmp_path: Path, write_model: Any) -> None:
    write_model(tmp_path / "box", b"no ONNX file")
    assert "model box: " in refusal(tmp_path)


def test_a_missing_model_file(tmp_path: Path, write_model: Any) -> None:
    write_model(tmp_path / "box")
    (tmp_path / "box" / "1" / "model.onnx").unlink()
    message = refusal(tmp_path)
    assert "box" in message
    assert "model.onnx" in message


def test_a_broken_configuration(tmp_path: Path, write_model: Any) -> None:
    write_model(tmp_path / "box")
    (tmp_path / "box" / "configs" / "cpu.pbtxt").write_text("input {")
    assert "box" in refusal(tmp_path)


def test_an_output_that_the_model_lacks(tmp_path: Path, write_model: Any) -> None:
    write_model(tmp_path / "box", output_name="mask")
    assert "model box: EngineError: the model has no output ['mask']" in refusal(tmp_path)


def _precision(value: str) -> Callable[[model_config_pb2.ModelConfig], object]:
    def edit(config: model_config_pb2.ModelConfig) -> None:
        _openvino(config).parameters["precision"] = value

    return edit


def _openvino(config: model_config_pb2.ModelConfig) -> Any:
    return config.optimization.execution_accelerators.cpu_execution_accelerator[0]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda config: setattr(_openvino(config), "name", "warp"), "warp"),
        (lambda config: _openvino(config).parameters.update(speed="9"), "speed"),
        (lambda config: _openvino(config).parameters.update(num_streams="0"), "num_streams"),
        (_precision("fp16"), "fp16"),
        (
            lambda config: setattr(
                config.parameters["osteoserve.precision"], "string_value", "int8"
            ),
            "int8",
        ),
    ],
)
def test_an_engine_that_cannot_be_had(
    tmp_path: Path, write_model: Any, edit_configuration: Edit, edit: Any, reason: str
) -> None:
    write_model(tmp_path / "box")
    edit_configuration(tmp_path / "box" / "configs" / "cpu.pbtxt", edit)
    message = refusal(tmp_path)
    assert "model box: EngineError" in message
    assert reason in message


@NO_GPU
def test_a_gpu_that_is_not_there(tmp_path: Path, write_model: Any) -> None:
    write_model(tmp_path / "box")
    assert "model box" in refusal(tmp_path, profile="gpu")


def test_an_empty_repository(tmp_path: Path) -> None:
    assert "no model" in refusal(tmp_path)


def test_a_profile_that_a_model_lacks(tmp_path: Path, write_model: Any) -> None:
    write_model(tmp_path / "box")
    message = refusal(tmp_path, profile="turbo")
    assert "turbo" in message
    assert "cpu, gpu, tensorrt" in message


def test_a_log_that_cannot_be_written(tmp_path: Path, write_model: Any) -> None:
    write_model(tmp_path / "box")
    assert "log" in refusal(tmp_path, log=tmp_path / "absent" / "triton.log")


def test_too_little_shared_memory(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    check_shared_memory(tmp_path, free // 2)
    with pytest.raises(TritonStartError, match="--shm-size"):
        check_shared_memory(tmp_path, free * 2)


def test_a_temporary_folder_that_forbids_execution(tmp_path: Path) -> None:
    check_executable(tmp_path)
    if not os.statvfs("/proc").f_flag & os.ST_NOEXEC:
        pytest.skip("needs a /proc that is mounted with noexec, as it is outside some containers")
    with pytest.raises(TritonStartError, match="TMPDIR"):
        check_executable(Path("/proc/self"))
