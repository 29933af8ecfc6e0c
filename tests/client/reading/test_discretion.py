"""What libraries say while reading stays with us; afterwards they may speak again."""

from __future__ import annotations

import logging
import traceback
import warnings
from pathlib import Path

import pytest
from pydicom import Dataset, config

import osteoserve_client.errors as errors
from osteoserve_client.reading import read_study
from osteoserve_client.reading.discretion import refusing, silenced_libraries
from osteoserve_client.reading.files import display_name
from tests.client.reading.conftest import Refuses
from tests.client.reading.ct_series import CANARY, Series


@pytest.mark.parametrize("name", ["pydicom.some.module", "PIL.TiffImagePlugin"])
def test_libraries_are_silent_inside_and_not_outside(
    caplog: pytest.LogCaptureFixture, name: str
) -> None:
    logger = logging.getLogger(name)
    with silenced_libraries():
        warnings.warn(CANARY, stacklevel=1)
        logger.error(CANARY)
    assert caplog.text == ""

    logger.error("heard again")
    assert "heard again" in caplog.text
    with pytest.warns(UserWarning, match="heard again"):
        warnings.warn("heard again", stacklevel=1)


def test_a_library_s_error_is_replaced_and_ours_is_kept() -> None:
    with (
        pytest.raises(errors.PixelDataError, match="our words") as replaced,
        refusing(errors.PixelDataError, "our words"),
    ):
        raise ValueError(CANARY)
    assert CANARY not in "".join(traceback.format_exception(replaced.value))

    with (
        pytest.raises(errors.GantryTiltError, match="tilted"),
        refusing(errors.PixelDataError, "our words"),
    ):
        raise errors.GantryTiltError("tilted")


def malform(dataset: Dataset, keyword: str) -> None:
    """Puts the patient's name where it does not belong, as bytes: no writer would let it pass."""
    config.settings.writing_validation_mode = config.IGNORE
    try:
        dataset[keyword] = dataset[keyword].__class__(
            dataset[keyword].tag, "LO", CANARY, validation_mode=config.IGNORE
        )
    finally:
        config.settings.writing_validation_mode = None


@pytest.mark.parametrize(
    ("keyword", "error"),
    [
        ("SliceThickness", errors.MissingAttributeError),
        ("RescaleSlope", errors.MissingAttributeError),
        ("ImagePositionPatient", errors.MissingAttributeError),
        ("InstanceNumber", None),
        ("PatientBirthDate", None),
        ("SeriesNumber", errors.MissingAttributeError),
        ("Rows", errors.MissingAttributeError),
    ],
)
def test_a_name_in_the_wrong_place_is_not_quoted(
    tmp_path: Path, refuses: Refuses, keyword: str, error: type[errors.InputError] | None
) -> None:
    def change(dataset: Dataset, index: int) -> None:
        malform(dataset, keyword)

    folder = Series().write(tmp_path, change)

    if error is None:
        assert CANARY not in repr(read_study(folder).warnings)
    else:
        refuses(folder, error, keyword)


def test_neither_warnings_nor_description_hold_the_patient(tmp_path: Path) -> None:
    def change(dataset: Dataset, index: int) -> None:
        dataset.ProtocolName = dataset.Manufacturer = dataset.ConvolutionKernel = CANARY
        dataset.PatientPosition = CANARY
        dataset.RescaleType = "US"
        dataset.ImageType = ["DERIVED", "SECONDARY", CANARY]

    study = read_study(Series().write(tmp_path, change))

    assert len(study.warnings) == 2
    assert CANARY not in repr((study.warnings, dict(study.description), study.volume.geometry))


def test_names_of_files_are_shown_on_one_printable_line() -> None:
    root = Path("/data/study")

    assert display_name(root / "a" / "b.dcm", root) == "a/b.dcm"
    assert display_name(root, root) == "study"
    assert display_name(root / "a\nb\x1b[31m", root) == "a\ufffdb\ufffd[31m"
    assert display_name(root / "\udcff.dcm", root) == "\ufffd.dcm"
