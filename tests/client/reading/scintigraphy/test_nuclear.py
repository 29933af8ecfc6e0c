"""Bone scans as cameras write them: the view of each frame is the one that its codes state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

import osteoserve_client.errors as errors
from osteoserve_client.phantom.scintigraphy import PhantomScintigraphy, write_scintigraphy_study
from osteoserve_client.reading import read_scintigram
from osteoserve_client.reading.scintigraphy.assembly import SIDES_ASSUMED
from osteoserve_client.scintigram import VIEWS, Scintigram
from tests.client.reading.conftest import Refuses
from tests.client.reading.ct_series import CANARY
from tests.client.reading.scintigraphy.conftest import Written

BACKWARDS = VIEWS[::-1]
SRT = {"399321004": "G-5215", "399001007": "G-5216"}


def codes(ds: pydicom.Dataset) -> list[pydicom.Dataset]:
    return [detector.ViewCodeSequence[0] for detector in ds.DetectorInformationSequence]


def without_codes(ds: pydicom.Dataset) -> None:
    for detector in ds.DetectorInformationSequence:
        del detector.ViewCodeSequence


def check(scan: Scintigram, phantom: PhantomScintigraphy, views: tuple[str, ...] = VIEWS) -> None:
    """It holds these views of the phantom, and says nothing of the patient."""
    assert [view.view for view in scan.views] == list(views)
    for view in scan.views:
        assert view.counts.dtype == np.uint16
        assert np.array_equal(view.counts, phantom.counts[view.view])
        assert np.array_equal(view.as_stored(view.counts), phantom.counts[view.view])
    assert CANARY not in "".join(scan.warnings) + str(dict(scan.description))


@pytest.mark.parametrize("views", [VIEWS, BACKWARDS])
@pytest.mark.parametrize("separate", [False, True])
def test_both_views(phantom, written: Written, views, separate: bool) -> None:
    scan = read_scintigram(written(views=views, separate=separate))

    check(scan, phantom)
    places = {view.view: (view.file, view.frame) for view in scan.views}
    expected = [(0, 1), (1, 1)] if separate else [(0, 1), (0, 2)]
    assert places == dict(zip(views, expected, strict=True))
    assert scan.pixel_spacing_mm == pytest.approx((phantom.pixel_spacing_mm,) * 2, abs=1e-5)
    assert scan.stored_shapes == ((1024, 256),) * len(scan.datasets)
    assert all("PixelData" not in dataset for dataset in scan.datasets)
    assert scan.warnings == (SIDES_ASSUMED,)
    total = {view: int(phantom.counts[view].sum(dtype=np.int64)) for view in VIEWS}
    assert scan.description["total_counts"] == total
    first = scan.description["files"][0]
    assert first["radionuclide"] == "^99m^Technetium"
    assert (first["manufacturer"], first["lossy"]) == ("Osteoserve", False)
    assert first["whole_body_technique"] == "1PS"


def test_a_phantom_as_it_is_leaves_nothing_to_assume(phantom, tmp_path) -> None:
    write_scintigraphy_study(phantom, tmp_path / "study")
    scan = read_scintigram(tmp_path / "study")
    check(scan, phantom)
    assert scan.warnings == ()


@pytest.mark.parametrize("view", VIEWS)
def test_one_view(phantom, written: Written, view: str) -> None:
    check(read_scintigram(written(views=[view])), phantom, (view,))
    # An option that agrees is fine.
    check(read_scintigram(written(views=[view], name="again"), view=view), phantom, (view,))


@pytest.mark.parametrize("scheme", ["SRT", "SNM3", "99SDM"])
def test_codes_from_before_snomed_ct(phantom, written: Written, scheme: str) -> None:
    def edit(ds: pydicom.Dataset) -> None:
        for code in codes(ds):
            code.CodingSchemeDesignator, code.CodeValue = scheme, SRT[code.CodeValue]

    check(read_scintigram(written(edit)), phantom)


def test_the_detector_vector_points_to_the_code(phantom, written: Written) -> None:
    def edit(ds: pydicom.Dataset) -> None:
        ds.DetectorInformationSequence = ds.DetectorInformationSequence[::-1]
        ds.DetectorVector = [2, 1]

    check(read_scintigram(written(edit)), phantom)


def test_codes_at_the_top_level_go_by_frame(phantom, written: Written) -> None:
    def edit(ds: pydicom.Dataset) -> None:
        ds.ViewCodeSequence = codes(ds)
        without_codes(ds)

    check(read_scintigram(written(edit)), phantom)


def test_a_view_that_is_not_stated_must_be_said(
    phantom, written: Written, refuses_scan: Refuses
) -> None:
    folder = written(without_codes, views=BACKWARDS)

    refuses_scan(folder, errors.ViewChoiceError, "frame 1: does not state its view; say --view")
    scan = read_scintigram(folder, view="posterior,anterior")
    check(scan, phantom)
    assert "not stated by the file, but taken from --view: anterior and posterior" in scan.warnings


def test_views_side_by_side(phantom, written: Written, refuses_scan: Refuses) -> None:
    def edit(ds: pydicom.Dataset) -> None:
        without_codes(ds)
        frames = [phantom.counts[view] for view in BACKWARDS]
        ds.PixelData = np.hstack(frames).astype("<u2").tobytes()
        ds.Columns, ds.NumberOfFrames = 512, 1
        ds.DetectorVector = ds.EnergyWindowVector = 1

    folder = written(edit)
    refuses_scan(folder, errors.ViewChoiceError, "--view anterior,posterior")

    scan = read_scintigram(folder, view="posterior,anterior")
    check(scan, phantom)
    assert {view.view: view.first_column for view in scan.views} == {
        "anterior": 256,
        "posterior": 0,
    }
    assert scan.stored_shapes == ((1024, 512),)


def test_two_series_of_one_study_with_a_view_each(
    phantom, written: Written, refuses_scan: Refuses
) -> None:
    def edit(ds: pydicom.Dataset) -> None:
        ds.SeriesNumber = ds.InstanceNumber
        ds.SeriesInstanceUID = generate_uid(entropy_srcs=[str(ds.InstanceNumber)])

    folder = written(edit, separate=True)
    scan = read_scintigram(folder)
    check(scan, phantom)
    assert scan.description["series"] == "1 and 2"
    check(read_scintigram(folder, series="2"), phantom, ("posterior",))
    # One that is not there; and two scans of one view are two scans.
    refuses_scan(folder, errors.SeriesChoiceError, "not among: 1 (NM, 1 image", series="3")
    for path in folder.iterdir():
        ds = pydicom.dcmread(path)
        ds.DetectorInformationSequence[0].ViewCodeSequence[0].CodeValue = "399321004"
        del ds.DetectorInformationSequence[0].ViewCodeSequence[0].CodeMeaning
        ds.save_as(path)
    refuses_scan(folder, errors.SeriesChoiceError, "2 bone scan series; choose one with --series")


def set_code(value: str, scheme: str = "SCT", meaning: str = "") -> object:
    def edit(ds: pydicom.Dataset) -> None:
        code = codes(ds)[0]
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning

    return edit


@pytest.mark.parametrize(
    ("edit", "error", "words"),
    [
        (set_code("399001007"), errors.ViewError, "both the posterior view"),
        (set_code("399173006"), errors.ViewError, "frame 1: its View Code Sequence states neither"),
        (set_code("399321004", meaning="Post."), errors.ViewError, "the words of another"),
        # The way of a beam, and a vendor's own code: no statements.
        (set_code("R-10206", "SRT", "antero-posterior"), errors.ViewChoiceError, "frame 1"),
        (set_code("ANT", "99VENDOR", "anterior"), errors.ViewChoiceError, "frame 1"),
    ],
)
def test_codes_that_do_not_tell_the_views_apart(
    written: Written, refuses_scan: Refuses, edit, error, words: str
) -> None:
    refuses_scan(written(edit), error, words)


@pytest.mark.parametrize(
    ("keyword", "words", "refused"),
    [
        ("ImageID", "POST_E", True),
        ("SeriesDescription", f"{CANARY} whole body posterior", True),
        ("ImageID", "ANT", False),
        ("ImageID", "WB ANT+POST", False),
        ("SeriesDescription", "WB 3H POST INJECTION", False),
        ("SeriesDescription", "Posture", False),
    ],
)
def test_free_text_may_contradict_and_is_no_evidence(
    written: Written, refuses_scan: Refuses, keyword: str, words: str, refused: bool
) -> None:
    def edit(ds: pydicom.Dataset) -> None:
        setattr(ds, keyword, words)

    folder = written(edit, views=["anterior"])
    if refused:
        refuses_scan(folder, errors.ViewError, f"is the anterior view, but its {keyword} names")
    else:
        assert [view.view for view in read_scintigram(folder).views] == ["anterior"]
        for path in folder.iterdir():
            ds = pydicom.dcmread(path)
            without_codes(ds)
            ds.save_as(path)
        refuses_scan(folder, errors.ViewChoiceError, "does not state its view")


def test_a_file_of_no_image_beside_the_scan_is_counted(phantom, written: Written) -> None:
    folder = written()
    (folder / "notes.txt").write_text(CANARY)

    scan = read_scintigram(folder)
    check(scan, phantom)
    assert "1 file was ignored: no DICOM image" in scan.warnings


def test_progress_ends_at_its_total(written: Written) -> None:
    seen: list[tuple[int, int]] = []

    read_scintigram(written(separate=True), on_progress=lambda *done: seen.append(done))

    assert len({total for _, total in seen}) == 1
    assert seen[-1][0] == seen[-1][1]
    assert seen == sorted(seen)


def test_the_path_may_be_the_file_itself(phantom, written: Written) -> None:
    (path,) = written().iterdir()
    check(read_scintigram(Path(path)), phantom)
