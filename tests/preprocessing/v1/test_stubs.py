"""The committed stubs are those of the committed proto."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import osteoserve_preprocessing

ROOT = Path(osteoserve_preprocessing.__file__).parents[1]
PROTO = "osteoserve_preprocessing/v1/preprocessing.proto"
STUBS = ("preprocessing_pb2.py", "preprocessing_pb2.pyi", "preprocessing_pb2_grpc.py")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stubs")
    outputs = [f"--{kind}_out={out}" for kind in ("python", "grpc_python", "pyi")]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I", str(ROOT), *outputs, PROTO], check=True
    )
    return (out / PROTO).parent


@pytest.mark.parametrize("name", STUBS)
def test_stubs_are_current(generated: Path, name: str) -> None:
    committed = (ROOT / PROTO).parent / name
    assert committed.read_text() == (generated / name).read_text(), "run: make stubs"
