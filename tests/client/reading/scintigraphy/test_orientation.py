"""However a frame lies in its plane, stated flips are undone and the sides stay the patient's."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import osteoserve_client.errors as errors
from osteoserve_client.reading import read_scintigram
from osteoserve_client.reading.scintigraphy.assembly import FEET_UP, SIDES_ASSUMED
from osteoserve_client.reading.scintigraphy.orientation import (
    PlaneDirections,
    Turn,
    from_cosines,
    from_patient_orientation,
    turn_to,
)
from osteoserve_client.scintigram import VIEWS
from tests.client.reading.conftest import Refuses
from tests.client.reading.scintigraphy.conftest import Written

FLIPS = [(False, False), (False, True), (True, False), (True, True)]
OUTWARD = {"anterior": "L", "posterior": "R"}
OTHER = {"L": "R", "R": "L"}
COSINES = {"L": [1, 0, 0], "R": [-1, 0, 0], "H": [0, 0, 1], "F": [0, 0, -1]}


def directions(view: str, rows: bool, columns: bool) -> tuple[str, str]:
    """Where rows and columns of a frame run that was flipped; worked out by hand."""
    return OTHER[OUTWARD[view]] if columns else OUTWARD[view], "H" if rows else "F"


def flip(ds: pydicom.Dataset, rows: bool, columns: bool) -> None:
    frames = ds.pixel_array.reshape(-1, 1024, 256)
    flipped = frames[:, :: -1 if rows else 1, :: -1 if columns else 1]
    ds.PixelData = flipped.astype("<u2").tobytes()


@pytest.mark.parametrize("attribute", ["PatientOrientation", "ImageOrientationPatient", "both"])
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("rows", "columns"), FLIPS)
def test_stated_flips_of_a_single_view_are_undone(
    phantom, written: Written, view: str, rows: bool, columns: bool, attribute: str
) -> None:
    def edit(ds: pydicom.Dataset) -> None:
        flip(ds, rows, columns)
        along_row, along_column = directions(view, rows, columns)
        if attribute != "ImageOrientationPatient":
            ds.PatientOrientation = [along_row, along_column]
        if attribute != "PatientOrientation":
            cosines = COSINES[along_row] + COSINES[along_column]
            ds.DetectorInformationSequence[0].ImageOrientationPatient = cosines

    scan = read_scintigram(written(edit, views=[view]))

    found = scan[view]
    assert np.array_equal(found.counts, phantom.counts[view])
    assert (found.rows_reversed, found.columns_reversed) == (rows, columns)
    stored = phantom.counts[view][:: -1 if rows else 1, :: -1 if columns else 1]
    assert np.array_equal(found.as_stored(found.counts), stored)
    assert scan.warnings == ()


@pytest.mark.parametrize(("rows", "columns"), FLIPS)
def test_each_detector_of_a_file_states_its_own(
    phantom, written: Written, rows: bool, columns: bool
) -> None:
    def edit(ds: pydicom.Dataset) -> None:
        flip(ds, rows, columns)
        for view, detector in zip(VIEWS, ds.DetectorInformationSequence, strict=True):
            along_row, along_column = directions(view, rows, columns)
            detector.ImageOrientationPatient = COSINES[along_row] + COSINES[along_column]

    scan = read_scintigram(written(edit))

    for view in scan.views:
        assert np.array_equal(view.counts, phantom.counts[view.view])
        assert (view.rows_reversed, view.columns_reversed) == (rows, columns)
    assert scan.warnings == ()


def test_a_turn_by_180_degrees_is_never_silent(phantom, written: Written) -> None:
    """Where nothing states it, the report says so."""
    scan = read_scintigram(written(lambda ds: flip(ds, True, True)))

    assert np.array_equal(scan["anterior"].counts, phantom.counts["anterior"][::-1, ::-1])
    assert scan.warnings == (SIDES_ASSUMED, FEET_UP)


def orientation(*values: str) -> object:
    return lambda ds: setattr(ds, "PatientOrientation", list(values))


def cosines(*values: float) -> object:
    def edit(ds: pydicom.Dataset) -> None:
        ds.DetectorInformationSequence[0].ImageOrientationPatient = list(values)

    return edit


def both(ds: pydicom.Dataset) -> None:
    orientation("L", "F")(ds)
    cosines(-1, 0, 0, 0, 0, -1)(ds)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (orientation("F", "L"), "Patient Orientation is not of an upright"),
        (orientation("A", "F"), "Patient Orientation is not of an upright"),
        (orientation("L"), "Patient Orientation is not of an upright"),
        (orientation("L", "P"), "Patient Orientation is not of an upright"),
        (cosines(0, 0, -1, 1, 0, 0), "Image Orientation is not of an upright"),
        (cosines(1, 0, 0, 0, 1, 0), "Image Orientation is not of an upright"),
        (cosines(0.7, 0.7, 0, 0, 0, -1), "Image Orientation is not of an upright"),
        (cosines(1, 0, 0, 0, 0, 0), "Image Orientation is not of an upright"),
        (both, "contradict each other"),
    ],
)
def test_what_no_flip_mends_is_refused(
    written: Written, refuses_scan: Refuses, edit, words: str
) -> None:
    refuses_scan(written(edit, views=["anterior"]), errors.OrientationError, words)


@pytest.mark.parametrize(("views", "row"), [(VIEWS, "L"), (VIEWS[::-1], "R")])
def test_one_statement_for_two_views_is_that_of_the_first(
    phantom, written: Written, views, row: str
) -> None:
    """Rows of the two run to different sides, so it can hold for one of them alone."""
    scan = read_scintigram(written(orientation(row, "F"), views=views))

    for view in scan.views:
        assert np.array_equal(view.counts, phantom.counts[view.view])
    assert scan.warnings == (SIDES_ASSUMED,)


@pytest.mark.parametrize(("row", "column"), [("R", "F"), ("L", "H"), ("R", "H")])
def test_one_statement_for_two_views_turns_neither(
    written: Written, refuses_scan: Refuses, row: str, column: str
) -> None:
    folder = written(orientation(row, column))

    refuses_scan(folder, errors.OrientationError, "one orientation is stated for two views")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from("LR"),
    st.sampled_from("FH"),
    st.floats(-0.2, 0.2),
    st.floats(0.5, 2),
    st.sampled_from(VIEWS),
)
def test_letters_and_cosines_say_the_same(row, column, slant: float, length: float, view) -> None:
    stated = [length * (n + slant * (k == 1)) for k, n in enumerate(COSINES[row])]
    found = from_cosines((*stated, *COSINES[column]), "it")

    assert found == from_patient_orientation((row, column), "it") == PlaneDirections(row, column)
    assert turn_to(view, found) == Turn(rows=column == "H", columns=row != OUTWARD[view])


def test_nothing_stated_is_nothing() -> None:
    assert from_cosines(None, "it") is None
    assert from_cosines((0.0,) * 6, "it") is None
    assert from_patient_orientation((), "it") is None
