"""The real anterior scan, in every transfer syntax that there is of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import osteoserve_client.errors as errors
from osteoserve_client.reading import modality_of, read_scintigram
from osteoserve_client.reading.scintigraphy.assembly import FEET_UP
from tests.client.reading.conftest import Refuses

pytestmark = pytest.mark.real_data

PLAIN = "REF/NM1_UNC"
LOSSY = "pixels were compressed with loss: counts are not exact"


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "scintigraphy_whole_body"


def test_the_view_must_be_said(folder: Path, refuses_scan: Refuses) -> None:
    refuses_scan(folder / PLAIN, errors.ViewChoiceError, "NM1_UNC: does not state its view")


def test_counts_are_those_that_the_camera_added_up(folder: Path) -> None:
    scan = read_scintigram(folder / PLAIN, view="anterior")

    assert [view.view for view in scan.views] == ["anterior"]
    counts = scan["anterior"].counts
    assert (counts.shape, int(counts.max())) == ((1024, 256), 278)
    assert int(counts.sum()) == scan.description["files"][0]["counts_accumulated"] == 3_596_452
    assert scan.pixel_spacing_mm == (2.26, 2.26)
    assert scan.description["files"][0]["frame_duration_s"] == 1210.434
    assert FEET_UP not in scan.warnings


@pytest.mark.parametrize(
    "name", ["RLE/NM1_RLE", "JPLL/NM1_JPLL", "JPEG-LL.dcm", "JLSL/NM1_JLSL", "J2KR/NM1_J2KR"]
)
def test_lossless_syntaxes_hold_the_same_counts(folder: Path, name: str) -> None:
    plain = read_scintigram(folder / PLAIN, view="anterior")

    scan = read_scintigram(folder / name, view="anterior")

    assert modality_of(folder / name) == "NM"
    assert scan.counts.tobytes() == plain.counts.tobytes()
    assert LOSSY not in scan.warnings
    assert scan.description["files"][0]["lossy"] is False


@pytest.mark.parametrize(("name", "mean_error"), [("J2KI/NM1_J2KI", 4.3), ("JPLY/NM1_JPLY", 2.3)])
def test_lossy_syntaxes_come_close_and_are_named(
    folder: Path, name: str, mean_error: float
) -> None:
    plain = read_scintigram(folder / PLAIN, view="anterior").counts.astype(float)

    scan = read_scintigram(folder / name, view="anterior")

    assert np.abs(scan.counts - plain).mean() < mean_error
    assert LOSSY in scan.warnings


def test_copies_of_one_scan_are_too_many_views(folder: Path, refuses_scan: Refuses) -> None:
    refuses_scan(folder, errors.SeriesChoiceError, "bone scan series; choose one")
    refuses_scan(folder / "REF" / "CT1_UNC", errors.ModalityError, "there is no bone scan")
    with pytest.raises(errors.SeriesChoiceError, match="CT slices and a bone scan"):
        modality_of(folder)
