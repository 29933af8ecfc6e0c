"""How long one volume takes, DICOM files to SEG and NIfTI: by our way, the plain and the tuned one.

Run with `make bench`; `osteoserve bench volume` runs the same code, each way in a process of its
own and in turn, and compares them. Stage times are in the extra info of the JSON. With fewer than
five rounds `osteoserve bench compare` could not tell change from chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

pytest.importorskip("torch", reason="the extra 'bench' is not installed")

from osteoserve_benchmarks.files import checkpoint, model_folder, phantom_study
from osteoserve_benchmarks.in_process import InProcess
from osteoserve_benchmarks.ours import Ours
from osteoserve_benchmarks.plain import Plain
from osteoserve_benchmarks.served import serving
from osteoserve_benchmarks.tuned import Tuned
from osteoserve_benchmarks.way import Way

SLICES = 120


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phantom_study(SLICES, tmp_path_factory.mktemp("study") / "dicom")


@pytest.fixture(scope="module", params=["ours", "plain", "tuned", "in_process"])
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    if request.param == "ours":
        with serving() as service:
            yield Ours(service.address)
    elif request.param == "plain":
        yield Plain(checkpoint())
    elif request.param == "tuned":
        yield Tuned(model_folder() / "1" / "model.onnx")
    else:
        yield InProcess(model_folder())


def test_volume(benchmark: BenchmarkFixture, way: Way, study: Path, tmp_path: Path) -> None:
    stages = benchmark.pedantic(way.run, args=(study, tmp_path), rounds=5, warmup_rounds=1)
    benchmark.extra_info["slices"] = SLICES
    benchmark.extra_info["yardstick"] = isinstance(way, Plain)
    benchmark.extra_info["stages_s"] = dict(stages)
