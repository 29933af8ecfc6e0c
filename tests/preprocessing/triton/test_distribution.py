from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from osteoserve_preprocessing.errors import TritonStartError
from osteoserve_preprocessing.triton.distribution import (
    TritonDistribution,
    check_numpy,
    missing_libraries,
)


@pytest.fixture
def distribution() -> TritonDistribution:
    return TritonDistribution.find()


def test_the_stub_is_for_this_python(distribution: TritonDistribution) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert distribution.stub.parent.name == version


def test_the_layout_is_what_tritonserver_looks_for(
    distribution: TritonDistribution, tmp_path: Path
) -> None:
    distribution.lay_out(tmp_path)
    python = tmp_path / "python"
    assert not (python / "libtriton_python.so").is_symlink()
    assert os.access(python / "triton_python_backend_stub", os.X_OK)
    assert (tmp_path / "onnxruntime" / "model.py").is_file()
    assert list(tmp_path.rglob("__pycache__")) == []


def test_the_first_python_on_the_path_is_this_one(
    distribution: TritonDistribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    environment = distribution.environment()
    found = shutil.which("python3", path=environment["PATH"])
    assert found is not None
    assert Path(found).parent == Path(sys.executable).parent
    assert "PYTHONHOME" not in environment


def test_missing_libraries_are_found(distribution: TritonDistribution, tmp_path: Path) -> None:
    assert missing_libraries(distribution.stub, distribution.environment()) == []
    moved = tmp_path / "tritonserver"  # away from the libraries that it finds relative to itself
    shutil.copy(distribution.server, moved)
    assert missing_libraries(moved, {"PATH": os.environ["PATH"]})
    assert missing_libraries(moved, distribution.environment()) == []


def test_a_numpy_with_which_triton_answers_zeros_is_refused() -> None:
    check_numpy("1.26.4")
    for version in ("2.0.0", "2.4.1", "10.0"):
        with pytest.raises(TritonStartError, match="numpy<2"):
            check_numpy(version)
