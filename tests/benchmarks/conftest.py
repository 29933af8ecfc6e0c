"""A phantom on disk, and the ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from osteoserve_benchmarks.files import checkpoint, model_folder, phantom_study
from osteoserve_benchmarks.plain import Plain
from osteoserve_benchmarks.tuned import Tuned


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six slices of a pelvis on its table."""
    return phantom_study(6, tmp_path_factory.mktemp("bench") / "study", region="pelvis")


@pytest.fixture(scope="session")
def plain() -> Plain:
    return Plain(checkpoint())


@pytest.fixture(scope="session")
def tuned() -> Tuned:
    return Tuned(model_folder() / "1" / "model.onnx")
