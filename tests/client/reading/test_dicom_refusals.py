"""Series that cannot be segmented safely are refused by their own error, and never guessed at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import MRImageStorage, MultiFrameTrueColorSecondaryCaptureImageStorage

import osteoserve_client.errors as errors
from osteoserve_client.reading import read_study
from tests.client.reading.conftest import Refuses
from tests.client.reading.ct_series import CANARY, SCANNER_UID, Series, group, save

SERIES = Series()
Change = Callable[[Dataset, int], None]


def setting(keyword: str, value: object, *, only: int | None = None) -> Change:
    def change(dataset: Dataset, index: int) -> None:
        if only is None or index == only:
            setattr(dataset, keyword, value)

    return change


def without(keyword: str) -> Change:
    def change(dataset: Dataset, index: int) -> None:
        delattr(dataset, keyword)

    return change


def moved(index: int, z: float) -> Change:
    return setting("ImagePositionPatient", [4.0, -3.0, z], only=index)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (setting("PatientID", "other", only=2), errors.MixedPatientsError, "differ in Patient ID"),
        (setting("PatientName", "O", only=2), errors.MixedPatientsError, "Patient's Name"),
        (setting("PatientBirthDate", "19020203", only=2), errors.MixedPatientsError, "Birth Date"),
        (setting("StudyInstanceUID", "1.2.3", only=1), errors.MixedSeriesError, "Study Instance"),
        (
            setting("FrameOfReferenceUID", "1.2.3", only=1),
            errors.MixedFrameOfReferenceError,
            "IM0000.dcm and IM0001.dcm differ in Frame of Reference UID",
        ),
        (moved(2, 5.0), errors.DuplicateSliceError, "IM0001.dcm and IM0002.dcm"),
        (setting("SOPInstanceUID", "1.2", only=None), errors.DuplicateSliceError, "SOP Instance"),
        (moved(4, 17.0), errors.MissingSliceError, "1 slice is missing between IM0003.dcm and IM0"),
        (moved(4, 23.0), errors.MissingSliceError, "3 slices are missing"),
        (moved(4, 14.04), errors.IrregularSpacingError, "3.040 mm apart, other slices 3.000 mm"),
        (moved(2, 7.9), errors.IrregularSpacingError, "IM0001.dcm and IM0002.dcm"),
        (
            setting("ImagePositionPatient", [4.5, -3.0, 8.0], only=2),
            errors.InconsistentSlicesError,
            "IM0002.dcm lies 0.500 mm off",
        ),
        (setting("SpacingBetweenSlices", 1.5), errors.MissingSliceError, "1 of 2 slices"),
        (
            setting("ImageOrientationPatient", [0, 1, 0, 1, 0, 0], only=3),
            errors.InconsistentSlicesError,
            "differ in orientation",
        ),
        (
            setting("PixelSpacing", [2.0, 1.01], only=3),
            errors.InconsistentSlicesError,
            "differ in pixel spacing",
        ),
        (setting("Rows", 5, only=3), errors.InconsistentSlicesError, "IM0003.dcm differ in size"),
        (
            setting("ImageOrientationPatient", [1, 0, 0, 0.1, 0.995, 0]),
            errors.AffineError,
            "perpendicular",
        ),
        (setting("GantryDetectorTilt", 5), errors.GantryTiltError, "positions show none"),
        (setting("RescaleType", "OD"), errors.HounsfieldError, "Rescale Type"),
        (setting("RescaleSlope", 0), errors.MissingRescaleError, "not positive"),
        (
            setting("ModalityLUTSequence", [group(LUTExplanation=CANARY)]),
            errors.MissingRescaleError,
            "Modality LUT",
        ),
        (setting("Modality", "MR"), errors.ModalityError, "3 (MR, 5 images of 6x7, not CT)"),
        (setting("Modality", CANARY), errors.ModalityError, "not CT"),
        (setting("SOPClassUID", MRImageStorage), errors.ModalityError, "no CT"),
        (
            setting("SOPClassUID", MultiFrameTrueColorSecondaryCaptureImageStorage),
            errors.DerivedImageError,
            "secondary capture",
        ),
        (
            setting("ImageType", ["DERIVED", "SECONDARY", "MIP"]),
            errors.DerivedImageError,
            "Image Type MIP",
        ),
        (
            setting("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]),
            errors.LocalizerError,
            "localizer",
        ),
        (setting("PhotometricInterpretation", "RGB"), errors.PixelFormatError, "colour"),
        (setting("SamplesPerPixel", 3), errors.PixelFormatError, "colour"),
        (setting("NumberOfFrames", 2), errors.PixelDataError, "no functional groups"),
        (setting("ImagePositionPatient", [1, 2]), errors.MissingAttributeError, "3 finite numbers"),
        *(
            (without(keyword), error, keyword)
            for keyword, error in [
                ("RescaleSlope", errors.MissingRescaleError),
                ("RescaleIntercept", errors.MissingRescaleError),
                ("ImagePositionPatient", errors.MissingAttributeError),
                ("ImageOrientationPatient", errors.MissingAttributeError),
                ("PixelSpacing", errors.MissingAttributeError),
                ("BitsAllocated", errors.PixelFormatError),
            ]
        ),
    ],
)
def test_series_is_refused(
    tmp_path: Path, refuses: Refuses, change: Change, error: type[errors.InputError], words: str
) -> None:
    refuses(SERIES.write(tmp_path, change), error, words)


def test_slices_at_a_missing_end_are_noticed_by_the_header_alone(tmp_path: Path) -> None:
    study = read_study(SERIES.with_(slices=4).write(tmp_path))

    assert study.volume.geometry.shape[0] == 4  # nothing in a header tells that one is missing


def test_two_volumes_in_one_series_are_refused(tmp_path: Path, refuses: Refuses) -> None:
    SERIES.write(tmp_path / "phase 1")
    SERIES.write(
        tmp_path / "phase 2",
        lambda dataset, index: setattr(
            dataset, "SOPInstanceUID", f"{SCANNER_UID}.{SERIES.number}.7.{index + 1}"
        ),
    )

    refuses(tmp_path, errors.DuplicateSliceError, "lie at the same place")


def test_a_localizer_among_the_slices_is_left_out(tmp_path: Path) -> None:
    SERIES.write(tmp_path)
    localizer = SERIES.dataset(7)
    localizer.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    save(localizer, tmp_path / "scout.dcm")

    study = read_study(tmp_path)

    assert study.volume.geometry.shape[0] == 5
    assert study.warnings == ("1 localizer was left out",)


def test_a_screenshot_among_the_slices_is_refused(tmp_path: Path, refuses: Refuses) -> None:
    SERIES.write(tmp_path)
    rendering = SERIES.dataset(7)
    rendering.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    save(rendering, tmp_path / "shot.dcm")

    refuses(tmp_path, errors.DerivedImageError, "shot.dcm: Image Type SCREEN SAVE")


def test_a_single_slice_without_thickness_is_refused(tmp_path: Path, refuses: Refuses) -> None:
    folder = SERIES.with_(slices=1).write(tmp_path, without("SliceThickness"))

    refuses(folder, errors.MissingAttributeError, "does not state its SliceThickness")


@pytest.mark.parametrize("cut", [-1, -50, 300, 140, 133])
def test_a_file_that_breaks_off_is_refused(tmp_path: Path, refuses: Refuses, cut: int) -> None:
    path = SERIES.write(tmp_path) / "IM0004.dcm"
    path.write_bytes(path.read_bytes()[:cut])

    error = errors.PixelDataError if cut < 0 else errors.UnreadableFileError
    refuses(tmp_path, error, "IM0004.dcm")


@pytest.mark.parametrize("content", [b"", b"no DICOM at all" * 20])
def test_a_file_that_only_calls_itself_dicom_is_refused(
    tmp_path: Path, refuses: Refuses, content: bytes
) -> None:
    (SERIES.write(tmp_path) / "IM0009.dcm").write_bytes(content)

    refuses(tmp_path, errors.UnreadableFileError, "IM0009.dcm: is no DICOM file")


def test_a_folder_without_images_is_refused(tmp_path: Path, refuses: Refuses) -> None:
    (tmp_path / "notes.txt").write_text("nothing")

    refuses(tmp_path, errors.NoImageError, "no DICOM image among 1 files")


def test_a_path_that_does_not_exist_is_a_mistake_of_usage(tmp_path: Path, refuses: Refuses) -> None:
    refuses(tmp_path / "nowhere", errors.InputNotFoundError, "nowhere")
    assert errors.InputNotFoundError.exit_code == 2


def test_deeply_nested_sequences_are_refused(tmp_path: Path, refuses: Refuses) -> None:
    path = SERIES.write(tmp_path) / "IM0002.dcm"
    content = path.read_bytes()
    # Request Attributes Sequence and item, both of undefined length, 5,000 deep.
    level = b"\x40\0\x75\x02SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
    pixels = content.index(b"\xe0\x7f\x10\x00OW")
    path.write_bytes(content[:pixels] + 5000 * level + content[pixels:])

    refuses(tmp_path, errors.UnreadableFileError, "IM0002.dcm")


def test_every_refusal_is_an_error_of_ours_with_its_exit_code() -> None:
    refusals = [error for error in vars(errors).values() if isinstance(error, type)]
    for error in refusals:
        if issubclass(error, errors.InputError):
            assert error.exit_code == 3
        assert issubclass(error, errors.OsteoserveError) or error is errors.ClassVar
