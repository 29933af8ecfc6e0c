"""A phantom with metastases, its true regions, and scans in every way of storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from osteoserve_client.bone_scan_index import HotSpots, ScanIndex, index_of_scan
from osteoserve_client.phantom.scintigraphy import PhantomScintigraphy, make_scintigraphy_phantom
from osteoserve_client.scintigram import Scintigram
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import frames
from tests.client.writing.scintigraphy.conftest import Case, make_report, phantom_case

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Patient:
    """A scan with regions as the service would answer, and hot spots.

    Args:
        case: The scan and its regions.
        report: On them.
        hot: (Y, X) bool for each view, on the scan's grid.
        folder: The scan's DICOM files.
    """

    case: Case
    report: pb.ScintigramReport
    hot: Mapping[str, Mask]
    folder: Path

    @property
    def scan(self) -> Scintigram:
        return self.case.scan

    def index(self, *, exclude_bladder: bool = True) -> ScanIndex:
        spots = HotSpots(dict(self.hot), ())  # type: ignore[arg-type]
        return index_of_scan(
            self.scan, self.case.regions, self.report, spots, exclude_bladder=exclude_bladder
        )


@pytest.fixture(scope="package")
def metastatic() -> PhantomScintigraphy:
    phantom = make_scintigraphy_phantom(905)
    assert all(mask.any() for mask in phantom.hot_spots.values())
    return phantom


@pytest.fixture(scope="package")
def patient(metastatic: PhantomScintigraphy, tmp_path_factory: pytest.TempPathFactory) -> Patient:
    folder = tmp_path_factory.mktemp("metastatic") / "study"
    case, sides = phantom_case(metastatic, folder)
    report = make_report(case.scan, case.labels, case.regions, sides=sides, white_counts=30.0)
    report.input_sha256 = sha256_of(case.scan)
    return Patient(case, report, metastatic.hot_spots, folder)


def sha256_of(scan: Scintigram) -> bytes:
    return b"".join(f.sha256 for f in frames(scan.counts) if isinstance(f, pb.Trailer))
