"""How long one volume takes: through service and Triton, and from files to files.

Run with `make bench`. Times are per volume; slices per second are in the extra info of the JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from osteoserve_client.cli.connection import service_client
from osteoserve_client.phantom import PhantomCT, make_ct_phantom, write_dicom_study
from osteoserve_client.reading import read_study
from osteoserve_client.service import ServiceClient
from osteoserve_client.writing import write_outputs

MODEL = "unet_skeleton"
SLICES = 120


@pytest.fixture(scope="module")
def phantom() -> PhantomCT:
    return make_ct_phantom(slices=SLICES)


@pytest.fixture(scope="module")
def study_folder(phantom: PhantomCT, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write_dicom_study(phantom, folder)
    return folder


@pytest.fixture(scope="module")
def client() -> Iterator[ServiceClient]:
    with service_client(None, model=MODEL) as client:
        yield client


def test_service(benchmark: BenchmarkFixture, phantom: PhantomCT, client: ServiceClient) -> None:
    """A volume in memory, through the warm service, to its label map."""
    labels, report = benchmark.pedantic(
        client.segment, args=(phantom.volume,), kwargs={"model": MODEL}, rounds=3, warmup_rounds=1
    )
    benchmark.extra_info["slices"] = SLICES
    benchmark.extra_info["stages_s"] = {stage.stage: stage.seconds for stage in report.stages}
    assert labels.any()


def test_end_to_end(
    benchmark: BenchmarkFixture, study_folder: Path, client: ServiceClient, tmp_path: Path
) -> None:
    """DICOM files on disk, through the warm service, to every output on disk."""

    def segment() -> tuple[Path, ...]:
        study = read_study(study_folder)
        labels, report = client.segment(study.volume, model=MODEL)
        return write_outputs(study, labels, report, tmp_path / "out")

    written = benchmark.pedantic(segment, rounds=3, warmup_rounds=1)
    benchmark.extra_info["slices"] = SLICES
    assert len(written) == 5
