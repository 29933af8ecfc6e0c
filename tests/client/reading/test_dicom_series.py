"""Which series is read: the only CT, or the one that was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

import osteoserve_client.errors as errors
from osteoserve_client.reading import list_series, read_study
from tests.client.reading.conftest import Refuses
from tests.client.reading.ct_series import Series, save


def as_mr(dataset: Dataset, index: int) -> None:
    dataset.Modality, dataset.SOPClassUID = "MR", "1.2.840.10008.5.1.4.1.1.4"


def as_localizer(dataset: Dataset, index: int) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


@pytest.fixture
def study_folder(tmp_path: Path) -> Path:
    """Two CT series, a localizer, an MR series and a report, their files mixed in one folder."""
    thick = Series(number=7, slices=3)
    thin = Series(number=2, slices=4, columns=9)
    thick.write(tmp_path, names="thick{}".format)
    thin.write(tmp_path, names="thin{}".format)
    Series(number=1, slices=1).write(tmp_path, as_localizer, names="scout{}".format)
    Series(number=9, slices=2).write(tmp_path, as_mr, names="mr{}".format)
    report = Series(number=99).dataset(0)
    report.Modality, report.SOPClassUID = "SR", "1.2.840.10008.5.1.4.1.1.88.22"
    del report.PixelData
    save(report, tmp_path / "report")
    return tmp_path


def test_series_are_listed_by_number_without_the_patient(study_folder: Path) -> None:
    found = list_series(study_folder)

    assert [(one.identifier, one.modality, one.slices, one.refusal) for one in found] == [
        ("1", "CT", 1, "localizer"),
        ("2", "CT", 4, ""),
        ("7", "CT", 3, ""),
        ("9", "MR", 2, "not CT"),
    ]
    assert [(one.rows, one.columns) for one in found] == [(6, 7), (6, 9), (6, 7), (6, 7)]
    assert "1.2.826" not in repr(found)


def test_several_ct_series_are_listed_and_one_is_asked_for(
    study_folder: Path, refuses: Refuses
) -> None:
    message = refuses(study_folder, errors.SeriesChoiceError, "2 CT series; choose one")

    assert "2 (CT, 4 images of 6x9), 7 (CT, 3 images of 6x7)" in message
    assert errors.SeriesChoiceError.exit_code == 2


@pytest.mark.parametrize(("wanted", "shape"), [("2", (4, 6, 9)), ("7", (3, 6, 7))])
def test_the_series_asked_for_is_read(study_folder: Path, wanted: str, shape: tuple) -> None:
    uid = next(one.uid for one in list_series(study_folder) if one.identifier == wanted)

    by_number = read_study(study_folder, series=wanted)
    by_uid = read_study(study_folder, series=uid)

    assert by_number.volume.geometry.shape == by_uid.volume.geometry.shape == shape
    assert np.array_equal(by_number.volume.voxels, by_uid.volume.voxels)
    assert by_number.description["series"] == wanted


def test_a_series_that_is_not_there(study_folder: Path, refuses: Refuses) -> None:
    refuses(study_folder, errors.SeriesChoiceError, "not among: 1 (CT, 1 image", series="3")


def test_a_series_that_is_no_ct(study_folder: Path, refuses: Refuses) -> None:
    refuses(study_folder, errors.ModalityError, "9 (MR, 2 images", series="9")


def test_a_series_of_localizers(study_folder: Path, refuses: Refuses) -> None:
    refuses(study_folder, errors.LocalizerError, "scout0", series="1")


def test_the_only_ct_is_taken(study_folder: Path) -> None:
    for path in study_folder.glob("thin*"):
        path.unlink()

    study = read_study(study_folder)

    assert study.volume.geometry.shape == (3, 6, 7)
    assert study.warnings == ("1 file was ignored: no DICOM image",)


def test_series_that_share_a_number_are_counted_in_an_order_of_their_own(tmp_path: Path) -> None:
    names = "351042"
    for index in range(6):
        dataset = Series(number=4).dataset(index % 3)
        dataset.SeriesInstanceUID = f"1.2.3.{index // 3}"
        dataset.SOPInstanceUID = f"1.2.4.{index}"
        save(dataset, tmp_path / names[index])

    found = list_series(tmp_path)

    assert [(one.identifier, one.uid) for one in found] == [("4.1", "1.2.3.0"), ("4.2", "1.2.3.1")]


def test_a_series_without_number_and_identifiers_is_read_with_a_warning(tmp_path: Path) -> None:
    def blank(dataset: Dataset, index: int) -> None:
        dataset.SeriesNumber = None
        dataset.SeriesInstanceUID = dataset.StudyInstanceUID = ""
        dataset.SOPClassUID = dataset.SOPInstanceUID = ""

    study = read_study(Series().write(tmp_path, blank))

    assert [one.identifier for one in list_series(tmp_path)] == ["none"]
    assert study.warnings == ("StudyInstanceUID is absent", "SeriesInstanceUID is absent")
    # From the file meta information: a mask must reference its slices.
    instances = {dataset.SOPInstanceUID for dataset in study.datasets}
    assert instances == {Series().dataset(index).SOPInstanceUID for index in range(5)}


def test_several_multi_frame_files_are_read_one_by_one(tmp_path: Path, refuses: Refuses) -> None:
    for number in (1, 2):
        dataset = Series(slices=3).enhanced()
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.5.{number}"
        save(dataset, tmp_path / f"{number}.dcm")

    refuses(tmp_path, errors.MixedSeriesError, "2 files, 2 of them multi-frame")
    assert read_study(tmp_path / "1.dcm").volume.geometry.shape == (3, 6, 7)
