"""Counts come out as they were measured, or the file is refused."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

import osteoserve_client.errors as errors
from osteoserve_client.reading import read_scintigram
from osteoserve_client.reading.scintigraphy.nuclear import AREAS_UNKNOWN, SPACING_AT_DETECTOR
from osteoserve_client.reading.scintigraphy.stored_counts import GREY, INVERTED
from tests.client.reading.conftest import Refuses
from tests.client.reading.scintigraphy.conftest import Written

CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def store(ds: pydicom.Dataset, pixels: np.ndarray, *, bits: int = 0) -> None:
    """Puts pixels of any integer type into a dataset."""
    allocated = 8 * pixels.dtype.itemsize
    ds.BitsAllocated, ds.BitsStored = allocated, bits or allocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.add_new("PixelData", "OB" if allocated == 8 else "OW", pixels.tobytes())


def setting(**attributes: object):
    def edit(ds: pydicom.Dataset) -> None:
        for keyword, value in attributes.items():
            setattr(ds, keyword, value)

    return edit


def pixels(change):
    return lambda ds: store(ds, change(ds.pixel_array.astype(np.int64)))


@pytest.mark.parametrize("dtype", ["<i2", "<u2", "<u4", "<i4"])
def test_counts_of_any_width(phantom, written: Written, dtype: str) -> None:
    folder = written(pixels(lambda stored: stored.astype(dtype)))

    scan = read_scintigram(folder)
    assert np.array_equal(scan.counts, [phantom.counts[view.view] for view in scan.views])


def test_a_slope_that_gives_whole_counts(phantom, written: Written) -> None:
    def edit(ds: pydicom.Dataset) -> None:
        ds.RescaleSlope, ds.RescaleIntercept = "2", "0"

    scan = read_scintigram(written(edit))
    assert np.array_equal(scan["anterior"].counts, 2 * phantom.counts["anterior"])


@pytest.mark.parametrize(
    ("photometric", "inverted"),
    [("MONOCHROME2", False), ("MONOCHROME1", True), ("MONOCHROME1", False)],
)
def test_eight_bit_copies(phantom, written: Written, photometric: str, inverted: bool) -> None:
    """A secondary capture; MONOCHROME1 may be inverted grey, or black on white of plain counts."""
    grey = np.minimum(phantom.counts["anterior"], 255).astype(np.uint8)

    def edit(ds: pydicom.Dataset) -> None:
        store(ds, 255 - grey if inverted else grey)
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CAPTURE
        ds.PhotometricInterpretation = photometric
        del ds.DetectorInformationSequence

    scan = read_scintigram(written(edit, views=["anterior"]), view="anterior")

    assert np.array_equal(scan["anterior"].counts, grey)
    assert GREY in scan.warnings
    assert (INVERTED in scan.warnings) == inverted


@pytest.mark.parametrize(
    ("edit", "error", "words"),
    [
        (pixels(lambda p: (p - 1).astype("<i2")), errors.CountsError, "frame 1: has negative"),
        (pixels(lambda p: (0 * p).astype("<u2")), errors.CountsError, "has no counts"),
        (pixels(lambda p: (p + 65536).astype("<u4")), errors.CountsError, "more than 65535"),
        (pixels(lambda p: (9999 - p).astype("<u2")), errors.CountsError, "grey is inverted"),
        (setting(RescaleSlope="0.3", RescaleIntercept="0"), errors.CountsError, "fractions"),
        (setting(RescaleSlope="1", RescaleIntercept="-5"), errors.CountsError, "negative"),
        (
            setting(PhotometricInterpretation="RGB", SamplesPerPixel=3),
            errors.PixelFormatError,
            "colour image, not counts",
        ),
        (setting(Columns=300), errors.PixelDataError, "its header declares"),
        (setting(Rows=65535, Columns=65535), errors.PixelDataError, "at most 16777216"),
        (setting(DetectorVector=[1, 3]), errors.MissingAttributeError, "DetectorVector"),
        (setting(DetectorVector=[1]), errors.MissingAttributeError, "DetectorVector"),
    ],
)
def test_what_are_no_counts_is_refused(
    written: Written, refuses_scan: Refuses, edit, error, words: str
) -> None:
    refuses_scan(written(edit), error, words)


def test_a_view_without_counts_is_refused(written: Written, refuses_scan: Refuses) -> None:
    def edit(ds: pydicom.Dataset) -> None:
        stored = ds.pixel_array.copy()
        stored[1] = 0
        store(ds, stored.astype("<u2"))

    refuses_scan(written(edit), errors.CountsError, "frame 2: has no counts")


@pytest.mark.parametrize("kept", [-1000, -400_000])
def test_truncated_pixels_are_refused(written: Written, refuses_scan: Refuses, kept: int) -> None:
    folder = written()
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:kept])

    refuses_scan(folder, errors.PixelDataError, "truncated")


def test_a_file_cut_off_before_its_pixels_is_refused(
    written: Written, refuses_scan: Refuses
) -> None:
    """Else one of two views would be read alone."""
    folder = written(separate=True)
    path = sorted(folder.iterdir())[1]
    ds = pydicom.dcmread(path)
    del ds.PixelData
    ds.save_as(path)

    refuses_scan(folder, errors.UnreadableFileError, "NM0002.dcm: holds no pixel data")


def test_pixel_spacing_of_the_imager_is_remarked_on(written: Written) -> None:
    def edit(ds: pydicom.Dataset) -> None:
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CAPTURE
        ds.ImagerPixelSpacing = ["2.5", "2"]
        del ds.PixelSpacing

    scan = read_scintigram(written(edit))
    assert scan.pixel_spacing_mm == (2.5, 2.0)
    assert SPACING_AT_DETECTOR in scan.warnings


def test_without_pixel_spacing_areas_are_unknown(written: Written) -> None:
    scan = read_scintigram(written(lambda ds: delattr(ds, "PixelSpacing")))
    assert scan.pixel_spacing_mm is None
    assert AREAS_UNKNOWN in scan.warnings
