"""Enhanced multi-frame CT: each frame has all that a slice must have, or the file is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import LegacyConvertedEnhancedCTImageStorage

import osteoserve_client.errors as errors
from osteoserve_client.reading import read_study
from tests.client.reading.conftest import Refuses
from tests.client.reading.ct_series import Series, group, save

SERIES = Series(slices=4)


def shared(dataset: Dataset) -> Dataset:
    return dataset.SharedFunctionalGroupsSequence[0]


def frame(dataset: Dataset, index: int) -> Dataset:
    return dataset.PerFrameFunctionalGroupsSequence[index]


def place(dataset: Dataset, index: int, z: float) -> None:
    frame(dataset, index).PlanePositionSequence[0].ImagePositionPatient = [4.0, -3.0, z]


def derive(dataset: Dataset) -> None:
    frame(dataset, 2).CTImageFrameTypeSequence = [
        group(FrameType=["DERIVED", "PRIMARY", "PERFUSION", "RCBF"])
    ]
    del shared(dataset).CTImageFrameTypeSequence


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda d: place(d, 1, 8.0), errors.DuplicateSliceError, "frame 2 and multi.dcm, frame 3"),
        (lambda d: place(d, 3, 14.0), errors.MissingSliceError, "frame 3 and multi.dcm, frame 4"),
        (derive, errors.DerivedImageError, "frame 3: Image Type RCBF"),
        (
            lambda d: setattr(
                shared(d).CTImageFrameTypeSequence[0], "VolumetricProperties", "DISTORTED"
            ),
            errors.DerivedImageError,
            "curved",
        ),
        (
            lambda d: delattr(shared(d), "PixelValueTransformationSequence"),
            errors.MissingRescaleError,
            "frame 1",
        ),
        (
            lambda d: delattr(shared(d), "PlaneOrientationSequence"),
            errors.MissingAttributeError,
            "frame 1: ImageOrientationPatient is absent",
        ),
        (
            lambda d: delattr(frame(d, 2), "PlanePositionSequence"),
            errors.MissingAttributeError,
            "frame 3: ImagePositionPatient is absent",
        ),
        (
            lambda d: setattr(
                shared(d), "CTAcquisitionDetailsSequence", [group(GantryDetectorTilt=3.0)]
            ),
            errors.GantryTiltError,
            "3 degrees",
        ),
        (lambda d: setattr(d, "NumberOfFrames", 3), errors.PixelDataError, "declares 3 frames"),
        (
            lambda d: delattr(d, "PerFrameFunctionalGroupsSequence"),
            errors.PixelDataError,
            "describes 0",
        ),
        (lambda d: setattr(d, "ConcatenationUID", "1.2"), errors.PixelDataError, "concatenation"),
    ],
)
def test_file_is_refused(
    tmp_path: Path,
    refuses: Refuses,
    change: Callable[[Dataset], None],
    error: type[errors.InputError],
    words: str,
) -> None:
    dataset = SERIES.enhanced()
    change(dataset)

    refuses(save(dataset, tmp_path / "multi.dcm"), error, words)


def test_what_a_frame_says_itself_goes_before_what_is_shared(tmp_path: Path) -> None:
    dataset = SERIES.enhanced()
    for index in range(4):
        frame(dataset, index).PixelValueTransformationSequence = [
            group(RescaleSlope=1, RescaleIntercept=-1024 + index)
        ]

    voxels = read_study(save(dataset, tmp_path / "multi.dcm")).volume.voxels

    for index in range(4):
        assert (voxels[index] == SERIES.hounsfield(index) + index).all()


def test_legacy_converted_images_are_read(tmp_path: Path) -> None:
    dataset = SERIES.enhanced()
    dataset.SOPClassUID = LegacyConvertedEnhancedCTImageStorage
    dataset.file_meta.MediaStorageSOPClassUID = LegacyConvertedEnhancedCTImageStorage
    shared(dataset).PixelValueTransformationSequence[0].RescaleType = "US"

    study = read_study(save(dataset, tmp_path / "multi.dcm"))

    assert study.volume.geometry.shape == (4, 6, 7)
    assert study.warnings == ("Rescale Type is unspecified; values were taken as HU",)
    assert study.description["multi_frame"] is True
