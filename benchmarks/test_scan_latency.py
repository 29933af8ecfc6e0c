"""How long one whole-body bone scan takes: through service and Triton, and from files to files.

Run with `make bench`. Times are for a scan of both views, 1024 x 256 each.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from osteoserve_client.cli.connection import service_client
from osteoserve_client.phantom.scintigraphy import (
    make_scintigraphy_phantom,
    write_scintigraphy_study,
)
from osteoserve_client.reading import read_scintigram
from osteoserve_client.service import ServiceClient
from osteoserve_client.writing import write_scintigram_outputs

MODEL = "mask_rcnn_scintigraphy"


@pytest.fixture(scope="module")
def scan_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scan") / "dicom"
    write_scintigraphy_study(make_scintigraphy_phantom(203), folder)
    return folder


@pytest.fixture(scope="module")
def client() -> Iterator[ServiceClient]:
    with service_client(None, model=MODEL) as client:
        yield client


def test_service(benchmark: BenchmarkFixture, scan_folder: Path, client: ServiceClient) -> None:
    """Both views in memory, through the warm service, to the regions of each."""
    scan = read_scintigram(scan_folder)
    labels, _, report = benchmark.pedantic(
        client.segment_scintigram,
        args=(scan,),
        kwargs={"model": MODEL},
        rounds=5,
        warmup_rounds=1,
    )
    benchmark.extra_info["stages_s"] = {stage.stage: stage.seconds for stage in report.stages}
    assert labels.any()


def test_end_to_end(
    benchmark: BenchmarkFixture, scan_folder: Path, client: ServiceClient, tmp_path: Path
) -> None:
    """DICOM file on disk, through the warm service, to every output on disk."""

    def segment() -> tuple[Path, ...]:
        scan = read_scintigram(scan_folder)
        return write_scintigram_outputs(
            scan, *client.segment_scintigram(scan, model=MODEL), tmp_path / "out"
        )

    written = benchmark.pedantic(segment, rounds=5, warmup_rounds=1)
    assert len(written) == 8
