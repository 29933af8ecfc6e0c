"""Tiny CT series whose every voxel tells where it lies, written as DICOM.

The HU of a voxel is a whole number worked out from its place in the patient, so whatever way a
volume was stored, reading it right means ``voxels == field(places of its geometry)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian

from osteoserve_preprocessing.geometry import Geometry

#: Stands in every attribute that names the patient, and must come back in no message.
CANARY = "CANARYDOE"
SCANNER_UID = "1.2.826.0.1.3680043.10.1234"

FloatArray = npt.NDArray[np.float64]


def field(places: FloatArray) -> npt.NDArray[np.int64]:
    """HU at places (..., 3) in LPS, mm: whole where coordinates are."""
    return np.rint(places @ np.array([3.0, 20.0, 120.0])).astype(np.int64) - 1000


def places(geometry: Geometry) -> FloatArray:
    """(Z, Y, X, 3) centre of each voxel in LPS, mm."""
    k, j, i = np.indices(geometry.shape)
    indices = np.stack([i, j, k, np.ones_like(i)], axis=-1)
    return (indices @ geometry.affine.T)[..., :3]


def unchanged(dataset: Dataset, index: int) -> None:
    """Leaves the slice as it is."""


@dataclass(frozen=True)
class Series:
    """What to write; every default can be replaced with ``with_(...)``."""

    slices: int = 5
    rows: int = 6
    columns: int = 7
    step: tuple[float, float, float] = (0.0, 0.0, 3.0)
    pixel_spacing: tuple[float, float] = (2.0, 1.0)
    row: tuple[float, float, float] = (1.0, 0.0, 0.0)
    column: tuple[float, float, float] = (0.0, 1.0, 0.0)
    origin: tuple[float, float, float] = (4.0, -3.0, 2.0)
    number: int = 3
    intercept: int = -1024

    def with_(self, **changes: object) -> Series:
        return replace(self, **changes)  # type: ignore[arg-type]

    def position(self, index: int) -> FloatArray:
        return np.array(self.origin) + index * np.array(self.step)

    def hounsfield(self, index: int) -> npt.NDArray[np.int64]:
        """(rows, columns) of the field, where slice ``index`` lies."""
        j, i = np.indices((self.rows, self.columns))[..., None]
        between_rows, between_columns = self.pixel_spacing
        across = i * between_columns * np.array(self.row) + j * between_rows * np.array(self.column)
        return field(self.position(index) + across)

    def dataset(self, index: int) -> Dataset:
        """A complete single-frame CT image."""
        dataset = patient_and_study(self.number)
        instance(dataset, CTImageStorage, f"{SCANNER_UID}.{self.number}.9.{index + 1}")
        dataset.InstanceNumber = index + 1
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.ImagePositionPatient = [float(c) for c in self.position(index)]
        dataset.ImageOrientationPatient = [*self.row, *self.column]
        dataset.PixelSpacing = list(self.pixel_spacing)
        dataset.SliceThickness = float(np.linalg.norm(self.step))
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, self.intercept
        stored = self.hounsfield(index) - self.intercept
        store(dataset, stored.astype(np.int16))
        return dataset

    def enhanced(self, order: list[int] | None = None) -> Dataset:
        """One enhanced multi-frame CT; frame n is slice ``order[n]``."""
        order = list(range(self.slices)) if order is None else order
        dataset = patient_and_study(self.number)
        instance(dataset, EnhancedCTImageStorage, f"{SCANNER_UID}.{self.number}.8.1")
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
        dataset.SharedFunctionalGroupsSequence = Sequence([self._shared()])
        frames = [
            group(
                PlanePositionSequence=group(
                    ImagePositionPatient=[float(c) for c in self.position(index)]
                )
            )
            for index in order
        ]
        dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
        dataset.NumberOfFrames = len(order)
        stored = np.stack([self.hounsfield(index) - self.intercept for index in order])
        store(dataset, stored.astype(np.int16))
        return dataset

    def _shared(self) -> Dataset:
        return group(
            PlaneOrientationSequence=group(ImageOrientationPatient=[*self.row, *self.column]),
            PixelMeasuresSequence=group(
                PixelSpacing=list(self.pixel_spacing),
                SliceThickness=float(np.linalg.norm(self.step)),
            ),
            PixelValueTransformationSequence=group(
                RescaleSlope=1, RescaleIntercept=self.intercept, RescaleType="HU"
            ),
            CTImageFrameTypeSequence=group(
                FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], VolumetricProperties="VOLUME"
            ),
        )

    def write(
        self,
        folder: Path,
        change: Callable[[Dataset, int], None] = unchanged,
        *,
        names: Callable[[int], str] = "IM{:04d}.dcm".format,
    ) -> Path:
        """Writes the slices, each after ``change(dataset, index)``; returns the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(self.slices):
            dataset = self.dataset(index)
            change(dataset, index)
            save(dataset, folder / names(index))
        return folder


def patient_and_study(number: int) -> Dataset:
    dataset = Dataset()
    dataset.PatientName = f"{CANARY}^{CANARY}"
    dataset.PatientID = CANARY
    dataset.PatientBirthDate = "19010203"
    dataset.PatientComments = CANARY
    dataset.StudyDescription = dataset.SeriesDescription = CANARY
    dataset.Modality = "CT"
    dataset.StudyInstanceUID = f"{SCANNER_UID}.1"
    dataset.SeriesInstanceUID = f"{SCANNER_UID}.{number}.2"
    dataset.FrameOfReferenceUID = f"{SCANNER_UID}.3"
    dataset.SeriesNumber = number
    dataset.PatientPosition = "HFS"
    return dataset


def instance(dataset: Dataset, sop_class: str, uid: str) -> None:
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, uid
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = uid


def store(dataset: Dataset, pixels: npt.NDArray[np.int16]) -> None:
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.add_new("PixelData", "OW", pixels.astype("<i2").tobytes())


def group(**attributes: object) -> Dataset:
    """A dataset of attributes, those that are datasets wrapped into sequences."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, Sequence([value]) if isinstance(value, Dataset) else value)
    return dataset


def save(dataset: Dataset, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path
