"""Where one CT slice lies and what its numbers mean, from a single-frame file's header."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from osteoserve_client.errors import (
    AffineError,
    HounsfieldError,
    MissingAttributeError,
    MissingRescaleError,
)
from osteoserve_client.reading.dicom.attributes import number, numbers, text
from osteoserve_client.reading.dicom.headers import DicomFile

FloatArray = npt.NDArray[np.float64]

#: How far Image Orientation may be from orthonormal; it is written with four decimals or more.
ORTHONORMAL_TOLERANCE = 1e-3

#: Rescale Type (0028,1054) that may be HU: "US" is "unspecified" (PS3.3 C.11.1.1.2).
_HOUNSFIELD_TYPES = ("", "HU", "US")


@dataclass(frozen=True)
class Rescale:
    """HU = slope x stored value + intercept (PS3.3 C.11.1.1.2)."""

    slope: float
    intercept: float


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice: a single-frame file, or one frame of a multi-frame file.

    Args:
        name: How messages call it.
        file: The file that holds it.
        frame: Which of the file's frames it is, from 0.
        position: (x, y, z) centre of the first pixel in LPS, mm.
        row: Unit vector in LPS along which the column index grows.
        column: Unit vector in LPS along which the row index grows; perpendicular to ``row``.
        pixel_spacing: (between rows, between columns), mm.
        thickness: Slice Thickness in mm, if stated.
        declared_spacing: Spacing Between Slices in mm, without its sign, if stated.
        tilt: Gantry/Detector Tilt in degrees; 0 when it is not stated.
        rescale: From stored values to HU.
        unit: Rescale Type; "HU", or empty where it is not stated.
    """

    name: str
    file: DicomFile
    frame: int
    position: FloatArray
    row: FloatArray
    column: FloatArray
    pixel_spacing: tuple[float, float]
    thickness: float | None
    declared_spacing: float | None
    tilt: float
    rescale: Rescale
    unit: str

    @property
    def normal(self) -> FloatArray:
        """Unit vector in LPS perpendicular to the slice, right-handed: row x column."""
        return np.cross(self.row, self.column)


@dataclass(frozen=True, eq=False)
class SliceHeaders:
    """The datasets in which a slice's attributes stand.

    All one for a single-frame file; items of functional groups for a frame of a multi-frame one
    (PS3.3 C.7.6.16.2).
    """

    position: Dataset
    orientation: Dataset
    measures: Dataset
    rescale: Dataset
    acquisition: Dataset


def single_frame_slice(file: DicomFile) -> Slice:
    """The slice of a single-frame file.

    Raises:
        MissingAttributeError: Position, orientation or pixel spacing is absent or impossible.
        MissingRescaleError: Rescale Slope or Intercept is absent.
        HounsfieldError: The rescaled values are in another unit.
        AffineError: The two directions of Image Orientation are not perpendicular.
    """
    dataset = file.dataset
    headers = SliceHeaders(dataset, dataset, dataset, dataset, dataset)
    return slice_from(headers, file, 0, file.name)


def slice_from(headers: SliceHeaders, file: DicomFile, frame: int, name: str) -> Slice:
    """Reads and checks one slice's attributes; raises as ``single_frame_slice`` does."""
    row, column = _directions(headers.orientation, name)
    between = number(headers.measures, "SpacingBetweenSlices", name)
    return Slice(
        name=name,
        file=file,
        frame=frame,
        position=np.array(_required(headers.position, "ImagePositionPatient", name, 3)),
        row=row,
        column=column,
        pixel_spacing=_pixel_spacing(headers.measures, name),
        thickness=number(headers.measures, "SliceThickness", name) or None,
        # Some scanners give it the sign of the table's direction.
        declared_spacing=abs(between) if between else None,
        tilt=number(headers.acquisition, "GantryDetectorTilt", name) or 0.0,
        rescale=_rescale(headers.rescale, name),
        unit=_unit(headers.rescale, name),
    )


def _required(dataset: Dataset, keyword: str, name: str, count: int) -> tuple[float, ...]:
    found = numbers(dataset, keyword, name, count)
    if found is None:
        raise MissingAttributeError(f"{name}: {keyword} is absent")
    return found


def _directions(dataset: Dataset, name: str) -> tuple[FloatArray, FloatArray]:
    """Row and column direction, made exactly orthonormal (they are written rounded)."""
    stated = np.array(_required(dataset, "ImageOrientationPatient", name, 6)).reshape(2, 3)
    if np.abs(stated @ stated.T - np.eye(2)).max() > ORTHONORMAL_TOLERANCE:
        raise AffineError(f"{name}: ImageOrientationPatient is not two perpendicular unit vectors")
    row = stated[0] / np.linalg.norm(stated[0])
    column = stated[1] - (stated[1] @ row) * row
    return row, column / np.linalg.norm(column)


def _pixel_spacing(dataset: Dataset, name: str) -> tuple[float, float]:
    between_rows, between_columns = _required(dataset, "PixelSpacing", name, 2)
    if min(between_rows, between_columns) <= 0:
        raise MissingAttributeError(f"{name}: PixelSpacing is not positive")
    return between_rows, between_columns


def _rescale(dataset: Dataset, name: str) -> Rescale:
    if dataset.get("ModalityLUTSequence"):
        raise MissingRescaleError(f"{name}: has a Modality LUT instead of Rescale Slope")
    slope = number(dataset, "RescaleSlope", name)
    intercept = number(dataset, "RescaleIntercept", name)
    if slope is None or intercept is None:
        raise MissingRescaleError(
            f"{name}: RescaleSlope or RescaleIntercept is absent: its values have no unit"
        )
    if slope <= 0:
        raise MissingRescaleError(f"{name}: RescaleSlope is not positive")
    return Rescale(slope, intercept)


def _unit(dataset: Dataset, name: str) -> str:
    unit = text(dataset, "RescaleType", name).upper()
    if unit not in _HOUNSFIELD_TYPES:
        raise HounsfieldError(f"{name}: its Rescale Type is not HU")
    return unit
