"""What is no whole-body bone scan, or mixes two, is refused for that reason."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.tag import Tag

import osteoserve_client.errors as errors
from osteoserve_client.reading import list_series, modality_of, read_scintigram, read_study
from tests.client.reading.conftest import Refuses
from tests.client.reading.ct_series import CANARY, Series
from tests.client.reading.scintigraphy.conftest import Written


def typed(*words: str):
    return lambda ds: setattr(ds, "ImageType", ["ORIGINAL", "PRIMARY", *words])


def second(**attributes: object):
    """Changes the second of two files."""

    def edit(ds: pydicom.Dataset) -> None:
        if ds.InstanceNumber == 2:
            for keyword, value in attributes.items():
                setattr(ds, keyword, value)

    return edit


def frames_in_time(ds: pydicom.Dataset) -> None:
    ds.FrameIncrementPointer = [Tag(0x0054, 0x0010), Tag(0x0054, 0x0020), Tag(0x0054, 0x0100)]


def two_windows(ds: pydicom.Dataset) -> None:
    ds.EnergyWindowVector, ds.NumberOfEnergyWindows = [1, 2], 2


def iodine(ds: pydicom.Dataset) -> None:
    code = ds.RadiopharmaceuticalInformationSequence[0].RadionuclideCodeSequence[0]
    code.CodeValue, code.CodeMeaning = "1368003", CANARY


@pytest.mark.parametrize(
    ("edit", "error", "words"),
    [
        *(
            (typed(word, "EMISSION"), errors.AcquisitionError, f"Image Type is {word}:")
            for word in (
                *("STATIC", "DYNAMIC", "GATED", "TOMO", "GATED TOMO", "RECON TOMO"),
                "RECON GATED TOMO",
            )
        ),
        (typed(), errors.AcquisitionError, "Image Type does not say WHOLE BODY"),
        (typed(CANARY, "EMISSION"), errors.AcquisitionError, "does not say WHOLE BODY"),
        (typed("WHOLE BODY", "TRANSMISSION"), errors.AcquisitionError, "TRANSMISSION"),
        (frames_in_time, errors.AcquisitionError, "go by time, phase, angle or slice"),
        (two_windows, errors.AcquisitionError, "several energy windows"),
        (iodine, errors.AcquisitionError, "^131^Iodine; bone scans are of technetium-99m"),
        (lambda ds: setattr(ds, "Modality", "PT"), errors.ModalityError, "no bone scan: 1 (PT"),
    ],
)
def test_other_nuclear_medicine(
    written: Written, refuses_scan: Refuses, edit, error, words: str
) -> None:
    refuses_scan(written(edit), error, words)


@pytest.mark.parametrize("words", [("WHOLE BODY",), ("WHOLEBODY", "EMISSION"), ("WHOLE_BODY",)])
def test_ways_to_say_whole_body(written: Written, words: tuple[str, ...]) -> None:
    assert len(read_scintigram(written(typed(*words))).views) == 2


@pytest.mark.parametrize(
    ("edit", "error", "words"),
    [
        (second(PatientID="OTHER"), errors.MixedPatientsError, "differ in Patient ID"),
        (second(PatientName="OTHER"), errors.MixedPatientsError, "differ in Patient's Name"),
        (second(StudyInstanceUID="1.2.3"), errors.MixedSeriesError, "Study Instance UID"),
        (second(PixelSpacing=["2", "2"]), errors.InconsistentViewsError, "pixel spacing"),
        (
            second(Rows=512, PixelData=np.ones((512, 256), "<u2").tobytes()),
            errors.InconsistentViewsError,
            "NM0001.dcm (1024x256) and NM0002.dcm (512x256) differ in size",
        ),
    ],
)
def test_two_files_that_do_not_belong_together(
    written: Written, refuses_scan: Refuses, edit, error, words: str
) -> None:
    refuses_scan(written(edit, separate=True), error, words)


def test_the_same_image_twice(written: Written, refuses_scan: Refuses) -> None:
    folder = written(separate=True)
    first, other = sorted(folder.iterdir())
    other.write_bytes(first.read_bytes())

    refuses_scan(folder, errors.DuplicateSliceError, "the same SOP Instance UID")


def test_a_static_image_in_the_series_is_left_out_and_counted(written: Written) -> None:
    def edit(ds: pydicom.Dataset) -> None:
        if ds.InstanceNumber == 2:
            typed("STATIC", "EMISSION")(ds)

    scan = read_scintigram(written(edit, separate=True))

    assert [view.view for view in scan.views] == ["anterior"]
    assert "1 image of the series was left out: no whole-body bone scan" in scan.warnings


def test_ct_and_bone_scan_in_one_folder(written: Written, refuses_scan: Refuses) -> None:
    folder = written()
    Series(number=7, slices=3).write(folder / "ct")

    with pytest.raises(errors.SeriesChoiceError, match=r"1 \(NM, 2 images .*7 \(CT, 3 images"):
        modality_of(folder)
    assert (modality_of(folder, series="1"), modality_of(folder, series="7")) == ("NM", "CT")
    assert len(read_scintigram(folder).views) == 2
    assert read_study(folder).volume.geometry.shape[0] == 3
    assert [(one.modality, one.refusal) for one in list_series(folder)] == [("NM", ""), ("CT", "")]
    refuses_scan(folder, errors.ModalityError, "there is no bone scan: 7 (CT", series="7")


@pytest.mark.parametrize("edit", [typed("WHOLE BODY"), typed("STATIC")])
def test_nuclear_medicine_is_no_ct(written: Written, refuses: Refuses, edit) -> None:
    """A refused one is read as a bone scan as well: that says why."""
    folder = written(edit)

    assert modality_of(folder) == modality_of(next(folder.iterdir())) == "NM"
    refuses(folder, errors.ModalityError, "there is no CT: 1 (NM, 2 images of 1024x256, not CT)")


def test_a_static_image_beside_a_ct_does_not_matter(written: Written) -> None:
    folder = written(typed("STATIC"))
    Series(number=7, slices=3).write(folder / "ct")

    assert modality_of(folder) == "CT"
    assert [one.refusal for one in list_series(folder)] == ["no whole-body bone scan", ""]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.nii.gz", "CT"), ("a.nrrd", "CT"), ("a.mha", "CT"), ("a.PNG", "NM"), ("a.tiff", "NM")],
)
def test_the_modality_of_other_files_is_that_of_their_format(
    tmp_path, name: str, expected: str
) -> None:
    (tmp_path / name).touch()
    assert modality_of(tmp_path / name) == expected


def test_nothing_there(tmp_path, refuses_scan: Refuses) -> None:
    refuses_scan(tmp_path / "absent", errors.InputNotFoundError, "absent")
    refuses_scan(tmp_path, errors.NoImageError, "no DICOM image")
